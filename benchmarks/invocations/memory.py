"""A Lambda function's memory: a control group where this machine lends one, and what a process holds."""

import contextlib
import os
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

LAMBDA_BYTES = 128 * 1024 * 1024
_CGROUPS = Path("/sys/fs/cgroup")
_PAGE = os.sysconf("SC_PAGE_SIZE")


@dataclass(frozen=True, slots=True)
class Group:
    """A control group; what it holds beyond its limit, the kernel kills."""

    folder: Path
    peak_file: str

    def command(self, command: list[str]) -> list[str]:
        """Return a command that runs inside."""
        return ["/bin/sh", "-c", 'echo $$ > "$0/cgroup.procs" && exec "$@"', str(self.folder), *command]

    def peak(self) -> int | None:
        """Return the most bytes that it ever held, file cache included."""
        try:
            return int((self.folder / self.peak_file).read_text())
        except (OSError, ValueError):
            return None


@contextmanager
def limited(limit: int = LAMBDA_BYTES) -> Iterator[Group | None]:
    """Make a group that holds at most `limit` bytes; None where this machine does not let us (it takes root)."""
    if (_CGROUPS / "memory").is_dir():
        parent, limit_file, peak_file = _CGROUPS / "memory", "memory.limit_in_bytes", "memory.max_usage_in_bytes"
    else:
        parent, limit_file, peak_file = _CGROUPS, "memory.max", "memory.peak"
    folder = parent / f"edge-routing-{uuid.uuid4().hex}"
    try:
        folder.mkdir()
    except OSError:
        yield None
        return
    try:
        try:
            # Not write_text: where the controller is not handed down, the file is not to be created but missing.
            with (folder / limit_file).open("r+") as file:
                file.write(str(limit))
        except OSError:
            yield None
        else:
            yield Group(folder, peak_file)
    finally:
        with contextlib.suppress(OSError):
            folder.rmdir()


def resident(pid: int) -> int:
    """Return the bytes of memory that a process has."""
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * _PAGE


def descriptors(pid: int) -> int:
    """Return how many files and sockets a process has open."""
    return len(os.listdir(f"/proc/{pid}/fd"))
