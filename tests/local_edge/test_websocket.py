"""WebSockets through the played CloudFront, to an origin that a test scripts."""

import asyncio
from typing import Any

import pytest
from aiohttp import ClientTimeout, ClientWebSocketResponse, WSMsgType, WSServerHandshakeError, web

from local_edge import origin as origin_module
from local_edge import websocket
from tests.local_edge.playing import Played, play, playing


class EchoOrigin:
    """Sends back what it hears; keeps the requests that it got."""

    def __init__(self) -> None:
        self.requests: list[web.BaseRequest] = []
        self.closed = asyncio.Event()

    async def __call__(self, request: web.BaseRequest) -> web.StreamResponse:
        self.requests.append(request)
        if "upgrade" not in request.headers or request.path == "/closed":
            status = 403 if request.path == "/closed" else 200
            return web.Response(status=status, text="no WebSocket", headers={"cache-control": "max-age=60"})
        socket = web.WebSocketResponse(protocols=("chat",), max_msg_size=0)
        await socket.prepare(request)
        await socket.send_str("welcome")  # it may come in one packet with the 101
        async for message in socket:
            if message.data == "go away":
                break
            await (socket.send_str if message.type is WSMsgType.TEXT else socket.send_bytes)(message.data)
        await socket.close(code=4000)
        self.closed.set()
        return socket


async def connect(played: Played, path: str = "/live", host: str = "a.localhost", **options: Any) -> Any:
    options.setdefault("headers", {})
    options["headers"] = {"host": host, **options["headers"]}
    return await played.session.ws_connect(played.url(path), max_msg_size=0, **options)


async def refused(played: Played, path: str = "/live", host: str = "a.localhost") -> int:
    with pytest.raises(WSServerHandshakeError) as found:
        await connect(played, path, host)
    return found.value.status


async def say(socket: ClientWebSocketResponse, text: str) -> str:
    await socket.send_str(text)
    return await socket.receive_str()


def test_the_functions_run_on_the_opening_request_and_then_bytes_pass_both_ways() -> None:
    async def test() -> None:
        origin = EchoOrigin()
        async with playing(origin) as played:
            socket = await connect(played, "/live?x=1", protocols=("chat",), compress=15)
            assert played.invoked == [("viewer-request", "/live"), ("origin-request", "/live")]
            assert (socket.protocol, socket.compress) == ("chat", 15)
            assert await socket.receive_str() == "welcome"
            assert await say(socket, "hello") == "hello"
            large = bytes(range(256)) * 40_000
            await socket.send_bytes(large)
            assert await socket.receive_bytes() == large
            assert len(played.invoked) == 2
            (request,) = origin.requests
            assert (request.path_qs, request.headers["host"]) == ("/live?x=1", "a.localhost")
            assert "x-route" not in request.headers
            await socket.close()
            await origin.closed.wait()

    play(test())


def test_each_opening_is_answered_by_the_origin_and_none_is_kept() -> None:
    async def test() -> None:
        origin = EchoOrigin()
        async with playing(origin) as played:
            sockets = [await connect(played) for _ in range(2)]
            assert [await say(socket, "x") for socket in sockets] == ["welcome", "welcome"]
            assert await refused(played, "/closed") == 403
            assert (await played.get("/closed")).x_cache == "Error"  # an error that was kept has an age
            assert len(origin.requests) == 4
            assert (await played.get("/live")).text == "no WebSocket"
            assert await say(await connect(played), "x") == "welcome"

    play(test())


def test_a_host_without_a_route_is_refused_and_a_bucket_answers_as_it_does_any_get() -> None:
    async def test() -> None:
        origin = EchoOrigin()
        async with playing(origin) as played:
            assert await refused(played, host="unknown.localhost") == 404
            assert origin.requests == []
            assert await refused(played, "/live.txt", "site.localhost") == 200
            (request,) = origin.requests
            assert not {"upgrade", "sec-websocket-key"} & {name.lower() for name in request.headers}

    play(test())


def test_an_origin_that_cannot_be_reached_is_502() -> None:
    async def test() -> None:
        async with playing(EchoOrigin()) as played:
            played.take_origin_away()
            assert await refused(played) == 502

    play(test())


def test_whoever_ends_it_ends_it_for_both() -> None:
    async def test() -> None:
        origin = EchoOrigin()
        async with playing(origin) as played:
            socket = await connect(played)
            assert await socket.receive_str() == "welcome"
            await socket.send_str("go away")
            assert (await socket.receive()).type is WSMsgType.CLOSE
            assert socket.close_code == 4000
            origin.closed.clear()
            socket = await connect(played)
            socket._conn.transport.abort()  # as a viewer does who is unplugged
            await origin.closed.wait()

    play(test())


def test_an_origin_that_is_silent_for_too_long_is_cut_off(monkeypatch: pytest.MonkeyPatch) -> None:
    async def test() -> None:
        origin = EchoOrigin()
        async with playing(origin) as played:
            socket = await connect(played)
            assert await socket.receive_str() == "welcome"
            assert (await socket.receive()).type in (WSMsgType.CLOSED, WSMsgType.CLOSE)
            await origin.closed.wait()

    monkeypatch.setattr(websocket, "IDLE_SECONDS", 0.2)
    play(test())


def test_an_origin_may_be_silent_for_longer_than_it_may_before_an_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    async def test() -> None:
        async with playing(EchoOrigin()) as played:
            socket = await connect(played)
            assert await socket.receive_str() == "welcome"
            for text in ("one", "two"):
                await asyncio.sleep(1)
                assert await say(socket, text) == text

    monkeypatch.setattr(origin_module, "ClientTimeout", lambda **_: ClientTimeout(sock_read=0.5))
    play(test())
