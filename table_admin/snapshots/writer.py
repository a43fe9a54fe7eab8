"""Taking a snapshot: scan, send the parts that are others, then the pointer, then tell the feed.

What is not there yet when a run ends early is sent by the next one: parts lie under their content, and nobody looks for
one before the pointer names it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from math import floor

from edge_handler.snapshot.pointer import Pointer, digest_of
from table_admin.errors import InvalidInput, TableAdminError
from table_admin.feed import OVERLAP_SECONDS
from table_admin.inputs import iso
from table_admin.routing_table import RoutingTable
from table_admin.snapshots.comparing import Compared, Previous, compare, is_behind, just_before, was_told
from table_admin.snapshots.heartbeat import FUTURE_SECONDS, put_heartbeat, renew_heartbeat
from table_admin.snapshots.partition import Partition, PartTooLarge, blocks_for, dictionary_for, partition
from table_admin.snapshots.places import Bucket, Kept, Place, Stored, each, places_of
from table_admin.snapshots.source import OnSkipped, epoch_of, life_of, read_rows
from table_admin.tables import Tables

ACTOR = "snapshot"
_EXACT_SECONDS = 0.5
"""So exactly is DynamoDB's time known."""
_STEP = 2e-6
"""Between two snapshots: a reload is announced in between."""


@dataclass(frozen=True, slots=True)
class Snapshot:
    """What a run did."""

    rows: int
    skipped: int
    """Rows that no snapshot can hold."""
    parts: int
    sent: int
    """Parts sent, to all buckets together."""
    size: int
    """Bytes, of what was sent."""
    taken_at: str
    epoch: str
    age: float | None
    """Seconds since the snapshot was taken that the bucket has which is furthest behind; None where none has one."""
    superseded: bool
    """Whether a newer one was there already."""
    reload: bool
    """Whether the feed was told that rows are others which nobody had announced."""


_BEHIND = "DynamoDB answered with rows of before the last snapshot; nothing was written, the next run reads again."


class SnapshotFailed(TableAdminError):
    """A bucket has no new snapshot; `snapshot` is what was done nevertheless, None where that is nothing."""

    def __init__(self, message: str, snapshot: Snapshot | None = None) -> None:
        super().__init__(message)
        self.snapshot = snapshot


def take_snapshot(
    table: RoutingTable, buckets: Sequence[Bucket], *, on_skipped: OnSkipped = lambda *_: None
) -> Snapshot:
    """Write what all routes are now to each bucket: the parts that are others than before, then the pointer.

    A second run writes the pointer anew and nothing else; two at once do no harm. Rows that somebody wrote by hand are
    announced with a reload.

    Args:
        table: whose rows.
        buckets: where to; one that fails does not stop the others.
        on_skipped: told of each row that no snapshot can hold, and why.

    Raises:
        SnapshotFailed: a bucket has no new snapshot.
        TableAdminError: the table cannot be read.
    """
    if not buckets:
        raise InvalidInput("A snapshot needs a bucket.")
    tables, failed = table.tables, list[str]()
    life = life_of(tables)
    stored = each(places_of(buckets, table.client), Place.read, failed)
    if not stored:
        renew_heartbeat(tables, life)
        raise SnapshotFailed(" ".join(failed))
    run = _Run(tables, life, stored, failed)
    done = run.take(on_skipped)
    if failed:
        raise SnapshotFailed(" ".join(failed), done)
    return done


@dataclass(frozen=True, slots=True)
class _Sent:
    """What came of a bucket."""

    parts: int
    size: int
    is_newest: bool
    """Whether its pointer is this run's."""


