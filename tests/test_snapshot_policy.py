"""The snapshot's function, and the admin API's changes, ask for what their policies allow and for nothing else."""

from typing import Any

import boto3
import pytest

from local_edge.embedded_aws import CREDENTIALS, EmbeddedAws
from local_edge.template import load_template
from table_admin import RoutingTable
from table_admin.feed import Feed
from table_admin.snapshots.places import parse_buckets
from table_admin.snapshots.writer import SnapshotFailed, take_snapshot
from tests.test_deploy_policy import Asked, overheard
from tests.test_iam import allowed, as_list


def heard(table: RoutingTable, endpoint: str) -> RoutingTable:
    """Return the same table behind an endpoint that listens."""

    def client(service: str, **options: Any) -> Any:
        options.setdefault("region_name", "us-east-1")
        return boto3.client(service, endpoint_url=endpoint, **CREDENTIALS, **options)  # type: ignore[call-overload]

    return RoutingTable(table.stack, actor="snapshot", client=client)


def refused(policy: list[dict[str, Any]], asked: Asked) -> list[tuple[str, str, str]]:
    return [one for one in sorted(asked) if not allowed(policy, *one[:2], LeadingKeys=one[2])]


def write_by_hand(table: RoutingTable, domain: str, **changes: object) -> None:
    tables = table.tables
    tables.dynamodb.put_item(TableName=tables.routes, Item={**tables.read([domain])[domain], **changes})


def test_what_the_snapshots_writer_asks_is_what_its_policy_allows(table: RoutingTable, aws: EmbeddedAws) -> None:
    copy = f"{table.stack}-copy@eu-west-1"
    template = load_template(stack=table.stack, bucket="b", parameters={"SnapshotCopy": copy})
    function = template.properties("SnapshotFunction")
    buckets = parse_buckets(function["Environment"]["Variables"]["SNAPSHOT_BUCKETS"])
    for bucket in buckets:
        elsewhere: dict[str, Any] = {"CreateBucketConfiguration": {"LocationConstraint": bucket.region}}
        where = elsewhere if bucket.region != "us-east-1" else {}
        aws.client("s3", region_name=bucket.region).create_bucket(Bucket=bucket.name, **where)
    table.put("a.example.com", "https://a.example.net")
    table.put("a.example.com", "https://b.example.net")
    with overheard(aws, table.stack) as (endpoint, asked):
        writer = heard(table, endpoint)
        take_snapshot(writer, buckets)
        table.put("b.example.com", "https://b.example.net")
        write_by_hand(table, "a.example.com", generation={"N": "7"})
        take_snapshot(writer, buckets)
        write_by_hand(table, "a.example.com", revision={"N": "1"})  # as after a restore
        take_snapshot(writer, buckets)
        table.tables.dynamodb.delete_item(TableName=table.tables.routes, Key={"domain": {"S": "b.example.com"}})
        take_snapshot(writer, buckets)
        with pytest.raises(SnapshotFailed):
            take_snapshot(writer, parse_buckets("no-such-bucket@us-east-1"))
    (policy,) = function["Policies"]
    asked = {one for one in asked if "no-such-bucket" not in one[1]}
    assert refused(policy["Statement"], asked) == []
    granted = {action for statement in policy["Statement"] for action in as_list(statement["Action"])}
    assert {action for action, *_ in asked} == granted - {"s3:ListBucket"}  # which makes 404 of 403


def test_the_admin_apis_changes_are_what_its_policy_allows(table: RoutingTable, aws: EmbeddedAws) -> None:
    table.put("a.example.com", "https://a.example.net")
    with overheard(aws, table.stack) as (endpoint, asked):
        assert [one.domain for one in Feed(heard(table, endpoint), 0).poll().revisions] == ["a.example.com"]
    (policy,) = load_template(stack=table.stack, bucket="b").properties("AdminFunction")["Policies"]
    assert ("dynamodb:Query", "RouteHistoryTable.Arn/index/feed", "") in asked
    assert refused(policy["Statement"], asked) == []
