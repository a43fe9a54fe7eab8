import calendar
import hashlib
import time

import pytest
from botocore.auth import S3SigV4Auth, SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.config import Config
from botocore.credentials import Credentials as ReferenceCredentials
from hypothesis import given
from hypothesis import strategies as st

from edge_handler.aws.sigv4 import UNSIGNED_PAYLOAD, Credentials, Signer
from edge_handler.website.paths import object_uri

TOKENS = st.text("abcABC0123/+=", max_size=20)


@given(st.binary(max_size=50), TOKENS, st.text("abc/+", min_size=1))
def test_dynamodb_requests_are_signed_as_botocore_signs_them(body: bytes, token: str, secret: str) -> None:
    request = AWSRequest("POST", "https://dynamodb.eu-west-1.amazonaws.com/", {"x-amz-target": "T"}, body)
    request.headers["host"] = "dynamodb.eu-west-1.amazonaws.com"
    SigV4Auth(ReferenceCredentials("AK", secret, token or None), "dynamodb", "eu-west-1").add_auth(request)
    headers = {"host": "dynamodb.eu-west-1.amazonaws.com", "x-amz-target": "T"}
    signed = _sign_at(
        request.headers["X-Amz-Date"],
        Signer("dynamodb", "eu-west-1", Credentials("AK", secret, token)),
        ("POST", "/", headers, hashlib.sha256(body).hexdigest()),
    )
    assert signed["authorization"] == request.headers["Authorization"]


@given(st.text("ab/ \u00e9+!*'()~;,@$&=%", max_size=20), st.sampled_from(["GET", "HEAD"]), TOKENS)
def test_s3_requests_are_signed_as_botocore_signs_them(name: str, method: str, token: str) -> None:
    path = object_uri("/" + name)
    host = "bucket.s3.eu-west-1.amazonaws.com"
    request = AWSRequest(method, f"https://{host}{path}", {"host": host})
    request.context["client_config"] = Config(s3={"payload_signing_enabled": False})
    S3SigV4Auth(ReferenceCredentials("AK", "SK", token or None), "s3", "eu-west-1").add_auth(request)
    headers = {"host": host, "x-amz-content-sha256": UNSIGNED_PAYLOAD}
    signed = _sign_at(
        request.headers["X-Amz-Date"],
        Signer("s3", "eu-west-1", Credentials("AK", "SK", token)),
        (method, path, headers, UNSIGNED_PAYLOAD),
    )
    assert signed["authorization"] == request.headers["Authorization"]


def test_the_next_day_is_signed_with_the_next_days_key() -> None:
    signer = Signer("s3", "us-east-1", Credentials("AK", "SK", ""))
    one = signer.sign("GET", "/", {"host": "a"}, UNSIGNED_PAYLOAD, 0)
    signer.sign("GET", "/", {"host": "a"}, UNSIGNED_PAYLOAD, 86400)
    assert signer.sign("GET", "/", {"host": "a"}, UNSIGNED_PAYLOAD, 0) == one


def _sign_at(date: str, signer: Signer, arguments: tuple[str, str, dict[str, str], str]) -> dict[str, str]:
    return signer.sign(*arguments, now=calendar.timegm(time.strptime(date, "%Y%m%dT%H%M%SZ")))


@pytest.mark.parametrize("token", ["", "T"])
def test_a_session_token_is_sent_only_where_there_is_one(token: str) -> None:
    signed = Signer("s3", "us-east-1", Credentials("AK", "SK", token)).sign("GET", "/", {"host": "a"}, "x", 0)
    assert ("x-amz-security-token" in signed) == bool(token)