class _Run:
    """One snapshot."""

    def __init__(self, tables: Tables, life: str, stored: Mapping[Place, Stored], failed: list[str]) -> None:
        self._tables, self._life, self._stored, self._failed = tables, life, stored, failed
        self._began = tables.clock.now()
        self._skipped = 0
        soon = iso(self._began + FUTURE_SECONDS)
        before = [
            Previous(place, one.pointer, one.parts, one.restores, one.owes_reload)
            for place, one in stored.items()
            if one.pointer is not None
            and (one.pointer.table, one.pointer.epoch) == (tables.routes, epoch_of(life, one.restores))
            and one.pointer.taken_at <= soon
        ]
        self._before = max(before, key=lambda one: one.pointer.taken_at, default=None)

    def take(self, on_skipped: OnSkipped) -> Snapshot:
        """Take it."""
        before, tables = self._before, self._tables
        restores = before.restores if before else 0
        taken_at = self._moment()
        if before is not None and taken_at is None:
            return self._result(0, before.pointer, {}, superseded=True)

        def skip(domain: str, why: str) -> None:
            self._skipped += 1
            on_skipped(domain, why)

        rows = read_rows(tables, skip)
        blocks = blocks_for(len(rows), before.pointer if before else None)
        new = partition(rows, blocks, dictionary_for(rows, blocks, before.pointer if before else None))
        compared = compare(tables, new, before) if before else Compared()
        if compared.went_back:
            if is_behind(tables, rows, compared.went_back):
                raise TableAdminError(
                    "DynamoDB answered with rows of before the last snapshot; the next run reads again."
                )
            restores += 1
        epoch = epoch_of(self._life, restores)
        new, digests, contents = self._encoded(rows, new, epoch)
        pointer = Pointer(tables.routes, epoch, taken_at or "", new.dictionary, digests)
        # Whoever sees another epoch begins anew.
        reload = (compared.unannounced or self._owes_reload()) and not compared.went_back
        sent = each(
            self._stored, lambda place: self._send(place, new, pointer, contents, restores, reload), self._failed
        )
        self._tell(sent, pointer, restores, reload)
        superseded = not all(one.is_newest for one in sent.values())
        return self._result(len(rows), pointer, sent, superseded=superseded, reload=reload)

    def _moment(self) -> str | None:
        """Return when it is taken: before it began, and after the one before; None where that one is newer."""
        taken = floor(self._began) - 1.0
        if self._before is not None:
            former = datetime.fromisoformat(self._before.pointer.taken_at).timestamp()
            if former + _STEP > self._began - _EXACT_SECONDS:
                return None
            taken = max(taken, former + _STEP)
        return iso(taken)

    def _encoded(
        self, rows: Mapping[str, bytes], new: Partition, epoch: str
    ) -> tuple[Partition, tuple[str, ...], dict[str, bytes]]:
        """Return the digests of the parts, and the contents of those that some bucket has to be sent."""
        known = {
            kept.fingerprint: digest
            for one in self._stored.values()
            for digest, kept in one.parts.items()
            if one.epoch == epoch
        }
        while True:
            digests, contents = [], {}
            try:
                for number, fingerprint in enumerate(new.fingerprints):
                    digest = known.get(fingerprint, "")
                    if not all(one.has(epoch, digest, self._began) for one in self._stored.values()):
                        content = new.content(number)
                        digest = digest_of(content)
                        contents[digest] = content
                    digests.append(digest)
                return new, tuple(digests), contents
            except PartTooLarge:
                new = partition(rows, 2 * new.blocks, new.dictionary)

    def _send(
        self,
        place: Place,
        new: Partition,
        pointer: Pointer,
        contents: Mapping[str, bytes],
        restores: int,
        reload: bool,
    ) -> _Sent:
        one, now = self._stored[place], self._began
        due = {digest: content for digest, content in contents.items() if not one.has(pointer.epoch, digest, now)}
        place.put_parts(pointer.epoch, due)
        parts = {
            digest: Kept(fingerprint, now if digest in due else one.parts[digest].put_at)
            for digest, fingerprint in zip(pointer.parts, new.fingerprints, strict=True)
        }
        if (one.epoch, one.parts) != (pointer.epoch, parts):
            place.put_state(pointer.epoch, parts)
        is_newest = place.put_pointer(pointer, restores, reload, one.etag)
        return _Sent(len(due), sum(map(len, due.values())), is_newest)

    def _owes_reload(self) -> bool:
        """Tell whether the run before ended after its pointer, and before it told of rows that nobody had announced."""
        before = self._before
        return before is not None and before.owes_reload and not was_told(self._tables, before.pointer.taken_at, ACTOR)

    def _tell(self, sent: Mapping[Place, _Sent], pointer: Pointer, restores: int, reload: bool) -> None:
        if not sent:
            renew_heartbeat(self._tables, self._life)
        elif all(one.is_newest for one in sent.values()):
            put_heartbeat(self._tables, pointer.epoch, pointer.taken_at, restores)
        if reload and any(one.is_newest for one in sent.values()):
            # Just before this snapshot was taken: then this one will do. Followers look back a minute; where the run
            # took most of it, the next one has to be waited for.
            is_soon = self._tables.clock.now() - self._began < OVERLAP_SECONDS / 2
            self._tables.announce_reload(ACTOR, just_before(pointer.taken_at) if is_soon else "")

    def _result(
        self, rows: int, pointer: Pointer, sent: Mapping[Place, _Sent], *, superseded: bool, reload: bool = False
    ) -> Snapshot:
        newest = {place for place, one in sent.items() if one.is_newest}
        former = [one.pointer for place, one in self._stored.items() if place not in newest]
        times = [one.taken_at for one in (*former, pointer if newest else None) if one is not None]
        age = self._tables.clock.now() - datetime.fromisoformat(min(times)).timestamp() if times else None
        return Snapshot(
            rows=rows,
            skipped=self._skipped,
            parts=len(pointer.parts),
            sent=sum(one.parts for one in sent.values()),
            size=sum(one.size for one in sent.values()),
            taken_at=pointer.taken_at,
            epoch=pointer.epoch,
            age=age,
            superseded=superseded,
            reload=reload and bool(newest),
        )
