"""What a directory that became a site costs origin-request, S3, and whoever deploys it."""

import json
import os
import statistics
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest

from benchmarks.conftest import Figures
from benchmarks.sites import deploys, lists, views
from benchmarks.sites.server import client, server
from local_edge.embedded_aws import CREDENTIALS
from tests.tls import self_signed

FILES = 20_000
ROUNDS = 11
FIRST_ANSWER_MS = 5
# The function, and as much again for lists.
MEMORY_MB = 48
# A deployment of 20,000 takes some minutes, most of them aws s3 sync's: BENCH_FILES=20000 make bench
DEPLOYED = int(os.environ.get("BENCH_FILES", "2000"))
# Of fewer files both take as long as their processes need to start.
LARGE = 20_000
VIEWS = 200


def environ(endpoint: str) -> dict[str, str]:
    return {
        **{name.upper(): value for name, value in CREDENTIALS.items()},
        "AWS_ENDPOINT_URL": endpoint,
        "AWS_REGION": "us-east-1",
        "AWS_LAMBDA_FUNCTION_NAME": "us-east-1.edge-routing-origin-request",
        # Started by Lambda: what can be made ready before the first viewer is.
        "AWS_LAMBDA_RUNTIME_API": "127.0.0.1:9",
    }


def write(file: Path, events: Iterable[dict[str, Any]]) -> Path:
    file.write_text("".join(f"{json.dumps(one)}\n" for one in events))
    return file


@pytest.mark.parametrize("tls", [False, True], ids=["plain", "tls"])
def test_the_first_answer(figures: Figures, tmp_path: Path, tls: bool) -> None:
    """Of an instance that has read no list yet; over TLS with the handshake."""
    pem = self_signed(tmp_path) if tls else None
    trusted = f"from edge_handler.aws import connection; connection.ROOTS = {str(pem)!r}; " if pem else ""
    found = lists.files(FILES)
    path, as_json = next(iter(found)), tmp_path / "list.json"
    lists.as_json(as_json, found)
    with server(pem) as endpoint:
        deployment = lists.publish(client("s3", endpoint, pem), found)
        events = write(tmp_path / "events", lists.asks({deployment: list(found)}, 20))
        runs = [lists.answered(events, environ(endpoint), trusted)[0] for _ in range(ROUNDS)]
    theirs = [lists.parsed(as_json, path) for _ in range(ROUNDS)]
    name = f"first answer from a list of {FILES:,} files{' over TLS' if tls else ''}, CPU"
    first = sorted(run[0] for run in runs)
    mine, low = statistics.median(first), first[len(first) // 4]
    limit = None if tls else 1.0
    figures.add(f"{name} / 5 ms", mine, FIRST_ANSWER_MS, "ms", mine / FIRST_ANSWER_MS, low / FIRST_ANSWER_MS, limit)
    parsed = statistics.median(theirs)
    figures.add(f"{name} / the same list parsed as JSON", mine, parsed, "ms", mine / parsed, low / parsed, None)
    later = statistics.median(statistics.median(run[1:]) for run in runs)
    figures.note(f"an answer from a list of {FILES:,} files that is there, CPU: {later * 1000:.0f} us")


@pytest.mark.parametrize(("sites", "files", "each"), [(300, 334, 3), (20, 100_000, 60)])
def test_memory(figures: Figures, tmp_path: Path, sites: int, files: int, each: int) -> None:
    """Each list is asked for a second time when all others were: what had to go is read again."""
    with server() as endpoint:
        s3 = client("s3", endpoint)
        known = {}
        for site in range(sites):
            found = lists.files(files, site)
            known[lists.publish(s3, found)] = list(found)
        none = lists.answered(write(tmp_path / "none", ()), environ(endpoint))[1]
        peak = lists.answered(write(tmp_path / "events", lists.asks(known, each)), environ(endpoint))[1]
    name = f"peak memory of origin-request with {sites} sites of {sites * files:,} files / {MEMORY_MB} MB"
    figures.add(name, peak, MEMORY_MB, "MB", peak / MEMORY_MB, peak / MEMORY_MB, 1.0)
    figures.note(f"origin-request with {sites} sites of {sites * files:,} files: {peak:.1f} MB, before {none:.1f}")


def test_requests_to_s3(figures: Figures) -> None:
    found = views.compare(VIEWS)
    ours, theirs = found.values()
    for phase, mine in ours.items():
        asked, against = mine.s3.total(), theirs[phase].s3.total()
        limit = 0.02 if phase == views.WARM else 0.5
        name = f"requests to S3 for {VIEWS} page views, {phase}, deployed / as aws s3 sync and touch"
        figures.add(name, asked, against, "", asked / against, asked / against, limit)


def test_a_deployment(figures: Figures) -> None:
    found = deploys.compare(DEPLOYED)
    for name, runs in found.items():
        ours, theirs = runs[deploys.OURS].seconds, runs[deploys.THEIRS].seconds
        limits = {deploys.RUNS[0]: 1.0, deploys.RUNS[1]: 0.2 if DEPLOYED >= LARGE else None}
        figure = f"deploy of {DEPLOYED:,} files, {name} / aws s3 sync"
        figures.add(figure, ours, theirs, "s", ours / theirs, ours / theirs, limits.get(name))
