import asyncio

import pytest
from aiohttp import ClientSession, web

from local_edge import ingress
from local_edge.ingress import Ingress
from tests.support import need


@pytest.mark.parametrize("nginx", [True, False])
def test_the_ingress_routes_by_host(nginx: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    if nginx:
        need(ingress.nginx_path(), "nginx (apt-get install nginx)")
    else:
        monkeypatch.setattr(ingress, "nginx_path", lambda: None)

    async def pod(request: web.BaseRequest) -> web.Response:
        return web.Response(
            text=f"{request.method} {request.headers['host']} {request.raw_path} {await request.text()}"
        )

    async def play() -> list[tuple[int, str]]:
        runner = web.ServerRunner(web.Server(pod))
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        answers = []
        upstream = f"http://127.0.0.1:{runner.addresses[0][1]}"
        async with Ingress({"a.localhost": upstream}) as found, ClientSession() as session:
            assert ("not installed" in found.name) == (not nginx)
            for host in ("a.localhost", "b.localhost"):
                url = f"http://127.0.0.1:{found.port}/x?y=1"
                async with session.post(url, headers={"host": host}, data=b"body") as answer:
                    answers.append((answer.status, await answer.text()))
        await runner.cleanup()
        return answers

    answers = asyncio.run(play())
    assert answers[0] == (200, "POST a.localhost /x?y=1 body")
    assert answers[1] == (404, "no ingress for this host\n")
