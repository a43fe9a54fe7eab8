import json
import os
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_handler.answers import Result
from edge_handler.origin_request import make_handler
from local_edge.embedded_aws import EmbeddedAws
from tests.support import NOBODY, OWN_BUCKET, event, header, run

ELB = "demo-ingress-1.us-east-1.elb.amazonaws.com"


@pytest.fixture(autouse=True)
def s3(aws: EmbeddedAws, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TEST_S3_ENDPOINT", aws.endpoint)
    client = aws.client("s3")
    for key in ("env-123/index.html", "env-123/docs/index.html"):
        client.put_object(Bucket="acme-static-sites", Key=key, Body=b"x")


def handler(event_: Any, context: object) -> Result:
    return make_handler(os.environ["TEST_S3_ENDPOINT"])(event_, context)


without_s3 = make_handler(NOBODY)


def at(name: str, uri: str) -> dict[str, Any]:
    changed = event(name)
    changed["Records"][0]["cf"]["request"]["uri"] = uri
    return changed


def test_the_own_bucket_stays_the_origin_and_only_the_uri_is_prefixed() -> None:
    given_event = event("origin-request-static")
    result = run(handler, given_event)
    assert result["uri"] == "/env-123/index.html"
    origin = given_event["Records"][0]["cf"]["request"]["origin"]
    assert result["origin"] == {"s3": {**origin["s3"], "customHeaders": {}}}
    assert header(result, "host") == OWN_BUCKET
    assert header(result, "authorization") is None


def test_a_bucket_gets_nothing_a_viewer_could_steer_it_with() -> None:
    result = run(handler, event("origin-request-static-nested"))
    assert result["uri"] == "/env-123/docs/index.html"
    assert set(result["headers"]) == {"host", "via", "accept-encoding", "x-route-kind"}
    assert result["querystring"] == ""


def test_another_bucket_is_a_custom_origin_that_is_signed_for() -> None:
    result = run(without_s3, event("origin-request-other-bucket"))
    assert result["origin"]["custom"] == {
        "customHeaders": {},
        "domainName": "other-sites.s3.eu-west-1.amazonaws.com",
        "keepaliveTimeout": 5,
        "path": "",
        "port": 443,
        "protocol": "https",
        "readTimeout": 30,
        "sslProtocols": ["TLSv1.2"],
    }
    assert header(result, "host") == "other-sites.s3.eu-west-1.amazonaws.com"
    assert result["uri"] == "/env-321/style.css"
    # CloudFront adds its id to what goes to a custom origin, so it is signed; and no function may set it.
    signed = "host;x-amz-cf-id;x-amz-content-sha256;x-amz-date"
    assert f"/eu-west-1/s3/aws4_request, SignedHeaders={signed}" in str(header(result, "authorization"))
    assert header(result, "x-amz-cf-id") is None


def test_a_bucket_with_dots_in_its_name_is_asked_where_s3s_certificate_holds() -> None:
    given_event = event("origin-request-other-bucket")
    headers = given_event["Records"][0]["cf"]["request"]["headers"]
    headers["x-route"][0]["value"] = "1;a.localhost;1;s3;www.acme.com.s3.eu-west-1.amazonaws.com;eu-west-1;/env"
    result = run(without_s3, given_event)
    custom = result["origin"]["custom"]
    assert (custom["domainName"], custom["path"], result["uri"]) == (
        ("s3.eu-west-1.amazonaws.com", "/www.acme.com", "/env/style.css")
    )
    assert header(result, "host") == "s3.eu-west-1.amazonaws.com"


def test_an_ingress_gets_the_viewers_host_and_no_forged_one() -> None:
    result = run(handler, event("origin-request-elb"))
    custom = result["origin"]["custom"]
    assert (custom["domainName"], custom["protocol"], custom["port"]) == (ELB, "http", 80)
    assert header(result, "host") == header(result, "x-forwarded-host") == "env-789.localhost"
    assert header(result, "forwarded") is None
    assert header(result, "cookie") == "session=1"
    assert result["querystring"] == "below=100"


SECRET = [{"key": "x-origin-verify", "value": "0123456789abcdef0123456789abcdef"}]


def to_ingress(domain_name: str, listed: str | None = None) -> dict[str, Any]:
    """Return an event for an origin that gets the viewer's host, where a deployment lists `listed`."""
    changed = event("origin-request-elb")
    request = changed["Records"][0]["cf"]["request"]
    request["headers"]["x-route"][0]["value"] = f"1;a.localhost;1;custom;{domain_name};https;443;;viewer;application"
    ours = request["origin"]["s3"]["customHeaders"]
    if listed is None:
        del ours["x-origin-verify-domains"]
    else:
        ours["x-origin-verify-domains"][0]["value"] = listed
    return changed


def is_told(given_event: dict[str, Any]) -> bool:
    headers = run(handler, given_event)["origin"]["custom"]["customHeaders"]
    assert headers in ({}, {"x-origin-verify": SECRET})
    return bool(headers)


@pytest.mark.parametrize(
    ("listed", "domain_name", "told"),
    [
        ("lb.acme.example", "lb.acme.example", True),
        ("one.example,Two-1.EU-west-1.elb.amazonaws.com", "two-1.eu-west-1.elb.amazonaws.com", True),
        ("one.example, two.example", "two.example", True),
        ("*.acme.example", "lb.acme.example", True),
        ("*.acme.example", "a.lb.acme.example", True),
        ("one.example,*.two.example", "x.two.example", True),
        ("lb.acme.example", "evil.example", False),
        ("lb.acme.example", "x.lb.acme.example", False),
        ("lb.acme.example", "xlb.acme.example", False),
        ("*.acme.example", "acme.example", False),
        ("*.acme.example", "evil-acme.example", False),
        ("*.acme.example", "lb.acme.example.evil.example", False),
        ("", "lb.acme.example", False),
        (",", "lb.acme.example", False),
        ("*", "lb.acme.example", False),
        (None, "lb.acme.example", False),
    ],
)
def test_only_an_origin_that_the_deployment_lists_is_told_the_secret(
    listed: str | None, domain_name: str, told: bool
) -> None:
    """Whoever may write a row with --keep-host would get it otherwise."""
    assert is_told(to_ingress(domain_name, listed)) is told


def test_a_list_that_changes_while_an_instance_lives_is_heeded() -> None:
    assert not is_told(to_ingress("two.example", "one.example"))
    assert is_told(to_ingress("two.example", "one.example,two.example"))
    assert not is_told(to_ingress("two.example", "one.example"))


@pytest.mark.parametrize("domain_name", [ELB, "evil.example"])
@pytest.mark.parametrize("configured", [True, False])
def test_a_viewer_can_say_neither_the_secret_nor_the_list(domain_name: str, configured: bool) -> None:
    given_event = to_ingress(domain_name, ELB)
    request = given_event["Records"][0]["cf"]["request"]
    if not configured:
        request["origin"]["s3"]["customHeaders"] = {}
    request["headers"]["x-origin-verify"] = [{"value": "forged"}]
    request["headers"]["x-origin-verify-domains"] = [{"value": "evil.example"}]
    assert is_told(given_event) is (configured and domain_name == ELB)
    result = run(handler, given_event)
    assert {name for name in result["headers"] if name.startswith("x-origin")} == set()


def test_no_other_origin_is_told_the_secret() -> None:
    given_event = to_ingress("app.example.com", "app.example.com")
    stamp = given_event["Records"][0]["cf"]["request"]["headers"]["x-route"][0]
    stamp["value"] = stamp["value"].replace(";viewer;", ";origin;")
    assert not is_told(given_event)
    custom_headers = event("origin-request-elb")["Records"][0]["cf"]["request"]["origin"]["s3"]["customHeaders"]
    for name in ("origin-request-static", "origin-request-other-bucket", "origin-request-google-storage"):
        given_event = event(name)
        given_event["Records"][0]["cf"]["request"]["origin"]["s3"]["customHeaders"] = custom_headers
        result = json.dumps(run(handler, given_event))
        assert "0123456789abcdef" not in result
        assert "x-origin-verify-domains" not in result


def test_what_goes_wrong_is_logged_without_secrets(capsys: pytest.CaptureFixture[str]) -> None:
    given_event = event("origin-request-elb")
    given_event["Records"][0]["cf"]["request"]["uri"] = None
    stamp = "1;a.localhost;1;s3;sites.s3.us-east-1.amazonaws.com;us-east-1;"
    given_event["Records"][0]["cf"]["request"]["headers"]["x-route"][0]["value"] = stamp
    assert handler(given_event, None)["status"] == "502"
    line = json.loads(capsys.readouterr().out)
    assert "paths.py" in line["traceback"]
    assert "0123456789abcdef" not in json.dumps(line)
    assert "session=1" not in json.dumps(line)


def test_an_application_does_not_see_the_session_of_a_host_that_was_private() -> None:
    given_event = event("origin-request-elb")
    sent = given_event["Records"][0]["cf"]["request"]["headers"]
    sent["cookie"] = [{"key": "Cookie", "value": "theme=dark; __Host-edge-access=view.1.00000001.x; lang=en"}]
    assert header(run(handler, given_event), "cookie") == "theme=dark; lang=en"


def test_an_application_does_not_see_what_a_tester_chose_of_a_canary_that_has_ended() -> None:
    given_event = event("origin-request-elb")
    sent = given_event["Records"][0]["cf"]["request"]["headers"]
    sent["cookie"] = [{"key": "Cookie", "value": "theme=dark; __Host-edge-side=canary.7; lang=en"}]
    assert header(run(handler, given_event), "cookie") == "theme=dark; lang=en"


def test_googles_storage_gets_its_own_name_and_the_index_document() -> None:
    result = run(handler, event("origin-request-google-storage"))
    assert header(result, "host") == "storage.googleapis.com"
    assert result["uri"] == "/docs/index.html"
    assert result["origin"]["custom"]["path"] == "/acme-sites/env-654"


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("origin-request-static", "website"),
        ("origin-request-other-bucket", "website"),
        ("origin-request-google-storage", "website"),
        ("origin-request-elb", None),
    ],
)
def test_origin_response_is_told_what_it_is_about_and_not_by_a_viewer(name: str, kind: str | None) -> None:
    given_event = event(name)
    given_event["Records"][0]["cf"]["request"]["headers"]["x-route-kind"] = [{"value": "forged"}]
    assert header(run(without_s3, given_event), "x-route-kind") == kind


