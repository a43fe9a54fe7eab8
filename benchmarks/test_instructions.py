"""Instructions of a hit and a miss, counted by callgrind: the same on a busy machine, so that a few per cent show."""

import re
import shutil
import subprocess
from collections.abc import Mapping
from types import MappingProxyType

import pytest

from benchmarks.conftest import Figures
from benchmarks.processes import python
from benchmarks.rows import row
from tests.support import dynalite, dynamodb_client

SCRIPT = """
import json
from benchmarks.rows import ELB, REDIRECT, RULED_PATH, Table, rules
from edge_handler.routes.resolver import Resolver
from edge_handler.settings import load_settings
from edge_handler.viewer_request import make_handler
handler = make_handler(Resolver(Table(CHANGES), load_settings()._replace(fresh_seconds=1e9)))
text = open("events/viewer-request-static.json").read()
event = json.loads(text)
event["Records"][0]["cf"]["request"]["uri"] = PATH
handler(event, None)
for _ in range(COUNT):
    WORK
"""
HIT, JSON = "handler(event, None)", "json.dumps(json.loads(text))"
COUNT = 2_000
# A quarter above what it is, for other versions of Python count a little differently. A few per cent show in the table.
LIMIT = 0.04


@pytest.mark.parametrize(
    ("what", "changes", "path", "limit"),
    [
        ("", "", '"/"', LIMIT),
        (", application", "origin=ELB", '"/"', LIMIT),
        (" of a rule of 2", "rules=rules(2)", "RULED_PATH", None),
        (" of a rule of 200", "rules=rules(200)", "RULED_PATH", None),
        (", redirected", "origin=REDIRECT", '"/"', None),
    ],
)
def test_a_hit(figures: Figures, what: str, changes: str, path: str, limit: float | None) -> None:
    valgrind = shutil.which("valgrind")
    if valgrind is None:
        pytest.skip("needs valgrind (apt-get install valgrind)")
    script = SCRIPT.replace("CHANGES", changes).replace("= PATH", f"= {path}")
    nothing = count(valgrind, "pass", script)
    hit, json_ = ((count(valgrind, work, script) - nothing) / COUNT for work in (HIT, JSON))
    name = f"instructions of a hit{what} / of a JSON round trip"
    figures.add(name, hit, json_, "instr.", hit / json_, hit / json_, limit)


MISS_SCRIPT = """
import json, time
from edge_handler.routes import resolver
from edge_handler.settings import load_settings
from edge_handler.table.reader import RoutesTable
from edge_handler.viewer_request import make_handler
# Under callgrind all takes fifty times as long.
resolver.KNOWN_HOST_SECONDS = resolver.UNKNOWN_HOST_SECONDS = 60
settings = load_settings()._replace(fresh_seconds=0)
handler = make_handler(resolver.Resolver(RoutesTable.from_settings(settings), settings))
text = open("events/viewer-request-static.json").read()
event = json.loads(text)
assert "status" not in handler(event, None)
for _ in range(COUNT):
    WORK
"""
# A quarter above what it is.
MISS_LIMIT = 2.8


def test_a_miss(figures: Figures) -> None:
    """Against the JSON of the event, as a hit: what a read of the table costs us, not what it costs the table."""
    valgrind = shutil.which("valgrind")
    if valgrind is None:
        pytest.skip("needs valgrind (apt-get install valgrind)")
    with dynalite() as endpoint:
        dynamodb_client(endpoint).put_item(TableName="edge-routing-routes", Item=row("env-123.localhost"))
        environ = {"AWS_ENDPOINT_URL": endpoint, "AWS_ACCESS_KEY_ID": "local", "AWS_SECRET_ACCESS_KEY": "local"}
        nothing, miss, json_ = (
            count(valgrind, work, MISS_SCRIPT, environ) for work in ("pass", HIT, "json.dumps(json.loads(text))")
        )
    ours, theirs = (miss - nothing) / COUNT, (json_ - nothing) / COUNT
    name = "instructions of a miss / of a JSON round trip"
    figures.add(name, ours, theirs, "instr.", ours / theirs, ours / theirs, MISS_LIMIT)


def count(valgrind: str, work: str, whole: str = SCRIPT, environ: Mapping[str, str] = MappingProxyType({})) -> float:
    """Return the instructions of a process that does `work` COUNT times."""
    script = whole.replace("COUNT", str(COUNT)).replace("WORK", work)
    command = [valgrind, "--tool=callgrind", "--callgrind-out-file=/dev/null", *python(f"exec({script!r})")]
    done = subprocess.run(command, env={"PYTHONHASHSEED": "0", **environ}, capture_output=True, text=True, check=True)
    found = re.search(r"Collected : (\d+)", done.stderr)
    assert found, done.stderr
    return int(found[1])
