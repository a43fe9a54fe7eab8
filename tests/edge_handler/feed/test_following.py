"""An instance that follows, against a real table, index and bucket: it asks the table for nothing that it can know."""

import itertools
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import pytest

from edge_handler.access.guard import Guard
from edge_handler.access.keys import AccessTable
from edge_handler.errors import BrokenRow, TableUnreachable
from edge_handler.feed import replica
from edge_handler.feed.audit import AUDIT_SECONDS, Audit
from edge_handler.feed.follower import FRESH_SECONDS, Follower
from edge_handler.feed.replica import feed_replicas
from edge_handler.feed.times import back
from edge_handler.routes import resolver as resolving
from edge_handler.routes.destination import Destination, Former
from edge_handler.routes.origin import DeploymentOrigin
from edge_handler.routes.remembered import Known, Refusal, Ruled
from edge_handler.routes.resolver import Resolver
from edge_handler.routes.route import encode_route
from edge_handler.settings import Settings
from edge_handler.snapshot.buckets import SnapshotBuckets
from edge_handler.snapshot.loader import Loader
from edge_handler.table.reader import RoutesTable
from edge_handler.viewer_request import make_handler
from local_edge.embedded_aws import EmbeddedAws
from table_admin import RoutingTable
from table_admin.snapshots.places import Bucket
from table_admin.snapshots.writer import take_snapshot
from tests.edge_handler.access.test_guard import Edge as Viewer
from tests.edge_handler.test_debug import ask, says
from tests.support import NOBODY, OWN_BUCKET, SETTINGS, Clock, make_tables, route, wait_until

HOST, OTHER = "web.example.com", "other.example.com"
SITE, MOVED = "s3://acme-static-sites/env-a", "s3://acme-static-sites/env-b"
_numbers = itertools.count(1)


class Counted:
    """The table, and what it was asked; unreachable where a test says so."""

    def __init__(self, table: RoutesTable) -> None:
        self.table = table
        self.asked: list[str] = []
        """The host of each read, which is one for all rows that may answer for it."""
        self.reachable = True

    def read(
        self, domains: Sequence[str], seconds: float, *, expected: str | None = None
    ) -> dict[str, Destination | BrokenRow]:
        self.asked.append(domains[0])
        if not self.reachable:
            raise TableUnreachable("no replica of the routing table answers", 1)
        return self.table.read(domains, seconds, expected=expected)


@dataclass
class Edge:
    """One instance."""

    table: RoutingTable
    buckets: list[Bucket]
    settings: Settings
    clock: Clock
    reader: Counted
    loader: Loader
    follower: Follower
    resolver: Resolver

    def snapshot(self) -> None:
        """Take one in which everything is: by whole seconds, and one more, it says when it was taken."""
        written = time.time()
        wait_until(lambda: time.time() > written + 2.1)
        take_snapshot(self.table, self.buckets)

    def write_by_hand(self) -> None:
        """Send HOST elsewhere as the console of AWS does: nobody is told."""
        tables = self.table.tables
        row = tables.read([HOST])[HOST]
        origin = {"M": {**row["origin"]["M"], "prefix": {"S": "/by-hand"}}}
        tables.dynamodb.put_item(TableName=tables.routes, Item={**row, "origin": origin})

    def site(self, host: str) -> str:
        """Return what answers: a prefix, or a status."""
        found = self.resolver.resolve(host)
        assert not isinstance(found, Ruled)
        return found.stamp.split(";")[-1] if isinstance(found, Known) else str(found.status)

    def soon(self, host: str, site: str) -> None:
        """See an answer come, with requests that wait for nothing, as long as what is known is fresh."""
        self.clock.now += FRESH_SECONDS / 2 + 0.1
        self.until(lambda: self.site(host) == site)

    def until(self, condition: Callable[[], bool]) -> None:
        """Ask for a host, as time passes, until a condition holds."""

        def holds() -> bool:
            self.clock.now += 0.06
            self.site(HOST)
            return condition()

        wait_until(holds)


