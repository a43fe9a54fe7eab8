"""CloudFront, played: viewer-request -> cache -> origin-request -> origin -> cache, for one distribution."""

import asyncio
import base64
import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl

from aiohttp import ClientError, ClientResponse, ClientSession, ClientTimeout, hdrs, web
from multidict import CIMultiDict, CIMultiDictProxy
from yarl import URL

from local_edge.contract import ContractViolation, check_result, is_disallowed
from local_edge.object_cache import MAX_OBJECT_BYTES, CachedObject, Key, ObjectCache, byte_range, is_unmodified
from local_edge.origin_access_control import signed_headers
from local_edge.template import Distribution, Selection

Function = Callable[[dict[str, Any], object], dict[str, Any]]
Locate = Callable[[URL], URL]
"""Where an origin's name is found: DNS, which here knows the embedded AWS and the demo's ingress."""
VIA = "1.1 local-edge.cloudfront.net (CloudFront)"
_HOP_BY_HOP = frozenset(
    (
        "connection",
        "keep-alive",
        "proxy-authenticate",
        "proxy-connection",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
    )
)
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


@dataclass(slots=True)
class Exchange:
    """One request on its way: what the access log says about it."""

    request_id: str
    method: str
    host: str
    path: str
    x_cache: str = ""
    status: int = 0
    route: str = ""
    stages: dict[str, float] = field(default_factory=dict)
    """Milliseconds by stage."""


