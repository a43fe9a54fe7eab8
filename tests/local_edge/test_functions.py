import asyncio
import threading
from typing import Any

from local_edge.functions import Functions
from tests.local_edge.playing import play


def test_a_function_whose_viewer_has_left_keeps_its_sandbox_until_it_ends() -> None:
    running: list[str] = []
    may_end = threading.Event()

    def function(event: dict[str, Any], _context: object) -> dict[str, Any]:
        request: dict[str, Any] = event["Records"][0]["cf"]["request"]
        running.append(request["uri"])
        may_end.wait(30)
        running.append("end")
        return request

    async def test() -> None:
        functions = Functions({"viewer-request": function})

        def invoke(uri: str) -> asyncio.Task[dict[str, Any]]:
            request = {"uri": uri, "headers": {}, "method": "GET", "querystring": "", "clientIp": "127.0.0.1"}
            return asyncio.create_task(functions.invoke("viewer-request", "id", request))

        left = invoke("/left")
        while not running:
            await asyncio.sleep(0.01)
        left.cancel()
        await asyncio.wait([left])
        stays = invoke("/stays")
        await asyncio.sleep(0.1)
        assert running == ["/left"]
        may_end.set()
        assert (await stays)["uri"] == "/stays"
        assert running == ["/left", "end", "/stays", "end"]

    play(test())
