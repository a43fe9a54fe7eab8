"""A canary through the played CloudFront: two viewers on different sides, one URL, and one cache between them."""

import itertools
from typing import Any

import pytest
from aiohttp import web

from edge_handler.origin_request import make_handler as make_origin_request
from edge_handler.routes.canary import Canary
from edge_handler.routes.origin import CustomOrigin, Origin, S3Origin
from edge_handler.routes.resolver import Resolver
from edge_handler.routes.route import Route, encode_route
from edge_handler.viewer_request import make_handler
from local_edge.functions import Function
from tests.local_edge.playing import Played, play, playing
from tests.support import OWN_BUCKET, SETTINGS, Clock, Rows, route

HOST = "shop.localhost"
BUCKET = (S3Origin(OWN_BUCKET, "us-east-1", "/one"), S3Origin(OWN_BUCKET, "us-east-1", "/two"))
APPLICATIONS = (
    CustomOrigin("one.example.com", "http", 80, "/one", "origin", website=False),
    CustomOrigin("two.example.com", "http", 80, "/two", "origin", website=False),
)
SIDES = {"stable": "__Host-edge-side=stable.7", "canary": "__Host-edge-side=canary.7"}


@pytest.mark.parametrize("origins", [BUCKET, APPLICATIONS], ids=["prefixes", "applications"])
def test_the_sides_never_mix_and_each_stays_cached_through_weights_promotion_and_abort(
    origins: tuple[Origin, Origin],
) -> None:
    one, two = origins
    rows, clock, numbers = Rows(), Clock(), itertools.count(1)
    begun = route(HOST, one, generation=3, revision=7, canary=Canary(two, 50, 7, 7))
    told: list[str] = []

    async def serve(request: web.BaseRequest) -> web.StreamResponse:
        told.append(request.headers.get("cookie", ""))
        body = f"{request.path.split('/')[1]} {next(numbers)}"
        return web.Response(text=body, headers={"cache-control": "public, max-age=600"})

    async def both(played: Played, x_cache: str) -> dict[str, str]:
        found = {}
        for side, cookie in SIDES.items():
            answer = await played.get("/page.html", host=HOST, cookie=cookie)
            assert answer.status == 200
            assert (side, answer.x_cache) == (side, x_cache)
            found[side] = answer.text
        return found

    def put(row: Route) -> None:
        rows.items[HOST] = encode_route(row)
        clock.now += SETTINGS.fresh_seconds

    async def test() -> None:
        functions: dict[str, Function] = {
            "viewer-request": make_handler(Resolver(rows, SETTINGS, clock)),
            "origin-request": make_origin_request("http://127.0.0.1:9"),
        }
        async with playing(serve, functions=functions) as played:
            put(begun._replace(canary=None))
            before = (await played.get("/page.html", host=HOST)).text
            put(begun)
            # The stable side has been cached since before the canary began.
            stable = await played.get("/page.html", host=HOST, cookie=SIDES["stable"])
            assert (stable.x_cache, stable.text) == ("Hit", before)
            canary = await played.get("/page.html", host=HOST, cookie=SIDES["canary"])
            assert (canary.x_cache, canary.text[:3]) == ("Miss", "two")
            first = {"stable": before, "canary": canary.text}
            assert before.startswith("one")
            for weight in (0, 1, 90, 100):
                put(begun._replace(canary=Canary(two, weight, 7, 7), revision=8 + weight))
                for _ in range(2):
                    assert await both(played, "Hit") == first
            # Promoted: all get what the canary's side has in the cache.
            put(begun._replace(origin=two, generation=7, canary=None, revision=200))
            assert await both(played, "Hit") == dict.fromkeys(SIDES, first["canary"])
            # Aborted instead: all get what the stable side has.
            put(begun._replace(canary=None, revision=200))
            assert await both(played, "Hit") == dict.fromkeys(SIDES, first["stable"])
        assert not any("edge-side" in cookie for cookie in told)

    play(test())


@pytest.mark.parametrize("origins", [BUCKET, APPLICATIONS], ids=["prefixes", "applications"])
def test_a_testers_choice_changes_what_the_same_url_is(origins: tuple[Origin, Origin]) -> None:
    one, two = origins
    rows = Rows(route(HOST, one, canary=Canary(two, 0, 7, 7)))

    async def serve(request: web.BaseRequest) -> web.StreamResponse:
        return web.Response(text=request.path.split("/")[1], headers={"cache-control": "public, max-age=600"})

    async def test() -> Any:
        functions: dict[str, Function] = {
            "viewer-request": make_handler(Resolver(rows, SETTINGS, Clock())),
            "origin-request": make_origin_request("http://127.0.0.1:9"),
        }
        async with playing(serve, functions=functions) as played:
            assert (await played.get("/page.html", host=HOST)).text == "one"
            chosen = await played.get("/.well-known/edge-canary?side=canary&to=/page.html", host=HOST)
            assert (chosen.status, chosen.headers["location"]) == (303, "/page.html")
            cookie = chosen.headers["set-cookie"].partition(";")[0]
            assert (await played.get("/page.html", host=HOST, cookie=cookie)).text == "two"
            assert (await played.get("/page.html", host=HOST)).text == "one"

    play(test())
