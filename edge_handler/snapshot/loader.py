"""Loading a snapshot: what the start has time for, and the rest in the background."""

import _thread
import time
from collections.abc import Callable

from edge_handler.errors import BrokenSnapshot, StorageUnreachable
from edge_handler.feed.times import AHEAD_SECONDS, as_text
from edge_handler.log import log, log_exception
from edge_handler.snapshot.buckets import SnapshotBuckets
from edge_handler.snapshot.pointer import POINTER_KEY, decode_pointer
from edge_handler.snapshot.snapshot import Snapshot

OBJECT_SECONDS = 10.0
"""For one object, in the background: the sandbox may be frozen meanwhile."""


def in_a_thread(work: Callable[[], None]) -> None:
    """Do it without anybody waiting. It goes on whenever the sandbox does."""
    _thread.start_new_thread(work, ())


class Loader:
    """Loads one snapshot at a time."""

    def __init__(
        self,
        buckets: SnapshotBuckets,
        table: str,
        in_background: Callable[[Callable[[], None]], None] = in_a_thread,
    ) -> None:
        self._buckets = buckets
        self._table = table
        self._in_background = in_background
        self._is_busy = False
        self.snapshot: Snapshot | None = None
        """The newest that was found, perhaps with parts missing."""

    @property
    def is_busy(self) -> bool:
        """Whether it is loading."""
        return self._is_busy

    def load(self, deadline: float) -> None:
        """Load what there is time for. What is still missing then, `load_later` goes on with."""
        try:
            self._find_newest(deadline)
            self._fill(deadline)
        except (StorageUnreachable, BrokenSnapshot) as error:
            log("WARNING", "the snapshot could not be loaded", error=str(error))

    def load_later(self) -> None:
        """Look for a newer snapshot, and load what is missing, in the background. Not while it is busy."""
        if self._is_busy:
            return
        self._is_busy = True
        try:
            self._in_background(self._load_all)
        except RuntimeError:  # no thread is to be had
            self._is_busy = False

    def _load_all(self) -> None:
        try:
            self._find_newest(time.monotonic() + OBJECT_SECONDS)
            self._fill(None)
        except (StorageUnreachable, BrokenSnapshot) as error:
            log("WARNING", "the snapshot could not be loaded", error=str(error))
        except Exception as error:  # a thread's exceptions are nobody's
            log_exception("loading the snapshot failed", error)
        finally:
            self._is_busy = False

    def _find_newest(self, deadline: float) -> None:
        pointer = decode_pointer(self._buckets.read(POINTER_KEY, deadline))
        if pointer.table != self._table:
            raise BrokenSnapshot(f"the snapshot is of the table {pointer.table[:80]!r}")
        if pointer.taken_at > as_text(time.time() + AHEAD_SECONDS):
            raise BrokenSnapshot(f"the snapshot was taken in the future, {pointer.taken_at}")
        known = self.snapshot
        # A copy may be behind the other.
        if known is None or pointer.taken_at > known.pointer.taken_at:
            self.snapshot = Snapshot(pointer, known)

    def _fill(self, deadline: float | None) -> None:
        """Load the parts that are missing. One that is not there keeps what was known of its rows."""
        snapshot = self.snapshot
        while snapshot is not None and (part := snapshot.missing) is not None:
            until = time.monotonic() + OBJECT_SECONDS if deadline is None else deadline
            if until <= time.monotonic():
                return
            try:
                snapshot.add(part, self._buckets.read(snapshot.pointer.key(part), until))
            except (StorageUnreachable, BrokenSnapshot):
                # Or one that cannot be had would keep those behind it from being loaded.
                snapshot.put_off(part)
                raise
