"""The snapshot's writer as a Lambda function, on a schedule."""

import dataclasses
import functools
import os
from typing import Any

import boto3
from aws_lambda_powertools import Logger, Metrics
from aws_lambda_powertools.metrics import MetricUnit
from aws_lambda_powertools.utilities.typing import LambdaContext
from botocore.config import Config

from table_admin.errors import TableAdminError
from table_admin.routing_table import RoutingTable
from table_admin.snapshots.places import parse_buckets
from table_admin.snapshots.writer import ACTOR, Snapshot, SnapshotFailed, take_snapshot

_PATIENCE = Config(connect_timeout=2, read_timeout=10, retries={"mode": "standard", "total_max_attempts": 4})

logger = Logger()
metrics = Metrics()


@functools.cache
def _client(service: str, region_name: str | None = None) -> Any:
    return boto3.client(service, region_name=region_name, config=_PATIENCE)  # type: ignore[call-overload]


@logger.inject_lambda_context
@metrics.log_metrics(raise_on_empty_metrics=False)
def handler(_event: dict[str, Any], _context: LambdaContext) -> None:
    """Take a snapshot. What goes wrong is raised, and so counted as an error of the function's."""
    table = RoutingTable(os.environ["STACK_NAME"], actor=ACTOR, client=_client)
    buckets = parse_buckets(os.environ["SNAPSHOT_BUCKETS"])

    def skipped(domain: str, why: str) -> None:
        logger.warning("a row is in no snapshot", domain=domain, why=why)

    try:
        _say(take_snapshot(table, buckets, on_skipped=skipped))
    except TableAdminError as error:
        if isinstance(error, SnapshotFailed) and error.snapshot is not None:
            _say(error.snapshot)
        metrics.add_metric(name="SnapshotFailures", unit=MetricUnit.Count, value=1)
        raise


def _say(done: Snapshot) -> None:
    logger.info("snapshot", **dataclasses.asdict(done))
    if done.age is not None:
        metrics.add_metric(name="SnapshotAge", unit=MetricUnit.Seconds, value=done.age)
    if not done.superseded:
        metrics.add_metric(name="SnapshotRows", unit=MetricUnit.Count, value=done.rows)
