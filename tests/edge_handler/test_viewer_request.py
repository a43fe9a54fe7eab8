import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_handler.routes.origin import QUERIES, CustomOrigin, DeploymentOrigin, Origin
from edge_handler.routes.path_rules import Rule
from edge_handler.routes.policy import Policy
from edge_handler.routes.redirect import Redirect
from edge_handler.routes.resolver import Resolver
from edge_handler.routes.stamp import decode_stamp
from edge_handler.viewer_request import make_handler
from tests.corpus import INGRESS, ROUTES, guard
from tests.support import NOW, OWN_BUCKET, SETTINGS, STATIC, Clock, Rows, event, header, route, run

ELB = CustomOrigin("demo-ingress-1.us-east-1.elb.amazonaws.com", "http", 80, "", "viewer", website=False)
ROWS = Rows(
    route("env-123.localhost"),
    route("env-789.localhost", ELB),
    route("env-expired.localhost", expires_at=1, lifetime="ephemeral"),
)
HANDLER = make_handler(Resolver(ROWS, SETTINGS, Clock()))


def test_a_static_route_is_stamped() -> None:
    result = run(HANDLER, event("viewer-request-static"))
    assert header(result, "x-route") == (
        "1;env-123.localhost;1;s3;acme-static-sites.s3.us-east-1.amazonaws.com;us-east-1;/env-123"
    )
    assert result["uri"] == "/"


def test_a_bucket_gets_no_authorization() -> None:
    result = run(HANDLER, event("viewer-request-static-nested"))
    assert header(result, "authorization") is None
    assert result["uri"] == "/docs/"


def test_a_service_keeps_its_query_string_and_cookies() -> None:
    result = run(HANDLER, event("viewer-request-elb"))
    assert result["querystring"] == "below=100"
    assert header(result, "cookie") == "session=1"
    assert header(result, "x-route") == f"1;env-789.localhost;1;custom;{ELB.domain_name};http;80;;viewer;application"


@pytest.mark.parametrize(
    ("name", "stamp"),
    [
        (
            "viewer-request-wildcard-route",
            f"2;acme.tenant.localhost;1;*.tenant.localhost;;s3;{OWN_BUCKET};us-east-1;/tenant",
        ),
        ("viewer-request-path-rule", f"2;market.localhost;3;;/api;custom;{INGRESS};http;80;;viewer;application"),
    ],
)
def test_a_sample_of_a_wildcard_and_of_a_rule_is_stamped(name: str, stamp: str) -> None:
    result = run(make_handler(Resolver(Rows(*ROUTES.values()), SETTINGS, Clock())), event(name))
    assert header(result, "x-route") == stamp
    asked = event(name)["Records"][0]["cf"]["request"]
    assert (result["uri"], result["querystring"]) == (asked["uri"], asked["querystring"])


def test_a_sample_of_a_redirect_is_answered_with_it() -> None:
    handler = make_handler(Resolver(Rows(*ROUTES.values()), SETTINGS, Clock()))
    result = run(handler, event("viewer-request-redirect"))
    assert (result["status"], header(result, "location")) == ("308", "https://www.example.com/docs/start?from=mail")


GUARDED = make_handler(Resolver(Rows(*ROUTES.values()), SETTINGS, Clock()), guard())


@pytest.mark.parametrize(
    ("name", "status", "says"),
    [
        ("private", "403", "This preview is private"),
        ("other-network", "403", "198.51.100.7"),
        ("maintenance", "503", "Orders are safe"),
    ],
)
def test_a_sample_that_gets_no_answer_is_told_why_and_nobody_keeps_it(name: str, status: str, says: str) -> None:
    result = run(GUARDED, event(f"viewer-request-{name}"))
    assert (result["status"], header(result, "cache-control")) == (status, "no-store")
    assert says in result["body"]
    assert header(result, "retry-after") == ("1800" if name == "maintenance" else None)


def test_a_sample_with_a_session_goes_on_to_its_service_without_it() -> None:
    result = run(GUARDED, event("viewer-request-session"))
    assert header(result, "x-route") == f"2;private.localhost;2;;/api;custom;{INGRESS};http;80;;viewer;application"
    assert header(result, "cookie") == "theme=dark; session=1"


def test_a_sample_s_session_opens_no_other_host() -> None:
    sample = event("viewer-request-session")
    sample["Records"][0]["cf"]["request"]["headers"]["host"][0]["value"] = "maintenance.localhost"
    assert run(GUARDED, sample)["status"] == "503"


