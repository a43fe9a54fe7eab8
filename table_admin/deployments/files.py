"""The files of a directory, under the paths that viewers ask for. What cannot be served is refused, not left out."""

import os
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple
from unicodedata import normalize
from urllib.parse import quote

from edge_handler.errors import MalformedPath
from edge_handler.paths import decode_path
from edge_handler.website.paths import MAX_KEY_BYTES
from table_admin.errors import InvalidInput

MAX_FILES = 500_000
# What one request may put (S3's quotas).
MAX_FILE_BYTES = 5 * 1024**3
WELL_KNOWN = ".well-known"
_SHOWN = 10


class Entry(NamedTuple):
    """A file of a directory: where it is, and what the file system says of it."""

    where: str
    status: os.stat_result


@dataclass(frozen=True, slots=True)
class Walked:
    """What is in a directory."""

    files: dict[str, Entry]
    """By path, in order: NFC, beginning with a slash."""
    left_out: tuple[str, ...]
    """Names that begin with a dot, relative to the directory."""


def refuse_names(paths: Collection[str]) -> None:
    """Raise InvalidInput where somebody else names files that `walk` would have refused or left out."""
    walking = _Walk("")
    for path in paths:
        names = path[1:].split("/")
        if path in ("/_redirects", "/_headers"):
            walking.wrong.append(f"{path[1:]} is not served; give it beside the files.")
        elif any(name.startswith(".") and name != WELL_KNOWN for name in names):
            walking.wrong.append(f"{printable(path[1:])} begins with a dot; leave it out.")
        elif len(path.encode("utf-8", "surrogatepass")) > MAX_KEY_BYTES:
            walking.wrong.append(f"{printable(path[1:])} has a path of more than {MAX_KEY_BYTES:,} bytes.")
    if not walking.wrong:
        walking.check_names(paths)
    if walking.wrong:
        raise InvalidInput("\n".join(walking.wrong[:_SHOWN]))


def walk(directory: Path) -> Walked:
    """Return the files of a directory.

    Raises:
        InvalidInput: with what cannot be served, and why.
    """
    try:
        root = directory.resolve(strict=True)
        is_directory = root.is_dir()
    except (OSError, RuntimeError, ValueError) as error:
        raise InvalidInput(f"{printable(str(directory))} cannot be opened: {why(error)}.") from None
    if not is_directory:
        raise InvalidInput(f"{printable(str(directory))} is no directory.")
    walking = _Walk(str(root))
    walking.enter(str(root), "", str(root))
    files = dict(sorted(walking.files.items()))
    walking.check_names(files)
    if walking.wrong:
        lines = sorted(walking.wrong)[:_SHOWN]
        if len(walking.wrong) > _SHOWN:
            lines.append(f"{len(walking.wrong) - _SHOWN} more files cannot be deployed.")
        raise InvalidInput("\n".join(lines))
    return Walked(files, tuple(sorted(walking.left_out)))