class CloudFront:
    """Answers viewers with what one distribution says."""

    def __init__(
        self,
        distribution: Distribution,
        functions: dict[str, Function],
        session: ClientSession,
        locate: Locate,
        log: Callable[[Exchange], None],
    ) -> None:
        """`functions` by event type; `session` connects to origins."""
        self.distribution = distribution
        self.cache = ObjectCache(distribution)
        self._functions = functions
        # A Lambda sandbox handles one request at a time; so does the one that is played here.
        self._sandboxes = {event_type: asyncio.Lock() for event_type in functions}
        self._session = session
        self._locate = locate
        self._log = log

    async def handle(self, viewer: web.BaseRequest) -> web.StreamResponse:
        """Answer one viewer."""
        path = (
            viewer.raw_path if viewer.raw_path.startswith("/") else f"/{URL(viewer.raw_path).raw_path_qs.lstrip('/')}"
        )
        uri, _, querystring = path.partition("?")
        exchange = Exchange(secrets.token_urlsafe(32), viewer.method, viewer.headers.get("host", ""), path)
        started = time.perf_counter()
        try:
            response = await self._answer(viewer, exchange, uri, querystring)
        except ContractViolation as error:
            response = _error(
                exchange, 502, f"The Lambda function result is invalid: {error}.", "LambdaValidationError"
            )
        exchange.status = response.status
        if not response.prepared:
            response.headers["Via"] = VIA
            response.headers["X-Cache"] = f"{exchange.x_cache} from cloudfront"
            response.headers["X-Amz-Cf-Id"] = exchange.request_id
            await response.prepare(viewer)
            await response.write_eof()
        exchange.stages["total"] = (time.perf_counter() - started) * 1000
        self._log(exchange)
        return response

    async def _answer(
        self, viewer: web.BaseRequest, exchange: Exchange, uri: str, querystring: str
    ) -> web.StreamResponse:
        if viewer.headers.get("upgrade", "").lower() == "websocket":
            return _error(exchange, 501, "WebSocket is not played by the local edge.")
        if viewer.method not in self.distribution.allowed_methods:
            return _error(exchange, 403, "This distribution is not configured to allow the HTTP request method.")
        request = _event_request(viewer, uri, querystring)
        result = await self._invoke("viewer-request", exchange, request)
        if "status" in result:
            return _generated(exchange, result)
        exchange.route = _first(result, "x-route") or ""
        key = self._key(result)
        conditions = {name: values[0]["value"] for name, values in result["headers"].items()}
        stale = None
        if viewer.method in self.distribution.cached_methods:
            found, fresh = self.cache.find(key, viewer.method)
            if found is not None and fresh:
                exchange.x_cache = "Hit"
                return self._from_cache(found, viewer.method, conditions)
            stale = found if found is not None and found.status == 200 and "range" not in conditions else None
        return await self._miss(viewer, exchange, result, key, stale, conditions)

    async def _miss(
        self,
        viewer: web.BaseRequest,
        exchange: Exchange,
        request: dict[str, Any],
        key: Key,
        stale: CachedObject | None,
        conditions: dict[str, str],
    ) -> web.StreamResponse:
        exchange.x_cache = "Miss"
        forwarded = self._forwarded(request, viewer, stale)
        result = await self._invoke("origin-request", exchange, forwarded)
        cacheable = viewer.method in self.distribution.cached_methods and "range" not in conditions
        if "status" in result:
            response = _generated(exchange, result)
            if cacheable and isinstance(response.body, bytes):
                self.cache.store(key, viewer.method, response.status, CIMultiDictProxy(response.headers), response.body)
            return response
        started = time.perf_counter()
        try:
            async with self._fetch(viewer, result) as upstream:
                exchange.stages["origin"] = (time.perf_counter() - started) * 1000
                if upstream.status == 304 and stale is not None:
                    exchange.x_cache = "RefreshHit"
                    return self._from_cache(self.cache.refresh(key, stale, upstream.headers), viewer.method, conditions)
                return await self._pass_on(viewer, exchange, upstream, key if cacheable else None)
        except (ClientError, TimeoutError, OSError) as error:
            return _error(exchange, 502 if not isinstance(error, TimeoutError) else 504, f"The origin failed: {error}.")

    async def _pass_on(
        self, viewer: web.BaseRequest, exchange: Exchange, upstream: ClientResponse, key: Key | None
    ) -> web.StreamResponse:
        headers = CIMultiDict((n, v) for n, v in upstream.headers.items() if n.lower() not in _HOP_BY_HOP)
        headers.popall("content-length", None) if viewer.method != "HEAD" else None
        if upstream.status >= 400:
            exchange.x_cache = "Error"
        response = web.StreamResponse(status=upstream.status, reason=upstream.reason, headers=headers)
        response.headers["Via"] = VIA
        response.headers["X-Cache"] = f"{exchange.x_cache} from cloudfront"
        response.headers["X-Amz-Cf-Id"] = exchange.request_id
        length = upstream.headers.get("content-length", "")
        if length.isdigit() and viewer.method != "HEAD":
            response.content_length = int(length)
        await response.prepare(viewer)
        kept = bytearray()
        async for chunk in upstream.content.iter_any():
            await response.write(chunk)
            if len(kept) <= MAX_OBJECT_BYTES:
                kept += chunk
        await response.write_eof()
        if key is not None and upstream.status != 206:
            self.cache.store(
                key, viewer.method, upstream.status, CIMultiDictProxy(_without_hops(upstream)), bytes(kept)
            )
        return response

    def _from_cache(self, found: CachedObject, method: str, conditions: dict[str, str]) -> web.Response:
        headers = CIMultiDict((n, v) for n, v in found.headers.items() if n.lower() not in ("content-length", "age"))
        headers["Age"] = str(self.cache.age(found))
        if is_unmodified(found, method, conditions):
            return web.Response(status=304, headers=headers)
        if method == "HEAD":
            if "content-length" in found.headers:
                headers["Content-Length"] = found.headers["content-length"]
            return web.Response(status=found.status, headers=headers)
        try:
            part = byte_range(found, conditions)
        except ValueError as error:
            return web.Response(status=416, headers={"Content-Range": str(error)})
        if part is None:
            return web.Response(status=found.status, headers=headers, body=found.body)
        start, stop = part
        headers["Content-Range"] = f"bytes {start}-{stop - 1}/{len(found.body)}"
        return web.Response(status=206, headers=headers, body=found.body[start:stop])

    async def _invoke(self, event_type: str, exchange: Exchange, request: dict[str, Any]) -> dict[str, Any]:
        function = self._functions.get(event_type)
        if function is None:
            return request
        config = {
            "distributionDomainName": "d111111abcdef8.cloudfront.net",
            "distributionId": "EDFDVBD6EXAMPLE",
            "eventType": event_type,
            "requestId": exchange.request_id,
        }
        before = {**request, "headers": dict(request["headers"])}
        event = {"Records": [{"cf": {"config": config, "request": request}}]}
        started = time.perf_counter()
        async with self._sandboxes[event_type]:
            result = await asyncio.to_thread(function, event, None)
        exchange.stages[event_type] = (time.perf_counter() - started) * 1000
        check_result(event_type, before, result)
        return result

    def _key(self, request: dict[str, Any]) -> Key:
        policy = self.distribution.cache_key
        headers = sorted(
            (name, tuple(pair["value"] for pair in values))
            for name, values in request["headers"].items()
            if policy.headers.behavior == "whitelist" and policy.headers.includes(name)
        )
        cookies = sorted(_select_cookies(policy.cookies, request))
        querystring = _select_querystring(policy.querystrings, request["querystring"])
        return request["uri"], querystring, self._encoding(request), *headers, *cookies

    def _encoding(self, request: dict[str, Any]) -> str:
        accepted = _first(request, "accept-encoding") or ""
        return ",".join(name for name in self.distribution.encodings if name in accepted)

    def _forwarded(
        self, request: dict[str, Any], viewer: web.BaseRequest, stale: CachedObject | None
    ) -> dict[str, Any]:
        """Return what the policies let through, as origin-request sees it."""
        key, policy = self.distribution.cache_key, self.distribution.forwarded
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
            _set(headers, "host", self.distribution.origin_domain_name)
        headers.setdefault("user-agent", [{"key": "User-Agent", "value": "Amazon CloudFront"}])
        headers.pop("accept-encoding", None)
        if encoding := self._encoding(request):
            _set(headers, "accept-encoding", encoding)
        _set(headers, "via", VIA)
        earlier = _first(request, "x-forwarded-for")
        _set(headers, "x-forwarded-for", f"{earlier}, {viewer.remote}" if earlier else str(viewer.remote))
        if stale is not None:
            for name, validator in (("if-none-match", "etag"), ("if-modified-since", "last-modified")):
                headers.pop(name, None)
                if validator in stale.headers:
                    _set(headers, name, stale.headers[validator])
        querystring = request["querystring"]
        both = {_select_querystring(p.querystrings, querystring) for p in (key, policy)}
        custom_headers: dict[str, Any] = {}
        for name, value in self.distribution.origin_headers.items():
            _set(custom_headers, name, value)
        return {
            **request,
            "querystring": max(both, key=len),
            "headers": headers,
            "origin": {
                "s3": {
                    "authMethod": "none",
                    "customHeaders": custom_headers,
                    "domainName": self.distribution.origin_domain_name,
                    "path": "",
                    "region": _region(self.distribution.origin_domain_name),
                }
            },
        }

    def _fetch(self, viewer: web.BaseRequest, request: dict[str, Any]) -> Any:
        ((kind, origin),) = request["origin"].items()
        headers: CIMultiDict[str] = CIMultiDict()
        for name, values in {**request["headers"], **origin.get("customHeaders", {})}.items():
            for pair in values:
                headers.add(name, pair["value"])
        headers["x-amz-cf-id"] = secrets.token_urlsafe(32)
        headers.popall("transfer-encoding", None)
        scheme, port = ("https", 443) if kind == "s3" else (origin["protocol"], origin["port"])
        query = f"?{request['querystring']}" if request["querystring"] else ""
        url = URL(f"{scheme}://{origin['domainName']}:{port}{origin['path']}{request['uri']}{query}", encoded=True)
        own = self.distribution.origin_access_control and origin["domainName"] == self.distribution.origin_domain_name
        if kind == "s3" and own:
            headers.update(signed_headers(request["method"], url, origin["domainName"], _region(origin["domainName"])))
        return self._session.request(
            request["method"],
            self._locate(url),
            headers=headers,
            data=viewer.content if viewer.can_read_body else None,
            allow_redirects=False,
            skip_auto_headers=(hdrs.USER_AGENT, hdrs.ACCEPT, hdrs.ACCEPT_ENCODING, hdrs.CONTENT_TYPE),
            timeout=ClientTimeout(sock_connect=10, sock_read=origin.get("readTimeout", 30)),
        )


