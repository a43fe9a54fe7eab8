"""The fleet, simulated: the real resolver and the real replica logic, many times, under a virtual clock.

`python -m benchmarks.fleet` writes benchmarks/fleet.json; `make plots` draws it into docs/performance/.
"""

import argparse
import contextlib
import io
import itertools
import json
import random
import statistics
from bisect import bisect_left
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from benchmarks.followed import Snapshots, Usage, follower
from benchmarks.rows import row
from edge_handler.aws.sigv4 import Credentials
from edge_handler.routes.destination import decode_destination
from edge_handler.routes.remembered import Known, Refusal, Ruled
from edge_handler.routes.resolver import Resolver
from edge_handler.settings import Settings, load_settings
from edge_handler.table.reader import Replica, RoutesTable, Rows

RESULTS = Path(__file__).parent / "fleet.json"
REGIONS = ("us-east-1", "eu-west-1", "ap-southeast-1", "sa-east-1")
# Global tables replicate "usually within a second".
REPLICATION_SECONDS = 1.0
DOLLARS_PER_READ_UNIT = 0.125e-6
RATES = {0.1: 12_000, 1.0: 24_000, 10.0: 60_000, 83.0: 200_000}
"""Requests a second to each instance, and how many are simulated of so many."""
_HOT = "r0.example.com"
_WILDCARD = "*.example.com"
"""Read with each of the hosts, though it has no row."""
_UNITS_PER_KEY = 0.5
"""Of an eventually consistent read of up to 4 KB, and of a row that is not there."""


@dataclass(frozen=True, slots=True)
class Scenario:
    """What is simulated; rates a second, times in seconds."""

    instances: int = 100
    """Execution environments of the function, over all regions: each has a cache of its own."""
    routes: int = 10_000
    """Asked for by Zipf's law: the n-th most popular a n-th as often as the first."""
    page: int = 1
    """How many requests for a host come one after the other, in one region: a page and its files.

    More than one: `instances` is a multiple of the regions.
    """
    requests: int = 200_000
    rate: float = 1_000.0
    fresh: float = 10.0
    lifetime: float = 3_600.0
    """Of an instance, on average; a new one knows nothing."""
    changes: float = 0.2
    """Of one of the hundred most popular routes."""
    outage: tuple[float, float] | None = None
    """From when until when the table does not answer."""
    outage_regions: tuple[str, ...] = REGIONS
    followed: bool = False
    """Whether instances know all routes, by snapshot and feed."""
    seed: int = 1


@dataclass(slots=True)
class World:
    """The table in all regions, at a time."""

    now: float = 1_000_000.0
    start: float = 1_000_000.0
    down: tuple[str, ...] = ()
    """Regions in which the table does not answer."""
    generations: dict[str, list[tuple[float, int]]] = field(default_factory=dict)
    """By domain: from when on which generation is written."""
    reads: int = 0
    keys: Counter[str] = field(default_factory=Counter)
    """How often each was read: a host's own, and those of the wildcards that may answer for it."""
    attempts: int = 0
    written: list[tuple[float, str, int]] = field(default_factory=list)
    """All changes: when, which domain, which generation."""

    def since(self, at: float) -> list[tuple[float, str, int]]:
        """Return what was written since a time."""
        return self.written[bisect_left(self.written, (at, "", 0)) :]

    def clock(self) -> float:
        return self.now

    def generation(self, domain: str, lag: float) -> int:
        """Return what is read of a domain where replication takes `lag` seconds."""
        return next(
            (number for since, number in reversed(self.generations.get(domain, [])) if since + lag <= self.now), 1
        )


class _Replica(Replica):
    """A replica whose network is the world's."""

    def __init__(self, world: World, region: str) -> None:
        super().__init__("routes", region, "http://127.0.0.1:9", Credentials("", "", ""), world.clock)
        self._world = world

    def read(  # type: ignore[override]  # of rows alone
        self,
        _decode: object,
        domains: Sequence[str],
        _deadline: float,
        *,
        expected: str | None = None,  # noqa: ARG002
    ) -> Rows:
        self._world.attempts += 1
        if self.region in self._world.down:
            raise ConnectionRefusedError("the table is down")
        self._world.reads += 1
        self._world.keys.update(domains)
        return {domains[0]: decode_destination(row(domains[0], self._world.generation(domains[0], _lag(self.region))))}


