"""A deployment through the played CloudFront, from an embedded S3: all three functions, the cache between them."""

import asyncio
import itertools
from collections.abc import Mapping
from hashlib import sha256

import pytest
from aiohttp import web
from yarl import URL

from edge_handler.answers import MISSING
from edge_handler.origin_request import make_handler as make_origin_request
from edge_handler.routes.origin import DeploymentOrigin
from edge_handler.routes.resolver import Resolver
from edge_handler.viewer_request import make_handler
from edge_handler.website import deployments
from edge_handler.website.listing import File, Options, encode_listing
from edge_handler.website.resolution import CACHE
from local_edge.embedded_aws import EmbeddedAws
from local_edge.functions import Function
from tests.local_edge.playing import Answer, Played, play, playing
from tests.support import OWN_BUCKET, SETTINGS, Clock, Rows, route

HOST = "site.localhost"
FILES = {"/index.html": "home", "/404.html": "nothing " * 190_000, "/docs/index.html": "docs", "/app.js": "1"}
_numbers = itertools.count(1)
Ask = tuple[str, str, dict[str, str]]


@pytest.fixture(autouse=True)
def patience(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(deployments, "SECONDS", 60)


def ask(
    aws: EmbeddedAws, *asks: Ask, files: Mapping[str, str] = FILES, lacks: str = "", together: bool = False
) -> list[Answer]:
    """Deploy `files`, without the blob of one that it `lacks`, and ask method, path and headers one by one."""
    s3 = aws.client("s3")
    contents = {path: content.encode() for path, content in {**files, f"/{next(_numbers)}.txt": "x"}.items()}
    listed = {
        path: File(sha256(content).hexdigest(), "text/html; charset=utf-8", False, len(content))
        for path, content in contents.items()
    }
    listing = encode_listing(listed, Options())
    for path, content in contents.items():
        if path != lacks:
            s3.put_object(Bucket="acme-static-sites", Key=f"_blobs/{listed[path].blob}", Body=content)
    s3.put_object(Bucket="acme-static-sites", Key=listing.key, Body=listing.content)
    origin = DeploymentOrigin(OWN_BUCKET, "us-east-1", listing.id, "files", "*")
    functions: dict[str, Function] = {
        "viewer-request": make_handler(Resolver(Rows(route(HOST, origin)), SETTINGS, Clock())),
        "origin-request": make_origin_request(aws.endpoint),
    }
    port = URL(aws.endpoint).port

    async def nobody(_request: web.BaseRequest) -> web.StreamResponse:
        return web.Response(status=500)

    def one(played: Played, given: Ask) -> "asyncio.Future[Answer]":
        method, path, headers = given
        return asyncio.ensure_future(played.get(path, method, HOST, **headers))

    async def test() -> list[Answer]:
        locate = lambda url: url.with_scheme("http").with_host("127.0.0.1").with_port(port)  # noqa: E731
        async with playing(nobody, functions=functions, locate=locate) as played:
            if together:
                return await asyncio.gather(*(one(played, given) for given in asks))
            return [await one(played, given) for given in asks]

    return play(test())


def get(path: str, **headers: str) -> Ask:
    return "GET", path, headers


def test_a_page_is_its_blob_with_the_lists_headers_and_stays_in_the_cdn(aws: EmbeddedAws) -> None:
    first, again, unmodified = ask(
        aws, get("/"), get("/?utm=x"), get("/", if_none_match='"106a6c241b8797f52e1e77317b96a201"')
    )
    assert (first.status, first.text, first.headers["content-type"]) == (200, "home", "text/html; charset=utf-8")
    assert first.headers["cache-control"] == CACHE["P"]
    assert "access-control-allow-origin" not in first.headers  # the site answers preflights, and says it of no path
    assert "last-modified" not in first.headers
    assert (first.x_cache, again.x_cache) == ("Miss", "Hit")
    assert (unmodified.status, unmodified.text) == (304, "")


@pytest.mark.parametrize("before", [[], [get("/nothing")]])
@pytest.mark.parametrize(
    "given",
    [get("/nothing"), get("/nothing", range="bytes=0-3"), ("HEAD", "/nothing", {}), get("/nothing", if_match='"x"')],
)
def test_a_missing_page_is_the_sites_own_and_404_whatever_is_asked_of_it(
    aws: EmbeddedAws, given: Ask, before: list[Ask]
) -> None:
    answer = ask(aws, *before, given)[-1]
    assert (answer.status, answer.headers["cache-control"]) == (404, MISSING)
    assert answer.text == ("" if given[0] == "HEAD" else FILES["/404.html"])
    assert not {"etag", "last-modified", "content-range"} & {*answer.headers}


def test_a_missing_page_asked_for_on_a_condition_is_404_and_spoils_nothing(aws: EmbeddedAws) -> None:
    conditional, plain = ask(aws, get("/nothing", if_none_match="*"), get("/nothing"))
    assert (conditional.status, plain.status) == (404, 404)
    assert plain.text == FILES["/404.html"]


@pytest.mark.parametrize("together", [False, True])
def test_two_viewers_with_different_queries_get_their_own_location_cold_and_warm(
    aws: EmbeddedAws, together: bool
) -> None:
    answers = ask(aws, *[get(f"/docs?q={number % 2}") for number in range(6)], together=together)
    assert [(answer.status, answer.headers["location"]) for answer in answers] == [
        (308, f"/docs/?q={number % 2}") for number in range(6)
    ]


def test_a_blob_that_is_not_there_is_502_and_kept_by_nobody(aws: EmbeddedAws) -> None:
    files = {"/index.html": "a page whose blob nobody has sent"}
    first, again = ask(aws, get("/"), get("/"), files=files, lacks="/index.html")
    assert (first.status, again.status, again.x_cache) == (502, 502, "Error")
    assert "<Error>" not in first.text


def test_a_browser_that_asks_first_is_answered(aws: EmbeddedAws) -> None:
    (answer,) = ask(
        aws, ("OPTIONS", "/app.js", {"origin": "https://x.example", "access_control_request_method": "GET"})
    )
    assert (answer.status, answer.headers["access-control-allow-origin"]) == (204, "*")