def _event_request(viewer: web.BaseRequest, uri: str, querystring: str) -> dict[str, Any]:
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


def _region(domain_name: str) -> str:
    return domain_name.rpartition(".s3.")[2].partition(".")[0]


def _generated(exchange: Exchange, result: dict[str, Any]) -> web.Response:
    exchange.x_cache = "LambdaGeneratedResponse"
    headers: CIMultiDict[str] = CIMultiDict()
    for name, values in result.get("headers", {}).items():
        for pair in values:
            headers.add(name, pair["value"])
    body = result.get("body", "")
    content = base64.b64decode(body) if result.get("bodyEncoding") == "base64" else body.encode()
    return web.Response(
        status=int(result["status"]), reason=result.get("statusDescription"), headers=headers, body=content
    )


def _error(exchange: Exchange, status: int, text: str, x_cache: str = "Error") -> web.Response:
    exchange.x_cache = x_cache
    return web.Response(status=status, text=f"{status} ERROR\n{text}\nGenerated by the local edge.\n")


def _without_hops(upstream: ClientResponse) -> CIMultiDict[str]:
    return CIMultiDict((n, v) for n, v in upstream.headers.items() if n.lower() not in _HOP_BY_HOP)


def _first(request: dict[str, Any], name: str) -> str | None:
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
