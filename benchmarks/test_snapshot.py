"""What knowing every route costs an instance: its start, its memory, the first look-up of a host."""

import json
import os
import statistics
import time

from benchmarks.conftest import Figures
from benchmarks.processes import BOTO3, OURS, python, run
from benchmarks.snapshot_server import BUCKET, Objects, serving
from edge_handler.feed.follower import Follower
from edge_handler.feed.replica import feed_replicas
from edge_handler.routes.resolver import Resolver
from edge_handler.settings import load_settings
from edge_handler.snapshot.buckets import SnapshotBuckets
from edge_handler.snapshot.loader import Loader
from edge_handler.table.reader import RoutesTable
from tests.support import event

ROUTES = 10_000
MANY = int(os.environ.get("BENCH_SNAPSHOT_ROWS", "1_000_000"))
ROUNDS = 21
OLD, NEW = "2026-01-01T00:00:00.000000Z", "2026-01-01T00:01:00.000000Z"
# 8 ms where a start without takes 55: as ratios, for machines differ, and one from minute to minute.
MORE = 1 + 8 / 55
# 60 us where a JSON round trip of the event takes 23.
LOOK_UP = 60 / 23
START = {"AWS_LAMBDA_RUNTIME_API": "127.0.0.1:9", "AWS_ACCESS_KEY_ID": "local", "AWS_SECRET_ACCESS_KEY": "local"}
READY = f"{OURS} as found; assert found.following.pointer is not None"


def test_the_start(figures: Figures) -> None:
    objects = Objects()
    objects.put(OLD, ROUTES, 1)
    with serving(objects) as endpoint:
        without = {**START, "AWS_ENDPOINT_URL": endpoint}
        with_it = {**without, "EDGE_SNAPSHOT_BUCKETS": BUCKET}
        runs = []
        for _ in range(ROUNDS):
            one = run(python(READY), with_it)[0], run(python(OURS), without)[0], run(python(BOTO3))[0]
            runs.append(one)
    ready, bare, boto3 = (statistics.median(values) * 1e3 for values in zip(*runs, strict=True))
    beside = sorted(one / other for one, other, _ in runs)
    ratios = sorted(one / other for one, _, other in runs)
    name = f"start to ready with {ROUTES:,} routes"
    figures.add(f"{name} / without", ready, bare, "ms", beside[ROUNDS // 2], beside[ROUNDS // 4], MORE)
    figures.add(f"{name} / boto3 client", ready, boto3, "ms", statistics.median(ratios), ratios[ROUNDS // 4], 0.19)


def test_a_first_look_up(figures: Figures) -> None:
    objects = Objects()
    objects.put(OLD, ROUTES, 1)
    with serving(objects) as endpoint:
        settings = load_settings({"AWS_ENDPOINT_URL": endpoint, "EDGE_SNAPSHOT_BUCKETS": BUCKET})
        loader = Loader(SnapshotBuckets.from_settings(settings), settings.table)
        follower = Follower(feed_replicas(settings), loader)
        follower.start(60, 60)
        resolver = Resolver(RoutesTable.from_settings(settings), settings, following=follower)
        given, spent, against = event("viewer-request-static"), [], []
        for number in range(2_000):
            started = time.perf_counter()
            found = resolver.resolve(f"env-{number}.example.com")
            looked_up = time.perf_counter()
            json.loads(json.dumps(given))
            spent.append(looked_up - started)
            against.append(time.perf_counter() - looked_up)
            assert hasattr(found, "stamp")
    ours, theirs = (statistics.median(times) * 1e6 for times in (spent, against))
    low = sorted(one / other for one, other in zip(spent, against, strict=True))[500]
    name = "first look-up of a host / JSON round trip of the event"
    figures.add(name, ours, theirs, "us", ours / theirs, low, LOOK_UP)


MEMORY = """
import time
from edge_handler.viewer_request import _settings
from edge_handler.snapshot.buckets import SnapshotBuckets
from edge_handler.snapshot.loader import Loader
loader = Loader(SnapshotBuckets.from_settings(_settings), _settings.table)
loader.load(time.monotonic() + 600)
assert loader.snapshot.missing is None
found = loader.snapshot.find("env-77.example.com").generation
SERVER
loader.load(time.monotonic() + 600)
assert loader.snapshot.missing is None and loader.snapshot.find("env-77.example.com").generation == found + 1
"""


def test_memory_while_a_new_snapshot_arrives(figures: Figures) -> None:
    old, new = Objects(), Objects()
    old.put(OLD, MANY, 1)
    new.put(NEW, MANY, 2)
    with serving(old) as first, serving(new) as second:
        moved = f"loader._buckets = SnapshotBuckets.from_settings(_settings._replace(s3_endpoint={second!r}))"
        environ = {"AWS_ENDPOINT_URL": first, "EDGE_SNAPSHOT_BUCKETS": BUCKET, **START}
        del environ["AWS_LAMBDA_RUNTIME_API"]
        script = MEMORY.replace("SERVER", moved)
        peak = run(python(f"exec({script!r})"), environ)[1]
    figures.add(
        f"peak memory, {MANY:,} routes and a new snapshot / 110 MB", peak, 110, "MB", peak / 110, peak / 110, 1.0
    )