@pytest.mark.parametrize("name", ["origin-request-no-stamp", "origin-request-client-stamp"])
def test_without_our_stamp_nothing_is_asked(name: str) -> None:
    assert run(handler, event(name))["status"] == "502"


@pytest.mark.parametrize("name", ["origin-request-static", "origin-request-elb", "origin-request-other-bucket"])
def test_no_origin_sees_the_stamp(name: str) -> None:
    assert header(run(without_s3, event(name)), "x-route") is None


@pytest.mark.parametrize("accept", ["text/html", "application/json"])
def test_a_page_names_the_viewers_host_and_nothing_of_what_is_behind(accept: str) -> None:
    """And depends on no header of the viewer's: it is cached, and Accept is not in the key."""
    given_event = at("origin-request-static", "/../x")
    given_event["Records"][0]["cf"]["request"]["headers"]["accept"] = [{"key": "Accept", "value": accept}]
    result = run(handler, given_event)
    assert result["status"] == "400"
    assert "<code>env-123.localhost</code>" in result["body"]
    given_event = at("origin-request-static", "/")
    given_event["Records"][0]["cf"]["request"]["headers"]["x-route"][0]["value"] = "1;a;1;s3;secret.internal;x;/y"
    for page in (result, run(handler, given_event)):
        assert "amazonaws" not in page["body"]
        assert "secret" not in page["body"]


