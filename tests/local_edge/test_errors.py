"""Errors at the local edge: which of them the next viewer gets, too, and where an expired object is served instead."""

import asyncio
from dataclasses import dataclass, field
from typing import Any

import pytest
from aiohttp import web

from edge_handler.answers import answer
from local_edge.functions import Function
from local_edge.template import load_template
from tests.local_edge.playing import Played, play, playing

NO_ERROR_CACHING = dict.fromkeys((400, 403, 404, 405, 414, 416, 500, 501, 502, 503, 504), 0)
DEFAULT: dict[int, int] = {}


@dataclass
class Origin:
    """Answers as it is told, and says the how manieth answer it is."""

    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    asked: int = 0

    def says(self, status: int, cache_control: str | None = None, **headers: str) -> None:
        self.status = status
        self.headers = headers | ({"cache-control": cache_control} if cache_control else {})

    async def __call__(self, request: web.BaseRequest) -> web.StreamResponse:
        self.asked += 1
        return web.Response(status=self.status, headers=self.headers, text=f"answer {self.asked}")


async def two_viewers(played: Played, method: str = "GET", **headers: str) -> bool:
    """Tell whether the second viewer gets the answer of the first."""
    first, second = [await played.get(method=method, **headers) for _ in range(2)]
    assert first.status == second.status
    return first.text == second.text and "age" in second.headers


def test_one_viewers_500_is_the_next_ones_for_ten_seconds() -> None:
    async def test() -> None:
        origin = Origin(500, {"cache-control": "no-store"})
        async with playing(origin, error_caching_min_ttls=DEFAULT) as played:
            first = await played.get()
            played.clock.now += 9
            origin.says(200)
            second = await played.get(cookie="session=somebody-else")
            assert (first.status, first.x_cache) == (second.status, second.x_cache) == (500, "Error")
            assert (second.text, second.headers["age"], origin.asked) == ("answer 1", "9", 1)
            played.clock.now += 1
            assert (await played.get()).text == "answer 2"

    play(test())


def test_as_deployed_one_viewers_500_does_not_reach_the_next() -> None:
    async def test() -> None:
        origin = Origin(500, {"cache-control": "no-store"})
        async with playing(origin) as played:
            assert (await played.get(cookie="session=mine")).status == 500
            origin.says(200, "private")
            assert (await played.get(cookie="session=somebody-else")).text == "answer 2"

    play(test())


@pytest.mark.parametrize("status", [400, 403, 404, 405, 414, 416, 500, 501, 502, 503, 504])
def test_as_deployed_no_error_is_kept_that_does_not_say_so(status: int) -> None:
    async def test() -> None:
        async with playing(Origin(status)) as played:
            assert not await two_viewers(played)
        async with playing(Origin(status, {"cache-control": "max-age=60"})) as played:
            assert await two_viewers(played) == (status != 416)

    play(test())


def test_as_deployed_an_applications_410_is_the_next_viewers_too_unless_it_says_no_store() -> None:
    """CloudFront takes no custom error response for it."""

    async def test() -> None:
        async with playing(Origin(410)) as played:
            assert await two_viewers(played)
        async with playing(Origin(410, {"cache-control": "no-store"})) as played:
            assert not await two_viewers(played)

    play(test())


def test_as_deployed_every_code_that_can_be_named_and_is_kept_is_named() -> None:
    ttls = load_template(stack="s", bucket="b").distribution().error_caching_min_ttls
    assert ttls == {status: 0 for status in NO_ERROR_CACHING if status != 416}


@pytest.mark.parametrize("status", [404, 500, 502, 503])
def test_with_an_error_caching_minimum_ttl_of_0_it_is_not(status: int) -> None:
    async def test() -> None:
        async with playing(Origin(status), error_caching_min_ttls=NO_ERROR_CACHING) as played:
            assert not await two_viewers(played)

    play(test())


