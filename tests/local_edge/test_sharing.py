"""What CloudFront shares between viewers of an application, played; and what keeps an answer to one of them."""

from typing import Any

import pytest
from aiohttp import web

from tests.local_edge.playing import TEXT, Answer, play, playing

KEY = "Headers: [x-route, authorization]"


def two_viewers(headers: dict[str, str], text: str = TEXT) -> tuple[Answer, Answer]:
    """Return what two people get of an application that answers each in another way."""

    async def origin(request: web.BaseRequest) -> web.Response:
        who = request.headers["cookie"].removeprefix("session=")
        said = {name: value.format(who=who) for name, value in headers.items()}
        if "etag" in said and request.headers.get("if-none-match") == said["etag"]:
            return web.Response(status=304, headers=said)
        return web.Response(text=f"{who} {request.headers.get('accept-language')}", headers=said)

    async def test() -> Any:
        async with playing(origin, text) as played:
            first = await played.get(cookie="session=ann", accept_language="de", origin="https://one.example")
            second = await played.get(cookie="session=bob", accept_language="fr", origin="https://two.example")
            return first, second

    found: tuple[Answer, Answer] = play(test())
    return found


def test_a_cookie_with_a_public_lifetime_is_everybodys() -> None:
    first, second = two_viewers({"cache-control": "max-age=60", "set-cookie": "session={who}"})
    assert first.headers["set-cookie"] == second.headers["set-cookie"] == "session=ann"
    assert second.x_cache == "Hit"


def test_a_cookie_is_replayed_with_what_its_origin_finds_unmodified() -> None:
    _, second = two_viewers({"etag": '"1"', "set-cookie": "session={who}"})
    assert (second.headers["set-cookie"], second.x_cache) == ("session=ann", "RefreshHit")


@pytest.mark.parametrize("vary", ["Origin", "Accept-Language", "Cookie", "origin, accept-language"])
def test_vary_does_not_tell_viewers_apart(vary: str) -> None:
    _, second = two_viewers({"cache-control": "max-age=60", "vary": vary})
    assert (second.text, second.x_cache) == ("ann de", "Hit")


def test_a_header_in_the_cache_policy_does() -> None:
    text = TEXT.replace(KEY, "Headers: [x-route, authorization, accept-language]")
    assert text != TEXT
    _, second = two_viewers({"cache-control": "max-age=60", "vary": "Accept-Language"}, text)
    assert (second.text, second.x_cache) == ("bob fr", "Miss")


@pytest.mark.parametrize("control", ["private", "no-store", "private, max-age=60", "max-age=0"])
def test_what_says_that_it_is_one_viewers_stays_so(control: str) -> None:
    _, second = two_viewers({"cache-control": control, "set-cookie": "session={who}", "vary": "Cookie"})
    assert (second.text, second.headers["set-cookie"]) == ("bob fr", "session=bob")
