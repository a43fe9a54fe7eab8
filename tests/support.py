"""What tests share: contract-checked handlers, optional parts, a DynamoDB of each kind."""

import copy
import json
import os
import shutil
import socket
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from hashlib import sha256
from pathlib import Path
from typing import Any

import boto3
import pytest

from edge_handler.errors import BrokenRow, TableUnreachable
from edge_handler.routes.attributes import Item
from edge_handler.routes.destination import Destination, read_destination
from edge_handler.routes.origin import S3Origin
from edge_handler.routes.redirect import Answering
from edge_handler.routes.route import Route, encode_route
from edge_handler.settings import Settings
from edge_handler.website.listing import Listing, Options, path_key
from local_edge.contract import check_result
from local_edge.embedded_aws import create_tables
from local_edge.template import load_template

ROOT = Path(__file__).parent.parent
OWN_BUCKET = "acme-static-sites.s3.us-east-1.amazonaws.com"
SETTINGS = Settings("edge-routing-routes", ("us-east-1",), None, None, 10, 5, 86400)
STATIC = S3Origin(OWN_BUCKET, "us-east-1", "/env-123")
NOW = 1_800_000_000.0
NOBODY = "http://127.0.0.1:9"
"""Where nobody listens, nor will: no process is given a port below 1024 as a free one."""


def event(name: str) -> dict[str, Any]:
    """Return a sample event."""
    loaded: dict[str, Any] = json.loads((ROOT / "events" / f"{name}.json").read_text())
    return loaded


def run(handler: Callable[[Any, Any], Any], given: dict[str, Any]) -> dict[str, Any]:
    """Invoke a handler as Lambda does, through JSON, and check its result against CloudFront's contract."""
    cf = given["Records"][0]["cf"]
    before = copy.deepcopy(cf["response" if cf["config"]["eventType"] == "origin-response" else "request"])
    result: dict[str, Any] = json.loads(json.dumps(handler(json.loads(json.dumps(given)), None)))
    check_result(given["Records"][0]["cf"]["config"]["eventType"], before, result)
    return result


def header(result: dict[str, Any], name: str) -> str | None:
    """Return the first value of a header of a request or response object."""
    values = result["headers"].get(name)
    return values[0]["value"] if values else None


def route(domain: str = "env-123.localhost", origin: Answering = STATIC, **changes: Any) -> Route:
    """Return a route with everything filled in."""
    whole = Route(domain, "s3://x", origin, "env-123", "permanent", None, 1, 1, "2026-01-01T00:00:00Z", "me", "")
    return whole._replace(**changes)


def destination_of(route: Route) -> Destination:
    """Return what the edge needs of a route: of rules and of a canary, not what people wrote."""
    found = Destination(*(getattr(route, name) for name in Destination._fields))
    canary = route.canary and route.canary._replace(target="")
    return found._replace(rules=tuple(rule._replace(target="") for rule in route.rules), canary=canary)


class Rows:
    """A table in memory that can be made unreachable; it counts what it is asked."""

    def __init__(self, *routes: Route) -> None:
        self.items: dict[str, Item] = {found.domain: encode_route(found) for found in routes}
        self.asked: list[tuple[float, str | None]] = []
        """How long each read may take, and whose row was expected."""
        self.keys: list[tuple[str, ...]] = []
        """Whose rows were asked for, read by read."""
        self.reachable = True
        self.retry_after = 0.0

    @property
    def reads(self) -> int:
        return len(self.asked)

    def read(
        self, domains: Sequence[str], seconds: float, *, expected: str | None = None
    ) -> dict[str, Destination | BrokenRow]:
        self.asked.append((seconds, expected))
        self.keys.append(tuple(domains))
        if not self.reachable:
            raise TableUnreachable("no replica of the routing table answers", self.retry_after)
        return {domain: read_destination(self.items[domain]) for domain in domains if domain in self.items}


class Clock:
    """Time that passes when told to."""

    def __init__(self) -> None:
        self.now = NOW

    def __call__(self) -> float:
        return self.now


def need(present: object, what: str) -> None:
    """Skip a test that needs an optional part; in CI everything is there, so fail."""
    if not present:
        (pytest.fail if os.environ.get("CI") else pytest.skip)(f"needs {what}")