def simulate(scenario: Scenario) -> dict[str, Any]:
    """Run a scenario; return its figures."""
    chance, world = random.Random(scenario.seed), World()
    settings = load_settings({})._replace(fresh_seconds=scenario.fresh)
    names = [f"r{number}.example.com" for number in range(scenario.routes)]
    weights = list(itertools.accumulate(1 / rank for rank in range(1, scenario.routes + 1)))
    snapshots = Snapshots(world, names)
    followed = snapshots if scenario.followed else None
    instances = [_instance(world, settings, number, followed) for number in range(scenario.instances)]
    random.seed(scenario.seed)  # what the resolver spreads its expiries with
    hosts = chance.choices(names, cum_weights=weights, k=scenario.requests // scenario.page)
    outcomes: Counter[str] = Counter()
    by_minute: dict[int, Counter[str]] = {}
    stale: dict[tuple[str, int], float] = {}
    change_at = world.now + chance.expovariate(scenario.changes)
    for at in range(len(hosts) * scenario.page):
        host = hosts[at // scenario.page]
        world.now += chance.expovariate(scenario.rate)
        elapsed = world.now - world.start
        out = scenario.outage is not None and scenario.outage[0] <= elapsed < scenario.outage[1]
        world.down = scenario.outage_regions if out else ()
        while change_at <= world.now:
            _change(world, names[chance.randrange(min(100, scenario.routes))], change_at, stale)
            change_at += chance.expovariate(scenario.changes)
        number = chance.randrange(scenario.instances)
        if scenario.page > 1:
            number += at // scenario.page % len(REGIONS) - number % len(REGIONS)
        if chance.random() < scenario.instances / (scenario.rate * scenario.lifetime):
            instances[number] = _instance(world, settings, number, followed)
        before = world.attempts + snapshots.usage.waits
        route = instances[number].resolve(host)
        kind = _outcome(route, world.attempts + snapshots.usage.waits > before)
        outcomes[kind] += 1
        by_minute.setdefault(int(elapsed // 60), Counter())[kind] += 1
        if isinstance(route, Known) and host in world.generations:
            _note_stale(world, host, route, stale)
    return _figures(scenario, world, outcomes, by_minute, stale) | _followed(scenario, world, snapshots.usage)


def _instance(world: World, settings: Settings, number: int, snapshots: Snapshots | None) -> Resolver:
    here = REGIONS[number % len(REGIONS)]
    regions = sorted(REGIONS, key=lambda region: region != here)
    table = RoutesTable([_Replica(world, region) for region in regions])
    following = follower(snapshots, regions, _lag) if snapshots is not None else None
    return Resolver(table, settings, world.clock, following)


def _lag(region: str) -> float:
    return 0.0 if region == REGIONS[0] else REPLICATION_SECONDS


def _change(world: World, domain: str, at: float, stale: dict[tuple[str, int], float]) -> None:
    history = world.generations.setdefault(domain, [])
    generation = history[-1][1] + 1 if history else 2
    history.append((at, generation))
    world.written.append((at, domain, generation))
    stale[domain, generation] = 0.0


def _note_stale(world: World, host: str, route: Known, stale: dict[tuple[str, int], float]) -> None:
    seen = int(route.stamp.split(";", 3)[2])
    for since, generation in world.generations[host]:
        if seen < generation:
            stale[host, generation] = max(stale[host, generation], world.now - since)


def _outcome(route: Known | Ruled | Refusal, asked: bool) -> str:
    if isinstance(route, Refusal):
        return str(route.status)
    return "read" if asked else "hit"


def _figures(
    scenario: Scenario,
    world: World,
    outcomes: Counter[str],
    by_minute: dict[int, Counter[str]],
    stale: dict[tuple[str, int], float],
) -> dict[str, Any]:
    seconds = world.now - world.start
    reads, units = world.reads, world.keys.total() * _UNITS_PER_KEY
    latencies = sorted(stale.values()) or [0.0]
    served = outcomes["hit"] + outcomes["read"]
    return {
        "hit_ratio": outcomes["hit"] / scenario.requests,
        "reads_per_million": reads / scenario.requests * 1e6,
        "dollars_per_million": units / scenario.requests * 1e6 * DOLLARS_PER_READ_UNIT,
        "hottest_key_units_per_second": world.keys[_HOT] / seconds * _UNITS_PER_KEY,
        "hottest_wildcard_units_per_second": world.keys[_WILDCARD] / seconds * _UNITS_PER_KEY,
        "change_seen_p50": statistics.median(latencies),
        "change_seen_p99": latencies[int(len(latencies) * 0.99)],
        "change_seen_max": latencies[-1],
        "served": served / scenario.requests,
        "attempts_per_second": world.attempts / seconds,
        "minutes": {minute: dict(counts) for minute, counts in sorted(by_minute.items())},
    }


def _followed(scenario: Scenario, world: World, usage: Usage) -> dict[str, Any]:
    million = 1e6 / scenario.requests
    units = (world.keys.total() * _UNITS_PER_KEY + usage.units) * million
    return {"units_per_million": units, "polls_per_million": usage.polls * million, "loads": usage.loads}


def headline(scale: float = 1.0) -> dict[str, float]:
    """Return the first figures of docs/performance.md, as a reader can check them in a minute.

    `scale` makes them shorter.
    """
    requests, outage = int(200_000 * scale), (200.0 * scale, 800.0 * scale)
    with contextlib.redirect_stdout(io.StringIO()):
        few, many = (simulate(Scenario(instances=count, requests=requests, followed=True)) for count in (12, 100))
        out = simulate(Scenario(rate=150, requests=int(135_000 * scale), changes=0.01, outage=outage, followed=True))
    return {
        "waiting_12_instances": 1 - few["hit_ratio"],
        "waiting_100_instances": 1 - many["hit_ratio"],
        "read_units_per_million": many["units_per_million"],
        "change_seen_max": max(few["change_seen_max"], many["change_seen_max"]),
        "refused_in_outage": 1 - out["served"],
    }


def study(scale: float = 1.0) -> dict[str, Any]:
    """Return the figures of all scenarios; `scale` makes them shorter."""
    requests = int(200_000 * scale)

    def run(**changes: Any) -> dict[str, Any]:
        scenario = Scenario(**{"requests": requests, **changes})
        # Failing replicas log; here that is the point, and not news.
        with contextlib.redirect_stdout(io.StringIO()):
            return simulate(scenario)

    def fleet(count: int, fresh: float) -> dict[str, Any]:
        rate = 2.0 * count
        return run(
            instances=count, rate=rate, fresh=fresh, routes=1_000, requests=int(max(40, 4 * fresh) * rate * scale)
        )

    def by_rate(each: float, *, followed: bool) -> dict[str, Any]:
        count = 12
        return run(instances=count, rate=each * count, requests=int(RATES[each] * scale), followed=followed)

    outage = {"requests": int(1_200_000 * scale), "outage": (300.0 * scale, 900.0 * scale), "changes": 0.01}
    return {
        "fresh": {str(fresh): run(fresh=float(fresh)) for fresh in (1, 2, 5, 10, 20, 30, 60)},
        "instances": {str(count): run(instances=count) for count in (1, 12, 100, 1_000, 10_000)},
        "routes": {str(count): run(routes=count) for count in (100, 10_000, 1_000_000)},
        # Two requests a second to each instance, however many there are: the hottest key's load grows with them.
        "fleet": {
            str(count): {str(fresh): fleet(count, float(fresh)) for fresh in (1, 2, 5, 10, 30)}
            for count in (10, 100, 1_000, 10_000)
        },
        "pages_of_twenty": {str(count): run(instances=count, page=20) for count in (12, 100)},
        # As if an instance were told of changes, and never had to ask again.
        "never_read_again": {
            str(count): run(instances=count, fresh=3_600.0, requests=int(1_200_000 * scale)) for count in (12, 100)
        },
        "outage": run(**outage),
        "outage_of_one_region": run(**outage, outage_regions=REGIONS[:1]),
        # Every instance knows every route.
        "followed": {str(count): run(instances=count, followed=True) for count in (1, 12, 100, 1_000, 10_000)},
        "followed_rate": {
            str(each): {"old": by_rate(each, followed=False), "new": by_rate(each, followed=True)} for each in RATES
        },
        "followed_outage": run(**outage, followed=True),
    }


def main() -> None:
    """Write the figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--scale", type=float, default=1.0, help="below 1: shorter")
    parser.add_argument("--headline", action="store_true", help="print the figures that matter most, as JSON")
    options = parser.parse_args()
    if options.headline:
        print(json.dumps(headline(options.scale)))
        return
    RESULTS.write_text(json.dumps(study(options.scale), indent=1) + "\n")


if __name__ == "__main__":
    main()
