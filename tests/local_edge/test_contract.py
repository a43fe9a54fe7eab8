import copy
from typing import Any

import pytest

from local_edge.contract import ContractViolation, check_result
from tests.support import event

Change = tuple[str, Any]


def request(name: str = "viewer-request-static") -> dict[str, Any]:
    found: dict[str, Any] = event(name)["Records"][0]["cf"]["request"]
    return found


def pair(value: str) -> list[dict[str, str]]:
    return [{"value": value}]


def changed(before: dict[str, Any], path: str, value: Any) -> dict[str, Any]:
    after = copy.deepcopy(before)
    *parents, last = path.split("/")
    place = after
    for parent in parents:
        place = place[parent]
    place[last] = value
    return after


@pytest.mark.parametrize("name", ["viewer-request-static", "origin-request-static"])
def test_an_unchanged_request_is_accepted(name: str) -> None:
    check_result(name.removesuffix("-static"), request(name), request(name))


@pytest.mark.parametrize(
    ("path", "value", "rule"),
    [
        ("headers/x-edge-route", pair("1"), "disallowed"),
        ("headers/x-amz-cf-id", pair("1"), "disallowed"),
        ("headers/host", pair("other"), "read-only"),
        ("headers/X-Upper", pair("1"), "lower case"),
        ("headers/x-a", [{"key": "x-b", "value": "1"}], "differ"),
        ("headers/x-a", [{"key": "x-a"}], "no value"),
        ("headers/x-a", pair("1\r\nx: y"), "line break"),
        ("headers/x-a", pair("a" * 21000), "20480"),
        ("origin", {}, "cannot set the origin"),
        ("method", "POST", "read-only"),
        ("uri", "docs", "starts with /"),
        ("uri", "/" + "a" * 8192, "8192"),
        ("querystring", "a b", "space"),
        ("querystring", "a#b", "#"),
    ],
)
def test_a_viewer_request_result_that_breaks_a_rule_is_named(path: str, value: Any, rule: str) -> None:
    with pytest.raises(ContractViolation, match=rule):
        check_result("viewer-request", request(), changed(request(), path, value))


CUSTOM = {
    "customHeaders": {},
    "domainName": "a.example.com",
    "keepaliveTimeout": 5,
    "path": "",
    "port": 443,
    "protocol": "https",
    "readTimeout": 30,
    "sslProtocols": ["TLSv1.2"],
}


@pytest.mark.parametrize(
    ("path", "value", "rule"),
    [
        ("origin/custom", CUSTOM, "exactly one"),
        ("origin", {"custom": {**CUSTOM, "domainName": "10.0.0.1"}}, "DNS name"),
        ("origin", {"custom": {**CUSTOM, "domainName": "a.example.com:80"}}, "DNS name"),
        ("origin", {"custom": {**CUSTOM, "port": 22}}, "port"),
        ("origin", {"custom": {**CUSTOM, "path": "/a/"}}, "path"),
        ("origin", {"custom": {**CUSTOM, "readTimeout": 1}}, "readTimeout"),
        ("origin", {"custom": {**CUSTOM, "protocol": "ftp"}}, "protocol"),
        ("origin", {"custom": {**CUSTOM, "customHeaders": {"host": pair("x")}}}, "in customHeaders and in headers"),
        ("origin/s3/authMethod", "oac", "authMethod"),
        ("headers/via", pair("x"), "read-only"),
        ("headers/accept-encoding", pair("br"), "read-only"),
    ],
)
def test_an_origin_request_result_that_breaks_a_rule_is_named(path: str, value: Any, rule: str) -> None:
    before = request("origin-request-static")
    with pytest.raises(ContractViolation, match=rule):
        check_result("origin-request", before, changed(before, path, value))


@pytest.mark.parametrize(
    ("response", "rule"),
    [
        ({"status": 404}, "string"),
        ({"status": "200", "body": "x" * 41000}, "40960"),
        ({"status": "200", "body": "?", "bodyEncoding": "base64"}, "base64"),
        ({"status": "200", "headers": {"content-length": pair("1")}}, "content-length"),
        (None, "object"),
    ],
)
def test_a_generated_response_that_breaks_a_rule_is_named(response: Any, rule: str) -> None:
    with pytest.raises(ContractViolation, match=rule):
        check_result("viewer-request", request(), response)


@pytest.mark.parametrize(
    ("path", "value", "rule"),
    [
        ("headers/via", pair("x"), "read-only in origin-response"),
        ("headers/transfer-encoding", pair("chunked"), "read-only in origin-response"),
        ("headers/x-cache", pair("Hit"), "disallowed"),
        ("status", 200, "string"),
        ("status", "100", "200-599"),
        ("body", "x" * 1_048_577, "1048576"),
        ("bodyEncoding", "gzip", "text or base64"),
    ],
)
def test_an_origin_response_result_that_breaks_a_rule_is_named(path: str, value: Any, rule: str) -> None:
    before = event("origin-response-static")["Records"][0]["cf"]["response"]
    before["body"] = "ours"
    check_result("origin-response", before, before)
    with pytest.raises(ContractViolation, match=rule):
        check_result("origin-response", before, changed(before, path, value))