@pytest.mark.parametrize(
    ("name", "stamp", "cookie"),
    [
        # By its address it would be the canary's.
        ("cookie", f"1;canary.localhost;1;s3;{OWN_BUCKET};us-east-1;/canary", "theme=dark; visitor=1000"),
        ("choice", f"1;canary.localhost;3;s3;{OWN_BUCKET};us-east-1;/canary-next", "theme=dark; visitor=1000"),
    ],
)
def test_a_sample_of_a_canary_is_stamped_with_the_side_that_its_cookies_say(name: str, stamp: str, cookie: str) -> None:
    result = run(GUARDED, event(f"viewer-request-canary-{name}"))
    assert (header(result, "x-route"), header(result, "cookie")) == (stamp, cookie)


def test_a_sample_of_a_canary_without_cookies_is_on_the_side_that_its_address_says() -> None:
    sample = event("viewer-request-canary-cookie")
    del sample["Records"][0]["cf"]["request"]["headers"]["cookie"]
    assert str(header(run(GUARDED, sample), "x-route")).endswith("/canary-next")


def test_a_sample_that_may_ask_is_told_why_and_no_other_host_is() -> None:
    sample = event("viewer-request-ask-edge")
    said = json.loads(run(GUARDED, sample)["body"])
    assert (said["host"], said["rule"], said["status"]) == ("market.localhost", "/api/*", None)
    assert said["stamp"] == f"2;market.localhost;3;;/api;custom;{INGRESS};http;80;;viewer;application"
    sample["Records"][0]["cf"]["request"]["headers"]["host"][0]["value"] = "old-market.localhost"
    assert run(GUARDED, sample)["status"] == "308"


DEPLOYMENT = DeploymentOrigin(OWN_BUCKET, "us-east-1", "0" * 32, "files", "")
SITES: dict[str, Origin] = {
    "plain.localhost": STATIC,
    "google.localhost": CustomOrigin("storage.googleapis.com", "https", 443, "/x", "origin", website=True),
    **{f"{query}.localhost": DEPLOYMENT._replace(query=query) for query in QUERIES},  # type: ignore[arg-type]
    "open.localhost": DEPLOYMENT._replace(cors="*"),
    "fonts.localhost": DEPLOYMENT._replace(cors="https://app.example"),
}
WITH_SITES = make_handler(Resolver(Rows(*(route(host, origin) for host, origin in SITES.items())), SETTINGS, Clock()))


def asking(host: str, uri: str = "/", query: str = "", method: str = "GET", **headers: str) -> dict[str, Any]:
    changed = event("viewer-request-static")
    request = changed["Records"][0]["cf"]["request"]
    request |= {"uri": uri, "querystring": query, "method": method}
    request["headers"]["host"][0]["value"] = host
    for name, value in headers.items():
        request["headers"][name.replace("_", "-")] = [{"value": value}]
    return changed


@pytest.mark.parametrize(
    ("uri", "kept_by"),
    [
        ("/", {"all"}),
        ("/docs/", {"plain", "pages", "all"}),
        ("/docs", {"plain", "files", "pages", "all"}),
        ("/v1.2", {"plain", "files", "pages", "all"}),
        ("/about.html", {"plain", "files", "pages", "all"}),
        ("/app.js", {"all"}),
        ("/image.PNG", {"all"}),
        ("/docs//app.js", {"plain", "files", "pages", "all"}),
        ("//", {"plain", "files", "pages", "all"}),
        ("/a%2Fapp.js", {"plain", "files", "pages", "all"}),
    ],
)
def test_a_query_stays_where_the_path_may_be_redirected_and_nowhere_else(uri: str, kept_by: set[str]) -> None:
    hosts = ("plain", "google", *QUERIES)
    results = {host: run(WITH_SITES, asking(f"{host}.localhost", uri, "a=1&b")) for host in hosts}
    assert {host for host, result in results.items() if result["querystring"] == "a=1&b"} == kept_by
    assert all(result["querystring"] == "" for host, result in results.items() if host not in kept_by)


@pytest.mark.parametrize(("host", "origin"), [("open", "*"), ("fonts", "https://app.example")])
def test_a_browser_that_asks_whether_another_origin_may_read_is_told(host: str, origin: str) -> None:
    given_event = asking(f"{host}.localhost", "/x.woff2", method="OPTIONS", access_control_request_headers="x-a, x-b")
    result = run(WITH_SITES, given_event)
    assert (result["status"], header(result, "access-control-allow-origin")) == ("204", origin)
    assert header(result, "access-control-allow-headers") == "x-a, x-b"
    assert header(result, "access-control-allow-methods") == "GET, HEAD"


