"""AWS as the edge's instances see it, under a virtual clock: replicas, the feed's index, buckets, and their writers.

Each write has its own time of becoming visible in each region's table and index. What is true when, and by when
everybody who asks is told of it, is written down beside: the tests judge answers by that.
"""

import heapq
import json
import random
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from itertools import count
from math import floor, inf
from typing import Any

from edge_handler.feed.page import ALL_ROUTES, FEED
from edge_handler.routes.attributes import Item
from edge_handler.routes.origin import S3Origin
from edge_handler.routes.route import encode_route
from edge_handler.snapshot.pointer import POINTER_KEY, Pointer, digest_of, encode_pointer, part_key
from edge_handler.snapshot.records import BLOCKS_OF_PART, block_of, encode_block, encode_part, encode_row
from table_admin.announcing import ServerClock
from table_admin.inputs import iso
from tests.support import NOW, OWN_BUCKET, SETTINGS, route

REGIONS = ("us-east-1", "eu-west-1")
"""Home first."""
BUCKETS = ("snapshots-us", "snapshots-eu")
TABLE = SETTINGS.table
REPLICATION_SECONDS = 1.0
INDEX_SECONDS = 0.5
SNAPSHOT_SECONDS = 60.0
TTL_SECONDS = 90.0
"""After it has expired, DynamoDB removes a row; it may take days."""
PARTS = 2
HEALTHY = (0.02,)
LATENCIES = (*[0.02] * 8, 0.2, 1.5, 10.0, inf)
"""How long a poll's answer takes, drawn evenly."""


@dataclass(slots=True, eq=False)
class Write:
    """A row as it is from a time on."""

    domain: str
    revision: int
    landed: float
    row: Item | None
    announced_at: str = ""
    """Empty where it is not."""
    is_large: bool = False
    """Too large for the feed and the snapshot."""
    table_at: dict[str, float] = field(default_factory=dict)
    """By region, when its table has it."""
    index_at: dict[str, float] = field(default_factory=dict)
    told_at: float = inf
    """When everybody who asks is told of it."""
    was_scanned: bool = False
    is_restored: bool = False
    """It came out of a backup."""

    @property
    def expires_at(self) -> float:
        return float(self.row["expires_at"]["N"]) if self.row and "expires_at" in self.row else inf


@dataclass(frozen=True, slots=True)
class Said:
    """What the feed says of all routes together: a heartbeat or a reload."""

    item: Item
    announced_at: str
    index_at: dict[str, float]


@dataclass(slots=True)
class Bucket:
    """What is in one bucket, and what is wrong with it: "", "refusing", "silent", "missing", "damaged", "foreign"."""

    objects: dict[str, bytes] = field(default_factory=dict)
    fault: str = ""
    takes_writes: bool = True


@dataclass(frozen=True, slots=True)
class Taken:
    """A snapshot that was published."""

    at: float
    rows: frozenset[str]