@pytest.mark.parametrize(
    ("status", "headers", "kept"),
    [
        (404, {}, True),
        (404, {"cache-control": "no-store"}, False),
        (403, {}, False),
        (403, {"cache-control": "max-age=5"}, True),
        (405, {}, False),
        (416, {"cache-control": "max-age=60"}, False),
        (418, {"cache-control": "max-age=60"}, False),
        (503, {"cache-control": "private"}, True),
    ],
)
def test_which_errors_of_an_origin_the_next_viewer_gets(status: int, headers: dict[str, str], kept: bool) -> None:
    async def test() -> None:
        async with playing(Origin(status, headers), error_caching_min_ttls=DEFAULT) as played:
            assert await two_viewers(played) == kept

    play(test())


def test_an_error_is_kept_for_get_and_head_only() -> None:
    async def test() -> None:
        async with playing(Origin(500), error_caching_min_ttls=DEFAULT) as played:
            assert not await two_viewers(played, "POST")
            assert await two_viewers(played, "HEAD")
            assert await two_viewers(played, "GET")
            kept = await played.get()
            await played.get(method="POST")
            assert (await played.get()).text == kept.text

    play(test())


def test_an_error_that_a_part_is_answered_with_is_the_whole_objects() -> None:
    async def test() -> None:
        async with playing(Origin(500), error_caching_min_ttls=DEFAULT) as played:
            assert await two_viewers(played, range="bytes=0-1")
            assert (await played.get()).text == "answer 1"

    play(test())


def test_an_origin_that_cannot_be_reached_is_502_for_ten_seconds() -> None:
    async def test() -> None:
        async with playing(Origin(), error_caching_min_ttls=DEFAULT) as played:
            there = played.origin_port
            played.take_origin_away()
            assert (await played.get()).status == 502
            played.origin_port = there
            assert (await played.get()).status == 502
            played.clock.now += 10
            assert (await played.get()).status == 200

    play(test())


def test_an_error_of_the_bucket_stays_for_a_second_where_the_distribution_says_0() -> None:
    async def test() -> None:
        origin = Origin(503)
        async with playing(origin, error_caching_min_ttls=NO_ERROR_CACHING) as played:
            for asked in (1, 1, 2):
                played.clock.now += asked - 1
                assert (await played.get("/x.txt", host="site.localhost")).status == 503
                assert origin.asked == asked

    play(test())


def generating(status: int) -> Function:
    def function(_event: dict[str, Any], _context: object) -> dict[str, Any]:
        headers = {"cache-control": [{"value": "no-store"}]}
        return {"status": str(status), "headers": headers, "body": "generated"}

    return function


def test_what_origin_request_generates_is_kept_as_what_an_origin_gives() -> None:
    async def invocations(status: int) -> int:
        functions = {"origin-request": generating(status)}
        async with playing(Origin(), functions=functions, error_caching_min_ttls=DEFAULT) as played:
            answers = [await played.get() for _ in range(2)]
            assert [(answer.status, answer.text) for answer in answers] == [(status, "generated")] * 2
            return len([1 for event_type, _ in played.invoked if event_type == "origin-request"])

    assert play(invocations(502)) == 1
    assert play(invocations(404)) == play(invocations(200)) == 2


@pytest.mark.parametrize("status", [400, 502])
def test_as_deployed_no_page_of_origin_requests_own_is_kept(status: int) -> None:
    async def test() -> None:
        async with playing(Origin(), functions={"origin-request": page(status)}) as played:
            first, second = [await played.get() for _ in range(2)]
            assert (first.status, first.headers["cache-control"], first.x_cache) == (
                (status, "no-store", "LambdaGeneratedResponse")
            )
            assert second.x_cache == "LambdaGeneratedResponse"

    play(test())


def page(status: int) -> Function:
    return lambda _event, _context: answer(status, "reason", "id")


def test_what_viewer_request_refuses_is_never_kept() -> None:
    async def test() -> None:
        functions = {"viewer-request": generating(503)}
        async with playing(Origin(), functions=functions, error_caching_min_ttls=DEFAULT) as played:
            assert not await two_viewers(played)
            assert len(played.invoked) == 2
            assert played.cloudfront.cache.keys() == []

    play(test())


