"""A pipeline's day, races and crashes, against every DynamoDB here that has transactions."""

import itertools
import json
import os
import random
import sys
import threading
import uuid
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
import yaml

from edge_handler.feed.follower import Follower
from edge_handler.feed.page import ALL_ROUTES
from edge_handler.feed.replica import feed_replicas
from edge_handler.routes.destination import read_destination
from edge_handler.routes.route import decode_route
from edge_handler.snapshot.buckets import SnapshotBuckets
from edge_handler.snapshot.loader import Loader
from edge_handler.snapshot.snapshot import UNSURE
from local_edge.embedded_aws import EmbeddedAws
from table_admin import NotFound, RevisionConflict, RoutingTable, TableAdminError, environments
from table_admin.environment_rollback import rollback_environment
from table_admin.feed import Feed
from table_admin.promotions import promote
from table_admin.rollback import rollback
from table_admin.snapshots.places import Bucket
from table_admin.snapshots.writer import take_snapshot
from table_admin.tables import TRANSACTION_ROWS, Write, follow, revision_of
from table_admin.upkeep import sweep
from tests.support import SETTINGS
from tests.table_admin.killing import Line

A, B = "s3://acme-static-sites/env-a", "s3://acme-static-sites/env-b"
MakeTable = Callable[[str], RoutingTable]
DAY = 86400
_OF_THE_HISTORY = ("action", "request", "restores", "feed", "announced_at", "edge")
ROWS = 150


def agree(table: RoutingTable) -> int:
    """Check table, history, feed, snapshot and what the edge knows, row by row; return how many revisions there are."""
    dynamodb = table.client("dynamodb")
    history: dict[str, list[dict[str, Any]]] = {}
    for page in dynamodb.get_paginator("scan").paginate(TableName=table.tables.history, ConsistentRead=True):
        for item in page["Items"]:
            history.setdefault(item["domain"]["S"], []).append(item)
    rows = {item["domain"]["S"]: item for item in follow(lambda cursor: table.tables.scan(cursor=cursor))}
    history.pop(ALL_ROUTES, None)
    announced = {
        (domain, revision_of(item)) for domain, entries in history.items() for item in entries if "feed" in item
    }
    assert {(one.domain, one.revision) for one in Feed(table, 0).poll().revisions} == announced
    for domain, entries in history.items():
        entries.sort(key=lambda item: int(item["revision"]["N"]))
        # No revision is missing, none is there twice.
        assert [int(item["revision"]["N"]) for item in entries] == list(range(1, len(entries) + 1)), domain
        newest = {name: value for name, value in entries[-1].items() if name not in _OF_THE_HISTORY}
        if entries[-1]["action"]["S"] == "delete":
            assert domain not in rows
        else:
            assert rows[domain] == newest
            assert decode_route(rows[domain]).generation <= len(entries)
    assert set(rows) <= set(history)
    known = followed(table)
    for domain in history:
        found, row = known.find(domain), rows.get(domain)
        # Where it was changed and deleted within a minute, and one of very many, the row is read.
        assert found == read_destination(row) if row is not None else found in (None, UNSURE), domain
    return sum(map(len, history.values()))


def followed(table: RoutingTable) -> Follower:
    """Return what an instance of the edge knows that starts now, from a snapshot and the feed."""
    bucket, s3 = Bucket(f"agree-{uuid.uuid4().hex[:12]}", "us-east-1"), table.client("s3")
    s3.create_bucket(Bucket=bucket.name)
    take_snapshot(table, [bucket])
    settings = SETTINGS._replace(
        table=table.tables.routes,
        endpoint=table.tables.dynamodb.meta.endpoint_url,
        s3_endpoint=s3.meta.endpoint_url,
        snapshot_buckets=((bucket.name, bucket.region),),
    )
    follower = Follower(feed_replicas(settings), Loader(SnapshotBuckets.from_settings(settings), settings.table))
    follower.start(60, 60)
    # Where a day of writes came in a minute, it goes by the snapshot alone until there is another.
    assert follower.fresh_until() or follower.pointer is None
    return follower


