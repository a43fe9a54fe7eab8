"""Whatever happens to table, feed, snapshots and instances: no viewer gets what a domain did not have a moment ago.

The real resolver, follower and codecs, in a world under a virtual clock (`model_aws`, `model_instance`). What is right
is told by when each write was to be seen everywhere: in a healthy world within ten seconds.
"""

import contextlib
import os
from collections import deque
from math import inf
from typing import Any
from unittest import mock

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from edge_handler import viewer_request
from edge_handler.feed import follower, replica
from edge_handler.routes.origin import S3Origin
from edge_handler.routes.stamp import decode_stamp
from edge_handler.snapshot import loader
from table_admin.inputs import iso
from tests.edge_handler.feed.model_aws import (
    BUCKETS,
    HEALTHY,
    INDEX_SECONDS,
    LATENCIES,
    REGIONS,
    REPLICATION_SECONDS,
    SNAPSHOT_SECONDS,
    Aws,
    Write,
)
from tests.edge_handler.feed.model_instance import LOGGING, TIMED, Instance
from tests.support import NOW, SETTINGS

DOMAINS = [f"env-{number}.example.com" for number in range(7)]
UNKNOWN = [f"nobody-{number}.example.com" for number in range(2)]
FRESH_SECONDS = 8.0
"""With an index and replication that are behind: within ten."""
assert FRESH_SECONDS + INDEX_SECONDS + REPLICATION_SECONDS <= 10
LOAD_SECONDS = 45.0
"""How long an instance that is awake may take to get a snapshot that is there."""

domains = st.sampled_from(DOMAINS)
delays = st.sampled_from([0.0, 0.05, 0.3, 2.0, 5.0])
numbers = st.integers(0, 2)


