"""What is written, as it is written: each change once, whoever wrote it, in the order of its announcement."""

import base64
import io
import json
import signal
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace

import pytest

from edge_handler.snapshot.records import decode_row
from local_edge.embedded_aws import EmbeddedAws
from table_admin import InvalidInput, Put, RoutingTable
from table_admin.bulk import import_routes
from table_admin.changes import Revision
from table_admin.cli.watch import _news
from table_admin.errors import NoFeed, TableAdminError
from table_admin.feed import Feed, News, _in_order
from table_admin.inputs import iso
from table_admin.manifest import load_manifest
from table_admin.plan import apply_plan, make_plan
from table_admin.rollback import rollback
from table_admin.tables import Tables, Write
from table_admin.transactions import commit_in_turn
from table_admin.upkeep import sweep
from tests.table_admin.conftest import Command

A, B = "s3://acme-static-sites/env-a", "s3://acme-static-sites/env-b"
Told = list[tuple[str, int, str]]


def told(feed: Feed, limit: int | None = None) -> Told:
    return [(one.domain, one.revision, one.action) for one in feed.poll(limit).revisions]


def test_each_change_is_told_once_with_who_and_why(table: RoutingTable) -> None:
    table.put("before.example.com", A)
    feed = Feed(table)
    feed.poll()
    table.put("a.example.com", A, note="why")
    table.put("a.example.com", B)
    table.delete("a.example.com")
    first, second, third = feed.poll().revisions
    assert (first.note, first.updated_by, first.state and first.state.target) == ("why", "tester", A)
    assert (second.revision, third.action, third.state) == (2, "delete", None)
    assert feed.poll().revisions == ()


def test_the_past_can_be_followed_from_a_time_on(table: RoutingTable) -> None:
    began = table.tables.clock.now() - 5
    for name in "abc":
        table.put(f"{name}.example.com", A)
    assert [domain for domain, _, _ in told(Feed(table, began))] == [f"{name}.example.com" for name in "abc"]
    assert told(Feed(table, began + 3600)) == []


def test_a_writers_clock_that_is_wrong_changes_nothing(table: RoutingTable) -> None:
    table.clock = lambda: 1_000_000.0
    feed = Feed(table)
    table.put("a.example.com", A)
    ((domain, revision, _),) = told(feed)
    assert (domain, revision) == ("a.example.com", 1)


def test_what_was_announced_before_others_but_landed_after_them_is_told(
    table: RoutingTable, monkeypatch: pytest.MonkeyPatch
) -> None:
    feed = Feed(table)
    transact = Tables._transact
    delayed: list[Callable[[], object]] = []

    def later(self: Tables, writes: list[object], checked: list[str]) -> object:
        delayed.append(lambda: transact(self, writes, checked))  # type: ignore[arg-type]
        return None

    monkeypatch.setattr(Tables, "_transact", later)
    table.put("slow.example.com", A)
    monkeypatch.undo()
    table.put("fast.example.com", A)
    assert told(feed) == [("fast.example.com", 1, "put")]
    delayed[0]()
    assert told(feed) == [("slow.example.com", 1, "put")]
    assert told(feed) == []


def test_a_cursor_goes_on_where_it_was_made(table: RoutingTable) -> None:
    feed = Feed(table)
    table.put("a.example.com", A)
    told(feed)
    cursor = feed.cursor
    table.put("b.example.com", A)
    for _ in range(2):
        assert told(Feed.at(table, cursor)) == [("b.example.com", 1, "put")]
    assert told(feed) == [("b.example.com", 1, "put")]


