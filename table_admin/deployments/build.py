"""What a directory is once it is a site: its files with their hashes and types, its rules, its list."""

import hashlib
import os
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path

from edge_handler.errors import BrokenListing
from edge_handler.website.listing import File, Listing, Options, Site, encode_listing, path_key
from table_admin.deployments import headers, redirects
from table_admin.deployments.caching import is_immutable
from table_admin.deployments.content_types import content_type, without_charset
from table_admin.deployments.files import printable, shown, walk, why
from table_admin.deployments.options import INDEX, MISSING, options_of
from table_admin.errors import InvalidInput

_WORKERS = 4
# Larger ones are read in threads. Small ones are slower there: the interpreter changes hands with each system call.
_SMALL = 64 * 1024
# Larger ones are read piece by piece, and are taken for UTF-8.
_WHOLE = 1024 * 1024


@dataclass(frozen=True, slots=True)
class LocalFile:
    """A file of the directory, and what the deployment says of it."""

    where: str
    size: int
    sha256: str
    content_type: str
    immutable: bool

    @property
    def path(self) -> Path:
        """Where it is."""
        return Path(self.where)


@dataclass(frozen=True, slots=True)
class Build:
    """A directory as it will be deployed."""

    files: Mapping[str, LocalFile]
    """By path, which begins with a slash."""
    options: Options
    listing: Listing
    notes: tuple[str, ...]
    """What whoever deploys should know."""


def build(directory: Path, *, spa: bool = False, force: bool = False, former: Sequence[Site] = ()) -> Build:
    """Return a directory as a site.

    Args:
        directory: what a generator wrote.
        spa: paths that are not there are answered with 200.html or index.html, with status 200.
        force: also without an index.html.
        former: deployments that are kept; a name that had other bytes there is not kept by browsers.

    Raises:
        InvalidInput: with what cannot be served, and why.
    """
    walked = walk(directory)
    rules = {name: _read(walked.files.pop(f"/{name}", None)) for name in (redirects.NAME, headers.NAME)}
    if INDEX not in walked.files and not force:
        raise InvalidInput(_no_index(directory, walked.files))
    options, notes = options_of(rules[redirects.NAME], rules[headers.NAME], walked.files, spa=spa)
    if walked.left_out:
        notes = (*notes, f"Left out, as their names begin with a dot: {', '.join(shown(walked.left_out))}.")
    return _built(_with_past(_looked_at(walked.files), former), options, notes)


def build_from(
    files: Mapping[str, LocalFile],
    redirect_lines: bytes,
    header_lines: bytes,
    *,
    spa: bool = False,
    force: bool = False,
    former: Sequence[Site] = (),
) -> Build:
    """Return as a site what somebody else has read: `build` without the directory. Raises InvalidInput."""
    if INDEX not in files and not force:
        raise InvalidInput(_no_index("What is deployed", files))
    options, notes = options_of(redirect_lines, header_lines, files, spa=spa)
    return _built(_with_past(files, former), options, notes)


def _built(files: Mapping[str, LocalFile], options: Options, notes: tuple[str, ...]) -> Build:
    if not options.fallback and _same(files.get(INDEX), files.get(MISSING)):
        notes = (
            *notes,
            "404.html is the same as index.html: with --spa what it answers has status 200, without it 404.",
        )
    says = {path: File(file.sha256, file.content_type, file.immutable, file.size) for path, file in files.items()}
    try:
        return Build(files, options, encode_listing(says, options), notes)
    except BrokenListing as error:
        raise InvalidInput(f"The list of the site's files cannot be written: {error}.") from None


def _same(one: LocalFile | None, other: LocalFile | None) -> bool:
    return one is not None and other is not None and one.sha256 == other.sha256


def _read(where: str | None) -> bytes:
    try:
        return Path(where).read_bytes() if where else b""
    except OSError as error:
        raise InvalidInput(f"{printable(str(where))} cannot be read: {why(error)}.") from None


def _no_index(directory: Path | str, files: Iterable[str]) -> str:
    inner = sorted((path for path in files if path.endswith(INDEX)), key=lambda path: (path.count("/"), path))
    hint = f" There is one in {printable(inner[0][1:].rpartition('/')[0])}: deploy that directory?" if inner else ""
    return (
        f"{directory} has no index.html, so the site would have no first page.{hint} --force deploys it all the same."
    )


def _looked_at(paths: Mapping[str, str]) -> dict[str, LocalFile]:
    """Read every file."""
    found = {path: _look_at(path, where, _SMALL) for path, where in sorted(paths.items())}
    large = [path for path, result in found.items() if result is None]
    with ThreadPoolExecutor(_WORKERS) as pool:
        results = pool.map(_look_at, large, [paths[path] for path in large])
        found.update(zip(large, results, strict=True))
    wrong = [said for said in found.values() if isinstance(said, str)]
    if wrong:
        more = [f"{len(wrong) - 10} more files cannot be read."] if len(wrong) > 10 else []
        raise InvalidInput("\n".join(wrong[:10] + more))
    return {path: file for path, file in found.items() if isinstance(file, LocalFile)}


def _with_past(files: Mapping[str, LocalFile], former: Sequence[Site]) -> dict[str, LocalFile]:
    """Return files as browsers may keep them, after what they had of `former`."""
    past: dict[bytes, bytes] = {}  # by path: the one blob that browsers may have; empty where none may be kept
    for site in former:
        for key, blob, immutable in site.blobs():
            kept = blob if immutable else b""
            if past.setdefault(key, kept) != kept:
                past[key] = b""
    return {path: _kept(path, file, past) for path, file in files.items()}


def _kept(path: str, file: LocalFile, past: Mapping[bytes, bytes]) -> LocalFile:
    if not file.immutable:
        return file
    before = past.get(path_key(path))
    # What was not immutable with the same bytes had others still earlier: it stays so, or a second run would change it.
    return file if before is None or before.hex() == file.sha256 else replace(file, immutable=False)


def _look_at(path: str, where: str, at_most: int | None = None) -> LocalFile | str | None:
    """Return a file, or what is wrong with it; None where it has more bytes than `at_most`."""
    kind = content_type(path)
    try:
        file = os.open(where, os.O_RDONLY | os.O_CLOEXEC)  # half the time that a file object takes
        try:
            size = os.fstat(file).st_size
            if at_most is not None and size > at_most:
                return None
            if size > _WHOLE:
                with open(file, "rb", closefd=False) as large:
                    digest = hashlib.file_digest(large, "sha256").hexdigest()
                return LocalFile(where, size, digest, kind, is_immutable(path))
            content = os.read(file, size + 1)
        finally:
            os.close(file)
    except OSError as error:
        return f"{printable(path[1:])} cannot be read: {why(error)}."
    if len(content) != size:
        return f"{printable(path[1:])} changed while it was read; deploy again when the build has ended."
    if kind != without_charset(kind) and not _is_utf8(content):
        kind = without_charset(kind)
    return LocalFile(where, size, hashlib.sha256(content).hexdigest(), kind, is_immutable(path))


def _is_utf8(content: bytes) -> bool:
    """Where it is not, the file's own word counts, a meta tag's say: a header would win over it."""
    try:
        content.decode()
    except UnicodeDecodeError:
        return False
    return True