@pytest.mark.parametrize("reachable", [True, False])
def test_an_expired_object_stands_in_for_an_origin_that_fails(reachable: bool) -> None:
    async def test() -> None:
        origin = Origin(200, {"cache-control": "max-age=5"})
        async with playing(origin, error_caching_min_ttls=DEFAULT) as played:
            await played.get()
            played.clock.now += 5
            there = played.origin_port
            if not reachable:
                played.take_origin_away()
            origin.says(503, "no-store")
            answers = [await played.get() for _ in range(2)]
            assert [(answer.status, answer.text) for answer in answers] == [(200, "answer 1")] * 2
            assert [answer.x_cache for answer in answers] == ["RefreshHit", "Hit"]
            assert origin.asked == (2 if reachable else 1)
            played.clock.now += 10
            played.origin_port = there
            origin.says(200)
            assert (await played.get()).text == f"answer {origin.asked}"

    play(test())


@pytest.mark.parametrize("reachable", [True, False])
@pytest.mark.parametrize(("stale_if_error", "status"), [(0, 502), (3, 200)])
def test_how_long_it_does_is_the_origins_to_say(reachable: bool, stale_if_error: int, status: int) -> None:
    async def test() -> None:
        origin = Origin(200, {"cache-control": f"max-age=5, stale-if-error={stale_if_error}"})
        async with playing(origin, error_caching_min_ttls=DEFAULT) as played:
            await played.get()
            played.clock.now += 7
            origin.says(502)
            if not reachable:
                played.take_origin_away()
            assert (await played.get()).status == status
            # Not for ten seconds more, but until three after it expired.
            played.clock.now += 1
            assert (await played.get()).status == 502

    play(test())


def test_it_does_not_beyond_the_maximum_ttl() -> None:
    async def test() -> None:
        origin = Origin(200, {"cache-control": "max-age=5, stale-if-error=1000"})
        async with playing(origin, error_caching_min_ttls=NO_ERROR_CACHING, max_ttl=20) as played:
            await played.get()
            origin.says(503)
            played.clock.now += 19
            assert (await played.get()).status == 200
            played.clock.now += 1
            assert (await played.get()).status == 503

    play(test())


def test_an_answer_to_a_part_leaves_an_expired_object_in_its_place() -> None:
    async def test() -> None:
        origin = Origin(200, {"cache-control": "max-age=5", "etag": '"x"'})
        async with playing(origin, error_caching_min_ttls=DEFAULT) as played:
            await played.get()
            played.clock.now += 5
            for status in (206, 416):
                origin.says(status)
                assert (await played.get(range="bytes=0-1")).status == status
            origin.says(503)
            assert (await played.get()).text == "answer 1"

    play(test())


def test_a_part_of_an_expired_object_is_cut_from_it_when_it_is_current() -> None:
    async def test() -> None:
        origin = Origin(200, {"cache-control": "max-age=5", "etag": '"x"'})
        async with playing(origin, error_caching_min_ttls=DEFAULT) as played:
            await played.get()
            played.clock.now += 5
            origin.says(304)
            part = await played.get(range="bytes=0-5")
            assert (part.status, part.text, part.x_cache) == (206, "answer", "RefreshHit")

    play(test())


def test_a_4xx_takes_an_expired_objects_place() -> None:
    async def test() -> None:
        origin = Origin(200, {"cache-control": "max-age=5"})
        async with playing(origin, error_caching_min_ttls=DEFAULT) as played:
            await played.get()
            played.clock.now += 5
            origin.says(404)
            assert (await played.get()).status == 404
            origin.says(503)
            played.clock.now += 10
            assert (await played.get()).status == 503

    play(test())


def test_an_object_that_broke_off_is_not_kept_and_not_passed_for_whole() -> None:
    async def test() -> None:
        arrived = asyncio.Event()

        async def origin(request: web.BaseRequest) -> web.StreamResponse:
            response = web.StreamResponse(headers={"cache-control": "max-age=60"})
            response.content_length = 10
            await response.prepare(request)
            await response.write(b"12345")
            await arrived.wait()
            assert request.transport is not None
            request.transport.close()
            return response

        async with playing(origin) as played:
            reader, writer = await asyncio.open_connection("127.0.0.1", played.port)
            writer.write(b"GET / HTTP/1.1\r\nHost: a.localhost\r\n\r\n")
            assert b"200 OK" in await reader.readuntil(b"\r\n\r\n")
            assert await reader.readexactly(5) == b"12345"
            arrived.set()
            assert await reader.read() == b""
            writer.close()
            assert played.cloudfront.cache.keys() == []

    play(test())
