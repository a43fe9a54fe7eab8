"""The requests as functions see them, and the cache key: what the policies of a distribution select.

Event structure: https://docs.aws.amazon.com/AmazonCloudFront/latest/DeveloperGuide/lambda-event-structure.html
"""

from typing import Any
from urllib.parse import parse_qsl

from aiohttp import web

from local_edge.contract import is_disallowed
from local_edge.object_cache import CachedObject, Key
from local_edge.template import Distribution, Selection

VIA = "1.1 local-edge.cloudfront.net (CloudFront)"
_ALWAYS_FORWARDED = frozenset(
    (
        "content-length",
        "content-type",
        "if-match",
        "if-modified-since",
        "if-none-match",
        "if-range",
        "if-unmodified-since",
        "range",
        "transfer-encoding",
    )
)


def viewer_request(viewer: web.BaseRequest, uri: str, querystring: str) -> dict[str, Any]:
    """Return a viewer's request as viewer-request sees it."""
    headers: dict[str, list[dict[str, str]]] = {}
    for raw_name, raw_value in viewer.raw_headers:
        name = raw_name.decode("latin-1")
        if not is_disallowed(name.lower()):
            headers.setdefault(name.lower(), []).append({"key": name, "value": raw_value.decode("utf-8", "replace")})
    return {
        "clientIp": viewer.remote or "127.0.0.1",
        "headers": headers,
        "method": viewer.method,
        "querystring": querystring,
        "uri": uri,
    }


def cache_key(distribution: Distribution, request: dict[str, Any]) -> Key:
    """Return what tells objects apart: only what the cache policy names."""
    policy = distribution.cache_key
    headers = sorted(
        (name, tuple(pair["value"] for pair in values))
        for name, values in request["headers"].items()
        if policy.headers.behavior == "whitelist" and policy.headers.includes(name)
    )
    cookies = sorted(_select_cookies(policy.cookies, request))
    querystring = _select_querystring(policy.querystrings, request["querystring"])
    return request["uri"], querystring, _encoding(distribution, request), *headers, *cookies


def origin_request(
    distribution: Distribution, request: dict[str, Any], viewer: str, stale: CachedObject | None
) -> dict[str, Any]:
    """Return what the policies let through of a request, as origin-request sees it.

    `viewer` is an address; `stale` an object whose validators are asked about.
    """
    key, policy = distribution.cache_key, distribution.forwarded
    headers = {
        name: values
        for name, values in request["headers"].items()
        if name in _ALWAYS_FORWARDED or key.headers.includes(name) or policy.headers.includes(name)
    }
    headers.pop("cookie", None)
    cookies = dict(_select_cookies(key.cookies, request)) | dict(_select_cookies(policy.cookies, request))
    if cookies:
        _set(headers, "cookie", "; ".join(f"{name}={value}" for name, value in cookies.items()))
    if not (key.headers.includes("host") or policy.headers.includes("host")):
        _set(headers, "host", distribution.origin_domain_name)
    headers.setdefault("user-agent", [{"key": "User-Agent", "value": "Amazon CloudFront"}])
    headers.pop("accept-encoding", None)
    if encoding := _encoding(distribution, request):
        _set(headers, "accept-encoding", encoding)
    _set(headers, "via", VIA)
    earlier = first(request, "x-forwarded-for")
    _set(headers, "x-forwarded-for", f"{earlier}, {viewer}" if earlier else viewer)
    if stale is not None:
        for name, validator in (("if-none-match", "etag"), ("if-modified-since", "last-modified")):
            headers.pop(name, None)
            if validator in stale.headers:
                _set(headers, name, stale.headers[validator])
    querystring = request["querystring"]
    both = {_select_querystring(p.querystrings, querystring) for p in (key, policy)}
    custom_headers: dict[str, Any] = {}
    for name, value in distribution.origin_headers.items():
        _set(custom_headers, name, value)
    return {
        **request,
        "querystring": max(both, key=len),
        "headers": headers,
        "origin": {
            "s3": {
                "authMethod": "none",
                "customHeaders": custom_headers,
                "domainName": distribution.origin_domain_name,
                "path": "",
            }
        },
    }


def _encoding(distribution: Distribution, request: dict[str, Any]) -> str:
    accepted = first(request, "accept-encoding") or ""
    return ",".join(name for name in distribution.encodings if name in accepted)


def region_of(domain_name: str) -> str:
    """Return the region in a bucket's domain name."""
    return domain_name.rpartition(".s3.")[2].partition(".")[0]


def first(request: dict[str, Any], name: str) -> str | None:
    """Return the first value of a header."""
    values = request["headers"].get(name)
    return str(values[0]["value"]) if values else None


def _set(headers: dict[str, Any], name: str, value: str) -> None:
    headers[name] = [{"key": name, "value": value}]


def _select_cookies(selection: Selection, request: dict[str, Any]) -> list[tuple[str, str]]:
    pairs = [
        part.strip().partition("=") for v in request["headers"].get("cookie", ()) for part in v["value"].split(";")
    ]
    return [(name, value) for name, _, value in pairs if name and selection.includes(name)]


def _select_querystring(selection: Selection, querystring: str) -> str:
    if selection.behavior in ("all", "none"):
        return querystring if selection.behavior == "all" else ""
    names = {name for name, _ in parse_qsl(querystring, keep_blank_values=True) if selection.includes(name)}
    return "&".join(part for part in querystring.split("&") if part.partition("=")[0] in names)
