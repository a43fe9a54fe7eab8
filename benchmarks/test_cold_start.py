"""From the start of a process until it is ready, and until its first answer."""

import statistics
import subprocess
from collections import Counter
from pathlib import Path

import pytest

from benchmarks.conftest import Figures
from benchmarks.processes import BOTO3, NODE, OURS, POWERTOOLS, node, python, run
from edge_handler.routes.route import encode_route
from tests.support import dynalite, dynamodb_client, route
from tests.tls import self_signed

ROUNDS = 11
FIRST = "; handler({'Records': [{'cf': {'config': {'requestId': 'x'}, 'request': {'method': 'GET', 'uri': '/', " + (
    "'querystring': '', 'headers': {'host': [{'value': 'env-123.localhost'}]}}}}]}, None)"
)
# With what importing TLS costs: in AWS nobody reads without.
OURS_TLS = f"{OURS}; from edge_handler.aws.connection import tls_context; tls_context()"
BOTO3_TLS = f"{BOTO3}; import ssl; ssl.create_default_context()"


def compare(
    figures: Figures,
    name: str,
    ours: list[str],
    against: list[str],
    limit: float | None = None,
    environ: dict[str, str] | None = None,
) -> None:
    """Add the ratio of CPU, and that of peak memory."""
    mine, others = [], []
    for _ in range(ROUNDS):
        mine.append(run(ours, environ))
        others.append(run(against, environ))
    ratios = sorted(one / other for (one, _), (other, _) in zip(mine, others, strict=True))
    spent, theirs = (statistics.median(cpu for cpu, _ in runs) * 1e3 for runs in (mine, others))
    peak, their_peak = (statistics.median(peak for _, peak in runs) for runs in (mine, others))
    figures.add(f"{name}, CPU", spent, theirs, "ms", statistics.median(ratios), ratios[len(ratios) // 4], limit)
    figures.add(f"{name}, peak memory", peak, their_peak, "MB", peak / their_peak, peak / their_peak, None)


def test_ready(figures: Figures) -> None:
    compare(figures, "start to ready / boto3 client ready", python(OURS), python(BOTO3), 0.19)
    compare(figures, "start to ready with TLS / boto3 client with TLS", python(OURS_TLS), python(BOTO3_TLS))
    compare(figures, "start to ready / boto3 and Powertools ready", python(OURS), python(POWERTOOLS))
    compare(figures, "start to ready / the interpreter alone", python(OURS), python("pass"))


def test_ready_beside_node(figures: Figures) -> None:
    against = node(NODE)
    if against is None:
        pytest.skip("needs node and npm (apt-get install nodejs npm)")
    compare(figures, "start to ready / Node.js with SDK v3 client ready", python(OURS), against, 2 / 5)


@pytest.mark.parametrize("tls", [False, True], ids=["plain", "tls"])
def test_first_answer(figures: Figures, tmp_path: Path, tls: bool) -> None:
    pem = self_signed(tmp_path) if tls else None
    with dynalite(pem) as endpoint:
        client = dynamodb_client(endpoint, pem)
        client.put_item(TableName="edge-routing-routes", Item=encode_route(route("env-123.localhost")))
        ours = f"from edge_handler.viewer_request import handler{FIRST}"
        verify = ""
        if pem:
            ours = f"from edge_handler.aws import connection; connection.ROOTS = {str(pem)!r}; {ours}"
            verify = f", verify={str(pem)!r}"
        theirs = (
            f"import boto3; boto3.client('dynamodb', region_name='us-east-1', endpoint_url={endpoint!r}{verify})"
            ".get_item(TableName='edge-routing-routes', Key={'domain': {'S': 'env-123.localhost'}})"
        )
        name = f"start to first answer{' over TLS' if tls else ''} / boto3 client's"
        compare(figures, name, python(ours), python(theirs), environ={"AWS_ENDPOINT_URL": endpoint})


def test_where_a_start_goes(figures: Figures) -> None:
    """Import time by package, each without what it imports itself; taking it costs time of its own."""
    runs: list[Counter[str]] = []
    for _ in range(ROUNDS):
        command = [*python(OURS)[:3], "-X", "importtime", *python(OURS)[3:]]
        lines = subprocess.run(command, capture_output=True, text=True, check=True).stderr.splitlines()[1:]
        spent: Counter[str] = Counter()
        for line in lines:
            own, _, name = line.removeprefix("import time:").split("|")
            spent[name.strip().partition(".")[0]] += int(own)
        runs.append(spent)
    medians = Counter({name: statistics.median(run[name] for run in runs) / 1e3 for name in runs[0]})
    shown = ", ".join(f"{name} {spent:.1f}" for name, spent in medians.most_common(12))
    figures.note(f"import time of viewer-request by package, ms of {medians.total():.1f}: {shown}")


def test_memory_of_a_full_cache(figures: Figures) -> None:
    script = """
from benchmarks.rows import Table
from edge_handler.routes.memory import MAX_ROUTES
from edge_handler.routes.resolver import Resolver
from edge_handler.settings import load_settings
resolver = Resolver(Table(), load_settings()._replace(fresh_seconds=1e9))
for number in range(MAX_ROUTES):
    resolver.resolve(f"env-{number}.example.com")
assert len(resolver.known) == MAX_ROUTES
"""
    full = run(python(f"{OURS}; exec({script!r})"))[1]
    figures.add("peak memory with 50,000 cached routes / 48 MB", full, 48, "MB", full / 48, full / 48, 1.0)
