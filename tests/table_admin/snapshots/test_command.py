"""`table-admin snapshot`, and the function on its schedule."""

import json
import re
from collections.abc import Callable, Iterator
from types import SimpleNamespace
from typing import Any

import pytest

from edge_handler.snapshot.pointer import POINTER_KEY, encode_pointer
from edge_handler.snapshot.records import decode_row
from local_edge.embedded_aws import EmbeddedAws
from table_admin import RoutingTable, TableAdminError
from table_admin.snapshots.writer import SnapshotFailed
from tests.table_admin.conftest import Command
from tests.table_admin.snapshots.reading import Reading

A = "s3://acme-static-sites/env-a"


@pytest.fixture
def bucket(aws: EmbeddedAws, table: RoutingTable) -> Reading:
    s3 = aws.client("s3")
    s3.create_bucket(Bucket=f"snapshots-of-{table.stack}")
    return Reading(s3, f"snapshots-of-{table.stack}")


def stack(aws: EmbeddedAws, name: str, buckets: str) -> None:
    outputs = {"SnapshotBuckets": {"Value": buckets}} if buckets else {"Other": {"Value": "x"}}
    resources = {"Topic": {"Type": "AWS::SNS::Topic"}}
    body = json.dumps({"Resources": resources, "Outputs": outputs})
    aws.client("cloudformation").create_stack(StackName=name, TemplateBody=body)


def test_a_snapshot_is_taken_now_and_it_is_said_what_was_done(
    table: RoutingTable, command: Command, bucket: Reading
) -> None:
    table.put("a.example.com", A)
    name = f"snapshots-of-{table.stack}@us-east-1"
    status, out, err = command("snapshot", "--bucket", name)
    assert (status, err) == (0, "")
    assert out.startswith("1 row in 1 part, 1 sent (")
    assert out.endswith(f"Z, epoch {bucket.pointer.epoch}\n")
    status, out, _ = command("snapshot", "--bucket", name, "--json")
    done = json.loads(out)
    assert {name: done[name] for name in ("rows", "skipped", "parts", "sent", "bytes", "superseded", "reload")} == {
        "rows": 1,
        "skipped": 0,
        "parts": 1,
        "sent": 0,
        "bytes": 0,
        "superseded": False,
        "reload": False,
    }
    assert (done["taken_at"], done["epoch"]) == (bucket.pointer.taken_at, bucket.pointer.epoch)
    assert decode_row("a.example.com", bucket.find("a.example.com") or b"")["revision"] == {"N": "1"}


def test_explain_and_doctor_say_what_the_edge_knows(
    aws: EmbeddedAws, table: RoutingTable, command: Command, bucket: Reading
) -> None:
    table.put("a.example.com", A)
    url = "https://a.example.com/"
    assert "known at edge" not in command("explain", url)[1]
    stack(aws, table.stack, f"snapshots-of-{table.stack}@us-east-1")
    assert "known at edge" not in command("explain", url)[1]
    command("snapshot")
    epoch = bucket.pointer.epoch
    said = command("explain", url)[1]
    assert re.search(rf"known at edge   the snapshot of \d+ s ago \(epoch {epoch}\) has revision 1; announced", said)
    table.put("a.example.com", "s3://acme-static-sites/env-b")
    said = command("explain", url)[1]
    assert "has revision 1; announced since: revision 2" in said
    findings = json.loads(command("doctor", "a.example.com", "--json")[1])
    (found,) = [one for one in findings if one["step"] == "snapshot"]
    assert found["status"] == "ok"
    assert f"(epoch {epoch}) has revision 1; announced since: revision 2." in found["text"]
    assert "no row of it" in command("explain", "https://b.example.com/")[1]


def test_a_bucket_that_is_gone_keeps_nobody_from_asking_the_other(
    aws: EmbeddedAws, table: RoutingTable, command: Command, bucket: Reading
) -> None:
    table.put("a.example.com", A)
    name = f"snapshots-of-{table.stack}@us-east-1"
    command("snapshot", "--bucket", name)
    stack(aws, table.stack, f"nobodys-snapshots@us-east-1,{name}")
    assert f"(epoch {bucket.pointer.epoch}) has revision 1" in command("explain", "https://a.example.com/")[1]


def test_doctor_finds_that_no_snapshot_is_taken_any_more(
    aws: EmbeddedAws, table: RoutingTable, command: Command, bucket: Reading
) -> None:
    table.put("a.example.com", A)
    stack(aws, table.stack, f"snapshots-of-{table.stack}@us-east-1")
    command("snapshot")
    old = bucket.pointer._replace(taken_at="2026-01-01T00:00:00.000000Z")
    aws.client("s3").put_object(Bucket=f"snapshots-of-{table.stack}", Key=POINTER_KEY, Body=encode_pointer(old))
    findings = json.loads(command("doctor", "a.example.com", "--json")[1])
    (found,) = [one for one in findings if one["step"] == "snapshot"]
    assert found["status"] == "wrong"
    assert "None was taken for" in found["text"]


