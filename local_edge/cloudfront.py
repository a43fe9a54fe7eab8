"""CloudFront, played: viewer-request -> cache -> origin-request -> origin -> cache, for one distribution."""

import asyncio
import base64
import json
import secrets
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

from aiohttp import ClientError, ClientResponse, ClientSession, ClientTimeout, hdrs, web
from multidict import CIMultiDict, CIMultiDictProxy
from yarl import URL

from local_edge.contract import ContractViolation, check_result
from local_edge.events import VIA, cache_key, first, origin_request, region_of, viewer_request
from local_edge.object_cache import MAX_OBJECT_BYTES, CachedObject, Key, ObjectCache, byte_range, is_unmodified
from local_edge.origin_access_control import signed_headers
from local_edge.template import Distribution

Function = Callable[[dict[str, Any], object], dict[str, Any]]
Locate = Callable[[URL], URL]
"""Where an origin's name is found: DNS, which here knows the embedded AWS and the demo's ingress."""
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


# "Maximum length of a request" and "of a URL": more is answered with 413.
# https://docs.aws.amazon.com/AmazonCloudFront/latest/DeveloperGuide/RequestAndResponseBehaviorCustomOrigin.html
MAX_REQUEST_BYTES = 20_480
MAX_URL_BYTES = 8_192


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


class FunctionFailed(Exception):
    """An edge function raised, or returned what is no JSON."""


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

    def server(self, handle: Callable[[web.BaseRequest], Awaitable[web.StreamResponse]]) -> web.ServerRunner:
        """Return what serves viewers, not yet listening. It reads more than CloudFront takes, to be able to say so.

        `handle`: this distribution's own, or what asks it.
        """
        enough = 4 * MAX_REQUEST_BYTES
        server = web.Server(handle, max_line_size=enough, max_field_size=enough)
        return web.ServerRunner(server, handler_cancellation=True)

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
        except FunctionFailed as error:
            response = _error(exchange, 502, f"The Lambda function failed: {error}.", "LambdaExecutionError")
        exchange.status = response.status
        if not response.prepared:
            self._add_headers(response, exchange)
            await response.prepare(viewer)
            await response.write_eof()
        exchange.stages["total"] = (time.perf_counter() - started) * 1000
        self._log(exchange)
        return response

    def _add_headers(self, response: web.StreamResponse, exchange: Exchange) -> None:
        response.headers["Via"] = VIA
        response.headers["X-Cache"] = f"{exchange.x_cache} from cloudfront"
        response.headers["X-Amz-Cf-Id"] = exchange.request_id
        for name, value, override in self.distribution.response_headers:
            if override or name not in response.headers:
                response.headers[name] = value

    async def _answer(
        self, viewer: web.BaseRequest, exchange: Exchange, uri: str, querystring: str
    ) -> web.StreamResponse:
        length = len(exchange.path) + sum(len(name) + len(value) + 4 for name, value in viewer.raw_headers)
        if length > MAX_REQUEST_BYTES or len(exchange.path) > MAX_URL_BYTES:
            return _error(exchange, 413, "The request is larger than CloudFront takes.")
        if viewer.headers.get("upgrade", "").lower() == "websocket":
            return _error(exchange, 501, "WebSocket is not played by the local edge.")
        if viewer.method not in self.distribution.allowed_methods:
            return _error(exchange, 403, "This distribution is not configured to allow the HTTP request method.")
        request = viewer_request(viewer, uri, querystring)
        result = await self._invoke("viewer-request", exchange, request)
        if "status" in result:
            return _generated(exchange, result)
        exchange.route = first(result, "x-route") or ""
        key = cache_key(self.distribution, result)
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
        forwarded = origin_request(self.distribution, request, viewer.remote or "127.0.0.1", stale)
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
        self._add_headers(response, exchange)
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
        # As Lambda does: what comes and goes is JSON, and no object of the function's own.
        given = json.loads(json.dumps(event))
        try:
            async with self._sandboxes[event_type]:
                text = json.dumps(await asyncio.to_thread(function, given, None))
        except Exception as error:
            raise FunctionFailed(f"{type(error).__name__}: {error}") from error
        result: dict[str, Any] = json.loads(text)
        exchange.stages[event_type] = (time.perf_counter() - started) * 1000
        check_result(event_type, before, result)
        return result

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
            headers.update(
                signed_headers(request["method"], url, origin["domainName"], region_of(origin["domainName"]))
            )
        return self._session.request(
            request["method"],
            self._locate(url),
            headers=headers,
            data=viewer.content if viewer.can_read_body else None,
            allow_redirects=False,
            skip_auto_headers=(hdrs.USER_AGENT, hdrs.ACCEPT, hdrs.ACCEPT_ENCODING, hdrs.CONTENT_TYPE),
            timeout=ClientTimeout(sock_connect=10, sock_read=origin.get("readTimeout", 30)),
        )


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
