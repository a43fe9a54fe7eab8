"""`make run`: the demo world behind a played CloudFront."""

import argparse
import asyncio
import contextlib
import importlib
import os
import secrets
import signal
import socket
import sys
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING

from aiohttp import ClientSession, DummyCookieJar, TCPConnector, web
from yarl import URL

from edge_handler.routes.resolver import Resolver
from local_edge.cloudfront import CloudFront, Exchange
from local_edge.demo.service import make_backend, make_frontend, serving
from local_edge.demo.world import BUCKET, OFFICE_NETWORK, STACK, create_demo_world, demo_upstreams
from local_edge.embedded_aws import CREDENTIALS, REGION, EmbeddedAws, create_tables
from local_edge.functions import Function
from local_edge.ingress import Ingress
from local_edge.kubernetes import controller_entries, load_balancer_attributes
from local_edge.limits import HEAD_LIMITS
from local_edge.ministack import PYTHON, MiniStack
from local_edge.snapshots import BUCKET as BUCKET_OF_SNAPSHOTS
from local_edge.snapshots import SnapshotSchedule, telling_source
from local_edge.template import Distribution, TemplateError, load_template
from table_admin import RoutingTable

if TYPE_CHECKING:
    from table_admin.web.console import Console

CONSOLE_HOST = "routes.localhost"
PORT = 8080
_START_SECONDS = 5.0
"""For the first snapshot, which is there."""
Handler = Callable[[web.BaseRequest], Awaitable[web.StreamResponse]]


def main(arguments: list[str] | None = None) -> None:
    """Run until interrupted."""
    parser = argparse.ArgumentParser(prog="local-edge", description=__doc__)
    parser.add_argument("--port", type=int, default=PORT, help=f"of the played CloudFront; 0 for any (default {PORT})")
    parser.add_argument("--aws-port", type=int, default=4566, help="of the embedded AWS; 0 for any (default 4566)")
    parser.add_argument(
        "--dynamodb", help="the endpoint of another DynamoDB with transactions, instead of MiniStack's or moto's"
    )
    parser.add_argument("--table-endpoint", help="where the edge reads the routing table, instead of the embedded AWS")
    options = parser.parse_args(arguments)
    try:
        asyncio.run(_run(options))
    except (OSError, TemplateError) as error:
        sys.exit(f"local-edge: {error}")


async def _run(options: argparse.Namespace) -> None:
    with contextlib.ExitStack() as stack:
        tables = None
        if options.dynamodb is None and PYTHON.exists():
            tables = stack.enter_context(contextlib.closing(MiniStack()))
        await _run_with(options, tables)


async def _run_with(options: argparse.Namespace, tables: MiniStack | None) -> None:
    try:
        listener = socket.create_server(("127.0.0.1", options.port))
    except OSError as error:
        raise OSError(f"port {options.port} is taken; choose another: make run PORT=8081") from error
    try:
        aws = EmbeddedAws(options.aws_port, options.dynamodb, tables)
    except (OSError, SystemExit) as error:
        raise OSError(f"port {options.aws_port} is taken; choose another: make run AWS_PORT=4567") from error
    create_tables(load_template(stack=STACK, bucket=BUCKET), aws.client("dynamodb"))
    port: int = listener.getsockname()[1]
    load_balancer, link = create_demo_world(aws, port)
    secret = secrets.token_hex(16)
    parameters = {"OriginSecret": secret, "OriginSecretDomains": load_balancer}
    distribution = load_template(stack=STACK, bucket=BUCKET, parameters=parameters).distribution()
    table_endpoint = options.table_endpoint or options.dynamodb or aws.endpoint
    snapshots = SnapshotSchedule(aws, STACK)
    functions = _load_functions(distribution, aws.endpoint, table_endpoint)
    sources: dict[str, str] = {}
    async with (
        serving(make_backend()) as backend,
        serving(make_frontend(backend)) as frontend,
        Ingress(
            demo_upstreams({"frontend": frontend}), secret, controller_entries(), load_balancer_attributes()
        ) as ingress,
        _session() as session,
    ):

        def locate(url: URL) -> URL:
            host = url.host or ""
            if ".s3." in f".{host}" and host.endswith(".amazonaws.com"):
                return url.with_scheme("http").with_host("127.0.0.1").with_port(URL(aws.endpoint).port)
            return url.with_host("127.0.0.1").with_port(ingress.port) if host == load_balancer else url

        def log(exchange: Exchange) -> None:
            log_exchange(exchange, sources.pop(exchange.request_id, ""))

        functions["viewer-request"] = telling_source(functions["viewer-request"], _resolver(), sources.__setitem__)
        cloudfront = CloudFront(distribution, functions, session, locate, log)
        runner = cloudfront.server(_beside(cloudfront, _console(aws, port)))
        await runner.setup()
        await web.SockSite(runner, listener).start()
        if tables is None and options.dynamodb is None:
            print("The tables are moto's, for hundreds of routes; make run installs what takes 100,000.", flush=True)
        print(_banner(port, aws.endpoint, backend, frontend, ingress, link), flush=True)
        await _until_interrupted()
        await runner.cleanup()
    snapshots.close()
    aws.close()


def _session() -> ClientSession:
    """Return what asks origins, on as many connections as it takes: open WebSockets keep nobody waiting."""
    connector = TCPConnector(limit=0)
    return ClientSession(connector=connector, auto_decompress=False, cookie_jar=DummyCookieJar(), **HEAD_LIMITS)


