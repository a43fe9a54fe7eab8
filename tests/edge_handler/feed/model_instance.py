"""An instance of the edge with the real code of it, all but its sockets and its clocks, and what it may know."""

from collections.abc import Callable
from math import inf
from types import SimpleNamespace
from typing import Any

from edge_handler import viewer_request
from edge_handler.aws.server import Pause
from edge_handler.aws.sigv4 import Credentials
from edge_handler.errors import Unreadable
from edge_handler.feed import audit, follower, polling, replica
from edge_handler.feed.audit import Audit
from edge_handler.feed.follower import Follower
from edge_handler.feed.replica import FeedReplica
from edge_handler.feed.times import epoch_seconds
from edge_handler.routes import resolver
from edge_handler.routes.resolver import Resolver
from edge_handler.settings import Settings
from edge_handler.snapshot import buckets, loader
from edge_handler.snapshot.buckets import SnapshotBucket, SnapshotBuckets
from edge_handler.snapshot.loader import Loader
from edge_handler.table import reader
from edge_handler.table.reader import Replica, RoutesTable
from tests.edge_handler.feed.model_aws import BUCKETS, REGIONS, TABLE, Aws
from tests.support import NOBODY

TIMED = (audit, buckets, follower, loader, polling, reader, replica, resolver, viewer_request)
"""Modules that look at a clock by themselves."""
LOGGING = (buckets, follower, loader, reader, resolver)
CALM_SECONDS = 20.0
"""After a fault, while awake: what was failing is left alone for eight, and what was stale is used until then."""
NO_CREDENTIALS = Credentials("", "", "")