@pytest.fixture
def edge(aws: EmbeddedAws, make_ministack_table: Callable[[str], RoutingTable]) -> Edge:
    """MiniStack's tables: moto closes each connection, and what is not kept is polled only where somebody waits."""
    bucket = Bucket(f"followed-snapshots-{next(_numbers)}", "us-east-1")
    aws.client("s3").create_bucket(Bucket=bucket.name)
    table = make_ministack_table("tester")
    table.put(HOST, SITE)
    take_snapshot(table, [bucket])
    settings = SETTINGS._replace(
        table=table.tables.routes,
        endpoint=table.tables.dynamodb.meta.endpoint_url,
        s3_endpoint=aws.endpoint,
        snapshot_buckets=((bucket.name, bucket.region),),
    )
    made = instance(table, [bucket], settings)
    made.follower.start(60, 60)
    return made


def instance(table: RoutingTable, buckets: list[Bucket], settings: Settings) -> Edge:
    clock = Clock()
    reader = Counted(RoutesTable.from_settings(settings))
    feeds = feed_replicas(settings)
    loader = Loader(SnapshotBuckets.from_settings(settings), settings.table, in_background=lambda work: work())
    follower = Follower(feeds, loader, clock=clock, audit=Audit(settings.table, feeds[0]))
    return Edge(table, buckets, settings, clock, reader, loader, follower, Resolver(reader, settings, clock, follower))