class Viewers(RuleBasedStateMachine):
    """Viewers ask all the time, while everything else happens."""

    def __init__(self) -> None:
        super().__init__()
        self.patches = contextlib.ExitStack()
        self.current: Instance | None = None
        self.instances: list[Instance] = []
        self.cdn: dict[str, tuple[str, str]] = {}
        self.failures: list[str] = []
        self.logged = deque[str](maxlen=5)

    @initialize(seed=st.integers(0, 2**32))
    def begin(self, seed: int) -> None:
        self.aws = Aws(seed)
        for module in TIMED:
            self.patches.enter_context(mock.patch.object(module, "time", self))
        for module in LOGGING:
            self.patches.enter_context(mock.patch.object(module, "log", self.note_log))
        for module in (loader, viewer_request):
            self.patches.enter_context(mock.patch.object(module, "log_exception", self.note_exception))
        # So that a few writes are more than a poll brings, and more than are remembered beside a snapshot.
        self.patches.enter_context(mock.patch.object(replica, "MOST_ITEMS", 20))
        self.patches.enter_context(mock.patch.object(follower, "MOST_CHANGES", 3))
        for domain in DOMAINS[:5]:
            self.aws.write(domain, delay=0.0)
        self.aws.back_up()
        self.aws.pass_time(200)
        for number in range(3):
            self.start(number)

    def teardown(self) -> None:
        try:
            if self.instances:
                self.heal()
        finally:
            self.patches.close()

    # The clock of whichever instance is at work

    def monotonic(self) -> float:
        assert self.current is not None
        return self.current.monotonic()

    def time(self) -> float:
        assert self.current is not None
        return self.current.time()

    def note_log(self, _level: str, message: str, **fields: object) -> None:
        self.logged.append(f"{iso(self.aws.now)} {message} {fields}")

    def note_exception(self, message: str, error: Exception, **_: Any) -> None:
        self.failures.append(f"{message}: {type(error).__name__}: {error}")

    # Viewers

    @rule(seconds=st.sampled_from([0.5, 2.0, 6.0, 15.0, 40.0, 100.0]), pace=st.sampled_from([0.04, 0.5, 2.0, 7.0]))
    def ask(self, seconds: float, pace: float) -> None:
        """Each instance that is awake is asked for something, again and again."""
        self.serve(seconds, pace, DOMAINS + UNKNOWN)

    @rule(seconds=st.sampled_from([2.0, 12.0, 25.0]), pace=st.sampled_from([0.3, 1.0, 3.0]), domain=domains)
    def ask_for_one(self, seconds: float, pace: float, domain: str) -> None:
        self.serve(seconds, pace, [domain])

    @invariant()
    def ask_meanwhile(self) -> None:
        if self.instances:
            self.serve(0.4, 0.2, DOMAINS + UNKNOWN)

    def serve(self, seconds: float, pace: float, hosts: list[str]) -> None:
        until, most = self.aws.now + seconds, 40
        while self.aws.now < until and most:
            most -= 1
            self.pass_time(min(pace, until - self.aws.now))
            for instance in self.instances:
                if instance.frozen_until is None:
                    for host in self.aws.chance.sample(hosts, min(self.aws.chance.choice((1, 1, 3)), len(hosts))):
                        self.request(instance, host)

    @rule(number=numbers)
    def flood(self, number: int) -> None:
        """Somebody tries names."""
        instance = self.instances[number]
        if instance.frozen_until is None:
            for name in range(25):
                self.request(instance, f"made-up-{name}.example.com")
            for host in DOMAINS:
                self.request(instance, host)

    def pass_time(self, seconds: float) -> None:
        self.aws.pass_time(seconds)
        for instance in self.instances:
            if instance.frozen_until is None:
                instance.woken(seconds)
                self.current = instance
                instance.work()
            elif instance.frozen_until <= self.aws.now:
                instance.thaw()

    def request(self, instance: Instance, host: str) -> None:
        self.current = instance
        began = self.aws.now
        headers = {"host": [{"key": "Host", "value": host}]}
        request = {"headers": headers, "method": "GET", "uri": "/", "querystring": "", "clientIp": "192.0.2.1"}
        config = {"requestId": "id", "eventType": "viewer-request"}
        result = instance.handler({"Records": [{"cf": {"config": config, "request": request}}]}, None)
        took = self.aws.now - began
        assert took < 2.5, "later than a viewer is told"
        assert not self.failures, self.failures
        instance.note()
        if result is not request:
            self.check_refusal(instance, host, int(result["status"]))
            return
        [header] = result["headers"]["x-route"]
        stamp = decode_stamp(header["value"])
        assert stamp.host == host, "another host's route"
        assert isinstance(stamp.origin, S3Origin)
        # What is cached under this key was made of this key.
        shown = self.cdn.setdefault(header["value"], (stamp.host, stamp.origin.prefix))
        self.check_route(instance, host, stamp.generation, shown, took)

    # What is right

    def allowed(self, instance: Instance, host: str) -> list[Write | None]:
        """Return what the host may be shown as: what it was at some moment recently enough; None: nothing."""
        writes = [write for write in self.aws.truth.get(host, []) if write.landed <= self.aws.now]
        found: list[Write | None] = [writes[-1] if writes else None]
        gone_at = inf  # until when what was before the writes seen so far may be shown
        horizon, horizon_by_hand = instance.horizons()
        for position in range(len(writes) - 1, -1, -1):
            write = writes[position]
            known_at = horizon if write.announced_at else min(horizon_by_hand, horizon)
            gone_at = min(gone_at, write.told_at + instance.fresh_seconds() + self.aws.now - known_at)
            if gone_at < self.aws.now:
                break
            found.append(writes[position - 1] if position else None)
        return found

    def check_route(self, instance: Instance, host: str, generation: int, shown: tuple[str, str], took: float) -> None:
        time_of_day = instance.time() - took
        for write in self.allowed(instance, host):
            if write is not None and write.row is not None and time_of_day < write.expires_at:
                origin = write.row["origin"]["M"]["prefix"]["S"]
                if (write.row["generation"]["N"], host, origin) == (str(generation), *shown):
                    return
        raise AssertionError(f"{host} is shown as {generation} {shown}, {self.about(instance, host)}")

    def check_refusal(self, instance: Instance, host: str, status: int) -> None:
        allowed = self.allowed(instance, host)
        latest = instance.latest_time()
        if status == 404:
            right = any(write is None or write.row is None or write.expires_at <= latest for write in allowed)
        elif status == 410:
            right = any(write is not None and write.expires_at <= latest for write in allowed)
        else:
            right = status == 503 and not self.must_be_known(instance, host)
        assert right, f"{host} is refused with {status}, {self.about(instance, host)}"

    def must_be_known(self, instance: Instance, host: str) -> bool:
        """Tell whether a host must be answered for, whatever does not answer."""
        if not instance.is_unsteady:
            return True  # for the table answers
        writes = self.aws.truth.get(host, [])
        aws, now = self.aws, self.aws.now
        since = None
        for write in writes:
            if write.landed > now:
                break
            there = write.row is not None and write.expires_at > now - 60 and not write.is_large
            since = (write.landed if since is None else since) if there else None
        if since is None or since > now - 120:
            return False
        loaded, snapshot = instance.loader.snapshot, aws.last_taken
        if loaded is not None and loaded.missing is None:
            held = aws.taken[loaded.pointer.taken_at]
            if held.at > since and host in held.rows:
                return True
        return (
            snapshot is not None
            and snapshot.at > since
            and host in snapshot.rows
            and (instance.could_load >= LOAD_SECONDS)
        )

    def about(self, instance: Instance, host: str) -> str:
        now = self.aws.now
        writes = [
            f"{write.revision} {write.landed - now:.2f} told {write.told_at - now:.2f}"
            f" {'hand' if not write.announced_at else ''} {write.row and write.row['origin']['M']['prefix']['S']}"
            for write in self.aws.truth.get(host, [])[-6:]
        ]
        at = instance.follower
        known = instance.resolver.known.get(host) or instance.resolver.memory.refusals.get(host)
        remembered = known and (known.since() - instance.time(), known.fresh_until - instance.time())
        return (
            f"at {iso(now)}, remembered {remembered}, trusted from {at.trusted_from - instance.time()}, "
            f"and was {writes}; horizons {[one - now for one in instance.horizons()]}, followed from "
            f"{at.pointer and at.pointer.taken_at}, good {at.good_at - instance.time():.2f}; log: {[*self.logged]}"
        )

    def is_followed(self, host: str) -> bool:
        """Tell whether the snapshot has it."""
        write = self.aws.newest(host)
        there = write is not None and write.row is not None and not write.is_large
        return write is not None and there and write.expires_at > self.aws.now

    # Writers

    @rule(domain=domains, delay=delays, expires_in=st.sampled_from([None, None, 20.0, 200.0]), is_large=st.booleans())
    def write(self, domain: str, delay: float, expires_in: float | None, is_large: bool) -> None:
        if self.can_write(domain):
            self.aws.write(domain, delay=delay, expires_in=expires_in, is_large=is_large and delay == 0.3)

    @rule(domain=domains, delay=delays)
    def delete(self, domain: str, delay: float) -> None:
        if self.can_write(domain):
            self.aws.delete(domain, delay=delay)

    @rule(domain=domains, delay=delays, expires_in=st.sampled_from([20.0, 200.0]))
    def prolong(self, domain: str, delay: float, expires_in: float) -> None:
        if self.can_write(domain):
            self.aws.prolong(domain, delay=delay, expires_in=expires_in)

    @rule(domain=domains, deletes=st.booleans())
    def write_by_hand(self, domain: str, deletes: bool) -> None:
        if self.can_write(domain):
            self.aws.by_hand(domain, deletes=deletes)

    @rule(seconds=st.sampled_from([0.5, 9.0]))
    def import_many(self, seconds: float) -> None:
        self.aws.import_all([domain for domain in DOMAINS if self.can_write(domain)], seconds)

    @rule(count=st.integers(8, 25))
    def write_much(self, count: int) -> None:
        """More than a poll brings."""
        for number in range(count):
            if self.can_write(DOMAINS[number % 7]):
                self.aws.write(DOMAINS[number % 7], delay=0.0)
            self.pass_time(0.1)

    def can_write(self, domain: str) -> bool:
        aws = self.aws
        return not (aws.is_busy(domain) or aws.is_gone or REGIONS[0] in aws.down)

    @rule()
    def back_up(self) -> None:
        if not self.aws.is_gone:
            self.aws.back_up()

    @precondition(lambda self: not self.aws.is_gone)
    @rule(keeps_history=st.booleans())
    def restore(self, keeps_history: bool) -> None:
        if not any(map(self.aws.is_busy, DOMAINS)):
            self.aws.restore(150, keeps_history=keeps_history)

    # Faults

    @rule(region=st.sampled_from([*REGIONS, "all"]), kind=st.sampled_from(["", "refusing", "silent", "failing"]))
    def table(self, region: str, kind: str) -> None:
        self.fault(self.aws.down, region, kind)

    @rule(
        region=st.sampled_from([*REGIONS, "all"]),
        kind=st.sampled_from(["", "refusing", "silent", "failing", "throttled", "torn"]),
    )
    def feed(self, region: str, kind: str) -> None:
        self.fault(self.aws.feed_down, region, kind)

    @rule(domain=domains, idle=st.sampled_from([0.0, 300.0]), restarts=st.booleans())
    def outage(self, domain: str, idle: float, restarts: bool) -> None:
        """No region answers for two minutes; a domain was made just before, and perhaps nobody asked meanwhile."""
        if self.can_write(domain):
            self.aws.write(domain, delay=0.0)
        if idle:
            self.nobody_asks(idle)
        self.table("all", "refusing")
        if restarts:
            self.start(0)
        for _ in range(4):
            self.serve(30.0, 3.0, DOMAINS)
        self.table("all", "")

    def fault(self, faults: dict[str, str], region: str, kind: str) -> None:
        for one in REGIONS if region == "all" else (region,):
            faults.pop(one, None)
            if kind:
                faults[one] = kind
        for instance in self.instances:
            instance.unsettle()

    @rule(
        name=st.sampled_from(BUCKETS),
        fault=st.sampled_from(["", "refusing", "silent", "missing", "damaged", "foreign"]),
        takes_writes=st.booleans(),
    )
    def bucket(self, name: str, fault: str, takes_writes: bool) -> None:
        self.aws.buckets[name].fault = fault
        self.aws.buckets[name].takes_writes = takes_writes

    @rule(region=st.sampled_from(REGIONS), seconds=st.sampled_from([0.0, 5.0, 30.0]))
    def lag(self, region: str, seconds: float) -> None:
        self.aws.lag[region] = seconds

    @rule(lives=st.booleans())
    def writer(self, lives: bool) -> None:
        self.aws.writer_lives = lives

    # Instances

    @rule(number=numbers)
    def start(self, number: int) -> None:
        here = REGIONS[number % 2]
        made = Instance(self.aws, here, SETTINGS, clock_stands_still=self.aws.chance.random() < 0.5)
        self.current = made
        made.start()
        self.instances[number : number + 1] = [made]
        assert not self.failures, self.failures

    @rule(
        number=numbers,
        seconds=st.sampled_from([2.0, 7.0, 12.0, 40.0, 300.0, 3_600.0]),
        poll=st.sampled_from(["arrives", "late", "lost", "broken"]),
    )
    def freeze(self, number: int, seconds: float, poll: str) -> None:
        if self.instances[number].frozen_until is None:
            self.instances[number].freeze(seconds, poll)

    @rule(seconds=st.sampled_from([10.0, 60.0, 600.0, 3_600.0]))
    def nobody_asks(self, seconds: float) -> None:
        """All are frozen."""
        for instance in self.instances:
            if instance.frozen_until is None:
                instance.freeze(seconds, "arrives")
        self.pass_time(seconds)

    @rule(number=numbers, seconds=st.sampled_from([-4.0, -0.5, 0.5, 4.0]))
    def set_clock(self, number: int, seconds: float) -> None:
        self.instances[number].set_clock(seconds)

    @rule(number=numbers, domain=domains, seconds=st.sampled_from([7.0, 40.0]))
    def thaw_with_an_answer(self, number: int, domain: str, seconds: float) -> None:
        """A poll's answer arrives while the instance is frozen, and so is of before what was written then."""
        instance, aws = self.instances[number], self.aws
        for _ in range(60):
            self.serve(0.1, 0.1, DOMAINS)
            if instance.frozen_until is None and any(inquiry.is_open for inquiry in instance.inquiries):
                instance.freeze(seconds, "arrives")
                if self.can_write(domain):
                    aws.write(domain, delay=0.0)
                self.pass_time(seconds)
                self.serve(8.0, 1.0, [domain])
                return

    @rule(domain=domains)
    def write_slowly(self, domain: str) -> None:
        """What was announced before a heartbeat may land after it."""
        self.pass_time(SNAPSHOT_SECONDS - (self.aws.now - NOW - 1) % SNAPSHOT_SECONDS)
        if self.can_write(domain):
            self.aws.write(domain, delay=7.0)
        self.serve(20.0, 0.7, DOMAINS)

    # And in the end

    @rule()
    def heal(self) -> None:
        """Everything is well for three minutes: all follow again, and show what is newest."""
        aws = self.aws
        for faults in (aws.down, aws.feed_down):
            self.fault(faults, "all", "")
        for bucket in aws.buckets.values():
            bucket.fault, bucket.takes_writes = "", True
        aws.lag, aws.writer_lives = dict.fromkeys(REGIONS, 0.0), True
        aws.latencies = HEALTHY
        if aws.is_gone:
            self.pass_time(150)
        for instance in self.instances:
            instance.thaw()
        self.ask_until(210)
        for instance in self.instances:
            at = instance.follower
            assert at.pointer is not None, "it does not follow"
            assert at.pointer.epoch == aws.epoch
            for host in DOMAINS:
                self.request(instance, host)
                assert len(set(map(id, self.allowed(instance, host)))) == 1, self.about(instance, host)
            # Nobody waits for a poll where there is nothing that it could change.
            if any(self.is_followed(host) for host in DOMAINS):
                assert -1 < instance.time() - at.good_at <= FRESH_SECONDS, "it does not follow any more"
        aws.latencies = LATENCIES

    def ask_until(self, seconds: float) -> None:
        until = self.aws.now + seconds
        while self.aws.now < until:
            self.serve(20.0, 4.0, DOMAINS + UNKNOWN)


TestViewers = Viewers.TestCase
TestViewers.settings = settings(
    max_examples=int(os.environ.get("MODEL_EXAMPLES", "40")),
    stateful_step_count=40,
    deadline=None,
    derandomize="MODEL_EXAMPLES" not in os.environ,
)
