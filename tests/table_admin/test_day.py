"""A day of 300 pull requests: what people and pipelines do to each other, and what must hold all the time."""

import os
import random
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from itertools import pairwise

import pytest

from local_edge.embedded_aws import EmbeddedAws
from table_admin import RoutingTable, branches, environments
from table_admin.changes import decode
from table_admin.errors import NotFound
from table_admin.promotions import StillServed, promote
from table_admin.rollback import rollback
from table_admin.upkeep import sweep
from tests.table_admin.branch_names import branch_names
from tests.table_admin.killing import Line
from tests.table_admin.test_pipeline import agree

PULL_REQUESTS = 300
KILLS = 20
HOUR = 3600.0
START = 1_800_000_000.0
BASE = "example.com"
PRODUCTION = ("www.example.com", "docs.example.com")
RELEASE = "shop/release"
# The command with another time: its process has a clock of its own.
_COMMAND = """
import sys, time
now = float(sys.argv[1])
time.time = lambda: now
from table_admin.cli import main
main(sys.argv[2:])
"""


@dataclass
class PullRequest:
    """What its pipeline has done, and what must come of it."""

    number: int
    branch: str
    name: str = ""
    commit: int = 0
    open: bool = True
    expires_at: float = 0.0
    """0 while it has no preview."""

    @property
    def domain(self) -> str:
        return f"{self.name}.{BASE}"

    @property
    def target(self) -> str:
        return f"s3://acme-static-sites/previews/{self.number}/{self.commit}"


@dataclass
class Production:
    """What a domain has been sent to and has not been taken back from: target, and the environment it was of."""

    shown: list[tuple[str, str]]
    log: list[str]
    rolled_back: bool = False

    def promote(self, target: str, name: str) -> None:
        if self.shown[-1] != (target, name):
            self.shown.append((target, name))
            self.log.append(target)
            self.rolled_back = False

    def roll_back(self) -> None:
        self.shown.pop()
        self.log.append(self.shown[-1][0])
        self.rolled_back = True


