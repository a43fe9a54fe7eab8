"""The way of a request through the load balancer and the ingress, as cluster.yaml and kubernetes/ describe it."""

import asyncio
import hashlib
import io
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from aiohttp import ClientSession

from edge_handler.origin_secret import HEADER as SECRET_HEADER
from local_edge import ingress as ingress_module
from local_edge.demo.service import make_backend, make_frontend, serving
from local_edge.ingress import Ingress
from local_edge.kubernetes import controller_entries, ingress_rules, load_balancer_attributes
from local_edge.nginx import nginx_path
from tests.support import need

SECRET = "s" * 32
ADMITTED = {SECRET_HEADER: SECRET}


@pytest.fixture(params=["nginx", "stand-in"])
def player(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    if request.param == "nginx":
        need(nginx_path(), "nginx (apt-get install nginx)")
    else:
        monkeypatch.setattr(ingress_module, "nginx_path", lambda: None)
    return str(request.param)


@asynccontextmanager
async def running() -> AsyncIterator[str]:
    """Run backend, frontend and ingress of the example environment; yield the load balancer's URL."""
    async with serving(make_backend()) as backend, serving(make_frontend(backend)) as frontend:
        upstreams = {host: (frontend, rule) for host, rule in ingress_rules().items()}
        async with Ingress(upstreams, SECRET, controller_entries(), load_balancer_attributes()) as found:
            yield f"http://127.0.0.1:{found.port}"


def ask(*requests: dict[str, Any]) -> list[tuple[int, str]]:
    """Ask the load balancer."""

    async def play() -> list[tuple[int, str]]:
        answers = []
        async with running() as url, ClientSession() as session:
            for given in requests:
                method, path = given.pop("method", "GET"), given.pop("path", "/")
                async with session.request(method, f"{url}{path}", **given) as answer:
                    answers.append((answer.status, await answer.text()))
        return answers

    return asyncio.run(play())


def test_a_viewers_host_goes_in_and_the_backends_data_comes_out(player: str) -> None:
    ((status, page),) = ask({"headers": {"host": "env-789.example.com", **ADMITTED}})
    assert status == 200
    assert '<dd id="count">1229</dd>' in page
    assert "<strong>env-789.example.com</strong>" in page


def test_a_host_that_no_ingress_names_is_404(player: str) -> None:
    assert ask({"headers": {"host": "env-790.example.com", **ADMITTED}}) == [(404, "no ingress for this host\n")]


def test_what_did_not_come_through_cloudfront_is_refused(player: str) -> None:
    host = {"host": "env-789.example.com"}
    answers = ask({"headers": host}, {"headers": {**host, SECRET_HEADER: "guessed"}})
    assert answers == [(403, "not through CloudFront\n")] * 2


def test_an_application_is_not_told_the_secret(player: str) -> None:
    ((status, text),) = ask({"headers": {"host": "env-789.example.com", **ADMITTED}, "path": "/headers?x=1"})
    seen = dict(json.loads(text)["headers"])
    assert status == 200
    assert SECRET not in text
    assert seen["host"] == "env-789.example.com"


def test_an_application_hears_the_viewers_address_and_port_and_each_once(player: str) -> None:
    # CloudFront adds the viewer's address to what the viewer claims.
    given = {"host": "env-789.example.com", "x-forwarded-for": "198.51.100.9, 203.0.113.7", **ADMITTED}
    ((_, text),) = ask({"headers": given, "path": "/headers"})
    found: dict[str, list[str]] = {}
    for name, value in json.loads(text)["headers"]:
        found.setdefault(name, []).append(value)
    assert found["x-forwarded-port"] == ["443"]
    assert found["x-forwarded-proto"] == ["https"]
    assert found["x-real-ip"] == ["203.0.113.7"]
    assert found["x-forwarded-for"] == ["198.51.100.9, 203.0.113.7, 203.0.113.7"]


def test_methods_and_bodies_pass(player: str) -> None:
    given = {"headers": {"host": "env-789.example.com", **ADMITTED}, "method": "POST", "path": "/echo"}
    assert ask({**given, "data": io.BytesIO(b"x" * 3_000_000)}) == [(200, "x" * 3_000_000)]


def test_an_upload_in_chunks_passes(player: str) -> None:
    async def chunks() -> AsyncIterator[bytes]:
        for _ in range(30):
            yield b"x" * 100_000

    given = {"headers": {"host": "env-789.example.com", **ADMITTED}, "method": "POST", "path": "/upload"}
    ((status, text),) = ask({**given, "data": chunks()})
    assert status == 200
    assert json.loads(text) == {"bytes": 3_000_000, "sha256": hashlib.sha256(b"x" * 3_000_000).hexdigest()}


def test_headers_pass_that_are_as_long_as_cloudfront_takes(player: str) -> None:
    longest = 15_000  # in one header the load balancer takes 16 KB with its name
    given = {"host": "env-789.example.com", **ADMITTED, "cookie": "c" * longest, "x-more": "m" * (20_000 - longest)}
    ((status, text),) = ask({"headers": given, "path": "/headers"})
    assert status == 200
    seen = dict(json.loads(text)["headers"])
    assert (seen["cookie"], seen["x-more"]) == (given["cookie"], given["x-more"])


def test_a_websocket_passes(player: str) -> None:
    async def play() -> list[Any]:
        async with running() as url, ClientSession() as session:
            headers = {"host": "env-789.example.com", **ADMITTED}
            async with session.ws_connect(f"{url}/live", headers=headers) as socket:
                await socket.send_str("hello")
                return [await socket.receive_json() for _ in range(3)]

    found = asyncio.run(play())
    assert {"echo": "hello"} in found
    assert {"prime": 2} in found


def test_an_nginx_that_ends_is_not_waited_for() -> None:
    need(nginx_path(), "nginx (apt-get install nginx)")

    async def start() -> None:
        async with Ingress({}, SECRET, {"no-such-directive": "1"}, {}):
            pass

    with pytest.raises(OSError, match="unknown directive"):
        asyncio.run(start())
