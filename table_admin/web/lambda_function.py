"""The HTTP API as a Lambda function, with Powertools' logs, metrics and traces."""

import functools
import os
from typing import Any

import boto3
from aws_lambda_powertools import Logger, Metrics, Tracer
from aws_lambda_powertools.logging import correlation_paths
from aws_lambda_powertools.metrics import MetricUnit
from aws_lambda_powertools.utilities.typing import LambdaContext
from botocore.config import Config

from table_admin.routing_table import RoutingTable
from table_admin.web.api import make_api

# Within the 29 seconds that API Gateway waits.
_PATIENCE = Config(connect_timeout=2, read_timeout=5, retries={"mode": "standard", "total_max_attempts": 3})

logger = Logger()
metrics = Metrics()
tracer = Tracer()


@functools.cache
def _client(service: str, region_name: str | None = None) -> Any:
    """Make a client once: it takes longer than most requests."""
    return boto3.client(service, region_name=region_name, config=_PATIENCE)  # type: ignore[call-overload]


def _table(actor: str, request: str) -> RoutingTable:
    return RoutingTable(os.environ["TABLE_ADMIN_STACK"], actor=actor, client=_client, request=request)


api = make_api(_table)


@logger.inject_lambda_context(correlation_id_path=correlation_paths.API_GATEWAY_HTTP)
@tracer.capture_lambda_handler(capture_response=False)
@metrics.log_metrics(raise_on_empty_metrics=False)
def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    """Answer one request of the HTTP API."""
    request = event["requestContext"]["http"]
    try:
        result = api.resolve(event, context)
    except Exception:
        logger.exception("the request could not be handled")
        metrics.add_metric(name="Failures", unit=MetricUnit.Count, value=1)
        return {
            "statusCode": 500,
            "headers": {"content-type": "application/problem+json"},
            "body": '{"type": "about:blank", "title": "Internal Server Error", "status": 500, '
            '"detail": "The request could not be handled; the log says why."}',
        }
    status = int(result["statusCode"])
    logger.info("answered", method=request["method"], path=request["path"], status=status)
    if request["method"] != "GET" and status < 300:
        metrics.add_metric(name="Writes", unit=MetricUnit.Count, value=1)
    return result
