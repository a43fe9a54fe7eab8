"""Chromium's WebSockets through the local edge and nginx, while the route of their host changes."""

import asyncio
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from concurrent.futures import Future
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass

import pytest
from aiohttp import web
from playwright.sync_api import Page
from yarl import URL

from edge_handler.aws.sigv4 import Credentials
from edge_handler.origin_secret import DOMAINS_HEADER
from edge_handler.origin_secret import HEADER as SECRET_HEADER
from edge_handler.routes.resolver import Resolver
from edge_handler.table.reader import Replica, RoutesTable
from edge_handler.viewer_request import make_handler
from local_edge.demo.service import serving
from local_edge.demo.world import create_load_balancer
from local_edge.embedded_aws import EmbeddedAws
from local_edge.ingress import Ingress
from local_edge.kubernetes import controller_entries, ingress_rules, load_balancer_attributes
from local_edge.nginx import nginx_path
from table_admin import RoutingTable
from tests.local_edge.playing import playing
from tests.support import SETTINGS, Clock, need

HOST = "chat.localhost"
SECRET = "s" * 32


def application(color: str) -> web.Application:
    """Return what says its colour, in a page and in a WebSocket."""

    async def page(_request: web.Request) -> web.Response:
        return web.Response(text=color, content_type="text/html")

    async def echo(request: web.Request) -> web.WebSocketResponse:
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        async for message in socket:
            await socket.send_str(f"{color}: {message.data}")
        return socket

    made = web.Application()
    made.add_routes([web.get("/", page), web.get("/echo", echo)])
    return made


@dataclass
class World:
    port: int
    targets: dict[str, str]
    clock: Clock


@asynccontextmanager
async def running(aws: EmbeddedAws, table: RoutingTable) -> AsyncIterator[World]:
    """Run two load balancers with an application of another colour behind each, and a CloudFront before them."""
    clock, ports, targets = Clock(), {}, {}
    (rule,) = ingress_rules().values()
    async with AsyncExitStack() as stack:
        for color in ("blue", "green"):
            balancer = create_load_balancer(aws, color)
            targets[color] = balancer["LoadBalancerArn"]
            upstreams = {HOST: (await stack.enter_async_context(serving(application(color))), rule)}
            ingress = Ingress(upstreams, SECRET, controller_entries(), load_balancer_attributes())
            ports[balancer["DNSName"]] = (await stack.enter_async_context(ingress)).port

        async def nobody(_request: web.BaseRequest) -> web.StreamResponse:
            raise AssertionError

        def locate(url: URL) -> URL:
            return url.with_host("127.0.0.1").with_port(ports[url.host or ""])

        replica = Replica(table.tables.routes, "us-east-1", aws.endpoint, Credentials("local", "local", ""))
        functions = {"viewer-request": make_handler(Resolver(RoutesTable([replica]), SETTINGS, clock))}
        headers = {SECRET_HEADER: SECRET, DOMAINS_HEADER: ",".join(ports)}
        played = await stack.enter_async_context(
            playing(nobody, functions=functions, locate=locate, origin_headers=headers)
        )
        yield World(played.port, targets, clock)


@pytest.fixture
def world(aws: EmbeddedAws, table: RoutingTable) -> Iterator[World]:
    need(nginx_path(), "nginx (apt-get install nginx)")
    started: Future[World] = Future()
    ended = threading.Event()

    async def main() -> None:
        try:
            async with running(aws, table) as found:
                started.set_result(found)
                await asyncio.to_thread(ended.wait)
        except BaseException as error:
            if not started.done():
                started.set_exception(error)
            raise

    # Playwright has a loop of its own in the thread of the test.
    thread = threading.Thread(target=asyncio.run, args=(main(),))
    thread.start()
    try:
        yield started.result()
    finally:
        ended.set()
        thread.join()


OPEN = """name => new Promise((resolve, reject) => {
  const socket = window[name] = new WebSocket(`ws://${location.host}/echo`);
  socket.onopen = () => resolve(socket.readyState);
  socket.onerror = () => reject(new Error("refused"));
})"""
SAY = """([name, text]) => new Promise((resolve, reject) => {
  window[name].onmessage = message => resolve(message.data);
  window[name].onclose = () => reject(new Error("closed"));
  window[name].send(text);
})"""


def test_a_websocket_outlives_the_cut_over_of_its_route_and_a_new_one_goes_to_the_new_target(
    world: World, table: RoutingTable, open_page: Callable[..., Page]
) -> None:
    table.put(HOST, world.targets["blue"])
    page = open_page()
    page.goto(f"http://{HOST}:{world.port}/")
    assert page.inner_text("body") == "blue"
    page.evaluate(OPEN, "first")
    assert page.evaluate(SAY, ["first", "hello"]) == "blue: hello"

    table.put(HOST, world.targets["green"])
    world.clock.now += 3600
    page.evaluate(OPEN, "second")
    assert page.evaluate(SAY, ["second", "hello"]) == "green: hello"
    assert page.evaluate(SAY, ["first", "still there?"]) == "blue: still there?"
    page.reload()
    assert page.inner_text("body") == "green"