class Instance:
    """One execution environment."""

    def __init__(self, aws: Aws, here: str, settings: Settings, *, clock_stands_still: bool) -> None:
        self.aws = aws
        self.here = here
        self.ahead = 0.0
        """Of its time of day."""
        self.set_at, self.set_by = -inf, 0.0
        """When that was last set, and by how much."""
        self.frozen_until: float | None = None
        self.awake = 0.0
        """Seconds."""
        self.jobs: list[Callable[[], None]] = []
        self.could_load = 0.0
        """Seconds that it has been awake for while there was a snapshot to be had."""
        self.sound_at = self._followed_at = aws.now
        self._unfollowed_at = aws.now
        self._calm_from = self._steady_from = 0.0
        self._stands_still = clock_stands_still
        self._frozen = self._frozen_at = 0.0
        regions = sorted(REGIONS, key=lambda region: region != here)
        self.inquiries = [SimulatedInquiry(self, region) for region in regions]
        self.clock = SimpleNamespace(time=self.time, monotonic=self.monotonic)
        self._regions, self._settings = regions, settings

    def start(self) -> None:
        """Do what Lambda's start does."""
        replicas = [Replica(TABLE, region, NOBODY, NO_CREDENTIALS, self.monotonic) for region in self._regions]
        for one in replicas:
            one._server = SimulatedServer(self, self._answer_read(one.region))  # type: ignore[assignment]
        feeds = []
        for inquiry in self.inquiries:
            feed = FeedReplica(self._settings.history_table, inquiry.region, NOBODY, NO_CREDENTIALS, self.monotonic)
            feed._inquiry = inquiry  # type: ignore[assignment]
            feeds.append(feed)
        nearest = sorted(BUCKETS, key=lambda name: (name == BUCKETS[0]) != (self.here == REGIONS[0]))
        places = []
        for name in nearest:
            bucket = SnapshotBucket(name, REGIONS[BUCKETS.index(name)], None, NO_CREDENTIALS)
            bucket._server = SimulatedServer(self, self._answer_object(name))  # type: ignore[assignment]
            bucket.pause = Pause(self.monotonic)
            places.append(bucket)
        self.loader = Loader(SnapshotBuckets(places), TABLE, self.jobs.append)
        self.follower = Follower(
            feeds, self.loader, self._settings.fresh_seconds, self.time, audit=Audit(TABLE, feeds[0])
        )
        self.resolver = Resolver(RoutesTable(replicas), self._settings, self.time, self.follower)
        self.handler = viewer_request.make_handler(self.resolver)
        self.loader.load(self.monotonic() + viewer_request.LOAD_SECONDS)
        self.follower.advance({}, {})
        self.follower.catch_up(self.monotonic() + 1.0)
        if self.loader.snapshot is not None:
            self.sound_at = min(self.sound_at, epoch_seconds(self.loader.snapshot.pointer.taken_at) - 2)

    def time(self) -> float:
        return self.aws.now + self.ahead

    def monotonic(self) -> float:
        return self.aws.now - (self._frozen if self._stands_still else 0.0) + 1e4

    def set_clock(self, seconds: float) -> None:
        self.ahead += seconds
        self.set_at, self.set_by = self.aws.now, seconds

    def freeze(self, seconds: float, poll: str) -> None:
        """Stop for a while; what happens to an answer that is on its way: it arrives, arrives late, or is lost."""
        self.frozen_until, self._frozen_at = self.aws.now + seconds, self.aws.now
        for inquiry in self.inquiries:
            inquiry.frozen(self.frozen_until, poll)

    def thaw(self) -> None:
        """Go on."""
        if self.frozen_until is not None:
            self._frozen += self.aws.now - self._frozen_at
            self.frozen_until = None
            self.could_load = 0.0

    def work(self) -> None:
        """Let threads go on."""
        jobs, self.jobs[:] = self.jobs[:], []
        for job in jobs:
            job()

    # What it may know

    def woken(self, seconds: float) -> None:
        """It was awake for a while."""
        self.awake += seconds
        aws = self.aws
        if aws.is_troubled:
            self._calm_from = self.awake
        if aws.writer_lives and not any(one.fault or not one.takes_writes for one in aws.buckets.values()):
            self.could_load += seconds
        else:
            self.could_load = 0.0

    def unsettle(self) -> None:
        """Another region answers, or none does."""
        self._steady_from = self.awake

    @property
    def is_unsteady(self) -> bool:
        """Whether it may believe that nobody answers."""
        return self.aws.is_troubled or not self._is_calm or self.awake - self._steady_from < CALM_SECONDS

    @property
    def _is_calm(self) -> bool:
        return self.awake - self._calm_from >= CALM_SECONDS and not self.aws.is_troubled

    def note(self) -> None:
        """It answered somebody."""
        now = self.aws.now
        at = self.follower
        if self._is_calm:
            self.sound_at = now
        if at.pointer is not None and at.fresh_until():
            self._followed_at = now
        else:
            self._unfollowed_at = now

    def fresh_seconds(self) -> float:
        """Return how long it may use what it knows."""
        steady = self.aws.now - self._unfollowed_at > self._settings.fresh_seconds + 1
        fresh = follower.FRESH_SECONDS if steady else self._settings.fresh_seconds
        return fresh + self._slack()

    def _slack(self) -> float:
        """Its clock was set back: what it knows is older than it can see."""
        return max(0.0, -self.set_by) if self.aws.now - self.set_at < 30 else 0.0

    def latest_time(self) -> float:
        """Return the latest time of day that it may have seen lately."""
        return self.time() + self._slack()

    def horizons(self) -> tuple[float, float]:
        """Return of when at the oldest what it knows may be; and the same of what only a reload tells of."""
        now, at, snapshot = self.aws.now, self.follower, self.loader.snapshot
        heard_at = at.good_at - self.ahead - 5 if at.good_at > -inf else None
        by_hand = now if at.pointer is None else self._followed_at
        if self._is_calm:
            return now, by_hand
        known = [self.sound_at, by_hand]
        if heard_at is not None:
            known.append(heard_at)
        elif snapshot is not None:
            known.append(epoch_seconds(snapshot.pointer.taken_at) - 2)
        return min(known), min(known)

    def _answer_read(self, region: str) -> Callable[[str, bytes, float], tuple[int, bytes]]:
        return lambda _path, body, deadline: ask_dynamodb(self, region, body, deadline, polls=False)

    def _answer_object(self, name: str) -> Callable[[str, bytes, float], tuple[int, bytes]]:
        def answer(path: str, _body: bytes, deadline: float) -> tuple[int, bytes]:
            bucket, key = self.aws.buckets[name], path.removeprefix("/")
            _suffer(self, bucket.fault if bucket.fault in ("refusing", "silent") else "", deadline)
            content = bucket.objects.get(key)
            if content is None or (bucket.fault == "missing" and key.startswith("parts/")):
                return 404, b"<Error/>"
            if bucket.fault == "damaged":
                content = content[: len(content) // 2] + b"\0" + content[len(content) // 2 + 1 :]
            if bucket.fault == "foreign":
                content = content.replace(TABLE.encode(), b"another-stack-routes")
            return 200, content

        return answer


def ask_dynamodb(instance: Instance, region: str, body: bytes, deadline: float, *, polls: bool) -> tuple[int, bytes]:
    """Return what a region answers."""
    aws = instance.aws
    fault = aws.down.get(region) or (aws.feed_down.get(region, "") if polls else "")
    _suffer(instance, fault, deadline)
    if aws.is_gone:
        return 400, b'{"__type":"ResourceNotFoundException"}'
    if fault == "throttled":
        return 400, b'{"__type":"ProvisionedThroughputExceededException"}'
    if fault == "failing":
        return 500, b"<html>"
    content = aws.query(region, body) if polls else aws.batch_get(region, body)
    return 200, content[:-9] if fault == "torn" else content


def _suffer(instance: Instance, fault: str, deadline: float) -> None:
    if fault == "refusing":
        raise ConnectionRefusedError("nobody listens")
    if fault == "silent":
        instance.aws.pass_time(max(0.0, deadline - instance.monotonic()))
        raise TimeoutError("it says nothing")
    instance.aws.pass_time(0.01)


class SimulatedServer:
    """In place of `Server`: its second question, on a new connection, included."""

    authority = "127.0.0.1:9"

    def __init__(self, instance: Instance, answer: Callable[[str, bytes, float], tuple[int, bytes]]) -> None:
        self._instance = instance
        self._answer = answer
        self._is_kept = False

    def ask(
        self,
        _method: str,
        path: str,
        _headers: dict[str, str],
        body: bytes,
        deadline: float,
        read: Callable[[int, bytes], Any],
        read_kept: Callable[[int, bytes], Any] | None = None,
    ) -> Any:
        was_kept, self._is_kept = self._is_kept, False
        if was_kept and read_kept is not None:
            try:
                half = (deadline + self._instance.monotonic()) / 2
                found = read_kept(*self._answer(path, body, half))
            except (OSError, Unreadable):
                pass
            else:
                self._is_kept = True
                return found
        found = read(*self._answer(path, body, deadline))
        self._is_kept = True
        return found


class SimulatedInquiry:
    """In place of `Inquiry`: an answer is of when it was asked for, and arrives later, or never."""

    authority = "127.0.0.1:9"

    def __init__(self, instance: Instance, region: str) -> None:
        self.region = region
        self.is_connected = True
        self.is_open = False
        self._instance = instance
        self._arrives_at = 0.0
        self._breaks = False
        self._answer: tuple[int, bytes] | None = None

    def is_ready(self) -> bool:
        return self.is_connected and not self.is_open

    def send(self, _method: str, _path: str, headers: dict[str, str], body: bytes, deadline: float) -> None:
        assert not self.is_open
        instance, aws = self._instance, self._instance.aws
        fault = aws.down.get(self.region) or aws.feed_down.get(self.region, "")
        if fault == "refusing" or (fault == "silent" and not self.is_connected):
            self.close()
            _suffer(instance, fault, deadline)
        self.is_connected = self.is_open = True
        self._breaks = False
        if fault == "silent":
            self._answer, self._arrives_at = None, inf
            return
        now = aws.now
        polls = headers["x-amz-target"].endswith(".Query")
        self._answer = ask_dynamodb(instance, self.region, body, deadline, polls=polls)
        self._arrives_at = now + aws.chance.choice(aws.latencies)

    def frozen(self, until: float, poll: str) -> None:
        if not self.is_open:
            self.is_connected = self.is_connected and poll == "arrives"
        elif poll == "late":
            self._arrives_at = max(self._arrives_at, until + 0.5)
        elif poll == "lost":
            self._arrives_at = inf
        elif poll == "broken":
            self._arrives_at, self._breaks = until, True

    def collect(self) -> tuple[int, bytes] | None:
        assert self.is_open
        return self._take() if self._arrives_at <= self._instance.aws.now else None

    def wait(self, deadline: float) -> tuple[int, bytes]:
        assert self.is_open
        instance = self._instance
        left = deadline - instance.monotonic()
        needed = self._arrives_at - instance.aws.now
        instance.aws.pass_time(max(0.0, min(left, needed)))
        if needed > left:
            self.close()
            raise TimeoutError("it says nothing")
        return self._take()

    def close(self) -> None:
        self.is_open = self.is_connected = False

    def _take(self) -> tuple[int, bytes]:
        self.is_open = False
        if self._breaks:
            self.is_connected = False
            raise ConnectionResetError("the connection is gone")
        assert self._answer is not None
        return self._answer
