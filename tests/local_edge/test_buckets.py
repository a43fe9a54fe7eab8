"""Buckets at the local edge: origin access control signs for the stack's own, origin-request for all others."""

import re
from typing import Any

import pytest
from aiohttp import web
from botocore.auth import S3SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.config import Config
from botocore.credentials import Credentials

from edge_handler.origin_request import handler as origin_request
from edge_handler.routes.resolver import Resolver
from edge_handler.routes.route import S3Origin
from edge_handler.viewer_request import make_handler
from edge_handler.website import bucket
from local_edge.functions import Function
from tests.local_edge.playing import Answer, play, playing
from tests.support import SETTINGS, Clock, Rows, route

OTHERS = {
    "other.localhost": S3Origin("other-sites.s3.eu-west-1.amazonaws.com", "eu-west-1", "/env-321"),
    "dotted.localhost": S3Origin("www.acme.com.s3.eu-west-1.amazonaws.com", "eu-west-1", "/env-321"),
}
ROWS = Rows(*(route(host, origin) for host, origin in OTHERS.items()))


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
