"""What CloudFront accepts of a Lambda@Edge function; where it would answer 502, `ContractViolation` names the rule.

From the CloudFront Developer Guide: Lambda@Edge event structure; Restrictions on all edge functions;
Restrictions on Lambda@Edge; Quotas.
"""

import base64
import binascii
import re
from typing import Any

Headers = dict[str, list[dict[str, str]]]

_DISALLOWED = frozenset(
    [
        "connection",
        "expect",
        "keep-alive",
        "proxy-authenticate",
        "proxy-authorization",
        "proxy-connection",
        "trailer",
        "upgrade",
        "x-accel-buffering",
        "x-accel-charset",
        "x-accel-limit-rate",
        "x-accel-redirect",
        "x-amzn-auth",
        "x-amzn-cf-billing",
        "x-amzn-cf-id",
        "x-amzn-cf-xff",
        "x-amzn-errortype",
        "x-amzn-fle-profile",
        "x-amzn-header-count",
        "x-amzn-header-order",
        "x-amzn-lambda-integration-tag",
        "x-amzn-requestid",
        "x-cache",
        "x-forwarded-proto",
        "x-real-ip",
    ]
)
_DISALLOWED_PREFIXES = ("x-edge-", "x-amz-cf-")
_READ_ONLY = {
    "viewer-request": frozenset(("content-length", "host", "transfer-encoding", "via")),
    "origin-request": frozenset(
        [
            "accept-encoding",
            "content-length",
            "if-modified-since",
            "if-none-match",
            "if-range",
            "if-unmodified-since",
            "transfer-encoding",
            "via",
        ]
    ),
    "origin-response": frozenset(("transfer-encoding", "via")),
}
_BODY_LIMIT = {"viewer-request": 40 * 1024, "origin-request": 1024 * 1024, "origin-response": 1024 * 1024}
_TOKEN = re.compile(r"[!#$%&'*+\-.^_`|~0-9a-z]+")
_DNS_NAME = re.compile(r"(?=.{1,253}\Z)(?:[A-Za-z0-9_](?:[A-Za-z0-9_-]*[A-Za-z0-9])?\.)+[A-Za-z][A-Za-z0-9-]*")
_CUSTOM_FIELDS = frozenset(
    ["customHeaders", "domainName", "path", "port", "protocol", "keepaliveTimeout", "readTimeout", "sslProtocols"]
)
_S3_FIELDS = frozenset(["customHeaders", "domainName", "path", "authMethod", "region"])


class ContractViolation(Exception):
    """A function's result breaks a rule of CloudFront's."""


def is_disallowed(name: str) -> bool:
    """Tell whether CloudFront keeps a header (lower case) from functions, and refuses it from them."""
    return name in _DISALLOWED or name.startswith(_DISALLOWED_PREFIXES)


def check_result(event_type: str, before: dict[str, Any], result: Any) -> None:
    """Check what a function returned for the request `before`; origin-response's, for the response.

    Raises:
        ContractViolation: CloudFront would answer 502.
    """
    _require(isinstance(result, dict), "a result is a request or a response object")
    _check_headers(result.get("headers", {}))
    if event_type == "origin-response":
        _check_origin_response(before, result)
    elif "status" in result:
        _check_response(event_type, result)
    else:
        _check_request(event_type, before, result)


def _require(holds: bool, rule: str) -> None:
    if not holds:
        raise ContractViolation(rule)


def _check_headers(headers: Any) -> None:
    _require(isinstance(headers, dict), "headers is an object")
    for name, values in headers.items():
        _require(isinstance(name, str) and name == name.lower(), f"header names are lower case: {name!r}")
        _require(_TOKEN.fullmatch(name) is not None, f"not a header name: {name!r}")
        _require(not is_disallowed(name), f"the header {name} is disallowed")
        _require(isinstance(values, list) and len(values) > 0, f"the header {name} is a list of key and value")
        for pair in values:
            _require(isinstance(pair, dict) and isinstance(pair.get("value"), str), f"the header {name} has no value")
            _require(str(pair.get("key", name)).lower() == name, f"key and name of the header {name} differ")
            _require(not re.search(r"[\r\n\0]", pair["value"]), f"the header {name} has a line break")


def _check_origin_response(before: dict[str, Any], result: dict[str, Any]) -> None:
    _check_status(result)
    if "body" in result:
        _check_body("origin-response", result)
    for name in _READ_ONLY["origin-response"]:
        _require(
            _values(result.get("headers", {}), name) == _values(before["headers"], name),
            f"the header {name} is read-only in origin-response",
        )