def wait_until(condition: Callable[[], object]) -> None:
    """Wait for what must come to pass, for as long as this machine needs: pytest's timeout ends what never does."""
    while not condition():
        time.sleep(0.02)


@contextmanager
def serving(command: Callable[[int], Sequence[str]], **environ: str) -> Iterator[int]:
    """Run a server on the socket whose number `command` is given; yield its port.

    The socket listens before the server runs: nobody else can get the port, and who asks early waits for an answer.
    """
    with socket.create_server(("127.0.0.1", 0)) as listener:
        fd, port = listener.fileno(), listener.getsockname()[1]
        process = subprocess.Popen(
            command(fd), env={**os.environ, **environ}, pass_fds=(fd,), stdout=subprocess.DEVNULL
        )
    with process:
        try:
            yield port
        finally:
            process.kill()  # what it holds is in memory


@contextmanager
def dynalite(pem: Path | None = None) -> Iterator[str]:
    """Run dynalite with the routes table, over TLS with `pem`'s key and certificate; yield its endpoint."""
    module = ROOT / "node_modules" / "dynalite"
    node = shutil.which("node")
    need(node and module.exists(), "node and npm (apt-get install nodejs npm), then make test")
    tls = {"ssl": True, **dict.fromkeys(("key", "cert", "ca"), pem.read_text())} if pem else {}
    made = f"require({json.dumps(str(module))})({json.dumps({'createTableMs': 0, **tls})})"
    with serving(lambda fd: [str(node), "--eval", f"{made}.listen({{fd: {fd}}})"]) as port:
        endpoint = f"{'https' if pem else 'http'}://127.0.0.1:{port}"
        client = dynamodb_client(endpoint, pem)
        template = load_template(stack="edge-routing", bucket="unused")
        properties = template.properties("RoutesTable")
        wanted = ("TableName", "AttributeDefinitions", "KeySchema", "GlobalSecondaryIndexes", "BillingMode")
        client.create_table(**{name: properties[name] for name in wanted})
        active = "ACTIVE"
        wait_until(lambda: client.describe_table(TableName="edge-routing-routes")["Table"]["TableStatus"] == active)
        yield endpoint


@contextmanager
def ministack() -> Iterator[str]:
    """Run MiniStack's DynamoDB, whose transactions are isolated; yield its endpoint."""
    hypercorn = ROOT / ".venv" / "ministack" / "bin" / "hypercorn"
    need(hypercorn.exists(), "MiniStack, in an environment of its own (make test installs it)")
    command = [str(hypercorn), "ministack.app:app", "--workers", "0", "--keep-alive", "75", "--log-level", "ERROR"]
    environ = {"SERVICES": "dynamodb", "LOG_LEVEL": "ERROR"}
    with serving(lambda fd: [*command, "--bind", f"fd://{fd}"], **environ) as port:
        yield f"http://127.0.0.1:{port}"


def dynamodb_client(endpoint: str, pem: Path | None = None) -> Any:
    return boto3.client(
        "dynamodb",
        endpoint_url=endpoint,
        verify=str(pem) if pem else None,
        region_name="us-east-1",
        aws_access_key_id="local",
        aws_secret_access_key="local",
    )


def make_tables(stack: str, client: Any) -> None:
    create_tables(load_template(stack=stack, bucket="unused"), client)


def broken_list(kind: str) -> Listing:
    """Return a list that has the name and the digests of one, and says what no list does."""
    record = path_key("/index.html") + b"\1" * 32 + bytes((200, 0)) + bytes(8)
    page = record + b"more" if kind == "length" else record
    length = {"negative": -len(page), "fraction": float(len(page))}.get(kind, len(page))
    said = {
        "files": 1,
        "types": [5] if kind == "types" else ["text/html"],
        "options": Options(),
        "pages": [[page[:8].hex(), sha256(page).hexdigest(), length]],
    }
    head = b"[" * 200_000 + b"]" * 200_000 if kind == "deep" else json.dumps(said).encode()
    content = b"EDGELST1" + len(head).to_bytes(4, "big") + head + page
    return Listing(sha256(head).hexdigest()[:32], content)
