"""How long the garbage collector stops everything: a million requests for 200,000 hosts, which fill the cache."""

import json
import os
import subprocess

from benchmarks.conftest import Figures
from benchmarks.processes import OURS, python
from tests.support import ROOT

SCRIPT = """
import gc, itertools, json, random, time
from benchmarks.rows import Table
from edge_handler.routes.resolver import Resolver
from edge_handler.settings import load_settings
from edge_handler.viewer_request import make_handler
handler = make_handler(Resolver(Table(), load_settings()))
event = json.load(open("events/viewer-request-static.json"))
host = event["Records"][0]["cf"]["request"]["headers"]["host"][0]
random.seed(1)
weights = list(itertools.accumulate(1 / rank for rank in range(1, 200_001)))
asked = iter(random.choices(range(200_000), cum_weights=weights, k=1_000_000))
pauses, began = [0.0], 0.0
def collected(phase, info):
    global began
    if phase == "start":
        began = time.thread_time()
    else:
        pauses.append(time.thread_time() - began)
gc.collect()
gc.freeze()  # what is the benchmark's own
gc.callbacks.append(collected)
for number in asked:
    host["value"] = f"r{number}.example.com"
    handler(event, None)
gc.callbacks.clear()
print(json.dumps([max(pauses), len(pauses) - 1, sum(pauses)]))
"""


def pauses(environ: dict[str, str]) -> tuple[float, int, float]:
    """Return the longest collection in ms of CPU, how many there were, and all of them in ms."""
    whole = {**os.environ, **environ, "AWS_ENDPOINT_URL": "http://127.0.0.1:9"}
    command = python(f"{OURS}; exec({SCRIPT!r})")
    done = subprocess.run(command, env=whole, cwd=ROOT, capture_output=True, text=True, check=True)
    longest, count, whole_time = json.loads(done.stdout.splitlines()[0])
    return longest * 1e3, count, whole_time * 1e3


def test_the_longest_pause(figures: Figures) -> None:
    ours, usual = [], []
    for _ in range(2):
        ours.append(pauses({"AWS_LAMBDA_RUNTIME_API": "127.0.0.1:9"}))
        usual.append(pauses({}))
    (mine, count, spent), (others, usual_count, usual_spent) = min(ours), min(usual)
    name = "longest garbage collection among a million requests, CPU / as Python sets it"
    figures.add(name, mine, others, "ms", mine / others, mine / others, 0.5)
    figures.note(
        f"garbage collections among a million requests that fill a cache: {count}, {spent:.0f} ms in all; "
        f"as Python sets it {usual_count}, {usual_spent:.0f} ms"
    )
