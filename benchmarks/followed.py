"""Feed and snapshots of the simulated fleet: the real codec and the real follower, under a virtual clock."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol

from benchmarks.rows import row
from edge_handler.aws.sigv4 import Credentials
from edge_handler.feed.follower import Follower
from edge_handler.feed.page import Change, FeedPage, Heartbeat
from edge_handler.feed.replica import FeedReplica
from edge_handler.snapshot.buckets import SnapshotBuckets
from edge_handler.snapshot.loader import Loader
from edge_handler.snapshot.pointer import Pointer, digest_of
from edge_handler.snapshot.records import BLOCKS_OF_PART, block_of, encode_block, encode_part, encode_row
from edge_handler.snapshot.snapshot import Snapshot

TABLE = "edge-routing-routes"
EPOCH = "0" * 16
INDEX_SECONDS = 0.5
"""How far the index is behind its table."""
SNAPSHOT_SECONDS = 60.0
ROWS_OF_BLOCK = 16
_ITEM_BYTES = 180
"""Of an item of the index, besides what it carries of a row: its keys and the names of its attributes."""


def iso(seconds: float) -> str:
    """Return a time as the feed has it."""
    whole = int(seconds)
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(whole)) + f".{int((seconds - whole) * 1e6):06d}Z"


class Written(Protocol):
    """What the world says of its table."""

    now: float
    start: float
    down: tuple[str, ...]

    def since(self, at: float) -> list[tuple[float, str, int]]:
        """Return time, domain and generation of what was written since a time."""

    def generation(self, domain: str, lag: float) -> int:
        """Return what is read of a domain where replication takes `lag` seconds."""


@dataclass(slots=True)
class Usage:
    """What was asked of the feed."""

    polls: int = 0
    units: float = 0.0
    waits: int = 0
    loads: int = 0


class SimulatedFeed(FeedReplica):
    """The feed in a region: what it answers is there when somebody looks again."""

    def __init__(self, world: Written, region: str, lag: float, usage: Usage) -> None:
        super().__init__(TABLE, region, "http://127.0.0.1:9", Credentials("", "", ""), lambda: world.now)
        self._world = world
        self._lag = lag + INDEX_SECONDS
        self._usage = usage
        self._page: FeedPage | None = None
        self._sent_at = 0.0

    def is_ready(self) -> bool:
        return True

    def send(self, since: str, _deadline: float) -> None:
        if self.region in self._world.down:
            raise ConnectionRefusedError("the table is down")
        self._sent_at, self._page = self._world.now, self._answer(since)

    def collect(self) -> FeedPage | None:
        return self.wait(0) if self._world.now > self._sent_at else None

    def wait(self, _deadline: float) -> FeedPage:
        assert self._page is not None
        if self._world.now == self._sent_at:
            self._usage.waits += 1
        return self._page

    def close(self) -> None:
        return

    def _answer(self, since: str) -> FeedPage:
        now = self._world.now
        changes: dict[str, Change] = {}
        size = _ITEM_BYTES * 2
        for at, domain, generation in self._world.since(now - 3_600):
            if at + self._lag <= now and iso(at) >= since:
                text = encode_row(row(domain, generation)).decode()
                changes[domain] = Change(generation, iso(at), text)
                size += len(text) + len(domain) + _ITEM_BYTES
        self._usage.polls += 1
        self._usage.units += 0.5 * -(-size // 4_096)
        taken = _last_snapshot(self._world, now - self._lag)
        return FeedPage(changes, Heartbeat(TABLE, EPOCH, iso(taken), iso(taken + 1)), "", is_whole=True)


def _last_snapshot(world: Written, now: float) -> float:
    return world.start - 1 + (now - 1 - world.start) // SNAPSHOT_SECONDS * SNAPSHOT_SECONDS


@dataclass(slots=True)
class Snapshots:
    """The snapshots of a world, each made once."""

    world: Written
    names: list[str]
    usage: Usage = field(default_factory=Usage)
    _made: dict[float, Snapshot] = field(default_factory=dict)
    _texts: dict[str, tuple[int, bytes]] = field(default_factory=dict)
    _parts: dict[int, tuple[frozenset[tuple[str, int]], bytes]] = field(default_factory=dict)

    def newest(self) -> Snapshot:
        """Return the newest that is there."""
        taken = _last_snapshot(self.world, self.world.now)
        if taken not in self._made:
            self._made = {taken: self._make(taken)}
        return self._made[taken]

    def _make(self, taken: float) -> Snapshot:
        count = BLOCKS_OF_PART
        while count * ROWS_OF_BLOCK < len(self.names):
            count *= 2
        dictionary = b"".join(encode_row(row(name)) for name in self.names[:12])
        blocks: list[list[tuple[str, bytes]]] = [[] for _ in range(count)]
        lag = self.world.now - taken
        for name in self.names:
            generation = self.world.generation(name, lag)
            if self._texts.get(name, (0, b""))[0] != generation:
                self._texts[name] = generation, encode_row(row(name, generation))
            blocks[block_of(name, count)].append((name, self._texts[name][1]))
        packed = [encode_block(block, dictionary) for block in blocks]
        parts = [encode_part(packed[at : at + BLOCKS_OF_PART]) for at in range(0, count, BLOCKS_OF_PART)]
        snapshot = Snapshot(Pointer(TABLE, EPOCH, iso(taken), dictionary, tuple(map(digest_of, parts))))
        for number, part in enumerate(parts):
            snapshot.add(number, part)
        return snapshot


class SimulatedLoader(Loader):
    """Loads in no time: what takes time is between requests."""

    def __init__(self, snapshots: Snapshots) -> None:
        super().__init__(SnapshotBuckets(()), TABLE)
        self._snapshots = snapshots

    def load(self, _deadline: float) -> None:
        self.load_later()

    def load_later(self) -> None:
        self._snapshots.usage.loads += 1
        self.snapshot = self._snapshots.newest()


def follower(snapshots: Snapshots, regions: list[str], lag_of: Callable[[str], float]) -> Follower:
    """Return what a new instance follows with, after its start."""
    world, usage = snapshots.world, snapshots.usage
    feeds = [SimulatedFeed(world, region, lag_of(region), usage) for region in regions]
    found = Follower(feeds, SimulatedLoader(snapshots), clock=lambda: world.now)
    found.start(60, 60)
    return found