@pytest.fixture(autouse=True)
def patience(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(resolving, "KNOWN_HOST_SECONDS", 120)


def test_a_host_is_known_before_anybody_asks_for_it(edge: Edge) -> None:
    assert edge.site(HOST) == "/env-a"
    assert edge.reader.asked == []


@pytest.mark.parametrize(
    ("change", "site"),
    [
        (lambda table: table.put(HOST, MOVED), "/env-b"),
        (lambda table: table.delete(HOST), "404"),
        (lambda table: table.put(HOST, SITE, expires_in="1h"), "410"),
    ],
    ids=["put", "delete", "expiry"],
)
def test_a_change_is_seen_without_anybody_waiting(edge: Edge, change: Callable[[RoutingTable], Any], site: str) -> None:
    edge.site(HOST)
    change(edge.table)
    if site == "410":
        edge.clock.now = time.time() + 7_200
        edge.follower.catch_up(time.monotonic() + 60)
    edge.soon(HOST, site)
    assert set(edge.reader.asked) <= ({HOST} if site == "404" else set())


def test_a_host_that_is_new_is_found_at_once_and_then_known(edge: Edge) -> None:
    edge.table.put(OTHER, SITE)
    assert edge.site(OTHER) == "/env-a"
    assert edge.reader.asked == [OTHER]
    edge.table.put(OTHER, MOVED)
    edge.soon(OTHER, "/env-b")
    assert edge.reader.asked == [OTHER]


def test_a_host_that_is_refused_is_found_when_it_is_made(edge: Edge) -> None:
    assert edge.site(OTHER) == "404"
    edge.table.put(OTHER, SITE)
    edge.soon(OTHER, "/env-a")


def test_a_flood_of_unknown_hosts_gets_the_snapshots_word(edge: Edge, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(resolving, "UNKNOWN_READS_A_SECOND", 0)
    for number in range(200):
        assert edge.site(f"made-up-{number}.example.com") == "404"
    assert len(edge.reader.asked) == resolving.UNKNOWN_READS_AT_ONCE
    monkeypatch.setattr(resolving, "UNKNOWN_READS_A_SECOND", 1e9)
    edge.site("made-up-later.example.com")
    assert edge.reader.asked[-1] == "made-up-later.example.com"


def test_who_was_idle_asks_once_for_all_hosts(edge: Edge) -> None:
    edge.table.put(OTHER, SITE)
    edge.snapshot()
    for host in (HOST, OTHER):
        edge.site(host)
    edge.reader.asked.clear()
    edge.clock.now += 3_600
    edge.table.put(OTHER, MOVED)
    assert edge.site(HOST) == "/env-a"
    assert edge.site(OTHER) == "/env-b"
    assert edge.reader.asked == []


def test_a_clock_that_was_put_back_makes_it_ask(edge: Edge) -> None:
    edge.site(HOST)
    edge.clock.now -= 3_600
    edge.table.put(HOST, MOVED)
    assert edge.site(HOST) == "/env-b"


def test_a_table_that_is_gone_refuses_nobody_who_was_there(edge: Edge) -> None:
    fresh = instance(edge.table, edge.buckets, edge.settings._replace(endpoint=NOBODY))
    fresh.reader.reachable = False
    fresh.follower.start(60, 60)
    assert fresh.site(HOST) == "/env-a"
    assert fresh.site(OTHER) == "503"
    fresh.clock.now += 3_600
    assert fresh.site(HOST) == "/env-a"


def test_in_an_outage_a_newer_snapshot_goes_before_what_is_remembered(edge: Edge) -> None:
    alone = instance(edge.table, edge.buckets, edge.settings._replace(endpoint=NOBODY))
    alone.reader.reachable = False
    alone.follower.start(60, 60)
    assert alone.site(HOST) == "/env-a"
    edge.table.put(HOST, MOVED)
    edge.snapshot()
    alone.loader.load(time.monotonic() + 60)
    alone.clock.now += 3_600
    assert alone.site(HOST) == "/env-b"


def test_without_a_snapshot_hosts_are_read_one_by_one_until_there_is_one(edge: Edge, aws: EmbeddedAws) -> None:
    bucket = Bucket(f"{edge.buckets[0].name}-later", "us-east-1")
    aws.client("s3").create_bucket(Bucket=bucket.name)
    late = instance(edge.table, [bucket], edge.settings._replace(snapshot_buckets=((bucket.name, bucket.region),)))
    late.follower.start(60, 60)
    assert late.site(HOST) == "/env-a"
    assert late.reader.asked == [HOST]
    late.snapshot()
    late.clock.now += 60
    late.until(lambda: late.follower.pointer is not None)
    assert late.site(HOST) == "/env-a"


def distrusted(edge: Edge) -> None:
    """See an instance go back to reading one by one, and come back with the next snapshot."""
    edge.clock.now += FRESH_SECONDS / 2 + 0.1
    edge.until(lambda: edge.follower.pointer is None)
    edge.reader.asked.clear()
    edge.clock.now += 20
    edge.site(HOST)
    assert edge.reader.asked == [HOST]
    edge.snapshot()
    edge.clock.now += 60
    edge.until(lambda: edge.follower.pointer is not None)
    edge.reader.asked.clear()
    edge.clock.now += 1
    edge.site(HOST)
    assert edge.reader.asked == []


def test_a_row_written_by_hand_comes_with_the_snapshot(edge: Edge) -> None:
    edge.site(HOST)
    edge.write_by_hand()
    edge.snapshot()
    distrusted(edge)
    assert edge.site(HOST) == "/by-hand"


def test_a_newer_snapshot_is_looked_into_for_what_was_looked_up_before(edge: Edge) -> None:
    edge.site(HOST)
    edge.write_by_hand()
    edge.snapshot()
    before = edge.follower.pointer
    edge.loader.load(time.monotonic() + 60)
    edge.until(lambda: edge.follower.pointer not in (None, before))
    assert edge.site(HOST) == "/by-hand"
    assert edge.reader.asked == []


def test_more_than_a_poll_brings_is_loaded_with_a_snapshot(edge: Edge, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(replica, "MOST_ITEMS", 3)
    for number in range(5):
        edge.table.put(f"many-{number}.example.com", SITE)
    monkeypatch.setattr(replica, "MOST_ITEMS", 3)
    edge.clock.now += FRESH_SECONDS / 2 + 0.1
    edge.until(lambda: edge.follower.pointer is None)
    monkeypatch.undo()
    edge.snapshot()
    edge.clock.now += 60
    edge.until(lambda: edge.follower.pointer is not None)
    assert edge.site("many-4.example.com") == "/env-a"


def test_a_table_made_again_under_the_same_name_is_another(edge: Edge) -> None:
    edge.table.put(HOST, SITE, note="so that its revision is higher than any of the new table's")
    edge.soon(HOST, "/env-a")
    tables = edge.table.tables
    client = tables.dynamodb
    for name in (tables.routes, tables.history, tables.deployments):
        client.delete_table(TableName=name)
    make_tables(edge.table.stack, client)
    edge.table.put(HOST, MOVED)
    edge.snapshot()
    edge.clock.now += FRESH_SECONDS / 2 + 0.1
    edge.until(lambda: edge.follower.pointer is None)
    edge.clock.now += 60
    edge.until(lambda: edge.follower.pointer is not None)
    assert edge.site(HOST) == "/env-b"


def test_a_contradiction_of_the_table_is_found_where_nobody_announces_anything(edge: Edge) -> None:
    edge.site(HOST)
    edge.write_by_hand()

    def passes() -> bool:
        edge.clock.now += FRESH_SECONDS / 3
        edge.site(HOST)
        return edge.follower.pointer is None

    began = edge.clock.now
    wait_until(passes)
    assert edge.clock.now - began > AUDIT_SECONDS / 2
    edge.clock.now += 20
    assert edge.site(HOST) == "/by-hand"


def test_rows_that_agree_are_no_contradiction(edge: Edge) -> None:
    edge.site(HOST)
    for _ in range(100):
        edge.clock.now += FRESH_SECONDS / 3
        edge.site(HOST)
        time.sleep(0.005)
    assert edge.follower.pointer is not None
    assert edge.reader.asked == []


def test_a_replica_that_is_behind_moves_nothing_back(edge: Edge) -> None:
    old = edge.follower.find(HOST)
    assert isinstance(old, Destination)
    edge.table.put(HOST, MOVED)
    edge.soon(HOST, "/env-b")
    moved = edge.follower.find(HOST)
    assert isinstance(moved, Destination)
    for behind in (old, None):
        assert edge.follower.newest(HOST, behind) == moved
    edge.table.delete(HOST)
    edge.soon(HOST, "404")
    assert edge.follower.newest(HOST, moved) is None


def test_what_a_feed_says_that_is_far_behind_counts_for_nothing(edge: Edge) -> None:
    tables, good_at = edge.table.tables, edge.follower.good_at
    beat = tables.revision("*", 0)
    assert beat is not None
    earlier = {"S": back(beat["announced_at"]["S"], 5)}
    tables.dynamodb.put_item(TableName=tables.history, Item={**beat, "announced_at": earlier})
    edge.clock.now += FRESH_SECONDS + 1
    edge.site(HOST)
    assert edge.follower.good_at == good_at
    assert edge.reader.asked == [HOST]


def test_what_was_read_while_it_follows_is_no_longer_fresh_than_what_it_knows(edge: Edge) -> None:
    edge.table.put(OTHER, SITE)
    found = edge.resolver.resolve(OTHER)
    assert edge.reader.asked == [OTHER]
    assert found.fresh_until <= edge.follower.good_at + FRESH_SECONDS


def test_a_former_deployment_is_named_for_as_long_as_its_row_says(edge: Edge) -> None:
    tables, until = edge.table.tables, int(edge.clock.now) + 5
    origin = DeploymentOrigin(OWN_BUCKET, "us-east-1", "a" * 32, "files", "")
    deployed = route(OTHER, origin, former=(Former("b" * 32, until),))
    tables.dynamodb.put_item(TableName=tables.routes, Item=encode_route(deployed))
    edge.snapshot()
    fresh = instance(edge.table, edge.buckets, edge.settings)
    fresh.follower.start(60, 60)
    assert fresh.site(OTHER) == "b" * 32
    fresh.clock.now += FRESH_SECONDS + 1
    assert fresh.site(OTHER) == ""
    assert fresh.reader.asked == []


def test_a_broken_row_is_that_hosts_and_nobody_elses(edge: Edge) -> None:
    tables = edge.table.tables
    tables.dynamodb.put_item(TableName=tables.routes, Item={"domain": {"S": OTHER}, "revision": {"N": "1"}})
    edge.snapshot()
    fresh = instance(edge.table, edge.buckets, edge.settings)
    fresh.follower.start(60, 60)
    found = fresh.resolver.resolve(OTHER)
    assert isinstance(found, Refusal)
    assert found.status == 502
    assert fresh.site(HOST) == "/env-a"


# Who asks the edge.


def viewer_of(edge: Edge) -> Viewer:
    """Return what asks an instance as viewers do."""
    found = Viewer()
    found.clock, found.resolver = edge.clock, edge.resolver
    found.handler = make_handler(edge.resolver, Guard(AccessTable(found.items, found.clock), found.clock))
    return found


def test_who_asks_is_told_snapshot_memory_and_feed_apart(edge: Edge) -> None:
    item = encode_route(route(OTHER))  # by hand, so nothing announces it
    edge.table.tables.dynamodb.put_item(TableName=edge.table.tables.routes, Item=item)
    edge.snapshot()
    edge = instance(edge.table, edge.buckets, edge.settings)
    edge.follower.start(60, 60)
    viewer, pointer = viewer_of(edge), edge.follower.pointer
    assert pointer is not None
    said = ask(viewer, host=OTHER)
    says(said, known_from="snapshot", revision=1, remembered_is_newest=True)
    assert said["snapshot"] == {"epoch": pointer.epoch, "taken_at": pointer.taken_at}
    edge.clock.now += 1
    says(ask(viewer, host=OTHER), known_from="memory", revision=1, age_seconds=1.0, feed_age_seconds=1.0)
    says(ask(viewer, host=HOST), known_from="feed", revision=1, generation=1, remembered_is_newest=True)
    assert edge.reader.asked == [OTHER, OTHER, HOST], "each time to tell whether that is the newest"
    assert edge.resolver.reads == 0, "what is followed needs no read"


def test_who_asks_of_what_was_made_a_moment_ago_is_told_what_was_read(edge: Edge) -> None:
    edge.table.put(OTHER, MOVED)
    edge.clock.now += 1
    said = ask(viewer_of(edge), host=OTHER)
    says(said, known_from="table", revision=1, remembered_is_newest=True, age_seconds=0.0)


def test_who_asks_while_the_table_is_out_is_told_by_the_feed_what_the_newest_is(edge: Edge) -> None:
    viewer = viewer_of(edge)
    edge.reader.reachable = False
    says(ask(viewer, host=HOST), revision=1, remembered_is_newest=True)


def test_who_asks_a_replica_that_is_behind_is_told_what_was_announced(
    edge: Edge, monkeypatch: pytest.MonkeyPatch
) -> None:
    behind = edge.reader.read([HOST], 60)
    edge.table.put(HOST, MOVED)
    edge.soon(HOST, "/env-b")
    monkeypatch.setattr(edge.reader, "read", lambda *_, **__: behind)
    says(ask(viewer_of(edge), host=HOST), revision=2, remembered_is_newest=True)


def test_who_asks_while_the_feed_is_silent_is_told_how_old_each_answer_is(edge: Edge) -> None:
    silent = instance(edge.table, edge.buckets, edge.settings._replace(endpoint=NOBODY))
    silent.reader.table = edge.reader.table
    silent.follower.start(60, 60)
    viewer = viewer_of(silent)
    silent.clock.now += 100
    silent.reader.reachable = False
    outage = ask(viewer, host=HOST)
    says(outage, age_seconds=100.0, feed_age_seconds=None, revision=None, remembered_is_newest=None)
    silent.clock.now += 20
    silent.reader.reachable = True
    says(ask(viewer, host=HOST), known_from="table", age_seconds=0.0, remembered_is_newest=True)
    silent.clock.now += 2
    says(ask(viewer, host=HOST), known_from="memory", age_seconds=2.0, feed_age_seconds=None)


def test_who_asks_of_what_was_read_before_a_snapshot_is_told_that_age(edge: Edge, aws: EmbeddedAws) -> None:
    bucket = Bucket(f"{edge.buckets[0].name}-after", "us-east-1")
    aws.client("s3").create_bucket(Bucket=bucket.name)
    late = instance(edge.table, [bucket], edge.settings._replace(snapshot_buckets=((bucket.name, bucket.region),)))
    late.follower.start(60, 60)
    late.site(HOST)
    late.snapshot()
    late.loader.load(time.monotonic() + 60)
    late.clock.now += 1
    late.site(OTHER)
    assert late.follower.pointer is not None
    says(ask(viewer_of(late), host=HOST), known_from="memory", age_seconds=1.0)
