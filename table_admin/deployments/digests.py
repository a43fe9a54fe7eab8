"""Digests of files that are as they were when they were read: a second deployment reads what changed since.

As git's index does it: a file is the same where its place on the disk, its size and both its times are. The time of the
last change of a file's inode cannot be set, so what copies times (`cp -p`, `rsync -a`, `tar`) does not deceive it.
"""

import hashlib
import os
import struct
import tempfile
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

_MAGIC = b"table-admin digests 1\n"
_KEY = struct.Struct("!QQQqq")  # device, inode, size, both times in ns
_VALUE = struct.Struct("!32s?")
_RECORD = struct.Struct(f"!{_KEY.size}s{_VALUE.size}s")
_SETTLED_NS = 2_000_000_000
"""File systems' clocks are so coarse: what was written later than this before it was read may have been written again
under the same times."""
_KEPT_SECONDS = 30 * 86_400


@dataclass(frozen=True, slots=True)
class Digest:
    """What was found in a file."""

    sha256: bytes
    is_utf8: bool
    """Of large files it is not known, and taken to be so."""


class Digests:
    """What is known of the files of one directory."""

    def __init__(self, file: Path | None = None) -> None:
        """`file`: where it is kept; one that is not there, or is damaged, is empty. None keeps nothing."""
        self._file = file
        self._found: dict[bytes, bytes] = {}
        self._known = _read(file) if file is not None else {}

    def get(self, status: os.stat_result) -> Digest | None:
        """Return what was found in a file of this status, None where it has to be read."""
        key = _key(status)
        value = self._known.get(key)
        if value is None:
            return None
        self._found[key] = value
        return Digest(*_VALUE.unpack(value))

    def add(self, status: os.stat_result, digest: Digest) -> None:
        """Note what was found in a file, whose status is from before it was read."""
        if self._file is not None and max(status.st_mtime_ns, status.st_ctime_ns) < time.time_ns() - _SETTLED_NS:
            self._found[_key(status)] = _VALUE.pack(digest.sha256, digest.is_utf8)

    def save(self) -> None:
        """Keep what is known of the files that were asked for. Where that cannot be, the next run reads them."""
        if self._file is None or self._found == self._known:
            return
        content = b"".join(key + value for key, value in self._found.items())
        with suppress(OSError):
            self._file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            _write(self._file, _MAGIC + hashlib.sha256(content).digest() + content)
            _remove_old(self._file.parent)


def digests_of(directory: Path) -> Digests:
    """Return what the user's cache knows of a directory's files."""
    if os.name == "nt":  # there the second time is that of the file's creation
        return Digests()
    try:
        cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
        name = hashlib.sha256(os.fsencode(directory.resolve())).hexdigest()[:32]
    except (OSError, RuntimeError, ValueError):
        return Digests()
    return Digests(cache / "table-admin" / "digests" / name)


def _key(status: os.stat_result) -> bytes:
    return _KEY.pack(status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns)


def _read(file: Path) -> dict[bytes, bytes]:
    try:
        content = file.read_bytes()
        os.utime(file)  # it is in use
    except OSError:
        return {}
    records = content[len(_MAGIC) + 32 :]
    if not content.startswith(_MAGIC) or hashlib.sha256(records).digest() != content[len(_MAGIC) : len(_MAGIC) + 32]:
        return {}
    return dict(_RECORD.iter_unpack(records))


def _write(file: Path, content: bytes) -> None:
    with tempfile.NamedTemporaryFile(dir=file.parent, delete=False) as written:
        try:
            written.write(content)
            written.flush()
            os.replace(written.name, file)
        except OSError:
            os.unlink(written.name)
            raise


def _remove_old(folder: Path) -> None:
    for file in folder.iterdir():
        if file.stat().st_mtime < time.time() - _KEPT_SECONDS:
            file.unlink(missing_ok=True)
