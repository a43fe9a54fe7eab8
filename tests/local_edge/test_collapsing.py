"""Concurrent requests for one key: who goes to the origin, and who is answered with what another one got."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from typing import Any

import pytest
from aiohttp import web

from edge_handler.origin_request import handler as origin_request
from local_edge import cloudfront
from local_edge.template import Policy, Selection, load_template
from tests.local_edge.playing import Answer, Played, play, playing

FORWARDED = load_template(stack="s", bucket="b").distribution().forwarded
WITHOUT_COOKIES: Policy = replace(FORWARDED, cookies=Selection("none", frozenset()))


@dataclass
class Origin:
    """Answers nobody at `/` before it is told to, and says the how manieth answer it is."""

    headers: dict[str, str] = field(default_factory=dict)
    status: int = 200
    arrived: list[str] = field(default_factory=list)
    answering: int = 0
    """How many of them are answered."""

    async def __call__(self, request: web.BaseRequest) -> web.StreamResponse:
        if request.path != "/":
            return web.Response()
        self.arrived.append(request.method)
        number = len(self.arrived)
        while number > self.answering:
            await asyncio.sleep(0.01)
        if request.headers.get("if-none-match", "") == self.headers.get("etag"):
            return web.Response(status=304, headers=self.headers)
        return web.Response(status=self.status, headers=self.headers, text=f"answer {number}")

    async def has_got(self, requests: int) -> None:
        while len(self.arrived) < requests:
            await asyncio.sleep(0.01)


@asynccontextmanager
async def collapsing(origin: Any, **options: Any) -> AsyncIterator[Played]:
    """Play the template as it would be if it forwarded no cookies."""
    async with playing(origin, forwarded=WITHOUT_COOKIES, **options) as played:
        yield played


async def send(played: Played, viewers: int, method: str = "GET", **headers: str) -> list[asyncio.Task[Answer]]:
    """Send requests, and return when all of them wait for the origin or for one another."""
    before = played.invoked.count(("viewer-request", "/"))
    tasks = [asyncio.create_task(played.get(method=method, **headers)) for _ in range(viewers)]
    while played.invoked.count(("viewer-request", "/")) < before + viewers:
        await asyncio.sleep(0.01)
    # viewer-request sees one request at a time, and what came out of it before this one has come to its next wait.
    await played.get("/another")
    return tasks


def test_one_request_goes_to_the_origin_and_all_are_answered() -> None:
    async def test() -> None:
        origin = Origin()
        async with collapsing(origin) as played:
            tasks = await send(played, 5)
            origin.answering = 99
            answers = await asyncio.gather(*tasks)
            assert {answer.text for answer in answers} == {"answer 1"}
            assert sorted(answer.x_cache for answer in answers) == ["Hit"] * 4 + ["Miss"]
            assert len(origin.arrived) == 1
            assert (await played.get()).text == "answer 2"

    play(test())


def test_a_template_that_forwards_cookies_collapses_nothing() -> None:
    async def test() -> None:
        origin = Origin()
        async with playing(origin) as played:
            tasks = await send(played, 3)
            await origin.has_got(3)
            origin.answering = 99
            assert {answer.text for answer in await asyncio.gather(*tasks)} == {"answer 1", "answer 2", "answer 3"}

    play(test())


@pytest.mark.parametrize("control", ["no-store", "private", "no-cache", "max-age=0", "s-maxage=0"])
def test_what_an_origin_keeps_to_itself_is_one_viewers(control: str) -> None:
    async def test() -> None:
        origin = Origin({"cache-control": control})
        async with collapsing(origin) as played:
            tasks = await send(played, 3)
            assert len(origin.arrived) == 1
            origin.answering = 1
            await origin.has_got(3)
            origin.answering = 99
            answers = await asyncio.gather(*tasks)
            assert {answer.text for answer in answers} == {"answer 1", "answer 2", "answer 3"}

    play(test())


@pytest.mark.parametrize(("status", "asked"), [(500, 1), (404, 3)])
def test_an_error_is_shared_where_it_is_kept(status: int, asked: int) -> None:
    async def test() -> None:
        origin = Origin({"cache-control": "no-store"}, status)
        async with collapsing(origin, error_caching_min_ttls={}) as played:
            tasks = await send(played, 3)
            origin.answering = 99
            assert [answer.status for answer in await asyncio.gather(*tasks)] == [status] * 3
            assert len(origin.arrived) == asked

    play(test())


@pytest.mark.parametrize(("method", "headers"), [("POST", {}), ("GET", {"range": "bytes=0-1"})])
def test_other_methods_and_parts_are_not_collapsed(method: str, headers: dict[str, str]) -> None:
    async def test() -> None:
        origin = Origin()
        async with collapsing(origin) as played:
            tasks = await send(played, 3, method, **headers)
            await origin.has_got(3)
            origin.answering = 99
            await asyncio.gather(*tasks)
            assert origin.arrived == [method] * 3

    play(test())


def test_get_and_head_wait_for_their_own_kind() -> None:
    async def test() -> None:
        origin = Origin()
        async with collapsing(origin) as played:
            tasks = [*await send(played, 2, "HEAD"), *await send(played, 2)]
            await origin.has_got(2)
            origin.answering = 99
            answers = await asyncio.gather(*tasks)
            assert sorted(origin.arrived) == ["GET", "HEAD"]
            assert answers[2].text == answers[3].text != ""

    play(test())


def test_a_viewer_with_a_copy_is_told_that_it_is_current_by_the_answer_of_another() -> None:
    async def test() -> None:
        origin = Origin({"etag": '"x"'})
        async with collapsing(origin) as played:
            first = await send(played, 1)
            second = await send(played, 1, if_none_match='"x"')
            origin.answering = 99
            assert [(await task).status for task in (*first, *second)] == [200, 304]
            assert len(origin.arrived) == 1

    play(test())


def test_that_one_viewers_copy_is_current_is_no_answer_for_the_others() -> None:
    async def test() -> None:
        origin = Origin({"etag": '"x"'})
        async with collapsing(origin) as played:
            first = await send(played, 1, if_none_match='"x"')
            second = await send(played, 1)
            origin.answering = 99
            assert [(await task).status for task in (*first, *second)] == [304, 200]

    play(test())


def test_a_revalidated_object_and_one_that_stands_in_are_shared() -> None:
    async def test() -> None:
        origin = Origin({"etag": '"x"', "cache-control": "max-age=5"}, answering=1)
        async with collapsing(origin) as played:
            await played.get()
            for status in (200, 503):
                played.clock.now += 5
                origin.status = status
                asked = len(origin.arrived)
                tasks = await send(played, 3)
                origin.answering = asked + 1
                answers = await asyncio.gather(*tasks)
                assert [(answer.status, answer.text) for answer in answers] == [(200, "answer 1")] * 3
                assert sorted(answer.x_cache for answer in answers) == ["Hit", "Hit", "RefreshHit"]
                assert len(origin.arrived) == asked + 1
                # From here on it has nothing to say of this copy.
                origin.headers = {}

    play(test())


def test_where_the_viewer_that_was_first_leaves_another_ones_request_takes_its_place() -> None:
    async def test() -> None:
        origin = Origin()
        async with collapsing(origin) as played:
            (leader,) = await send(played, 1)
            await origin.has_got(1)
            others = await send(played, 3)
            leader.cancel()
            await origin.has_got(2)
            origin.answering = 99
            assert [answer.text for answer in await asyncio.gather(*others)] == ["answer 2"] * 3
            assert len(origin.arrived) == 2

    play(test())


def test_a_viewer_that_stops_waiting_takes_nothing_from_the_others() -> None:
    async def test() -> None:
        origin = Origin()
        async with collapsing(origin) as played:
            first, second, third = [(await send(played, 1))[0] for _ in range(3)]
            second.cancel()
            await played.get("/another")
            origin.answering = 99
            assert [(await task).text for task in (first, third)] == ["answer 1"] * 2

    play(test())


def test_a_function_that_fails_for_one_is_tried_for_the_next() -> None:
    async def test() -> None:
        origin = Origin()
        failed: list[bool] = []

        def failing_once(event: dict[str, Any], context: object) -> dict[str, Any]:
            if not failed and event["Records"][0]["cf"]["request"]["uri"] == "/":
                failed.append(True)
                raise RuntimeError
            return origin_request(event, context)

        async with collapsing(origin, functions={"origin-request": failing_once}) as played:
            origin.answering = 99
            answers = await asyncio.gather(*await send(played, 3))
            assert sorted(answer.status for answer in answers) == [200, 200, 502]

    play(test())


@pytest.mark.parametrize(("kept_bytes", "asked"), [(1_000_000, 1), (100_000, 2)])
def test_a_large_object_streams_and_is_shared_when_it_is_whole_if_it_is_kept_at_all(
    monkeypatch: pytest.MonkeyPatch, kept_bytes: int, asked: int
) -> None:
    monkeypatch.setattr(cloudfront, "MAX_OBJECT_BYTES", kept_bytes)
    parts = [b"a" * 300_000, b"b" * 300_000]

    async def test() -> None:
        more = asyncio.Event()
        arrived: list[str] = []

        async def origin(request: web.BaseRequest) -> web.StreamResponse:
            response = web.StreamResponse(headers={"cache-control": "max-age=60"})
            await response.prepare(request)
            if request.path == "/":
                arrived.append(request.path)
                await response.write(parts[0])
                await more.wait()
                await response.write(parts[1])
            return response

        async with (
            collapsing(origin) as played,
            played.session.get(played.url(), headers={"host": "a.localhost"}) as first,
        ):
            assert await first.content.readexactly(len(parts[0])) == parts[0]
            (waiting,) = await send(played, 1)
            more.set()
            assert await first.content.read() == parts[1]
            assert (await waiting).text.encode() == b"".join(parts)
            assert len(arrived) == asked

    play(test())
