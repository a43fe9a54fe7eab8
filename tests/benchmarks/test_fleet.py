"""The simulation says what it must where the answer is known."""

import json
import subprocess
import sys

import pytest

from benchmarks.fleet import RATES, REGIONS, Scenario, simulate, study
from tests.support import ROOT


def test_one_instance_with_one_route_reads_once_a_fresh_time() -> None:
    found = simulate(
        Scenario(instances=1, routes=1, requests=20_000, rate=100.0, fresh=10.0, lifetime=1e9, changes=1e-9)
    )
    # 200 seconds, and expiries that are spread over the last fifth of ten.
    assert 20 <= found["reads_per_million"] * 0.02 <= 26
    assert found["served"] == 1


def test_a_change_is_seen_within_the_fresh_time_and_replication() -> None:
    found = simulate(Scenario(instances=20, routes=50, requests=40_000, rate=400.0, fresh=5.0, changes=1.0))
    assert 0 < found["change_seen_p50"] <= found["change_seen_p99"] <= found["change_seen_max"] <= 5.0 + 1.0 + 0.1


def test_a_pages_files_are_looked_up_once_by_one_instance() -> None:
    found = simulate(Scenario(instances=len(REGIONS), routes=100_000, requests=20_000, page=20, changes=1e-9))
    assert 19 / 20 <= found["hit_ratio"] < 1


def test_longer_freshness_reads_less() -> None:
    short, long = (Scenario(instances=10, routes=100, requests=50_000, fresh=fresh) for fresh in (1.0, 10.0))
    reads = [simulate(scenario)["reads_per_million"] for scenario in (short, long)]
    assert reads[1] < reads[0] / 2


@pytest.mark.parametrize(("regions", "all_served"), [(REGIONS, False), (REGIONS[:1], True)])
def test_what_is_known_is_served_through_an_outage(
    regions: tuple[str, ...], all_served: bool, capsys: pytest.CaptureFixture[str]
) -> None:
    scenario = Scenario(
        instances=8,
        routes=200,
        requests=40_000,
        rate=100.0,
        lifetime=1e9,
        outage=(100.0, 300.0),
        outage_regions=regions,
    )
    found = simulate(scenario)
    capsys.readouterr()
    assert (found["served"] == 1) == all_served
    assert found["served"] > 0.98
    # Nobody is asked again and again: at most one attempt a second and replica, by every instance.
    during = found["minutes"][3]
    assert during.get("503", 0) < sum(during.values()) * 0.05


def test_the_study_runs_as_a_whole() -> None:
    found = study(0.002)
    assert set(found["fleet"]) == {"10", "100", "1000", "10000"}
    assert found["outage"]["minutes"]
    assert set(found["followed_rate"]) == set(map(str, RATES))
    assert found["followed"]["12"]["polls_per_million"] > 0
    assert found["followed_rate"]["10.0"]["old"]["polls_per_million"] == 0
    assert found["followed_rate"]["10.0"]["new"]["hit_ratio"] > found["followed_rate"]["10.0"]["old"]["hit_ratio"]


def test_the_first_figures_are_one_line_and_within_their_limits() -> None:
    command = [sys.executable, "-m", "benchmarks.fleet", "--headline", "--scale", "0.1"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.count("\n") == 1
    found = json.loads(done.stdout)
    limits = {
        "waiting_12_instances": 0.005,
        "waiting_100_instances": 0.025,
        "read_units_per_million": 60_000,
        "change_seen_max": 10.0,
        "refused_in_outage": 0.0,
    }
    assert set(found) == set(limits)
    assert {name: value for name, value in found.items() if value > limits[name]} == {}