def test_rows_that_were_written_by_hand_are_spoken_of(table: RoutingTable, command: Command, bucket: Reading) -> None:
    name, tables = f"snapshots-of-{table.stack}@us-east-1", table.tables
    command("snapshot", "--bucket", name)
    for domain in ("a.example.com", "x" * 300):
        tables.dynamodb.put_item(TableName=tables.routes, Item={"domain": {"S": domain}})
    status, out, err = command("snapshot", "--bucket", name)
    assert (status, out.startswith("1 row in ")) == (0, True)
    assert err.splitlines() == [
        f"table-admin: the row of {'x' * 80} is in no snapshot: its domain is longer than any",
        "table-admin: rows were changed that nobody had announced; the edge was told.",
    ]


def test_by_default_it_goes_to_the_stacks_own_buckets(
    table: RoutingTable, command: Command, aws: EmbeddedAws, bucket: Reading
) -> None:
    status, _, err = command("snapshot")
    assert (status, err.count("\n")) == (1, 1)
    assert err.endswith("Say it: --bucket NAME@REGION.\n")
    stack(aws, table.stack, f"snapshots-of-{table.stack}@us-east-1")
    assert command("snapshot")[0] == 0
    assert bucket.pointer.table == table.tables.routes


def test_a_stack_without_buckets_is_told(table: RoutingTable, command: Command, aws: EmbeddedAws) -> None:
    stack(aws, table.stack, "")
    status, _, err = command("snapshot")
    assert (status, err.count("\n")) == (1, 1)
    assert f"the stack {table.stack} has no output SnapshotBuckets" in err


@pytest.mark.parametrize(
    "name", ["x", "bucket@", "@us-east-1", "a_b@us-east-1", "bucket@us-east-1,b@us-east-1", "a b@x-y-1"]
)
def test_what_is_no_bucket_with_its_region_is_refused(command: Command, name: str) -> None:
    status, _, err = command("snapshot", "--bucket", name)
    assert (status, err.count("\n"), "my-snapshots@us-east-1" in err) == (2, 1, True)


def test_of_two_buckets_one_that_fails_is_told_and_the_other_is_written(
    table: RoutingTable, command: Command, bucket: Reading
) -> None:
    names = ("--bucket", "no-such-bucket@us-east-1", "--bucket", f"snapshots-of-{table.stack}@us-east-1")
    status, out, err = command("snapshot", *names)
    assert (status, out.startswith("0 rows in 1 part, 1 sent"), err.count("\n")) == (1, True, 1)
    assert bucket.all() == {}


Handler = Callable[[], object]
Metrics = Callable[[], dict[str, Any]]


@pytest.fixture
def handler(table: RoutingTable, aws: EmbeddedAws, monkeypatch: pytest.MonkeyPatch) -> Iterator[Handler]:
    """Return what invokes the function."""
    monkeypatch.setenv("AWS_ENDPOINT_URL", aws.endpoint)
    monkeypatch.setenv("STACK_NAME", table.stack)
    monkeypatch.setenv("SNAPSHOT_BUCKETS", f"snapshots-of-{table.stack}@us-east-1")
    monkeypatch.setenv("POWERTOOLS_METRICS_NAMESPACE", "EdgeRouting")
    monkeypatch.setenv("POWERTOOLS_SERVICE_NAME", "snapshot")
    from table_admin.snapshots import lambda_function  # noqa: PLC0415

    lambda_function._client.cache_clear()
    context: Any = SimpleNamespace(
        function_name="f", memory_limit_in_mb=1, invoked_function_arn="arn", aws_request_id="1", log_group_name="g"
    )
    yield lambda: lambda_function.handler({}, context)
    lambda_function._client.cache_clear()


@pytest.fixture
def metrics(capsys: pytest.CaptureFixture[str]) -> Metrics:
    """Return what reads the metrics of the invocation that has been."""

    def read() -> dict[str, Any]:
        (line,) = [json.loads(line) for line in capsys.readouterr().out.splitlines() if "_aws" in line]
        return dict(line)

    return read


def test_the_function_logs_what_it_did_and_how_old_the_snapshot_is(
    table: RoutingTable, handler: Handler, bucket: Reading, metrics: Metrics, caplog: pytest.LogCaptureFixture
) -> None:
    table.put("a.example.com", A)
    handler()
    (log,) = [record for record in caplog.records if record.getMessage() == "snapshot"]
    assert (log.rows, log.sent, log.epoch) == (1, 1, bucket.pointer.epoch)  # type: ignore[attr-defined]
    said = metrics()
    assert said["SnapshotRows"] == [1.0]
    assert 0 < said["SnapshotAge"][0] < 600
    assert said["_aws"]["CloudWatchMetrics"][0]["Namespace"] == "EdgeRouting"


def test_what_goes_wrong_in_a_bucket_is_an_error_of_the_functions_after_the_other_was_written(
    table: RoutingTable, handler: Handler, bucket: Reading, metrics: Metrics, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SNAPSHOT_BUCKETS", f"no-such-bucket@eu-west-1, snapshots-of-{table.stack}@us-east-1")
    with pytest.raises(SnapshotFailed, match="no-such-bucket@eu-west-1"):
        handler()
    assert bucket.all() == {}
    assert {"SnapshotAge", "SnapshotRows", "SnapshotFailures"} <= metrics().keys()


def test_a_table_that_cannot_be_read_is_an_error_of_the_functions(
    handler: Handler, bucket: Reading, metrics: Metrics, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("STACK_NAME", "no-such-stack")
    with pytest.raises(TableAdminError, match="do not exist"):
        handler()
    assert bucket.keys == set()
    assert metrics()["SnapshotFailures"] == [1.0]