def test_without_that_options_is_a_method_like_others() -> None:
    result = run(WITH_SITES, asking("files.localhost", method="OPTIONS"))
    assert (result["status"], header(result, "allow")) == ("405", "GET, HEAD")
    result = run(WITH_SITES, asking("open.localhost", method="POST"))
    assert (result["status"], header(result, "allow")) == ("405", "GET, HEAD, OPTIONS")


def test_a_stamp_sent_by_a_client_changes_nothing() -> None:
    sent, plain = event("viewer-request-client-stamp"), event("viewer-request-static")
    assert header(run(HANDLER, sent), "x-route") == header(run(HANDLER, plain), "x-route")


@pytest.mark.parametrize(
    ("name", "status"),
    [
        ("viewer-request-unknown", "404"),
        ("viewer-request-expired", "410"),
        ("viewer-request-wildcard-host", "400"),
        ("viewer-request-post-to-static", "405"),
    ],
)
def test_what_cannot_be_served_is_answered_with_its_status(name: str, status: str) -> None:
    result = run(HANDLER, event(name))
    assert result["status"] == status
    assert header(result, "cache-control") == "no-store"
    request_id = event(name)["Records"][0]["cf"]["config"]["requestId"]
    assert header(result, "x-request-id") == request_id
    assert request_id in result["body"]


def test_json_is_answered_to_clients_that_ask_for_it() -> None:
    body = json.loads(run(HANDLER, event("viewer-request-expired"))["body"])
    assert (body["status"], body["host"]) == (410, "env-expired.localhost")
    assert "<h1>" in run(HANDLER, event("viewer-request-unknown"))["body"]


def test_a_page_cannot_be_made_to_run_a_hosts_script() -> None:
    given_event = event("viewer-request-unknown")
    given_event["Records"][0]["cf"]["request"]["headers"]["host"][0]["value"] = "<script>alert(1)</script>"
    assert "<script>" not in run(HANDLER, given_event)["body"]


def test_a_request_without_a_host_is_400() -> None:
    given_event = event("viewer-request-static")
    del given_event["Records"][0]["cf"]["request"]["headers"]["host"]
    assert run(HANDLER, given_event)["status"] == "400"


def test_an_unreachable_table_is_503_with_retry_after() -> None:
    rows = Rows()
    rows.reachable, rows.retry_after = False, 2
    result = run(make_handler(Resolver(rows, SETTINGS, Clock())), event("viewer-request-static"))
    assert (result["status"], header(result, "retry-after")) == ("503", "2")


@given(st.text(), st.sampled_from(["GET", "HEAD", "POST", "OPTIONS"]), st.text(max_size=50))
def test_any_host_gets_an_answer_the_contract_accepts(host: str, method: str, accept: str) -> None:
    given_event = event("viewer-request-static")
    request = given_event["Records"][0]["cf"]["request"]
    request["headers"]["host"][0]["value"] = host
    request["headers"]["accept"] = [{"key": "Accept", "value": accept.replace("\r", "").replace("\n", "")}]
    request["method"] = method
    result = run(HANDLER, given_event)
    assert "status" in result or header(result, "x-route")


@given(
    st.recursive(
        st.none() | st.text() | st.integers(), lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner)
    )
)
def test_no_event_makes_it_raise(nonsense: Any) -> None:
    assert HANDLER(nonsense, None)["status"] == "502"


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({}, None),
        ({"expires_at": int(NOW) + 60}, "noindex"),
        ({"expires_at": int(NOW) + 60, "policy": Policy(noindex=False)}, None),
        ({"policy": Policy(noindex=True)}, "noindex"),
        ({"policy": Policy(headers=(("a", "b"),))}, None),
    ],
)
def test_of_what_expires_search_engines_keep_away_unless_its_row_says_otherwise(
    changes: dict[str, Any], said: str | None
) -> None:
    """Its redirects, which are answered here, and what goes on, by the stamp."""
    to = Redirect("https://www.example.com", 308)
    rules = (Rule("/old", to, 1), Rule("/api/*", ELB, 1))
    rows = Rows(
        route("env-123.localhost", **changes),
        route("ruled.localhost", rules=rules, **changes),
        route("moved.localhost", to, **changes),
    )
    handler = make_handler(Resolver(rows, SETTINGS, Clock()))
    for host, uri in (("moved.localhost", "/"), ("ruled.localhost", "/old")):
        result = run(handler, asking(host, uri))
        assert (result["status"], header(result, "x-robots-tag")) == ("308", said)
    for host, uri in (("env-123.localhost", "/"), ("ruled.localhost", "/"), ("ruled.localhost", "/api/x")):
        result = run(handler, asking(host, uri))
        assert decode_stamp(str(header(result, "x-route"))).noindex is (said is not None)
