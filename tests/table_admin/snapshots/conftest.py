import itertools
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest

from local_edge.embedded_aws import EmbeddedAws
from table_admin import RoutingTable
from table_admin.snapshots.places import Bucket
from table_admin.snapshots.writer import Snapshot, take_snapshot
from tests.table_admin.snapshots.reading import Reading

_names = itertools.count(1)


@dataclass
class World:
    """A table, and a bucket in each of two regions."""

    table: RoutingTable
    buckets: list[Bucket]
    readings: list[Reading]
    s3: Any

    def take(self, *, table: RoutingTable | None = None, **options: Any) -> Snapshot:
        return take_snapshot(table or self.table, self.buckets, **options)

    @property
    def reading(self) -> Reading:
        return self.readings[0]

    def write_by_hand(self, domain: str, **changes: object) -> None:
        """Change a row as the console of AWS does."""
        tables = self.table.tables
        item = tables.read([domain])[domain]
        tables.dynamodb.put_item(TableName=tables.routes, Item={**item, **changes})

    def feed(self) -> list[dict[str, Any]]:
        return [dict(item) for item in self.table.tables.announced("2026").items]

    def reloads(self) -> int:
        return sum(item["action"] == {"S": "reload"} for item in self.feed())


@pytest.fixture
def world(make_table: Callable[[str], RoutingTable], aws: EmbeddedAws) -> World:
    s3 = aws.client("s3")
    number = next(_names)
    buckets = [Bucket(f"snapshots-{number}-{region}", region) for region in ("us-east-1", "eu-west-1")]
    for bucket in buckets:
        place = (
            {} if bucket.region == "us-east-1" else {"CreateBucketConfiguration": {"LocationConstraint": "eu-west-1"}}
        )
        aws.client("s3", region_name=bucket.region).create_bucket(Bucket=bucket.name, **place)
    return World(make_table("tester"), buckets, [Reading(s3, bucket.name) for bucket in buckets], s3)
