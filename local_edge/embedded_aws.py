"""An AWS on this machine: moto's server, with the tables and the bucket of template.yaml."""

import threading
from collections.abc import Callable, Iterable
from typing import Any

import boto3
from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app
from werkzeug.serving import BaseWSGIServer, WSGIRequestHandler, make_server

from local_edge.template import Template

CREDENTIALS = {"aws_access_key_id": "local", "aws_secret_access_key": "local"}
REGION = "us-east-1"


class _QuietHandler(WSGIRequestHandler):
    """The local edge has an access log of its own."""

    protocol_version = "HTTP/1.1"

    def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
        """Say nothing."""


class EmbeddedAws:
    """moto's server. It takes one request at a time: its transactions are not isolated between threads."""

    def __init__(self, port: int, dynamodb: str | None = None) -> None:
        """Bind to `port`, 0 for any. Raises OSError where it is taken.

        `dynamodb`: the endpoint of another DynamoDB, to be used instead of moto's.
        """
        self.dynamodb = dynamodb
        application = DomainDispatcherApplication(create_backend_app)
        turn = threading.Lock()

        def one_at_a_time(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
            with turn:
                return list(application(environ, start_response))

        self._server: BaseWSGIServer = make_server(
            "127.0.0.1", port, one_at_a_time, threaded=True, request_handler=_QuietHandler
        )
        self.endpoint = f"http://127.0.0.1:{self._server.server_port}"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def client(self, service: str, **options: Any) -> Any:
        """Return a boto3 client of this AWS."""
        options.setdefault("region_name", REGION)
        endpoint = self.dynamodb if self.dynamodb and service == "dynamodb" else self.endpoint
        return boto3.client(service, endpoint_url=endpoint, **CREDENTIALS, **options)  # type: ignore[call-overload]

    def close(self) -> None:
        """Stop serving."""
        self._server.shutdown()
        self._server.server_close()


def create_tables(template: Template, dynamodb: Any) -> None:
    """Create the tables as the template describes them, those that are not there from an earlier run."""
    for logical_id in ("RoutesTable", "RouteHistoryTable"):
        properties = template.properties(logical_id)
        wanted = ("TableName", "AttributeDefinitions", "KeySchema", "GlobalSecondaryIndexes", "BillingMode")
        try:
            dynamodb.create_table(**{name: properties[name] for name in wanted if name in properties})
        except dynamodb.exceptions.ResourceInUseException:
            continue
        if "TimeToLiveSpecification" in properties:
            dynamodb.update_time_to_live(
                TableName=properties["TableName"], TimeToLiveSpecification=properties["TimeToLiveSpecification"]
            )
