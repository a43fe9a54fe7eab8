"""An AWS on this machine: moto's server, MiniStack for the tables where it is there. No web page may ask it."""

import http.client
import threading
from collections.abc import Callable, Iterable
from typing import Any

import boto3
from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app
from werkzeug.serving import BaseWSGIServer, WSGIRequestHandler, make_server

from local_edge.guard import refusal
from local_edge.ministack import MiniStack
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

    def __init__(self, port: int, dynamodb: str | None = None, tables: MiniStack | None = None) -> None:
        """Bind to `port`, 0 for any. Raises OSError where it is taken.

        `dynamodb`: the endpoint of another DynamoDB, to be used instead of this.
        `tables`: what answers for DynamoDB here, instead of moto.
        """
        self.dynamodb = dynamodb
        moto = DomainDispatcherApplication(create_backend_app)
        turn = threading.Lock()

        def answer(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
            why = refusal(environ)
            if why is not None:
                start_response("403 Forbidden", [("Content-Type", "text/plain; charset=utf-8")])
                return [f"{why}\n".encode()]
            if tables is not None and environ.get("HTTP_X_AMZ_TARGET", "").startswith("DynamoDB_"):
                return _pass_on(tables, environ, start_response)
            with turn:
                return list(moto(environ, as_aws(environ["REQUEST_METHOD"], start_response)))

        self._server: BaseWSGIServer = make_server(
            "127.0.0.1", port, answer, threaded=True, request_handler=_QuietHandler
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


def as_aws(method: str, start_response: Callable[..., Any]) -> Callable[..., Any]:
    """Return what begins an answer of moto's as AWS begins it.

    moto lets pages of every origin read it, S3 only those that a bucket's own rules name; and S3's answer to HEAD of
    what is not there says what the body would be, XML.
    """

    def begin(status: str, headers: list[tuple[str, str]], *error: Any) -> Any:
        # x-amzn-: S3 has no such request id, and CloudFront lets no function take one away.
        kept = [one for one in headers if not one[0].lower().startswith(("access-control-", "x-amzn-"))]
        if method == "HEAD" and status.startswith("404"):
            kept = [(name, value) for name, value in kept if name.lower() != "content-type"]
            kept.append(("Content-Type", "application/xml"))
        return start_response(status, kept, *error)

    return begin


def _pass_on(tables: MiniStack, environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
    names = ("HTTP_X_AMZ_TARGET", "HTTP_AUTHORIZATION", "HTTP_X_AMZ_DATE", "CONTENT_TYPE")
    headers = {name.removeprefix("HTTP_").replace("_", "-"): environ[name] for name in names if name in environ}
    body = environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
    try:
        status, answered, content = tables.ask(environ["REQUEST_METHOD"], headers, body)
    except (OSError, http.client.HTTPException):
        start_response("500 Internal Server Error", [("Content-Type", "application/x-amz-json-1.0")])
        return [b'{"__type": "InternalServerError", "message": "MiniStack, which holds the tables, has ended."}']
    kept = [(name, value) for name, value in answered if name.lower() in ("content-type", "x-amz-crc32")]
    kept += [("Content-Length", str(len(content)))]
    start_response(f"{status} {http.client.responses[status]}", kept)
    return [content]


def create_tables(template: Template, dynamodb: Any) -> None:
    """Create the tables as the template describes them, those that are not there from an earlier run."""
    for logical_id in ("RoutesTable", "RouteHistoryTable", "DeploymentsTable", "AccessTable"):
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
