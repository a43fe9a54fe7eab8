"""origin-request by a rule whose prefix is taken off: what an application and a site get, and what viewers get back."""

import os
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_handler.answers import Result
from edge_handler.origin_request import make_handler
from local_edge.embedded_aws import EmbeddedAws
from tests.support import NOBODY, OWN_BUCKET, event, header, run

APP = "2;market.localhost;3;;/api;custom;app.example.net;https;443;{path};{host};application"
SITE = f"2;market.localhost;3;;/docs;s3;{OWN_BUCKET};us-east-1;/manual"
GOOGLE = "2;market.localhost;3;;/docs;custom;storage.googleapis.com;https;443;/acme/manual;origin;website"
without_s3 = make_handler(NOBODY)


@pytest.fixture(autouse=True)
def s3(aws: EmbeddedAws, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TEST_S3_ENDPOINT", aws.endpoint)
    for key in ("manual/index.html", "manual/guide/index.html", "manual/style.css"):
        aws.client("s3").put_object(Bucket=OWN_BUCKET.partition(".")[0], Key=key, Body=b"x")


def handler(event_: Any, context: object) -> Result:
    return make_handler(os.environ["TEST_S3_ENDPOINT"])(event_, context)


def asking(stamp: str, uri: str, query: str = "") -> dict[str, Any]:
    changed = event("origin-request-stripped-rule")
    request = changed["Records"][0]["cf"]["request"]
    request["headers"]["x-route"][0]["value"] = stamp
    request |= {"uri": uri, "querystring": query}
    return changed


def app(uri: str, path: str = "", host: str = "viewer") -> dict[str, Any]:
    return run(without_s3, asking(APP.format(path=path, host=host), uri, "a=1"))


@pytest.mark.parametrize("uri", ["//api/" + "{" * 8_000, "//api/..%CD%BE/x"])
def test_what_cannot_go_on_is_refused(uri: str) -> None:
    assert app(uri)["status"] == "400"


def test_the_sample_goes_on_without_its_prefix_and_says_so() -> None:
    result = run(without_s3, event("origin-request-stripped-rule"))
    assert result["uri"] == "/v1/orders"
    assert result["querystring"] == "page=2"
    assert header(result, "x-forwarded-prefix") == "/api"
    assert header(result, "x-forwarded-host") == header(result, "host") == "market.localhost"


@pytest.mark.parametrize(
    ("uri", "asked"),
    [
        ("/api", "/"),
        ("/api/", "/"),
        ("/api/v1", "/v1"),
        ("/api/v1/", "/v1/"),
        ("/api/a%2Fb//c", "/a%2Fb//c"),
        ("/%61pi/v1", "/v1"),
        ("//api/v1", "/v1"),
        ("/api%2Fv1", "/v1"),
        ("/api//evil.example/x", "/evil.example/x"),
        ("/api/%2Fevil.example", "/%2Fevil.example"),
        ("//api/a;b=(c)@d", "/a;b=(c)@d"),
        ("//api/" + ";" * 8_000, "/" + ";" * 8_000),
    ],
)
@pytest.mark.parametrize("path", ["", "/app"])
@pytest.mark.parametrize("host", ["viewer", "origin"])
def test_an_application_is_asked_without_the_prefix_however_a_viewer_wrote_it(
    uri: str, asked: str, path: str, host: str
) -> None:
    result = app(uri, path, host)
    assert (result["uri"], result["origin"]["custom"]["path"]) == (asked, path)
    assert (result["querystring"], header(result, "x-forwarded-prefix")) == ("a=1", "/api")


def test_a_viewers_own_prefix_is_dropped_where_none_is_taken_off() -> None:
    given_event = asking("1;market.localhost;3;custom;app.example.net;https;443;;viewer;application", "/api/v1")
    assert "x-forwarded-prefix" in given_event["Records"][0]["cf"]["request"]["headers"]
    result = run(without_s3, given_event)
    assert header(result, "x-forwarded-prefix") is None
    assert result["uri"] == "/api/v1"


@pytest.mark.parametrize("uri", ["/api/..", "/api/%2e%2e/x", "/api/..;/x", "/api\\..\\x", "/api/%ff"])
def test_nothing_leads_out_of_the_prefix(uri: str) -> None:
    assert app(uri)["status"] == "400"


@given(st.from_regex(r"/api(/[!-~]{0,30})?", fullmatch=True).filter(lambda uri: "#" not in uri and "?" not in uri))
def test_an_application_gets_a_path_or_the_viewer_a_refusal(uri: str) -> None:
    result = app(uri)
    if result.get("status") == "400":
        return
    assert result["uri"].startswith("/")
    assert not result["uri"].startswith("//")
    assert header(result, "x-forwarded-prefix") == "/api"


@pytest.mark.parametrize(
    ("uri", "asked"),
    [
        ("/docs/", "/manual/index.html"),
        ("/docs/guide/", "/manual/guide/index.html"),
        ("/docs/style.css", "/manual/style.css"),
        ("/%64ocs/style.css", "/manual/style.css"),
        ("//docs//style.css", "/manual/style.css"),
    ],
)
def test_a_site_under_a_prefix_is_asked_for_without_it(uri: str, asked: str) -> None:
    result = run(handler, asking(SITE, uri))
    assert result["uri"] == asked
    assert header(result, "x-forwarded-prefix") is None


@pytest.mark.parametrize(
    ("uri", "query", "to"),
    [
        ("/docs", "", "/docs/"),
        ("/docs", "a=1", "/docs/?a=1"),
        ("/%64ocs", "", "/docs/"),
        ("/docs/guide", "", "/docs/guide/"),
        ("/docs/guide", "a=1", "/docs/guide/?a=1"),
    ],
)
def test_a_redirect_of_a_site_under_a_prefix_has_the_prefix(uri: str, query: str, to: str) -> None:
    result = run(handler, asking(SITE, uri, query))
    assert (result["status"], header(result, "location")) == ("308", to)


def test_another_storage_services_site_is_asked_for_without_the_prefix_too() -> None:
    assert run(without_s3, asking(GOOGLE, "/docs/guide/"))["uri"] == "/guide/index.html"
    assert header(run(without_s3, asking(GOOGLE, "/docs")), "location") == "/docs/"
