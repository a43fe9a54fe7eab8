"""Instructions of one hit, counted by callgrind: the same on a busy machine, so that a few per cent show."""

import re
import shutil
import subprocess

import pytest

from benchmarks.conftest import Figures
from benchmarks.processes import python

SCRIPT = """
import json
from benchmarks.rows import Table
from edge_handler.routes.resolver import Resolver
from edge_handler.settings import load_settings
from edge_handler.viewer_request import make_handler
handler = make_handler(Resolver(Table(), load_settings()._replace(fresh_seconds=1e9)))
text = open("events/viewer-request-static.json").read()
event = json.loads(text)
handler(event, None)
for _ in range(COUNT):
    WORK
"""
HIT, JSON = "handler(event, None)", "json.dumps(json.loads(text))"
COUNT = 2_000
# A quarter above what it is, for other versions of Python count a little differently. A few per cent show in the table.
LIMIT = 0.04


def test_a_hit(figures: Figures) -> None:
    valgrind = shutil.which("valgrind")
    if valgrind is None:
        pytest.skip("needs valgrind (apt-get install valgrind)")
    nothing = count(valgrind, "pass")
    hit, json_ = ((count(valgrind, work) - nothing) / COUNT for work in (HIT, JSON))
    figures.add("instructions of a hit / of a JSON round trip", hit, json_, "instr.", hit / json_, hit / json_, LIMIT)


def count(valgrind: str, work: str) -> float:
    """Return the instructions of a process that does `work` COUNT times."""
    script = SCRIPT.replace("COUNT", str(COUNT)).replace("WORK", work)
    command = [valgrind, "--tool=callgrind", "--callgrind-out-file=/dev/null", *python(f"exec({script!r})")]
    done = subprocess.run(command, env={"PYTHONHASHSEED": "0"}, capture_output=True, text=True, check=True)
    found = re.search(r"Collected : (\d+)", done.stderr)
    assert found, done.stderr
    return int(found[1])