def _console(aws: EmbeddedAws, port: int) -> "Console":
    # Not above: it imports the handlers, which read their settings when they are imported.
    from table_admin.web.console import Console  # noqa: PLC0415

    table = RoutingTable(STACK, actor="console", client=aws.client)
    edge = f"http://{{domain}}:{port}/"
    return Console(table.as_request, hosts=frozenset((CONSOLE_HOST,)), actor="console", edge=edge)


def _beside(cloudfront: CloudFront, console: "Console") -> Handler:
    """Return what answers viewers: the console under its own host, CloudFront under all others."""

    async def handle(request: web.BaseRequest) -> web.StreamResponse:
        host = request.headers.get("host", "")
        if host.partition(":")[0].lower() != CONSOLE_HOST:
            return await cloudfront.handle(request)
        headers = {name.lower(): value for name, value in request.headers.items()}
        answer = await asyncio.to_thread(
            console.respond, request.method, request.raw_path, headers, await request.read()
        )
        return web.Response(status=answer.status, headers=answer.headers, body=answer.body)

    return handle


def _resolver() -> Resolver:
    """Return what viewer-request resolves hosts with."""
    found: Resolver = importlib.import_module("edge_handler.viewer_request").resolver
    return found


def _load_functions(distribution: Distribution, aws_endpoint: str, table_endpoint: str) -> dict[str, Function]:
    """Import the handlers that the template names, in an environment like Lambda's."""
    os.environ |= {
        "AWS_ACCESS_KEY_ID": CREDENTIALS["aws_access_key_id"],
        "AWS_SECRET_ACCESS_KEY": CREDENTIALS["aws_secret_access_key"],
        "AWS_REGION": REGION,
        "AWS_ENDPOINT_URL_DYNAMODB": table_endpoint,
        "AWS_ENDPOINT_URL_S3": aws_endpoint,
        "AWS_LAMBDA_FUNCTION_NAME": f"{STACK}-viewer-request",
        "EDGE_SNAPSHOT_BUCKETS": str(BUCKET_OF_SNAPSHOTS),
    }
    os.environ.pop("AWS_SESSION_TOKEN", None)
    if "edge_handler.viewer_request" in sys.modules:
        raise TemplateError("the handlers were imported before their environment was there")
    functions: dict[str, Function] = {}
    for event_type, path in distribution.functions.items():
        module, _, name = path.rpartition(".")
        functions[event_type] = getattr(importlib.import_module(module), name)
    importlib.import_module("edge_handler.viewer_request").following.start(_START_SECONDS, _START_SECONDS)
    return functions


async def _until_interrupted() -> None:
    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    await stop.wait()


def _banner(port: int, endpoint: str, backend: str, frontend: str, ingress: Ingress, link: str) -> str:
    variables = (
        f"AWS_ENDPOINT_URL={endpoint} AWS_ACCESS_KEY_ID=local AWS_SECRET_ACCESS_KEY=local AWS_DEFAULT_REGION={REGION}"
    )
    if port != PORT:
        variables += f" TABLE_ADMIN_EDGE=http://{{domain}}:{port}/"
    return f"""
Embedded AWS {endpoint}, ingress {ingress.name}
on {ingress.port}, frontend (8080 in the cluster) {frontend}, backend (3000) {backend}

The local edge answers. Open:
  http://env-123.localhost:{port}/   a static site
  http://env-456.localhost:{port}/   another
  http://env-789.localhost:{port}/   a containerised service, through its load balancer
  http://market.localhost:{port}/    a static site whose /api/ is that service, by a rule
  http://old-market.localhost:{port}/  its old name, which is redirected
  http://acme.tenant.localhost:{port}/  and any other name under tenant.localhost: a wildcard
  http://private.localhost:{port}/   asks who you are; let in for 7 days by
    {link}
  http://office.localhost:{port}/    is for {OFFICE_NETWORK} only, and says where you ask from
  http://maintenance.localhost:{port}/  is being mended, and says when to come back
  http://headers.localhost:{port}/   has headers of its own, and search engines are told to keep away
  http://canary.localhost:{port}/    is two versions of a site, by visitor; /.well-known/edge-canary lets you choose
  http://failover.localhost:{port}/  has a standby, and says how it is moved there and back
  http://{CONSOLE_HOST}:{port}/    the console: search, edit, history, rollback

Change a route from a second terminal; the edge sees it within 10 seconds:
  export {variables}
  .venv/bin/table-admin list
  .venv/bin/table-admin put env-123.localhost s3://{BUCKET}/env-456
  .venv/bin/table-admin explain http://env-123.localhost:{port}/docs/
  .venv/bin/table-admin history env-123.localhost

A directory of your own, DIR, becomes http://mine.localhost:{port}/ there:
  .venv/bin/table-admin deploy DIR --domain mine.localhost
"""


def log_exchange(exchange: Exchange, source: str = "") -> None:
    """Print one line of the access log. `source`: from where the route was known."""
    stages = " ".join(f"{name} {milliseconds:.1f}" for name, milliseconds in exchange.stages.items())
    print(
        f"{exchange.status} {exchange.x_cache:<6} {exchange.method} {exchange.host}{exchange.path}"
        f"  [{exchange.route or 'no route'}]{f' from {source}' if source else ''}  ms: {stages}",
        flush=True,
    )


if __name__ == "__main__":
    main()
