"""env-789: a frontend (8080 in the cluster) whose page shows what a backend (3000) computed."""

import asyncio
import contextlib
import hashlib
import html
import itertools
import platform
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

from aiohttp import ClientSession, web

from local_edge.limits import HEAD_LIMITS

_ASSETS = Path(__file__).parent / "service_assets"
_SECONDS_A_PRIME = 0.5


async def _primes(request: web.Request) -> web.Response:
    below = min(int(request.query.get("below", "10000")), 100_000)
    sieve = bytearray([1]) * below
    for number in range(2, int(below**0.5) + 1):
        if sieve[number]:
            sieve[number * number :: number] = bytes(len(range(number * number, below, number)))
    primes = [number for number in range(2, below) if sieve[number]]
    return web.json_response({"below": below, "count": len(primes), "largest": primes[-1], "pod": platform.node()})


async def _count(socket: web.WebSocketResponse) -> None:
    """Say one prime after another."""
    for number in itertools.count(2):
        if all(number % divisor for divisor in range(2, int(number**0.5) + 1)):
            await socket.send_json({"prime": number})
            await asyncio.sleep(_SECONDS_A_PRIME)


async def _echo(request: web.Request) -> web.Response:
    return web.Response(body=await request.read(), headers={"x-method": request.method})


async def _upload(request: web.Request) -> web.Response:
    size, digest = 0, hashlib.sha256()
    async for chunk in request.content.iter_any():
        size += len(chunk)
        digest.update(chunk)
    return web.json_response({"bytes": size, "sha256": digest.hexdigest()})


def make_backend() -> web.Application:
    """Return the backend: counts primes."""
    application = web.Application()
    application.router.add_get("/api/primes", _primes)
    return application


def make_frontend(backend: str) -> web.Application:
    """Return the frontend. `backend` is the backend's URL."""

    async def computed() -> dict[str, object]:
        async with ClientSession() as session, session.get(f"{backend}/api/primes") as answer:
            found: dict[str, object] = await answer.json()
        return found

    async def page(request: web.Request) -> web.Response:
        data = await computed()
        template = (_ASSETS / "index.html").read_text(encoding="utf-8")
        values = {**data, "host": request.headers.get("host", "")}
        for name, value in values.items():
            template = template.replace(f"{{{{{name}}}}}", html.escape(str(value)))
        return web.Response(text=template, content_type="text/html", headers={"cache-control": "no-store"})

    async def primes(request: web.Request) -> web.Response:
        data = await computed()
        told = {"path": request.path, "prefix": request.headers.get("x-forwarded-prefix", "")}
        return web.json_response({**data, **told}, headers={"cache-control": "no-store"})

    async def headers(request: web.Request) -> web.Response:
        found = [[name.lower(), value] for name, value in request.headers.items()]
        return web.json_response({"headers": found, "path": request.path_qs}, headers={"cache-control": "no-store"})

    async def live(request: web.Request) -> web.WebSocketResponse:
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        counting = asyncio.create_task(_count(socket))
        try:
            async for message in socket:
                if message.type is web.WSMsgType.TEXT:
                    await socket.send_json({"echo": message.data})
        finally:
            counting.cancel()
        return socket

    application = web.Application(client_max_size=64 * 1024 * 1024)
    application.router.add_get("/", page)
    application.router.add_get("/primes", primes)
    application.router.add_get("/headers", headers)
    application.router.add_route("*", "/echo", _echo)
    application.router.add_get("/live", live)
    application.router.add_post("/upload", _upload)
    application.router.add_get("/style.css", _asset("style.css", "text/css"))
    application.router.add_get("/logo.svg", _asset("logo.svg", "image/svg+xml"))
    return application


@contextlib.asynccontextmanager
async def serving(application: web.Application) -> AsyncIterator[str]:
    """Serve an application as a pod would, on any port; yield its URL."""
    runner = web.AppRunner(application, access_log=None, shutdown_timeout=1, **HEAD_LIMITS)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        yield f"http://127.0.0.1:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()


def _asset(name: str, content_type: str) -> Callable[[web.Request], Awaitable[web.Response]]:
    async def serve(_request: web.Request) -> web.Response:
        body = (_ASSETS / name).read_bytes()
        return web.Response(body=body, content_type=content_type, headers={"cache-control": "public, max-age=300"})

    return serve