def test_pages_of_any_length_come_to_an_end_and_leave_nothing_out(
    table: RoutingTable, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("table_admin.feed._CURSOR_KEEPS", 30)
    feed = Feed(table)
    text = "".join(json.dumps({"domain": f"r{number}.example.com", "target": A}) + "\n" for number in range(120))
    import_routes(table, io.StringIO(text), "jsonl")
    found: list[str] = []
    cursor = feed.cursor
    for _ in range(20):
        feed = Feed.at(table, cursor)
        news = feed.poll(25)
        found += [one.domain for one in news.revisions]
        cursor = feed.cursor
        if not news.more:
            break
    assert sorted(found) == sorted(f"r{number}.example.com" for number in range(120))


def test_what_writers_with_other_clocks_did_to_a_domain_is_told_in_its_order() -> None:
    told = [
        Revision(domain, revision, "put", None, "", "", "")
        for domain, revision in (("a", 2), ("b", 7), ("a", 3), ("a", 1))
    ]
    assert [(one.domain, one.revision) for one in _in_order(told)] == [("a", 1), ("b", 7), ("a", 2), ("a", 3)]


@pytest.mark.parametrize(
    "cursor",
    ["", "x", "bm90aGluZw==", *(base64.b64encode(text).decode() for text in (b"[1,2,3]", b'["a","b",[]]', b"{}"))],
)
def test_what_is_no_cursor_is_refused(table: RoutingTable, cursor: str) -> None:
    with pytest.raises(InvalidInput, match="cursor"):
        Feed.at(table, cursor)


def test_a_cursor_fits_into_an_address(table: RoutingTable) -> None:
    feed = Feed(table, 0)
    feed._seen = {f"{number:08}": iso(number) for number in range(1_000)}
    assert 3_000 < len(feed.cursor) < 6_000


def test_of_more_than_an_index_takes_it_is_told_that_it_was_written(
    table: RoutingTable, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("table_admin.announcing._A_SECOND", 0.0)
    table.tables._announcements._room = 70
    feed = Feed(table)
    text = "".join(json.dumps({"domain": f"r{number}.example.com", "target": A}) + "\n" for number in range(150))
    import_routes(table, io.StringIO(text), "jsonl")
    news = feed.poll()
    assert len(news.revisions) in (33 + 18, 33 + 33)  # the last transaction is a shorter one
    assert news.reload[-1:] == ("tester",)
    assert len(list(table.list())) == 150
    table.tables.announce_withheld("again")
    assert feed.poll().reload == ()
    # Nothing of it is in the way of anybody else.
    table.put("after.example.com", A)
    assert [one.domain for one in table.history("r1.example.com")] == ["r1.example.com"]


@pytest.mark.parametrize("what", ["an environment's services", "a declarative file", "sweep"])
def test_whatever_writes_much_says_so_in_the_end(
    table: RoutingTable, monkeypatch: pytest.MonkeyPatch, what: str
) -> None:
    monkeypatch.setattr("table_admin.announcing._A_SECOND", 0.0)
    feed, hosts = Feed(table), [f"r{number}.example.com" for number in range(40)]
    if what == "sweep":
        for host in hosts:
            table.put(host, A, expires_in="1s")
        now = table.clock() + 10
        table.clock = lambda: now
    feed.poll()
    table.tables._announcements._room = 33
    if what == "sweep":
        assert len([*sweep(table)]) == 40
    elif what == "a declarative file":
        text = "owner: shop\nroutes:\n" + "".join(f"  {host}: {A}\n" for host in hosts)
        assert len([*apply_plan(table, make_plan(table, load_manifest("routes.yaml", text)))]) == 40
    else:
        writes = [table.plan_put(Put(host, A), None) for host in hosts]
        assert len([*commit_in_turn(table, [write for write in writes if write], False)]) == 40
    assert feed.poll().reload == ("tester",)


def test_where_the_table_has_no_feed_that_is_said(
    table: RoutingTable, command: Command, aws: EmbeddedAws, monkeypatch: pytest.MonkeyPatch
) -> None:
    client = aws.client("dynamodb")
    history = client.describe_table(TableName=table.tables.history)["Table"]
    client.delete_table(TableName=table.tables.history)
    indexes = [one for one in history["GlobalSecondaryIndexes"] if one["IndexName"] != "feed"]
    used = {key["AttributeName"] for one in [history, *indexes] for key in one["KeySchema"]}
    client.create_table(
        TableName=table.tables.history,
        KeySchema=history["KeySchema"],
        AttributeDefinitions=[one for one in history["AttributeDefinitions"] if one["AttributeName"] in used],
        GlobalSecondaryIndexes=[
            {name: one[name] for name in ("IndexName", "KeySchema", "Projection")} for one in indexes
        ],
        BillingMode="PAY_PER_REQUEST",
    )
    table.put("a.example.com", A)  # as before
    with pytest.raises(NoFeed):
        Feed(table)
    status, _, err = command("watch", "--once")
    assert (status, err.count("\n")) == (1, 1)
    assert "has no index feed" in err


def test_watch_shows_what_was_written_since(command: Command, table: RoutingTable) -> None:
    command("put", "www.example.com", A, "--note", "first")
    command("env", "up", "env-7", "--base", "example.com", "--service", B)
    command("delete", "www.example.com")
    status, out, err = command("watch", "--since", "5m", "--once")
    assert (status, err) == (0, "")
    gone, new, first = sorted(line[22:] for line in out.splitlines())
    assert first.startswith(f"put       www.example.com -> {A} (revision 1, by ")
    assert first.endswith("): first")
    assert gone.startswith("delete    www.example.com (revision 2, by ")
    assert new.startswith(f"put       env-7.example.com -> {B} (revision 1, by ")
    only = command("watch", "--since", "5m", "--once", "--environment", "env-7", "--json")[1]
    assert [json.loads(line)["domain"] for line in only.splitlines()] == ["env-7.example.com"]
    assert command("watch", "--since", "5m", "--once", "--name", "www.*")[1].count("\n") == 2
    assert command("watch", "--once", "--name", "www.*")[1].count("\n") <= 2


def test_watch_shows_that_a_broken_row_was_removed(command: Command, table: RoutingTable) -> None:
    broken = {"domain": {"S": "broken.example.com"}, "target": {"S": "?"}}
    table.tables.dynamodb.put_item(TableName=table.tables.routes, Item=broken)
    table.delete("broken.example.com")
    shown = [command("watch", "--since", "5m", "--once", "--name", name)[1].count("\n") for name in ("broken.*", "x.*")]
    assert shown == [1, 0]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_watch_ends_well_when_it_is_told_to(
    table: RoutingTable, aws: EmbeddedAws, monkeypatch: pytest.MonkeyPatch, number: signal.Signals
) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", aws.endpoint)
    table.put("a.example.com", A)
    command = [sys.executable, "-m", "table_admin.cli", "watch", "--stack", table.stack, "--since", "5m", "--json"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout
        assert json.loads(process.stdout.readline())["domain"] == "a.example.com"
        process.send_signal(number)
        assert (process.wait(), process.stderr and process.stderr.read()) == (0, "")


def test_watch_does_not_wait_for_a_table_that_was_never_there(command: Command) -> None:
    status, _, err = command("watch", "--since", "5m", "--stack", "no-such-stack")
    assert (status, err.count("\n"), "do not exist" in err) == (1, 1, True)


def test_watch_goes_on_when_the_table_answers_again(table: RoutingTable, capsys: pytest.CaptureFixture[str]) -> None:
    feed, polls = Feed(table), iter([0, 1, 0])

    class Flaky:
        def poll(self) -> News:
            if next(polls):
                raise TableAdminError("DynamoDB does not answer.")
            return feed.poll()

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr("table_admin.cli.watch.time.sleep", lambda _: None)
        news = _news(Flaky(), once=False)  # type: ignore[arg-type]
        assert next(news).revisions == ()
        table.put("a.example.com", A)
        assert [one.domain for one in next(news).revisions] == ["a.example.com"]
    assert capsys.readouterr().err == "table-admin: DynamoDB does not answer. It is asked again.\n"


def test_a_lost_answer_of_an_announced_write_is_still_recognised(
    table: RoutingTable, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The record is the same with each attempt, its announcement included."""
    transact, calls = Tables._transact, 0

    def once_lost(self: Tables, writes: list[object], checked: list[str]) -> object:
        nonlocal calls
        calls += 1
        found = transact(self, writes, checked)  # type: ignore[arg-type]
        return ([("None", "None")], []) if calls == 1 and found is None else found

    monkeypatch.setattr(Tables, "_transact", once_lost)
    assert table.put("a.example.com", A).revision == 1
    assert [one.revision for one in table.history("a.example.com")] == [1]
    assert replace(table.put("a.example.com", A)).action == "unchanged"


def test_a_change_carries_what_the_edge_needs_of_the_row(table: RoutingTable) -> None:
    tables, host = table.tables, "a.example.com"
    for number, target in enumerate((A, B), 1):
        table.put(host, target, note="why")
        record, row = tables.revision(host, number) or {}, tables.read([host])[host]
        carried = decode_row(host, record["edge"]["S"])
        assert carried == {name: row[name] for name in ("domain", "schema", "revision", "generation", "origin")}
        assert "edge" not in row
    table.touch(host)
    touched = decode_row(host, (tables.revision(host, 3) or {})["edge"]["S"])
    assert (touched["revision"], touched["generation"]) == ({"N": "3"}, {"N": "3"})
    table.delete(host)
    assert "edge" not in (tables.revision(host, 4) or {})


def test_what_a_change_carried_comes_back_with_no_rollback(table: RoutingTable) -> None:
    tables, host = table.tables, "a.example.com"
    table.put(host, A)
    table.put(host, B)
    tables.dynamodb.put_item(TableName=tables.routes, Item={**tables.read([host])[host], "edge": {"S": "by hand"}})
    (back,) = rollback(table, [host])
    row, record = tables.read([host])[host], tables.revision(host, 3) or {}
    assert back.after
    assert back.after.target == A
    assert "edge" not in row
    assert decode_row(host, record["edge"]["S"])["revision"] == {"N": "3"}
    tables.dynamodb.put_item(TableName=tables.routes, Item={**row, "edge": {"S": "by hand"}})
    table.delete(host)
    assert "edge" not in (tables.revision(host, 4) or {})


def test_of_a_row_that_is_too_large_a_change_carries_nothing(table: RoutingTable) -> None:
    tables = table.tables
    row = {"domain": {"S": "a.example.com"}, "origin": {"S": "x" * 3_000}}
    tables.commit([Write("put", "a.example.com", None, row, 1, True)])
    record = tables.revision("a.example.com", 1) or {}
    assert ("edge" in record, "announced_at" in record) == (False, True)