class Day:
    """The day so far. Every event is made in the table, and then must be found in it."""

    def __init__(self, make_table: Callable[[str], RoutingTable], dynamodb: str, aws: EmbeddedAws, seed: int) -> None:
        self.now = START
        self.chance = random.Random(seed)
        self.tables = [make_table("pipeline"), make_table("another")]
        for table in self.tables:
            table.clock = lambda: self.now
        self.table = self.tables[0]
        self.dynamodb = dynamodb
        self.s3 = aws.client("s3")
        self.environ = {
            **os.environ,
            "AWS_ENDPOINT_URL": aws.endpoint,
            "TABLE_ADMIN_STACK": self.table.stack,
            "TABLE_ADMIN_ACTOR": "killed",
        }
        self.kills = 0
        self.refused = 0
        self.pull_requests: list[PullRequest] = []
        self.production: dict[str, Production] = {}
        for domain in PRODUCTION:
            target = f"s3://acme-static-sites/{domain}"
            self.publish(target)
            self.table.put(domain, target)
            self.production[domain] = Production([(target, "")], [target])

    # ---- What happens

    def push(self, pull_request: PullRequest) -> None:
        """A commit: the first makes the preview, one after its expiry makes it again."""
        pull_request.commit += 1
        self.publish(pull_request.target)
        pull_request.open = True
        service = {"": pull_request.target}
        command = ["env", "up", "--branch", pull_request.branch, "--base", BASE, "--service", pull_request.target]

        def up(table: RoutingTable) -> None:
            branches.up(table, pull_request.branch, BASE, service, expires_in="3h")

        self.somehow(up, [*command, "--expires-in", "3h"])
        pull_request.name = branches.name_of(self.table, pull_request.branch)
        pull_request.expires_at = int(self.now) + 3 * HOUR
        self.check(pull_request)

    def close(self, pull_request: PullRequest) -> None:
        """The preview goes, unless production is what it shows."""
        pull_request.open = False
        command = ["env", "down", "--branch", pull_request.branch]
        if pull_request.name in (made.shown[-1][1] for made in self.production.values()):
            with pytest.raises(StillServed):
                environments.down(self.table, pull_request.name, source=pull_request.branch)
            self.refused += 1
        else:

            def down(table: RoutingTable) -> None:
                # By the branch, as the command does: when its preview has expired, another branch may have its name.
                environments.down(table, branches.name_of(table, pull_request.branch), source=pull_request.branch)

            self.somehow(down, command)
            pull_request.expires_at = 0.0
        self.check(pull_request)

    def promote(self, pull_request: PullRequest, domain: str) -> None:
        """Production goes to where a preview is."""
        command = ["env", "promote", pull_request.name, domain]
        self.somehow(lambda table: promote(table, pull_request.name, {domain: ""}), command)
        self.production[domain].promote(pull_request.target, pull_request.name)
        self.check(pull_request)

    def roll_back(self, domain: str) -> None:
        """It was no good; however often it is said, it is one step back."""
        made = self.production[domain]
        if len(made.shown) == 1:
            return
        if not made.rolled_back:
            made.roll_back()
            self.somehow(lambda table: rollback(table, [domain]), ["rollback", domain])
        elif self.chance.random() < 0.5:
            self.somehow(lambda table: rollback(table, [domain]), ["rollback", domain])
        else:
            made.roll_back()
            rollback(self.table, [domain], further=True)
        self.check()

    def sweep(self) -> None:
        """What has expired is removed, and nothing else."""
        self.somehow(lambda table: [*sweep(table)], ["sweep"])
        for pull_request in self.pull_requests:
            if pull_request.expires_at <= self.now:
                pull_request.expires_at = 0.0
        self.check_all()

    def publish(self, target: str) -> None:
        """Put files where a target is: nothing goes back to where there are none."""
        bucket, _, prefix = target.removeprefix("s3://").partition("/")
        self.s3.put_object(Bucket=bucket, Key=f"{prefix}/index.html", Body=b"")

    def pushed(self, pull_request: PullRequest) -> None:
        """A commit, at a time like any other."""
        if 0 < pull_request.expires_at <= self.now and self.chance.random() < 0.5:
            self.sweep_while_pushed(pull_request)
        else:
            self.push(pull_request)

    def push_both(self, one: PullRequest, other: PullRequest) -> None:
        """Two branches that have one label are pushed at the same time; each has a URL of its own."""
        with ThreadPoolExecutor() as threads:
            pushed = []
            for table, found in zip(self.tables, (one, other), strict=True):
                found.commit += 1
                self.publish(found.target)
                found.expires_at = int(self.now) + 3 * HOUR
                up = partial(branches.up, table, found.branch, BASE, {"": found.target})
                pushed.append(threads.submit(up, expires_in="3h"))
            for future in pushed:
                future.result()
        for found in (one, other):
            found.name = branches.name_of(self.table, found.branch)
        self.check(one, other)

    def sweep_while_pushed(self, pull_request: PullRequest) -> None:
        """An expired preview is made again at the moment at which it is swept away."""
        with ThreadPoolExecutor() as threads:
            swept = threads.submit(lambda: [*sweep(self.tables[1])])
            self.push(pull_request)
            swept.result()
        self.check(pull_request)

    def promote_while_closed(self, pull_request: PullRequest, domain: str) -> None:
        """One of them is first, and the other is told so; or both are made."""
        pull_request.open = False
        with ThreadPoolExecutor() as threads:
            promoted = threads.submit(promote, self.tables[1], pull_request.name, {domain: ""})
            with suppress(StillServed):
                environments.down(self.table, pull_request.name)
                pull_request.expires_at = 0.0
            with suppress(NotFound):
                promoted.result()
                self.production[domain].promote(pull_request.target, pull_request.name)
        self.check(pull_request)

    def somehow(self, event: Callable[[RoutingTable], object], command: list[str]) -> None:
        """Make an event: once, again, twice at once, or by a process that is killed, and again."""
        kind = self.chance.random()
        if kind < 0.1 and self.kills < KILLS:
            line = Line(self.dynamodb, self.chance.randint(1, 4), self.chance.random() < 0.5)
            whole = [sys.executable, "-c", _COMMAND, str(self.now), *command]
            self.kills += not line.run(whole, self.environ, "DYNAMODB")
        elif kind < 0.25:
            event(self.table)
        elif kind < 0.4:
            with ThreadPoolExecutor() as threads:
                other = threads.submit(event, self.tables[1])
                event(self.tables[0])
                other.result()
            return
        event(self.table)

    # ---- What must hold

    def check(self, *pull_requests: PullRequest) -> None:
        """Production is what was last promoted and not rolled back; these pull requests are what was last pushed."""
        items = self.table.tables.read([*self.production, *(found.domain for found in pull_requests)])
        for domain, made in self.production.items():
            route = decode(items.get(domain))
            assert route is not None, domain
            assert (route.target, route.expires_at) == (made.shown[-1][0], None), domain
        for found in pull_requests:
            route = decode(items.get(found.domain))
            if not found.expires_at:
                # Gone, or another branch's by now.
                assert route is None or route.source != found.branch, found
            elif found.expires_at > self.now:
                assert route is not None, found
                assert (route.target, route.expires_at) == (found.target, found.expires_at)
                assert route.source == found.branch

    def check_all(self) -> None:
        """No preview is lost or left: the table has what was pushed and not closed, and production."""
        expected = {found.domain: found.target for found in self.pull_requests if found.expires_at}
        assert len(expected) == sum(1 for found in self.pull_requests if found.expires_at), "two have one URL"
        expected |= {domain: made.shown[-1][0] for domain, made in self.production.items()}
        assert {route.domain: route.target for route in self.table.list()} == expected
        self.check()

    @property
    def live(self) -> list[PullRequest]:
        return [found for found in self.pull_requests if found.open and found.expires_at > self.now]


