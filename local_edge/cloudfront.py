"""CloudFront, played for one distribution: viewer-request, cache, origin-request, origin, origin-response, cache."""

import base64
import secrets
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

from aiohttp import ClientError, ClientResponse, ClientSession, web
from multidict import CIMultiDict, CIMultiDictProxy
from yarl import URL

from local_edge.collapsing import Collapser, Share, may_collapse, share_with_nobody
from local_edge.contract import ContractViolation
from local_edge.events import VIA, cache_key, first, origin_request, viewer_request
from local_edge.functions import Function, FunctionFailed, Functions
from local_edge.limits import HEAD_LIMITS, MAX_REQUEST_BYTES, MAX_URL_BYTES
from local_edge.object_cache import MAX_OBJECT_BYTES, CachedObject, Key, ObjectCache, byte_range, is_unmodified
from local_edge.origin import Locate, Origins, Refused, opens_websocket
from local_edge.responses import OriginAnswer, made, seen
from local_edge.template import Distribution
from local_edge.websocket import Upgraded


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


@dataclass(frozen=True, slots=True)
class _Asked:
    """A viewer's request after viewer-request has let it pass."""

    viewer: web.BaseRequest
    exchange: Exchange
    request: dict[str, Any]
    key: Key
    conditions: dict[str, str]
    cacheable: bool
    """By its method; what opens a WebSocket is not."""


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
        self._functions = Functions(functions)
        self._origins = Origins(distribution, session, locate)
        self._collapser = Collapser() if may_collapse(distribution) else None
        self._log = log

    def server(self, handle: Callable[[web.BaseRequest], Awaitable[web.StreamResponse]]) -> web.ServerRunner:
        """Return what serves viewers, not yet listening. It reads more than CloudFront takes, to be able to say so.

        `handle`: this distribution's own, or what asks it.
        """
        # An open WebSocket is not waited for.
        return web.ServerRunner(web.Server(handle, handler_cancellation=True, **HEAD_LIMITS), shutdown_timeout=1)

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
            if not isinstance(response, Upgraded):
                await response.write_eof()
        exchange.stages["total"] = (time.perf_counter() - started) * 1000
        self._log(exchange)
        if isinstance(response, Upgraded):
            await response.relay(viewer)
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
        if viewer.method not in self.distribution.allowed_methods:
            return _error(exchange, 403, "This distribution is not configured to allow the HTTP request method.")
        request = viewer_request(viewer, uri, querystring)
        result = await self._invoke("viewer-request", exchange, request)
        if "status" in result:
            return _generated(exchange, result)
        exchange.route = first(result, "x-route") or ""
        conditions = {name: values[0]["value"] for name, values in result["headers"].items()}
        cacheable = viewer.method in self.distribution.cached_methods and not opens_websocket(viewer)
        asked = _Asked(viewer, exchange, result, cache_key(self.distribution, result), conditions, cacheable)
        if opens_websocket(viewer):
            return await self._open_websocket(asked)
        return await (self._look_up(asked) if cacheable else self._miss(asked))

    async def _open_websocket(self, asked: _Asked) -> web.StreamResponse:
        exchange, viewer = asked.exchange, asked.viewer
        exchange.x_cache = "Miss"
        forwarded = origin_request(self.distribution, asked.request, viewer.remote or "127.0.0.1", None)
        result = await self._invoke("origin-request", exchange, forwarded)
        if "status" in result:
            return _generated(exchange, result)
        try:
            upstream = await self._origins.send(viewer, result, exchange.request_id)
        except (Refused, ClientError, TimeoutError, OSError) as error:
            return _error(exchange, _failed_status(error), f"The origin failed: {error}.")
        if upstream.status == 101:
            return Upgraded(upstream)
        async with upstream:
            answer = made(upstream, await self._invoke("origin-response", exchange, result, seen(upstream)))
            return await self._pass_on(asked, upstream, answer, share_with_nobody, bucket="s3" in result["origin"])

    async def _look_up(self, asked: _Asked) -> web.StreamResponse:
        found, fresh = self.cache.find(asked.key, asked.viewer.method)
        if found is not None and fresh:
            return self._hit(asked, found)
        # CloudFront promises nothing for ranges, and the part that one viewer gets is not what another asked for.
        if self._collapser is None or "range" in asked.conditions:
            return await self._miss(asked)
        answer = await self._collapser.answer((asked.key, asked.viewer.method), lambda share: self._miss(asked, share))
        return self._hit(asked, answer) if isinstance(answer, CachedObject) else answer

    def _hit(self, asked: _Asked, found: CachedObject) -> web.Response:
        asked.exchange.x_cache = "Hit" if found.status < 400 else "Error"
        return self._from_cache(found, asked.viewer.method, asked.conditions)

    async def _miss(self, asked: _Asked, share: Share = share_with_nobody) -> web.StreamResponse:
        exchange, viewer = asked.exchange, asked.viewer
        exchange.x_cache = "Miss"
        stale = self.cache.find(asked.key, viewer.method)[0] if asked.cacheable else None
        checked = stale if stale is not None and stale.status == 200 else None
        forwarded = origin_request(self.distribution, asked.request, viewer.remote or "127.0.0.1", checked)
        result = await self._invoke("origin-request", exchange, forwarded)
        if "status" in result:
            return self._keep(asked, _generated(exchange, result), share)
        bucket = "s3" in result["origin"]
        started = time.perf_counter()
        try:
            upstream = await self._origins.send(viewer, result, exchange.request_id)
        except (Refused, ClientError, TimeoutError, OSError) as error:
            status = _failed_status(error)
            if status >= 500 and stale is not None and self.cache.stands_in(stale):
                return self._stand_in(asked, stale, status, share, bucket=bucket)
            return self._keep(asked, _error(exchange, status, f"The origin failed: {error}."), share, bucket=bucket)
        async with upstream:
            exchange.stages["origin"] = (time.perf_counter() - started) * 1000
            answer = made(upstream, await self._invoke("origin-response", exchange, result, seen(upstream)))
            if answer.status == 304 and checked is not None:
                exchange.x_cache = "RefreshHit"
                renewed = self.cache.refresh(asked.key, checked, CIMultiDictProxy(answer.headers))
                share(renewed)
                return self._from_cache(renewed, viewer.method, asked.conditions)
            if answer.status >= 500 and stale is not None and self.cache.stands_in(stale):
                return self._stand_in(asked, stale, answer.status, share, bucket=bucket)
            return await self._pass_on(asked, upstream, answer, share, bucket=bucket)

    def _keep(self, asked: _Asked, response: web.Response, share: Share, *, bucket: bool = False) -> web.Response:
        """Put what was made at the edge into the cache."""
        if asked.cacheable and isinstance(response.body, bytes):
            headers = CIMultiDictProxy(response.headers.copy())
            made = self.cache.store(
                asked.key, asked.viewer.method, response.status, headers, response.body, bucket=bucket
            )
            share(made if self.cache.may_be_shared(response.status, headers) else None)
        return response

    def _stand_in(self, asked: _Asked, stale: CachedObject, status: int, share: Share, *, bucket: bool) -> web.Response:
        """Answer with an object that has expired, for its origin answers with an error or not at all."""
        asked.exchange.x_cache = "RefreshHit"
        kept = self.cache.stand_in(asked.key, stale, status, bucket=bucket)
        share(kept)
        return self._from_cache(kept, asked.viewer.method, asked.conditions)

    async def _pass_on(
        self, asked: _Asked, upstream: ClientResponse, answer: OriginAnswer, share: Share, *, bucket: bool
    ) -> web.StreamResponse:
        """Stream an origin's answer to the viewer, and put it into the cache when it is whole."""
        exchange, viewer = asked.exchange, asked.viewer
        headers = answer.headers
        if answer.body is not None:
            made = web.Response(status=answer.status, reason=answer.reason, headers=headers, body=answer.body)
            exchange.x_cache = "Error" if answer.status >= 400 else exchange.x_cache
            return self._keep(asked, made, share, bucket=bucket)
        stored = CIMultiDictProxy(headers.copy())
        if not self.cache.may_be_shared(answer.status, stored):
            share(None)
        if answer.status >= 400:
            exchange.x_cache = "Error"
        headers.popall("content-length", None) if viewer.method != "HEAD" else None
        response = web.StreamResponse(status=answer.status, reason=answer.reason, headers=headers)
        self._add_headers(response, exchange)
        length = upstream.headers.get("content-length", "")
        if length.isdigit() and viewer.method != "HEAD":
            response.content_length = int(length)
        await response.prepare(viewer)
        kept = bytearray()
        try:
            async for chunk in upstream.content.iter_any():
                await response.write(chunk)
                if len(kept) <= MAX_OBJECT_BYTES:
                    kept += chunk
                else:
                    share(None)
        except (ClientError, TimeoutError, OSError):
            # Too late for another status; and what is not whole is not kept.
            if viewer.transport is not None:
                viewer.transport.close()
            return response
        await response.write_eof()
        if asked.cacheable:
            share(self.cache.store(asked.key, viewer.method, answer.status, stored, bytes(kept), bucket=bucket))
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

    async def _invoke(
        self, event_type: str, exchange: Exchange, request: dict[str, Any], response: dict[str, Any] | None = None
    ) -> dict[str, Any]:
        started = time.perf_counter()
        result = await self._functions.invoke(event_type, exchange.request_id, request, response)
        exchange.stages[event_type] = (time.perf_counter() - started) * 1000
        return result


def _failed_status(error: Exception) -> int:
    return 403 if isinstance(error, Refused) else 504 if isinstance(error, TimeoutError) else 502


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