def test_a_pipelines_day(make_table: MakeTable, dynamodb: str, aws: EmbeddedAws) -> None:
    # moto copies both tables for every row of a transaction: 500 environments would take it an hour.
    count = 25 if dynamodb == aws.endpoint else 500
    now = [1_800_000_000.0]
    table = make_table("pipeline")
    table.clock = lambda: now[0]
    names = [f"env-{number}" for number in range(count)]
    for name in names:
        services = {"web": f"s3://acme-static-sites/{name}", "api": "https://api.acme.example"}
        environments.up(table, name, "example.com", services, expires_in="1d", note="opened")
        aws.client("s3").put_object(Bucket="acme-static-sites", Key=f"{name}/index.html", Body=b"")
    assert sum(1 for _ in table.list()) == 2 * count
    now[0] += 3600
    for name in names[::2]:
        environments.extend(table, name, expires_in="3d")
    for name in names[::5]:
        promote(table, name, {"www.example.com": "web"})
    before = table.get("www.example.com").target
    now[0] += 60
    since = int(now[0])
    now[0] += 60
    promote(table, names[0], {"www.example.com": "web"})
    rollback(table, ["www.example.com"])
    assert table.get("www.example.com").target == before
    environments.up(table, names[1], "example.com", {"web": B})
    table.delete(f"api-{names[1]}.example.com")
    list(rollback_environment(table, names[1], since))
    assert {route.target for route in table.list(names[1])} == {
        f"s3://acme-static-sites/{names[1]}",
        "https://api.acme.example",
    }
    for name in names[2::10]:
        environments.down(table, name, note="closed")
    now[0] += DAY
    swept = sum(1 for _ in sweep(table))
    assert list(sweep(table)) == []
    left = {route.environment for route in table.list()}
    assert left == {"www", *names[::2]} - set(names[2::10])
    assert swept == 2 * len(names[1::2])
    assert agree(table) > 2 * count + swept


def test_sixteen_writers_on_the_same_domains_lose_nothing(
    make_table: MakeTable, dynamodb: str, aws: EmbeddedAws
) -> None:
    # With moto less and on fewer domains, for the same reason as above.
    enough, domains = (100, 10) if dynamodb == aws.endpoint else (1000, 50)
    won: list[tuple[str, int]] = []
    lost: list[RevisionConflict] = []
    failures: list[TableAdminError] = []

    def write(number: int) -> None:
        table, chance = make_table(f"writer-{number}"), random.Random(number)
        commit = table.tables.commit

        def noted(writes: Sequence[Write]) -> list[Write]:
            try:
                return commit(writes)
            except RevisionConflict as error:
                lost.append(error)
                raise

        table.tables.commit = noted  # type: ignore[method-assign]
        while len(won) < enough and not failures:
            domain = f"r{chance.randrange(domains)}.example.com"
            target = f"s3://acme-static-sites/{number}-{chance.random()}"
            try:
                if chance.random() < 0.1 and table.tables.read([domain]):
                    won.append((domain, table.delete(domain, must_exist=True).revision))
                else:
                    won.append((domain, table.put(domain, target).revision))
            except NotFound:
                continue  # deleted by another between look and write
            except TableAdminError as error:
                failures.append(error)

    threads = [threading.Thread(target=write, args=(number,), daemon=True) for number in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    assert max(Counter(won).values()) == 1, "two writers were told the same revision"
    assert agree(make_table("reader")) == len(won)
    assert all("changed by somebody else, to revision" in str(error) for error in lost)
    # Who loses plans again, and wins in the end.
    assert lost, "nobody met: the test shows nothing"


@pytest.mark.parametrize("verb", ["apply", "import"])
def test_killed_at_any_point_the_same_command_finishes_the_job(
    verb: str, ministack_endpoint: str, make_ministack_table: MakeTable, aws: EmbeddedAws, tmp_path: Path
) -> None:
    table = make_ministack_table("checker")
    environ = {
        **os.environ,
        "TABLE_ADMIN_STACK": table.stack,
        "TABLE_ADMIN_ACTOR": "pipeline",
        "AWS_ENDPOINT_URL": aws.endpoint,
    }
    file = tmp_path / ("routes.yaml" if verb == "apply" else "routes.jsonl")
    command = [sys.executable, "-m", "table_admin.cli", verb, str(file), *(["--yes", "--force"] * (verb == "apply"))]
    finished = 0
    for at in itertools.count(1):
        targets = {f"r{number}.example.com": f"s3://acme-static-sites/{at}" for number in range(ROWS)}
        if verb == "apply":
            file.write_text(yaml.safe_dump({"owner": "shop", "routes": targets}))
        else:
            lines = [json.dumps({"domain": domain, "target": target}) + "\n" for domain, target in targets.items()]
            file.write_text("".join(lines))
        # Killed as it begins a request; and the same command once more, killed when one was made but not answered.
        ends = [Line(ministack_endpoint, at, made).run(command, environ, "DYNAMODB") for made in (False, True)]
        agree(table)
        if ends[1]:
            finished += 1
            assert {route.domain: route.target for route in table.list()} == targets
        if ends[0]:
            break
    assert at > ROWS / TRANSACTION_ROWS + 1, "it was not killed in the middle"
    assert finished > 1