class Aws:
    """The world outside of the instances."""

    def __init__(self, seed: int) -> None:
        self.now = NOW
        self.chance = random.Random(seed)
        self.down: dict[str, str] = {}
        """By region: "refusing", "silent", "failing", "throttled"."""
        self.feed_down: dict[str, str] = {}
        """The same, of the index only; also "torn"."""
        self.buckets = {name: Bucket() for name in BUCKETS}
        self.writer_lives = True
        self.latencies: Sequence[float] = LATENCIES
        self.lag = dict.fromkeys(REGIONS, 0.0)
        """How much longer a write takes than usual: at home to the index, elsewhere to the table."""
        self.is_gone = False
        """The table is being restored."""
        self.restored_untold = False
        """Instances cannot know yet that it was."""
        self.truth: dict[str, list[Write]] = {}
        """By domain, all there ever was, in order."""
        self.fault_at = -inf
        """When a fault last began or ended."""
        self.taken: dict[str, Taken] = {}
        """By time, as a pointer says it."""
        self.last_taken: Taken | None = None
        """That all buckets have."""
        self.restores = 0
        self._table: dict[str, list[Write]] = {}
        """What this life of the table was written."""
        self._history: list[Write] = []
        self._said: list[Said] = []
        self._events: list[tuple[float, int, Callable[[], None]]] = []
        self._order = count()
        self._prefixes = count(1)
        self._dictionary = b""
        self._last_taken = 0.0
        self._backup: dict[str, Item] = {}
        self.at(self.now + 1, self._run_writer)

    # Time

    def at(self, when: float, do: Callable[[], None]) -> None:
        heapq.heappush(self._events, (when, next(self._order), do))

    def pass_time(self, seconds: float) -> None:
        until = self.now + seconds
        while self._events and self._events[0][0] <= until:
            when, _, do = heapq.heappop(self._events)
            self.now = max(self.now, when)
            do()
        self.now = until

    @property
    def is_troubled(self) -> bool:
        """Whether no region answers for the table as it is."""
        return self.is_gone or self.restored_untold or all(region in self.down for region in REGIONS)

    # Writers

    def newest(self, domain: str) -> Write | None:
        writes = self._table.get(domain)
        return writes[-1] if writes else None

    def is_busy(self, domain: str) -> bool:
        newest = self.newest(domain)
        return newest is not None and newest.landed > self.now

    def write(self, domain: str, *, delay: float, expires_in: float | None = None, is_large: bool = False) -> None:
        """Create or change a route, as table-admin does."""
        self._put(domain, self._row(domain, expires_in), self._writer_time(), delay, is_large)

    def write_row(self, domain: str, row: Item | None) -> None:
        """Write any row as table-admin does; None deletes it. Its revision has to be the next one."""
        self._put(domain, row, self._writer_time(), 0.0)

    def prolong(self, domain: str, *, delay: float, expires_in: float) -> None:
        """Write what changes nothing that the cache's key is made of."""
        newest = self.newest(domain)
        if newest is not None and newest.row is not None:
            row = {**newest.row, "revision": {"N": str(newest.revision + 1)}}
            row["expires_at"] = {"N": str(int(self.now + expires_in))}
            self._put(domain, row, self._writer_time(), delay)

    def delete(self, domain: str, *, delay: float) -> None:
        newest = self.newest(domain)
        if newest is not None and newest.row is not None:
            self._put(domain, None, self._writer_time(), delay)

    def by_hand(self, domain: str, *, deletes: bool) -> None:
        """What somebody does to the table itself: nobody is told."""
        self._put(domain, None if deletes else self._row(domain), "", 0.0)

    def import_all(self, domains: Sequence[str], seconds: float) -> None:
        """Write many routes without announcing each, and say so in the end."""
        for position, domain in enumerate(domains):
            self._put(domain, self._row(domain), "", seconds * position / len(domains))
        self.at(self.now + seconds + 0.01, self._announce_reload)

    def back_up(self) -> None:
        self._backup = {
            domain: found.row for domain in self._table if (found := self.newest(domain)) and found.row is not None
        }

    def restore(self, seconds: float, *, keeps_history: bool) -> None:
        """Delete the table and make it again from the backup, which takes a while: revisions begin where they were."""
        self.is_gone = True

        def done() -> None:
            self.is_gone, self.restored_untold = False, True
            self.restores += 1
            self._last_taken = 0.0
            if not keeps_history:
                self._history, self._said = [], []
            self._table = {}
            for domain in sorted({*self.truth, *self._backup}):
                row = self._backup.get(domain)
                revision = int(row["revision"]["N"]) if row else 0
                write = Write(domain, revision, self.now, row, was_scanned=True, is_restored=True)
                write.table_at = dict.fromkeys(REGIONS, self.now)
                self.truth.setdefault(domain, []).append(write)
                if row is not None:
                    self._table[domain] = [write]

        self.at(self.now + seconds, done)

    def _writer_time(self) -> str:
        """Return the time that a writer announces with, whose own clock is wrong: what DynamoDB's Date tells it."""
        clock = ServerClock(lambda: self.now, lambda: self.now + 1e5)
        asked = self.now - self.chance.random() / 2
        date = time.strftime("%a, %d %b %Y %H:%M:%S GMT", time.gmtime(self.now))
        clock.learn({"ResponseMetadata": {"HTTPHeaders": {"date": date}}}, asked)
        return iso(min(clock.now(), self.now) - self.chance.random() / 2)

    def _row(self, domain: str, expires_in: float | None = None) -> Item:
        newest = self.newest(domain)
        revision = newest.revision + 1 if newest else 1
        origin = S3Origin(OWN_BUCKET, "us-east-1", f"/{domain.partition('.')[0]}-{next(self._prefixes)}")
        expires_at = None if expires_in is None else int(self.now + expires_in)
        return encode_route(route(domain, origin=origin, revision=revision, generation=revision, expires_at=expires_at))

    def _put(self, domain: str, row: Item | None, announced_at: str, delay: float, is_large: bool = False) -> None:
        newest = self.newest(domain)
        landed = self.now + delay
        write = Write(domain, newest.revision + 1 if newest else 1, landed, row, announced_at, is_large)
        for region in REGIONS:
            write.table_at[region] = landed + self._replication(region)
            write.index_at[region] = write.table_at[region] + self._indexing(region)
        if announced_at:
            key = write.domain, write.revision
            self._history = [one for one in self._history if (one.domain, one.revision) != key]
            self._history.append(write)
            write.told_at = max(*write.table_at.values(), *write.index_at.values())
        self.truth.setdefault(domain, []).append(write)
        self._table.setdefault(domain, []).append(write)

    def _replication(self, region: str) -> float:
        if region == REGIONS[0]:
            return 0.05 * self.chance.random()
        return self.lag[region] + REPLICATION_SECONDS * self.chance.random()

    def _indexing(self, region: str) -> float:
        behind = self.lag[region] if region == REGIONS[0] else 0.0
        return behind + INDEX_SECONDS * self.chance.random()

    # What is announced of all routes

    def _say(self, action: str, edge: str | None = None) -> Said:
        at = self._writer_time()
        item = {"feed": {"S": FEED}, "domain": {"S": ALL_ROUTES}, "announced_at": {"S": at}, "action": {"S": action}}
        if edge is not None:
            item["edge"] = {"S": edge}
        index_at = {region: self.now + self._replication(region) + self._indexing(region) for region in REGIONS}
        said = Said(item, at, index_at)
        self._said.append(said)
        return said

    def _announce_reload(self) -> None:
        told_at = max(self._say("reload").index_at.values())
        for writes in self._table.values():
            for write in writes:
                if write.told_at == inf and write.landed <= self.now and not write.is_restored:
                    write.told_at = max(told_at, *write.table_at.values())

    # The snapshot's writer

    @property
    def epoch(self) -> str:
        return f"{self.restores:016x}"

    def _run_writer(self) -> None:
        self.at(self.now + SNAPSHOT_SECONDS, self._run_writer)
        if not self.writer_lives or self.is_gone or REGIONS[0] in self.down:
            return
        taken = max(floor(self.now) - 1.0, self._last_taken + 1e-6)
        self._last_taken = taken
        found = {domain: write for domain in self._table if (write := self._visible(REGIONS[0], domain)) is not None}
        pointer, parts = self._encode(found, taken)
        # What nobody announced; what has gone since the last one too.
        news = [
            write
            for writes in self._table.values()
            for write in writes
            if write.landed <= self.now and not write.was_scanned
        ]
        rows = frozenset(domain for domain, write in found.items() if write.row is not None and not write.is_large)
        epoch = self.epoch
        self.at(
            self.now + 1 + 2 * self.chance.random(),
            lambda: self._publish(pointer, parts, epoch, Taken(taken, rows), news),
        )

    def _encode(self, found: dict[str, Write], taken: float) -> tuple[Pointer, dict[str, bytes]]:
        total = PARTS * BLOCKS_OF_PART
        blocks: list[list[tuple[str, bytes]]] = [[] for _ in range(total)]
        for domain, write in found.items():
            if write.row is not None:
                text = b"" if write.is_large else encode_row(write.row)
                blocks[block_of(domain, total)].append((domain, text))
        packed = [encode_block(block, self._dictionary) for block in blocks]
        parts = [encode_part(packed[at : at + BLOCKS_OF_PART]) for at in range(0, total, BLOCKS_OF_PART)]
        digests = tuple(map(digest_of, parts))
        pointer = Pointer(TABLE, self.epoch, iso(taken), self._dictionary, digests)
        return pointer, {part_key(self.epoch, digest): part for digest, part in zip(digests, parts, strict=True)}

    def _publish(self, pointer: Pointer, parts: dict[str, bytes], epoch: str, taken: Taken, news: list[Write]) -> None:
        if not self.writer_lives or self.is_gone or epoch != self.epoch or REGIONS[0] in self.down:
            return  # it died in the middle
        takers = [bucket for bucket in self.buckets.values() if bucket.takes_writes]
        for bucket in takers:
            bucket.objects |= parts
            bucket.objects[POINTER_KEY] = encode_pointer(pointer)
        self.taken[pointer.taken_at] = taken
        if len(takers) == len(self.buckets):
            self.last_taken = taken
        said = {"table": TABLE, "epoch": epoch, "taken_at": pointer.taken_at, "restores": self.restores}
        told_at = max(self._say("snapshot", json.dumps(said)).index_at.values())
        is_news = any(write.told_at == inf for write in news)
        for write in news:
            write.was_scanned = write.was_scanned or bool(takers)
        if is_news and takers:
            self._announce_reload()
        if self.restored_untold:
            self.at(told_at, self._tell_restore)

    def _tell_restore(self) -> None:
        self.restored_untold = False
        for writes in self.truth.values():
            for write in writes:
                if write.told_at == inf and not write.announced_at and write.landed <= self.now:
                    write.told_at = self.now

    # What is asked of it

    def _visible(self, region: str, domain: str) -> Write | None:
        """Return the row that a region has: the last writer's of those that have arrived."""
        for write in reversed(self._table.get(domain, ())):
            if write.table_at[region] <= self.now:
                return None if write.expires_at + TTL_SECONDS <= self.now else write
        return None

    def batch_get(self, region: str, body: bytes) -> bytes:
        [(table, wanted)] = json.loads(body)["RequestItems"].items()
        assert table == TABLE
        found = [self._visible(region, key["domain"]["S"]) for key in wanted["Keys"]]
        rows = [write.row for write in found if write is not None and write.row is not None]
        return json.dumps({"Responses": {TABLE: rows}, "UnprocessedKeys": {}}).encode()

    def query(self, region: str, body: bytes) -> bytes:
        """Answer a poll."""
        asked = json.loads(body)
        assert asked["TableName"] == SETTINGS.history_table
        since, limit = asked["ExpressionAttributeValues"][":since"]["S"], asked["Limit"]
        items: list[Item] = []
        heartbeat = None
        for said in self._said:
            if said.index_at[region] <= self.now:
                if said.item["action"]["S"] == "snapshot":
                    heartbeat = said  # one item, written anew
                elif said.announced_at >= since:
                    items.append(said.item)
        if heartbeat is not None and heartbeat.announced_at >= since:
            items.append(heartbeat.item)
        items += [
            _announced(write)
            for write in self._history
            if write.announced_at >= since and write.index_at[region] <= self.now
        ]
        items.sort(key=lambda item: str(item["announced_at"]["S"]))
        answer: dict[str, Any] = {"Items": items[:limit]}
        if len(items) >= limit:
            answer["LastEvaluatedKey"] = {"domain": items[limit - 1]["domain"]}
        return json.dumps(answer).encode()


def _announced(write: Write) -> Item:
    item = {
        "feed": {"S": FEED},
        "domain": {"S": write.domain},
        "announced_at": {"S": write.announced_at},
        "revision": {"N": str(write.revision)},
        "action": {"S": "delete" if write.row is None else "put"},
    }
    if write.row is not None and not write.is_large:
        item["edge"] = {"S": encode_row(write.row).decode()}
    return item