@dataclass(slots=True)
class _Walk:
    root: str
    files: dict[str, Entry] = field(default_factory=dict)
    left_out: list[str] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)
    _folded: dict[str, str] = field(default_factory=dict)
    _inside: set[str] = field(default_factory=set)
    """The directories that the walk is in, without links: one that comes again is a loop."""

    def enter(self, where: str, before: str, real: str) -> None:
        """Take in what is in a directory, whose path is `before`, and which is `real` once links are followed."""
        if real in self._inside:
            self._refuse(before, "is a link to a directory that it is in, a loop")
            return
        try:
            with os.scandir(where) as scanned:
                entries = [*scanned]
        except OSError as error:
            self._refuse(before, f"cannot be read: {why(error)}")
            return
        self._inside.add(real)
        for entry in entries:
            self._take(entry, f"{before}/{entry.name}", real)
        self._inside.remove(real)

    def _take(self, entry: os.DirEntry[str], path: str, inside: str) -> None:
        if entry.name.startswith(".") and not self._may_begin_with_a_dot(entry.name, path):
            return
        try:
            entry.name.encode()
            real = self._followed(entry, path) if entry.is_symlink() else f"{inside}{os.sep}{entry.name}"
            if not real:
                return
            if entry.is_dir():
                self.enter(entry.path, path, real)
            elif entry.is_file():
                self._keep(Entry(entry.path, entry.stat()), path)
            else:
                self._refuse(path, "is neither a file nor a directory")
        except UnicodeEncodeError:
            self._refuse(path, "has a name that is not UTF-8, so no address is its own; rename it")
        except OSError as error:
            self._refuse(path, f"cannot be read: {why(error)}")

    def _may_begin_with_a_dot(self, name: str, path: str) -> bool:
        lower = name.lower()
        if lower == ".env" or lower.startswith(".env."):
            self._refuse(path, "holds secrets where it is what its name says; is this the directory that was built?")
        elif name != WELL_KNOWN:
            self.left_out.append(printable(path[1:]))
        else:
            return True
        return False

    def _followed(self, entry: os.DirEntry[str], path: str) -> str:
        """Return what a link leads to; empty where it is not what would be deployed by its own name, too."""
        try:
            target = os.path.realpath(entry.path, strict=True)
        except OSError as error:
            self._refuse(path, f"is a link that leads nowhere: {why(error)}")
            return ""
        if target != self.root and not target.startswith(os.path.join(self.root, "")):
            self._refuse(path, "is a link out of the directory; copy what it leads to")
            return ""
        names = os.path.relpath(target, self.root).split(os.sep)
        if any(name.startswith(".") and name not in (".", WELL_KNOWN) for name in names):
            self._refuse(path, f"is a link to {printable('/'.join(names))}, which is left out")
            return ""
        return target

    def _keep(self, entry: Entry, path: str) -> None:
        path = normalize("NFC", path)
        if entry.status.st_size > MAX_FILE_BYTES:
            size = f"{entry.status.st_size:,}"
            self._refuse(path, f"is larger than 5 GiB, which is what S3 takes at once: {size} bytes")
        elif len(path.encode()) > MAX_KEY_BYTES:
            self._refuse(path, f"has a path of more than {MAX_KEY_BYTES:,} bytes")
        elif path in self.files:
            self._refuse(path, "is there twice, in two forms of Unicode (NFC and NFD); the same address is for both")
        elif len(self.files) >= MAX_FILES:
            raise InvalidInput(f"There are more than {MAX_FILES:,} files; is this the directory that was built?")
        else:
            self.files[path] = entry

    def check_names(self, paths: Iterable[str]) -> None:
        """Refuse what no request could ask for, and what only a careful reader could tell apart."""
        for path in paths:
            if "\\" in path:  # what else no request can ask for begins with a dot
                self._check_can_be_asked(path)
            folded = path.lower() if path.isascii() else normalize("NFC", path.casefold())
            other = self._folded.setdefault(folded, path)
            if other != path:
                self._refuse(path, f"differs from {printable(other[1:])} only by case; on many machines they are one")

    def _check_can_be_asked(self, path: str) -> None:
        try:
            decode_path(quote(path))
        except MalformedPath as error:
            self._refuse(path, f"cannot be asked for: {error}")

    def _refuse(self, path: str, reason: str) -> None:
        self.wrong.append(f"{printable(path[1:]) or 'The directory'} {reason}.")


def shown(names: tuple[str, ...]) -> Iterator[str]:
    """Yield the first of many names, and how many there are."""
    yield from names[:3]
    if len(names) > 3:
        yield f"{len(names) - 3} more"


def why(error: Exception) -> str:
    """Return what went wrong, in the system's words."""
    return (getattr(error, "strerror", None) or str(error)).lower()


def printable(text: str) -> str:
    """Return a name as it can be written anywhere: no half of a character, no control character."""
    shorter = text if len(text) <= 200 else f"{text[:100]}...{text[-90:]}"
    return "".join(character if character.isprintable() else ascii(character)[1:-1] for character in shorter)
