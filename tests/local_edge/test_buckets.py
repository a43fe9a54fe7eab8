"""Buckets at the local edge: origin access control signs for the stack's own, origin-request for all others."""

import re
from typing import Any

import pytest
from aiohttp import web
from botocore.auth import S3SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.config import Config
from botocore.credentials import Credentials

from edge_handler.origin_request import make_handler as make_origin_request
from edge_handler.routes.origin import S3Origin
from edge_handler.routes.resolver import Resolver
from edge_handler.viewer_request import make_handler
from edge_handler.website import bucket
from local_edge.functions import Function
from tests.local_edge.playing import Answer, play, playing
from tests.support import NOBODY, SETTINGS, STATIC, Clock, Rows, route

OTHERS = {
    "other.localhost": S3Origin("other-sites.s3.eu-west-1.amazonaws.com", "eu-west-1", "/env-321"),
    "dotted.localhost": S3Origin("www.acme.com.s3.eu-west-1.amazonaws.com", "eu-west-1", "/env-321"),
}
ROWS = Rows(*(route(host, origin) for host, origin in OTHERS.items()))
origin_request = make_origin_request(NOBODY)


@pytest.fixture(autouse=True)
def credentials(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {"ACCESS_KEY_ID": "EDGE", "SECRET_ACCESS_KEY": "secret", "SESSION_TOKEN": "token"}.items():
        monkeypatch.setenv(f"AWS_{name}", value)
    monkeypatch.setattr(bucket, "_signers", {})


async def s3(request: web.BaseRequest) -> web.StreamResponse:
    """Answer as S3 does: 403 to whom the bucket's policy does not name, and to a signature that does not hold.

    The signature is botocore's, made once more of the headers that are said to be signed.
    """
    given = re.fullmatch(
        r"AWS4-HMAC-SHA256 Credential=EDGE/\d+/(.+)/s3/aws4_request, SignedHeaders=(.+), Signature=.+",
        request.headers.get("authorization", ""),
    )
    if given is None:
        return web.Response(status=403, text="not the edge's role")
    listed = given[2].split(";")
    unsigned = [name for name in request.headers if name.lower().startswith("x-amz-") and name.lower() not in listed]
    if unsigned:
        return web.Response(status=403, text=f"not signed: {unsigned}")
    again = AWSRequest(
        request.method,
        f"https://{request.headers['host']}{request.raw_path}",
        {name: request.headers[name] for name in listed if name not in ("x-amz-date", "x-amz-security-token")},
    )
    again.context["client_config"] = Config(s3={"payload_signing_enabled": False})
    again.context["timestamp"] = request.headers["x-amz-date"]
    signer = S3SigV4Auth(Credentials("EDGE", "secret", "token"), "s3", given[1])
    again.headers["X-Amz-Date"] = request.headers["x-amz-date"]
    again.headers["X-Amz-Security-Token"] = "token"
    signature = signer.signature(signer.string_to_sign(again, signer.canonical_request(again)), again)
    if not request.headers["authorization"].endswith(f"Signature={signature}"):
        return web.Response(status=403, text="the signature does not hold")
    return web.Response(text=f"{request.headers['host']}{request.raw_path}")


def ask(host: str, function: Function = origin_request) -> Answer:
    async def test() -> Answer:
        functions = {"viewer-request": make_handler(Resolver(ROWS, SETTINGS, Clock())), "origin-request": function}
        async with playing(s3, functions=functions) as played:
            return await played.get("/style.css", host=host)

    return play(test())


@pytest.mark.parametrize(
    ("host", "asked"),
    [
        ("other.localhost", "other-sites.s3.eu-west-1.amazonaws.com/env-321/style.css"),
        ("dotted.localhost", "s3.eu-west-1.amazonaws.com/www.acme.com/env-321/style.css"),
    ],
)
def test_a_bucket_that_is_not_the_stacks_own_takes_what_is_signed_for_it(host: str, asked: str) -> None:
    answer = ask(host)
    assert (answer.status, answer.text) == (200, asked)


def test_sent_to_an_s3_origin_its_signature_would_be_overwritten() -> None:
    def as_s3(event: dict[str, Any], context: object) -> dict[str, Any]:
        request = origin_request(event, context)
        origin = {"authMethod": "none", "customHeaders": {}, "domainName": OTHERS["other.localhost"].domain_name}
        return {**request, "origin": {"s3": {**origin, "path": "", "region": "eu-west-1"}}}

    answer = ask("other.localhost", as_s3)
    assert answer.status == 403
    assert "origin access control overwrites the signature" in answer.text


def test_without_cloudfronts_id_among_what_is_signed_s3_refuses() -> None:
    def unsigned(event: dict[str, Any], context: object) -> dict[str, Any]:
        event["Records"][0]["cf"]["config"]["requestId"] = ""
        return origin_request(event, context)

    answer = ask("other.localhost", unsigned)
    assert answer.status == 403
    assert "not signed: x-amz-cf-id" in answer.text


OF_S3 = {"x-amz-id-2": "a", "x-amz-request-id": "b", "x-amz-version-id": "c", "x-amz-meta-built-by": "d"}


async def files(request: web.BaseRequest) -> web.StreamResponse:
    """Answer as S3 does for an object that is kept for five seconds and never changes."""
    assert "x-amz-security-token" in request.headers or "authorization" in request.headers
    unmodified = request.headers.get("if-none-match") == '"e"'
    headers = {**OF_S3, "etag": '"e"', "cache-control": "max-age=5", "server": "AmazonS3"}
    return web.Response(status=304 if unmodified else 200, headers=headers, body=None if unmodified else b"file")


def headers_of_s3(answer: Answer) -> set[str]:
    return {name for name in answer.headers if name.startswith("x-amz-") and name != "x-amz-cf-id"} | (
        {"server"} if answer.headers.get("server") == "AmazonS3" else set()
    )


@pytest.mark.parametrize("host", ["site.localhost", "other.localhost"])
@pytest.mark.parametrize("deployed", [True, False])
def test_what_s3_says_about_itself_reaches_no_viewer_fresh_revalidated_or_unmodified(deployed: bool, host: str) -> None:
    async def test() -> list[Answer]:
        resolver = Resolver(Rows(route(host, OTHERS.get(host, STATIC))), SETTINGS, Clock())
        functions: dict[str, Function] = {"viewer-request": make_handler(resolver)}
        if not deployed:
            functions["origin-response"] = lambda event, _: event["Records"][0]["cf"]["response"]
        async with playing(files, functions=functions) as played:
            # The bucket has it unmodified, and this edge has nothing yet.
            answers = [await played.get("/x.css", host=host, if_none_match='"e"')]
            answers.append(await played.get("/x.css", host=host))
            answers.append(await played.get("/x.css", host=host))
            played.clock.now += 5
            answers.append(await played.get("/x.css", host=host))
            answers.append(await played.get("/x.css", host=host, if_none_match='"e"'))
            return answers

    answers = play(test())
    assert [(answer.status, answer.x_cache) for answer in answers] == [
        (304, "Miss"),
        (200, "Miss"),
        (200, "Hit"),
        (200, "RefreshHit"),
        (304, "Hit"),
    ]
    assert [headers_of_s3(answer) == set() for answer in answers] == [deployed] * 5
    assert all(answer.headers["etag"] == '"e"' for answer in answers)


async def nothing(request: web.BaseRequest) -> web.StreamResponse:
    """Answer as S3 does for a key that it does not have."""
    xml = b"<Error><Code>NoSuchKey</Code><Key>env-123/x.css</Key></Error>"
    response = web.StreamResponse(status=404, headers={**OF_S3, "content-type": "application/xml"})
    response.enable_chunked_encoding()
    await response.prepare(request)
    if request.method != "HEAD":
        await response.write(xml)
    return response


@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_a_body_that_origin_response_makes_takes_the_place_of_the_origins_and_is_kept(method: str) -> None:
    async def test() -> list[Answer]:
        functions: dict[str, Function] = {"viewer-request": make_handler(Resolver(Rows(route("x")), SETTINGS, Clock()))}
        async with playing(nothing, functions=functions) as played:
            return [await played.get("/x.css", method, host="x") for _ in range(2)]

    answers = play(test())
    assert [(answer.status, answer.x_cache) for answer in answers] == [(404, "Error"), (404, "Error")]
    assert answers[1].headers.get("age") == "0"
    assert [answer.text.startswith("<!doctype html>") for answer in answers] == [method == "GET"] * 2
    assert not [answer for answer in answers if "NoSuchKey" in answer.text or "chunked" in answer.headers.values()]
