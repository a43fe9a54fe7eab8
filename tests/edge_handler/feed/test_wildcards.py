"""Wildcards where the feed is followed: what is announced counts for all names under one."""

import contextlib
from collections.abc import Iterator
from unittest import mock

import pytest

from edge_handler.feed.audit import AUDIT_SECONDS
from edge_handler.routes.path_rules import Rule
from edge_handler.routes.remembered import Known, Ruled
from edge_handler.routes.route import encode_route
from tests.edge_handler.feed.model_aws import HEALTHY, REGIONS, Aws
from tests.edge_handler.feed.model_instance import TIMED, Instance
from tests.support import SETTINGS, STATIC, route

WIDE, NARROW, HOST = "*.example.com", "*.tenant.example.com", "a.tenant.example.com"
SOON = 10


class Edge:
    """One instance, in a healthy world."""

    def __init__(self, aws: Aws, instance: Instance) -> None:
        self.aws = aws
        self.instance = instance

    def put(self, domain: str, prefix: str, **changes: object) -> None:
        newest = self.aws.newest(domain)
        number = newest.revision + 1 if newest else 1
        row = route(domain, STATIC._replace(prefix=prefix), revision=number, generation=number, **changes)
        self.aws.write_row(domain, encode_route(row))

    def site(self, host: str) -> str:
        found = self.instance.resolver.resolve(host)
        assert not isinstance(found, Ruled)
        return found.stamp.split(";")[-1] if isinstance(found, Known) else str(found.status)

    def pass_on(self) -> None:
        """Let the time pass in which a change is seen, while others ask."""
        for number in range(SOON):
            self.aws.pass_time(1)
            self.instance.resolver.resolve(f"x{number}.example.org")

    def soon(self, host: str) -> str:
        """Return what answers after the time in which a change is seen."""
        for _ in range(SOON):
            self.aws.pass_time(1)
            self.site(host)
        return self.site(host)

    def own_target(self, host: str) -> str:
        """Return what answers for a host's first page, whose row has rules."""
        found = self.instance.resolver.resolve(host)
        assert isinstance(found, Ruled)
        known, _ = found.find("/")
        assert isinstance(known, Known)
        return known.stamp.split(";")[-1]

    @property
    def reads(self) -> int:
        return self.instance.resolver.reads


@pytest.fixture
def edge() -> Iterator[Edge]:
    aws = Aws(1)
    aws.latencies = HEALTHY
    instance = Instance(aws, REGIONS[0], SETTINGS, clock_stands_still=False)
    found = Edge(aws, instance)
    found.put(WIDE, "/wide")
    aws.pass_time(200)
    with contextlib.ExitStack() as patches:
        for module in TIMED:
            patches.enter_context(mock.patch.object(module, "time", instance.clock))
        instance.start()
        yield found


def test_names_under_a_wildcard_are_known_without_a_read(edge: Edge) -> None:
    assert {edge.site(f"{name}.example.com") for name in ("a", "b", "c.d")} == {"/wide"}
    assert edge.reads == 0


def test_a_wildcards_row_that_is_too_large_to_be_carried_is_read_once_for_all_names(edge: Edge) -> None:
    """Anybody can make names up."""
    rules = tuple(Rule(f"/{'x' * 200}{number}", STATIC._replace(prefix=f"/{number}"), 1) for number in range(20))
    edge.put(WIDE, "/large", rules=rules)
    edge.pass_on()
    assert edge.own_target(HOST) == "/large"
    before = edge.reads
    assert {edge.own_target(f"{number}.example.com") for number in range(100)} == {"/large"}
    assert edge.reads == before
    edge.put(WIDE, "/other", rules=rules)
    edge.put("own.example.com", "/own")
    edge.pass_on()
    assert edge.own_target("another.example.com") == "/other"
    assert edge.site("own.example.com") == "/own"


def test_an_exact_row_takes_over_and_gives_back_without_anybody_waiting(edge: Edge) -> None:
    assert edge.site(HOST) == "/wide"
    edge.put(HOST, "/own")
    assert edge.soon(HOST) == "/own"
    edge.aws.write_row(HOST, None)
    assert edge.soon(HOST) == "/wide"
    assert edge.reads == 0


def test_a_more_specific_wildcard_takes_over_and_gives_back(edge: Edge) -> None:
    assert edge.site(HOST) == "/wide"
    edge.put(NARROW, "/narrow")
    assert edge.soon(HOST) == "/narrow"
    assert edge.site("a.example.com") == "/wide"
    edge.aws.write_row(NARROW, None)
    assert edge.soon(HOST) == "/wide"


def test_a_change_of_a_wildcard_is_one_for_all_names_under_it(edge: Edge) -> None:
    hosts = [f"n{number}.example.com" for number in range(30)]
    assert {edge.site(host) for host in hosts} == {"/wide"}
    edge.put(WIDE, "/moved")
    edge.soon(hosts[0])
    assert {edge.site(host) for host in hosts} == {"/moved"}
    assert edge.reads == 0


def test_who_was_refused_is_answered_for_when_a_wildcard_is_announced(edge: Edge) -> None:
    assert edge.site("a.example.org") == "404"
    edge.put("*.example.org", "/org")
    assert edge.soon("a.example.org") == "/org"


def test_a_wildcard_serves_names_that_nobody_asked_for_yet_in_an_outage(edge: Edge) -> None:
    for region in REGIONS:
        edge.aws.down[region] = "refusing"
    edge.aws.pass_time(60)
    assert edge.site("never-seen.example.com") == "/wide"
    assert edge.site("never-seen.example.org") == "503"


def test_a_wildcards_row_that_was_changed_by_hand_is_found_by_the_audit(edge: Edge) -> None:
    edge.aws.writer_lives = False
    newest = edge.aws.newest(WIDE)
    assert newest is not None
    assert newest.row is not None
    assert edge.site(HOST) == "/wide"
    row = route(WIDE, STATIC._replace(prefix="/by-hand"), revision=newest.revision + 1)
    edge.aws._put(WIDE, encode_route(row), "", 0.0)
    assert edge.soon(HOST) == "/wide"
    for _ in range(int(AUDIT_SECONDS * 4)):
        edge.aws.pass_time(1)
        edge.site(HOST)
    assert edge.instance.follower.pointer is None
    assert edge.site(HOST) == "/by-hand"
