"""What the feed says of a snapshot is for the edge, and for nobody else."""

import json
from collections.abc import Callable

from table_admin import RoutingTable
from table_admin.changes import revision_from
from table_admin.feed import Feed, News
from table_admin.inputs import iso
from table_admin.snapshots.heartbeat import put_heartbeat
from tests.table_admin.conftest import Command

A = "s3://acme-static-sites/env-a"


def test_that_a_snapshot_was_taken_is_no_change(table: RoutingTable, command: Command) -> None:
    feed = Feed(table)
    table.put("a.example.com", A)
    for number in range(3):
        put_heartbeat(table.tables, "0" * 16, iso(number), 0)
        assert len(feed.poll(1).revisions) == (1 if number == 0 else 0)
    fresh = Feed(table, table.tables.clock.now() - 60)
    assert fresh.poll() == News((revision_from(table.tables.revision("a.example.com", 1) or {}),))
    cursor = fresh.cursor
    put_heartbeat(table.tables, "0" * 16, iso(9), 0)
    assert Feed.at(table, cursor).poll() == News(())
    assert command("watch", "--since", "5m", "--once")[1].count("\n") == 1


def test_an_earlier_run_says_nothing_over_a_later_one_but_the_future_is_no_later_one(table: RoutingTable) -> None:
    def said(epoch: str, seconds: float) -> str:
        put_heartbeat(table.tables, epoch, iso(table.tables.clock.now() + seconds), 0)
        return str(json.loads((table.tables.revision("*", 0) or {})["edge"]["S"])["epoch"])

    assert said("one", -60) == "one"
    assert said("two", -120) == "one"
    assert said("three", -30) == "three"
    assert said("four", 3_600) == "four"
    assert said("five", 0) == "five"


def test_what_is_no_time_is_written_over(make_table: Callable[[str], RoutingTable]) -> None:
    table = make_table("tester")
    put_heartbeat(table.tables, "one", iso(table.tables.clock.now()), 0)
    item = table.tables.revision("*", 0) or {}
    table.tables.dynamodb.put_item(TableName=table.tables.history, Item={**item, "taken_at": {"N": "5"}})
    put_heartbeat(table.tables, "two", iso(table.tables.clock.now()), 0)
    assert json.loads((table.tables.revision("*", 0) or {})["edge"]["S"])["epoch"] == "two"