def _check_status(result: dict[str, Any]) -> None:
    status = result.get("status")
    _require(isinstance(status, str) and re.fullmatch(r"[2-5]\d\d", status) is not None, "status is a string, 200-599")


def _check_response(event_type: str, result: dict[str, Any]) -> None:
    _check_status(result)
    _check_body(event_type, result)
    read_only = {"content-length", "transfer-encoding", "via"} & set(result.get("headers", {}))
    _require(not read_only, f"a generated response must not set {', '.join(sorted(read_only))}")


def _check_body(event_type: str, result: dict[str, Any]) -> None:
    encoding = result.get("bodyEncoding", "text")
    _require(encoding in ("text", "base64"), "bodyEncoding is text or base64")
    body = result.get("body", "")
    _require(isinstance(body, str), "body is a string")
    headers = result.get("headers", {})
    size = sum(len(name) + len(pair["value"]) for name, values in headers.items() for pair in values)
    size += len(body.encode())
    _require(size <= _BODY_LIMIT[event_type], f"a generated response is at most {_BODY_LIMIT[event_type]} bytes")
    if encoding == "base64":
        try:
            base64.b64decode(body, validate=True)
        except binascii.Error as error:
            raise ContractViolation("body is base64") from error


def _check_request(event_type: str, before: dict[str, Any], after: dict[str, Any]) -> None:
    for name in ("clientIp", "method"):
        _require(after.get(name) == before.get(name), f"{name} is read-only")
    uri, querystring = after.get("uri"), after.get("querystring")
    _require(isinstance(uri, str) and uri.startswith("/"), "uri starts with /")
    _require(isinstance(querystring, str), "querystring is a string")
    _require(
        re.search(r"[\x00-\x20\x7f#]", str(querystring)) is None, "querystring has a space, control character or #"
    )
    _require(re.search(r"[\x00-\x20\x7f]", str(uri)) is None, "uri has a space or control character")
    _require(len(f"{uri}{querystring}") < 8192, "uri and querystring are below 8192 characters")
    headers = after.get("headers", {})
    for name in _READ_ONLY[event_type]:
        _require(
            _values(headers, name) == _values(before["headers"], name),
            f"the header {name} is read-only in {event_type}",
        )
    _require("host" in headers or "host" not in before["headers"], "the Host header may not be removed")
    size = len(f"{uri}{querystring}") + sum(len(n) + len(p["value"]) + 4 for n, ps in headers.items() for p in ps)
    _require(size <= 20480, "a request is at most 20480 bytes without its body")
    if event_type == "viewer-request":
        _require("origin" not in after, "a viewer-request function cannot set the origin")
    else:
        _check_origin(after.get("origin"), headers)


def _values(headers: Headers, name: str) -> list[str]:
    return [pair["value"] for pair in headers.get(name, ())]


def _check_origin(origin: Any, headers: Headers) -> None:
    _require(isinstance(origin, dict) and len(origin) == 1, "origin holds exactly one of custom and s3")
    ((kind, body),) = origin.items()
    _require(kind in ("custom", "s3"), "origin holds exactly one of custom and s3")
    unknown = set(body) - (_CUSTOM_FIELDS if kind == "custom" else _S3_FIELDS)
    _require(not unknown, f"origin.{kind} has unknown fields: {', '.join(sorted(unknown))}")
    path, name = body.get("path"), body.get("domainName", "")
    _require(isinstance(path, str) and len(path) <= 255, "origin path is a string of at most 255 characters")
    _require(path == "" or (path[0] == "/" and path[-1] != "/"), "origin path starts with / and does not end with one")
    _require(_DNS_NAME.fullmatch(name) is not None, "origin domainName is a DNS name")
    custom_headers = body.get("customHeaders", {})
    _check_headers(custom_headers)
    both = set(custom_headers) & set(headers)
    _require(not both, f"in customHeaders and in headers: {', '.join(sorted(both))}")
    if kind == "s3":
        _require(name == name.lower() and len(name) <= 128, "an S3 domainName is lower case, at most 128 characters")
        _require(body.get("authMethod") in ("none", "origin-access-identity"), "authMethod is none or an OAI")
        return
    port = body.get("port")
    _require(isinstance(port, int) and (port in (80, 443) or 1024 <= port <= 65535), "port is 80, 443 or 1024-65535")
    _require(body.get("protocol") in ("http", "https"), "protocol is http or https")
    _require(1 <= body.get("keepaliveTimeout", 5) <= 60, "keepaliveTimeout is 1-60 seconds")
    _require(4 <= body.get("readTimeout", 30) <= 60, "readTimeout is 4-60 seconds")
    _require(bool(body.get("sslProtocols")), "sslProtocols names at least one")
