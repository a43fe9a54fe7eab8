"""origin-request, of what a row says about headers and robots: told to origin-response, said of what it answers."""

import os
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_handler.answers import Result
from edge_handler.origin_request import make_handler
from edge_handler.routes import kind
from edge_handler.routes.origin import CustomOrigin, DeploymentOrigin, Origin, S3Origin
from edge_handler.routes.stamp import encode_stamp
from edge_handler.website.resolution import CACHE
from local_edge.embedded_aws import EmbeddedAws
from tests.policies import HEADERS
from tests.support import NOBODY, OWN_BUCKET, STATIC, event, header, run

ELB = CustomOrigin("demo-ingress-1.us-east-1.elb.amazonaws.com", "http", 80, "", "viewer", website=False)
GOOGLE = CustomOrigin("storage.googleapis.com", "https", 443, "/acme-sites", "origin", website=True)
NOINDEX = ("x-robots-tag", "noindex")
SAID = (("cache-control", "public, max-age=60"), ("content-type", "text/x"), ("server-timing", ""), ("x-a", "b; c"))
without_s3 = make_handler(NOBODY)


@pytest.fixture
def s3(aws: EmbeddedAws, monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.setenv("TEST_S3_ENDPOINT", aws.endpoint)
    for module in ("prefix", "deployments"):
        monkeypatch.setattr(f"edge_handler.website.{module}.SECONDS", 60)
    client = aws.client("s3")
    for key in ("env-123/index.html", "env-123/docs/index.html"):
        client.put_object(Bucket="acme-static-sites", Key=key, Body=b"x")
    return client


def with_s3(event_: Any, context: object) -> Result:
    return make_handler(os.environ["TEST_S3_ENDPOINT"])(event_, context)


def asking(origin: Origin, uri: str = "/", **said: Any) -> dict[str, Any]:
    changed = event("origin-request-static")
    request = changed["Records"][0]["cf"]["request"]
    request["uri"] = uri
    request["headers"]["x-route"][0]["value"] = encode_stamp("a.localhost", 1, origin, **said)
    request["headers"]["x-route-kind"] = [{"value": "site {}"}]
    return changed


def told(result: dict[str, Any]) -> tuple[str, int, list[tuple[str, str]]] | None:
    value = header(result, "x-route-kind")
    if value is None:
        return None
    name, status, headers = kind.decode_kind(value)
    return name, status, [(one, said) for one, said in headers]


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        ({}, None),
        ({"noindex": True}, [NOINDEX]),
        ({"headers": SAID}, [*SAID]),
        ({"noindex": True, "headers": SAID}, [*SAID, NOINDEX]),
        ({"noindex": True, "headers": (("x-robots-tag", "none"),)}, [("x-robots-tag", "none")]),
    ],
)
def test_what_a_row_says_is_told_of_applications_and_of_files(
    said: dict[str, Any], expected: list[tuple[str, str]] | None
) -> None:
    """Of an application whose row says nothing nothing is told, whatever a viewer sends."""
    assert told(run(without_s3, asking(ELB, **said))) == (expected and (kind.APPLICATION, 200, expected))
    for origin in (GOOGLE, S3Origin("other.s3.eu-west-1.amazonaws.com", "eu-west-1", "")):
        result = run(without_s3, asking(origin, "/style.css", **said))
        assert told(result) == (kind.WEBSITE, 200, expected or [])
        assert (header(result, "x-route-kind") == "website") is (expected is None)


def test_the_sample_of_an_ephemeral_application_is_told_to_keep_robots_away() -> None:
    assert told(run(without_s3, event("origin-request-noindex"))) == (kind.APPLICATION, 200, [NOINDEX])


@given(st.booleans(), st.just(()) | HEADERS)
def test_an_application_is_asked_the_same_but_for_what_is_told(
    noindex: bool, headers: tuple[tuple[str, str], ...]
) -> None:
    plain = run(without_s3, asking(ELB))
    result = run(without_s3, asking(ELB, noindex=noindex, headers=headers))
    found = told(result)
    assert dict(found[2] if found else ()) == ({"x-robots-tag": "noindex"} if noindex else {}) | dict(headers)
    assert not headers or result["headers"].pop("x-route-kind")
    result["headers"].pop("x-route-kind", None)
    assert result == plain


@pytest.mark.parametrize(("uri", "status"), [("/docs", "308"), ("/missing/", "404"), ("/missing", "404")])
@pytest.mark.usefixtures("s3")
def test_what_is_answered_here_says_it_too_but_for_how_long_that_lasts(uri: str, status: str) -> None:
    before = run(with_s3, asking(STATIC, uri))
    result = run(with_s3, asking(STATIC, uri, noindex=True, headers=SAID))
    if "status" not in before:  # S3 is asked, and origin-response makes the page
        assert told(result) == (kind.WEBSITE, 200, [*SAID, NOINDEX])
        return
    assert before["status"] == result["status"] == status
    assert (header(result, "x-robots-tag"), header(result, "x-a")) == ("noindex", "b; c")
    for name in ("cache-control", "content-type", "location"):
        assert header(result, name) == header(before, name)
    assert header(before, "x-robots-tag") == ("noindex" if status == "404" else None)


def test_a_rules_redirect_to_its_directory_says_it_too() -> None:
    result = run(without_s3, asking(STATIC, "/api", prefix="/api", noindex=True, headers=SAID))
    assert (result["status"], header(result, "location")) == ("308", "/api/")
    assert (header(result, "x-robots-tag"), header(result, "x-a")) == ("noindex", "b; c")
    assert header(result, "cache-control") == CACHE["N"]


def test_a_site_that_cannot_be_read_says_it_too_and_lasts_no_longer() -> None:
    origin = DeploymentOrigin(OWN_BUCKET, "us-east-1", "a" * 32, "pages", "")
    result = run(without_s3, asking(origin, noindex=True, headers=(*SAID, ("x-z", "1"))))
    assert (result["status"], header(result, "cache-control")) == ("503", "no-store")
    assert (header(result, "x-robots-tag"), header(result, "x-z")) == ("noindex", "1")
    assert header(result, "retry-after") is not None


def test_a_plain_sites_own_missing_page_lasts_as_long_as_we_say(s3: Any) -> None:
    s3.put_object(Bucket="acme-static-sites", Key="env-404/404.html", Body=b"x")
    origin = STATIC._replace(prefix="/env-404")
    result = run(with_s3, asking(origin, "/missing/", noindex=True, headers=SAID))
    found = told(result)
    assert found is not None
    assert found[1] == 404
    assert dict(found[2]) == dict(SAID) | {"cache-control": CACHE["N"], "x-robots-tag": "noindex"}
