import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_handler.routes.origin import CustomOrigin
from edge_handler.routes.resolver import Resolver
from edge_handler.viewer_request import make_handler
from tests.support import SETTINGS, Clock, Rows, event, header, route, run

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


def test_a_bucket_gets_no_query_string_and_no_authorization() -> None:
    result = run(HANDLER, event("viewer-request-static-nested"))
    assert result["querystring"] == ""
    assert header(result, "authorization") is None
    assert result["uri"] == "/docs/"


def test_a_service_keeps_its_query_string_and_cookies() -> None:
    result = run(HANDLER, event("viewer-request-elb"))
    assert result["querystring"] == "below=100"
    assert header(result, "cookie") == "session=1"
    assert header(result, "x-route") == f"1;env-789.localhost;1;custom;{ELB.domain_name};http;80;;viewer;application"


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