@pytest.mark.parametrize(
    "uri", ["/..;/manager", "/%2e%2e;x=1/a", "/..%5c..%5csecret", "/.%5c../x", "/a/..;", "/a%5c.", "/../x", "/a/%2e%2e"]
)
def test_no_path_leaves_an_applications_prefix_however_its_server_reads_it(uri: str) -> None:
    given_event = at("origin-request-elb", uri)
    headers = given_event["Records"][0]["cf"]["request"]["headers"]
    headers["x-route"][0]["value"] = "1;a.localhost;1;custom;app.example.com;https;443;/app;origin;application"
    assert run(handler, given_event)["status"] == "400"


@pytest.mark.parametrize("uri", ["/a;b=..", "/...;", "/..a", "/a/..b", "/;..", "/a;/b"])
def test_what_only_looks_like_it_stays_below_the_prefix(uri: str) -> None:
    given_event = at("origin-request-elb", uri)
    headers = given_event["Records"][0]["cf"]["request"]["headers"]
    headers["x-route"][0]["value"] = "1;a.localhost;1;custom;app.example.com;https;443;/app;origin;application"
    assert run(handler, given_event)["uri"] == uri


@pytest.mark.parametrize("uri", ["/../env-456/", "/%2e%2e/env-456/", "/a/..%2f..%2fenv-456", "/./", "/%ff"])
@pytest.mark.parametrize("name", ["origin-request-static", "origin-request-google-storage"])
def test_no_path_leaves_the_prefix(name: str, uri: str) -> None:
    assert run(handler, at(name, uri))["status"] == "400"


@pytest.mark.parametrize(
    ("uri", "key"),
    [
        ("/caf%C3%A9/", "/caf%C3%A9/index.html"),
        ("/a+b.txt", "/a%2Bb.txt"),
        ("/%61.txt", "/a.txt"),
        ("/50%.txt", "/50%25.txt"),
    ],
)
def test_percent_encoding_is_what_s3_signs(uri: str, key: str) -> None:
    assert run(without_s3, at("origin-request-static", uri))["uri"] == f"/env-123{key}"


@pytest.mark.parametrize("name", ["origin-request-static", "origin-request-google-storage"])
def test_a_path_that_would_outgrow_a_uri_when_encoded_is_a_page_that_is_not_there(name: str) -> None:
    assert run(without_s3, at(name, "/" + "+" * 3000 + ".txt"))["status"] == "404"
    assert run(without_s3, at(name, "/" + "+" * 1000 + ".txt"))["uri"].endswith("%2B.txt")


@given(st.from_regex(r"/[!-~]{0,60}", fullmatch=True).filter(lambda uri: "#" not in uri and "?" not in uri))
def test_any_path_stays_under_the_prefix_or_is_refused(uri: str) -> None:
    result = run(without_s3, at("origin-request-static", f"{uri}.txt"))
    assert result.get("status") == "400" or result["uri"].startswith("/env-123/")
    assert "/../" not in result.get("uri", "")


@given(st.recursive(st.none() | st.text(), lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner)))
def test_no_event_makes_it_raise(nonsense: Any) -> None:
    assert handler(nonsense, None)["status"] == "502"
