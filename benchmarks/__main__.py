"""`make bench`: each figure as a ratio within this one run, so that it holds on a noisy machine."""

import copy
import json
import os
import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from typing import Any

from edge_handler.resolver import Resolver
from edge_handler.route import CustomOrigin, encode_route
from edge_handler.sigv4 import Credentials
from edge_handler.table import Replica, RoutesTable
from edge_handler.viewer_request import make_handler
from tests.support import SETTINGS, Rows, dynalite, dynamodb_client, event, route

ROUNDS = 15
TABLE = "edge-routing-routes"
Call = Callable[[], object]


def main() -> None:
    """Measure and print one table."""
    print(f"{'figure':<62}{'ours':>12}{'against':>12}{'ratio':>8}")
    figures: list[tuple[str, Callable[[], tuple[float, float]], str]] = [
        ("warm hit, static, added over a no-op handler / JSON round trip", lambda: hit("viewer-request-static"), "us"),
        ("warm hit, container, added over a no-op / JSON round trip", lambda: hit("viewer-request-elb"), "us"),
        ("table read, CPU / boto3 client get_item", table_read, "ms"),
        ("process start to ready, CPU / boto3 client ready", start, "ms"),
        ("the same, peak memory", memory, "MB"),
    ]
    for name, measure, unit in figures:
        ours, against = measure()
        print(f"{name:<62}{ours:>9.3f} {unit}{against:>9.3f} {unit}{ours / against:>8.3f}", flush=True)


def paired(calls: dict[str, Call], count: int, clock: Callable[[], float]) -> dict[str, float]:
    """Return the median seconds per call of each, measured in turn."""
    found: dict[str, list[float]] = {name: [] for name in calls}
    for _ in range(ROUNDS):
        for name, call in calls.items():
            started = clock()
            for _ in range(count):
                call()
            found[name].append((clock() - started) / count)
    return {name: statistics.median(values) for name, values in found.items()}


def hit(name: str) -> tuple[float, float]:
    """Return what a hit adds to a handler that returns its request, and a JSON round trip of the event; in us."""
    elb = CustomOrigin("demo-ingress-1.us-east-1.elb.amazonaws.com", "http", 80, "", "viewer", website=False)
    rows = Rows(route("env-123.localhost"), route("env-789.localhost", elb))
    handler = make_handler(Resolver(rows, SETTINGS._replace(fresh_seconds=1e6)))
    given = event(name)

    def no_op(invocation: dict[str, Any], _context: object) -> Any:
        return invocation["Records"][0]["cf"]["request"]

    mine, plain = copy.deepcopy(given), copy.deepcopy(given)
    calls: dict[str, Call] = {
        "hit": lambda: handler(mine, None),
        "no-op": lambda: no_op(plain, None),
        "json": lambda: json.loads(json.dumps(given)),
    }
    found = paired(calls, 20_000, time.perf_counter)
    return (found["hit"] - found["no-op"]) * 1e6, found["json"] * 1e6


def table_read() -> tuple[float, float]:
    """Return CPU per read, ours and boto3's, against one dynalite; in ms."""
    with dynalite() as endpoint:
        client = dynamodb_client(endpoint)
        client.put_item(TableName=TABLE, Item=encode_route(route()))
        table = RoutesTable([Replica(TABLE, "us-east-1", endpoint, Credentials("local", "local", ""))])
        key = {"domain": {"S": "env-123.localhost"}}
        calls: dict[str, Call] = {
            "ours": lambda: table.read(("env-123.localhost",)),
            "boto3": lambda: client.get_item(TableName=TABLE, Key=key),
        }
        found = paired(calls, 100, time.process_time)
    return found["ours"] * 1e3, found["boto3"] * 1e3


OURS = "import edge_handler.viewer_request"
BOTO3 = "import boto3; boto3.client('dynamodb', region_name='us-east-1')"
# Not getrusage: what it calls the peak includes this process's, from before the child's exec.
PEAK = "; print(next(line.split()[1] for line in open('/proc/self/status') if line.startswith('VmHWM')))"


def start() -> tuple[float, float]:
    """Return CPU from process start until ready, ours and a boto3 client's; in ms."""
    calls: dict[str, Call] = {"ours": lambda: _python(OURS), "boto3": lambda: _python(BOTO3)}
    found = paired(calls, 1, _children)
    return found["ours"] * 1e3, found["boto3"] * 1e3


def memory() -> tuple[float, float]:
    """Return peak memory when ready; in MB."""
    return int(_python(OURS + PEAK)) / 1024, int(_python(BOTO3 + PEAK)) / 1024


def _python(script: str) -> str:
    return subprocess.run([sys.executable, "-c", script], check=True, capture_output=True, text=True).stdout or "0"


def _children() -> float:
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


if __name__ == "__main__":
    os.environ |= {"AWS_ACCESS_KEY_ID": "local", "AWS_SECRET_ACCESS_KEY": "local"}
    main()
