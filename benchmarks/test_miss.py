"""What a read of the table costs, beside those that are at hand, on the same server."""

import os
import ssl
import time
from collections.abc import Iterator
from pathlib import Path

import boto3
import pytest
from aws_lambda_powertools.utilities.parameters import DynamoDBProvider
from pytest_benchmark.fixture import BenchmarkFixture

from benchmarks.conftest import Figures
from edge_handler.aws import connection
from edge_handler.aws.sigv4 import Credentials
from edge_handler.routes.resolver import Resolver
from edge_handler.routes.route import encode_route
from edge_handler.table.reader import Replica, RoutesTable
from tests.support import SETTINGS, dynalite, dynamodb_client, route
from tests.tls import self_signed

TABLE = "edge-routing-routes"
HOST = "env-123.localhost"
COUNT = 100
# A million take some minutes to write: BENCH_ROWS=1000000 make bench
ROWS = int(os.environ.get("BENCH_ROWS", "10000"))


@pytest.fixture(scope="module")
def endpoint() -> Iterator[str]:
    with dynalite() as found:
        dynamodb_client(found).put_item(TableName=TABLE, Item=encode_route(route(HOST)))
        yield found


def reader(endpoint: str) -> RoutesTable:
    return RoutesTable([Replica(TABLE, "us-east-1", endpoint, Credentials("local", "local", ""))])


def test_a_read(figures: Figures, benchmark: BenchmarkFixture, endpoint: str) -> None:
    table, client = reader(endpoint), dynamodb_client(endpoint)
    resource = boto3.resource("dynamodb", endpoint_url=endpoint).Table(TABLE)
    provider = DynamoDBProvider(TABLE, key_attr="domain", value_attr="target", endpoint_url=endpoint)
    others = {
        "boto3 client get_item": lambda: client.get_item(TableName=TABLE, Key={"domain": {"S": HOST}}),
        "boto3 resource get_item": lambda: resource.get_item(Key={"domain": HOST}),
        "Powertools DynamoDBProvider": lambda: provider.get(HOST, force_fetch=True),
    }
    for name, other in others.items():
        figures.ratio(
            f"table read, CPU / {name}",
            lambda: table.read((HOST,), 2.0),
            other,
            count=COUNT,
            clock=time.process_time,
            limit=0.2 if name.startswith("boto3 client") else None,
        )
    benchmark(table.read, (HOST,), 2.0)


def test_a_read_over_tls(figures: Figures, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As all reads in AWS are."""
    pem = self_signed(tmp_path)
    monkeypatch.setattr(connection, "_tls_context", ssl.create_default_context(cafile=str(pem)))
    with dynalite(pem) as endpoint:
        table, client = reader(endpoint), dynamodb_client(endpoint, pem)
        client.put_item(TableName=TABLE, Item=encode_route(route(HOST)))
        figures.ratio(
            "table read over TLS, CPU / boto3 client get_item",
            lambda: table.read((HOST,), 2.0),
            lambda: client.get_item(TableName=TABLE, Key={"domain": {"S": HOST}}),
            count=COUNT,
            clock=time.process_time,
            limit=0.2,
        )


def test_a_miss(figures: Figures, endpoint: str) -> None:
    """The whole of it: reading, decoding, preparing the header's value."""
    client, resolver = dynamodb_client(endpoint), Resolver(reader(endpoint), SETTINGS._replace(fresh_seconds=0))
    figures.ratio(
        "miss, CPU / boto3 client get_item",
        lambda: resolver.resolve(HOST),
        lambda: client.get_item(TableName=TABLE, Key={"domain": {"S": HOST}}),
        count=COUNT,
        clock=time.process_time,
        scale=1e3,
        unit="ms",
        limit=0.2,
    )


def test_a_miss_under_a_wildcard(figures: Figures, endpoint: str) -> None:
    """One round trip for all rows that may answer: here three, of which the second does."""
    client, resolver = dynamodb_client(endpoint), Resolver(reader(endpoint), SETTINGS._replace(fresh_seconds=0))
    host = "acme.tenant.example.localhost"
    client.put_item(TableName=TABLE, Item=encode_route(route("*.tenant.example.localhost")))
    assert hasattr(resolver.resolve(host), "stamp")
    figures.ratio(
        "miss under a wildcard, CPU / boto3 client get_item",
        lambda: resolver.resolve(host),
        lambda: client.get_item(TableName=TABLE, Key={"domain": {"S": HOST}}),
        count=COUNT,
        clock=time.process_time,
        scale=1e3,
        unit="ms",
        limit=0.2,
    )


def test_a_miss_among_many_rows(figures: Figures, endpoint: str) -> None:
    with dynalite() as large:
        client = dynamodb_client(large)
        for start in range(0, ROWS, 25):
            items = [encode_route(route(f"r{number}.localhost")) for number in range(start, start + 25)]
            client.batch_write_item(RequestItems={TABLE: [{"PutRequest": {"Item": item}} for item in items]})
        client.put_item(TableName=TABLE, Item=encode_route(route(HOST)))
        few, many = (Resolver(reader(one), SETTINGS._replace(fresh_seconds=0)) for one in (endpoint, large))
        figures.ratio(
            f"miss, CPU, among {ROWS:,} rows / among 1",
            lambda: many.resolve(HOST),
            lambda: few.resolve(HOST),
            count=COUNT,
            clock=time.process_time,
            scale=1e3,
            unit="ms",
            limit=1.25,
        )