def plan(day: Day) -> list[tuple[float, Callable[[], None]]]:
    """Return what happens on the day, and when."""
    chance = day.chance
    events: list[tuple[float, Callable[[], None]]] = [(hour * HOUR, day.sweep) for hour in range(1, 25)]

    def live(event: Callable[[PullRequest], None]) -> None:
        if day.live:
            event(chance.choice(day.live))

    for number, branch in enumerate(branch_names(chance, PULL_REQUESTS)):
        found = PullRequest(number, branch)
        day.pull_requests.append(found)
        moment = chance.uniform(0, 20 * HOUR)
        for _ in range(chance.randint(1, 2)):
            events.append((moment, partial(day.pushed, found)))
            moment += chance.expovariate(1 / HOUR)
        if chance.random() < 0.9:
            events.append((moment, partial(day.close, found)))
            events += [(moment + HOUR, partial(day.pushed, found))] * (chance.random() < 0.1)
    for _ in range(60):
        moment, domain = chance.uniform(HOUR, 23 * HOUR), chance.choice(PRODUCTION)
        event = chance.choice([day.promote, day.promote, day.promote_while_closed])
        events.append((moment, partial(live, partial(event, domain=domain))))
        for _ in range(chance.randint(0, 2)):
            events.append((moment + chance.uniform(0, 600), partial(day.roll_back, domain)))
    alike = [found for found in day.pull_requests if found.branch.startswith(("feature/ABC_", "feature/abc-"))]
    events += [(0.0, partial(day.push_both, one, other)) for one, other in pairwise(sorted(alike, key=by_number))][::2]
    return sorted(events, key=lambda event: event[0])


def by_number(pull_request: PullRequest) -> str:
    """Sort branches that differ only in how they are written beside each other."""
    return pull_request.branch.lower().replace("_", "-")


@pytest.mark.parametrize("seed", [int(os.environ.get("DAY", "1"))])
def test_a_day_of_300_pull_requests(
    make_ministack_table: Callable[[str], RoutingTable], ministack_endpoint: str, aws: EmbeddedAws, seed: int
) -> None:
    day = Day(make_ministack_table, ministack_endpoint, aws, seed)
    for moment, event in plan(day):
        day.now = START + moment
        event()
    assert day.kills == KILLS
    assert day.refused, "nobody closed what production shows: the test shows nothing of it"
    for domain, made in day.production.items():
        day.table.put(domain, "s3://acme-static-sites/tomorrow")
        made.promote("s3://acme-static-sites/tomorrow", "")
    for found in day.pull_requests:
        if found.number % 2:
            day.close(found)
    day.sweep()
    day.now += 4 * HOUR
    day.sweep()
    assert {route.domain for route in day.table.list()} == {*PRODUCTION}
    for domain, made in day.production.items():
        history = [entry.route.target for entry in day.table.history(domain) if entry.route is not None]
        assert history[::-1] == made.log
    assert agree(day.table) > 2 * PULL_REQUESTS
