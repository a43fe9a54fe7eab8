"""A played CloudFront in front of an origin that a test scripts, in one process: real functions, HTTP on both sides."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from typing import Any, TypeVar

from aiohttp import ClientSession, web
from yarl import URL

from edge_handler.origin_request import make_handler as make_origin_request
from edge_handler.origin_response import handler as origin_response
from edge_handler.routes.origin import CustomOrigin
from edge_handler.routes.resolver import Resolver
from edge_handler.viewer_request import make_handler
from local_edge.cloudfront import CloudFront
from local_edge.functions import Function
from local_edge.object_cache import ObjectCache
from local_edge.origin import Locate
from local_edge.template import TEMPLATE, Template
from tests.support import NOBODY, SETTINGS, Clock, Rows, route

TEXT = TEMPLATE.read_text()
ORIGIN = CustomOrigin("lb.example.com", "http", 80, "", "viewer", website=False)
ROWS = Rows(route("a.localhost", ORIGIN), route("b.localhost", ORIGIN), route("site.localhost"))
Serve = Callable[[web.BaseRequest], Awaitable[web.StreamResponse]]
T = TypeVar("T")


def play(test: Coroutine[Any, Any, T]) -> T:
    """Run a test, which never waits for ever."""
    return asyncio.run(asyncio.wait_for(test, 60))


@dataclass(frozen=True)
class Answer:
    status: int
    headers: dict[str, str]
    text: str

    @property
    def x_cache(self) -> str:
        return self.headers["x-cache"].removesuffix(" from cloudfront")


@dataclass
class Played:
    cloudfront: CloudFront
    session: ClientSession
    port: int
    clock: Clock
    origin_port: int
    """Where the origin is found: one that cannot be reached is a test's to make."""
    invoked: list[tuple[str, str]] = field(default_factory=list)
    """Event type and path, of every function that was started."""

    def url(self, path: str = "/") -> str:
        return f"http://127.0.0.1:{self.port}{path}"

    async def get(self, path: str = "/", method: str = "GET", host: str = "a.localhost", **headers: str) -> Answer:
        given = {"host": host, **{name.replace("_", "-"): value for name, value in headers.items()}}
        async with self.session.request(method, self.url(path), headers=given, allow_redirects=False) as answer:
            found = {name.lower(): value for name, value in answer.headers.items()}
            return Answer(answer.status, found, await answer.text())

    def take_origin_away(self) -> None:
        self.origin_port = 9  # where nobody listens, see tests.support.NOBODY


@asynccontextmanager
async def playing(
    origin: Serve,
    text: str = TEXT,
    functions: dict[str, Function] | None = None,
    locate: Locate | None = None,
    **changes: Any,
) -> AsyncIterator[Played]:
    """Play a template.

    `functions` replace the real ones, `locate` finds other origins than `origin`, `changes` what its distribution says.
    """
    runners: list[web.ServerRunner] = []

    async def serve(runner: web.ServerRunner) -> int:
        runners.append(runner)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        port: int = runner.addresses[0][1]
        return port

    def at_origin(url: URL) -> URL:
        if locate is not None:
            return locate(url)
        return url.with_scheme("http").with_host("127.0.0.1").with_port(played.origin_port)

    def counted(event_type: str, function: Function) -> Function:
        def invoke(event: dict[str, Any], context: object) -> dict[str, Any]:
            played.invoked.append((event_type, event["Records"][0]["cf"]["request"]["uri"]))
            return function(event, context)

        return invoke

    made = {
        "viewer-request": make_handler(Resolver(ROWS, SETTINGS, Clock())),
        "origin-request": make_origin_request(NOBODY),
        "origin-response": origin_response,
    }
    made |= functions or {}
    distribution = replace(Template(text, stack="s", bucket="acme-static-sites").distribution(), **changes)
    async with ClientSession() as session:
        cloudfront = CloudFront(
            distribution,
            {name: counted(name, made[name]) for name in made},
            session,
            locate or at_origin,
            lambda _: None,
        )
        clock = Clock()
        cloudfront.cache = ObjectCache(distribution, clock)
        port = await serve(cloudfront.server(cloudfront.handle))
        played = Played(cloudfront, session, port, clock, await serve(web.ServerRunner(web.Server(origin))))
        try:
            yield played
        finally:
            for runner in runners:
                await runner.cleanup()
