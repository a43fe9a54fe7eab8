"""Directories as a generator writes them."""

import hashlib
from pathlib import Path

FILE_BYTES = 4096
SHARED = ("css", "js", "woff2")
"""What every page of `site` has in common, one file each."""


def many_files(folder: Path, count: int) -> Path:
    """Write `count` files of 4 KB, no two alike: half are pages, half have a hash in their names; return one page."""
    (folder / "assets").mkdir(parents=True)
    page = folder / "index.html"
    page.write_bytes(_bytes("index"))
    for number in range(1, count):
        if number % 2:
            (folder / "assets" / f"{number}-{_name(str(number))}.js").write_bytes(_bytes(f"{number}"))
        else:
            directory = folder / "docs" / f"part-{number % 100}" / f"{number}"
            directory.mkdir(parents=True)
            page = directory / "index.html"
            page.write_bytes(_bytes(f"{number}"))
    return page


def site(folder: Path, pages: int, version: int) -> None:
    """Write a site of `pages` beside its start page, whose script and whose first page are new with each version.

    Every page has the shared files and a picture of its own, whose name stays.
    """
    for name in ("assets", "pictures"):
        (folder / name).mkdir(parents=True, exist_ok=True)
    for old in (folder / "assets").iterdir():
        old.unlink()
    for extension in SHARED:
        (folder / shared(extension, version)).write_bytes(_bytes(shared(extension, version)))
    for number in range(pages):
        directory = folder / f"page-{number}" if number else folder
        directory.mkdir(exist_ok=True)
        (directory / "index.html").write_bytes(_bytes(f"page {number} {version if number < 2 else 1}"))
        (folder / "pictures" / f"{number}.svg").write_bytes(_bytes(f"picture {number}"))
    (folder / "404.html").write_bytes(_bytes("404"))


def shared(extension: str, version: int) -> str:
    """Return the path of a file that all pages have in common."""
    since = version if extension == "js" else 1
    return f"assets/app-{_name(f'{extension} {since}')}.{extension}"


def _name(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:8]


def _bytes(text: str) -> bytes:
    return (hashlib.sha256(text.encode()).hexdigest() * (FILE_BYTES // 64)).encode()
