"""A load balancer and an ingress controller in one, where there is no nginx: as little as a demo needs."""

from collections.abc import Mapping

from aiohttp import ClientSession, ClientTimeout, DummyCookieJar, web

from edge_handler.origin_secret import HEADER as SECRET_HEADER
from local_edge.kubernetes import IngressRule
from local_edge.limits import HEAD_LIMITS
from local_edge.origin import HOP_BY_HOP, UPGRADE, end_to_end_headers, opens_websocket
from local_edge.websocket import Upgraded


def stand_in(upstreams: Mapping[str, tuple[str, IngressRule]], secret: str) -> web.Server:
    """Return a server; see `nginx_conf` for the arguments."""

    async def handle(request: web.BaseRequest) -> web.StreamResponse:
        if request.headers.get(SECRET_HEADER) != secret:
            return web.Response(status=403, text="not through CloudFront\n")
        host = request.headers.get("host", "")
        if host not in upstreams:
            return web.Response(status=404, text="no ingress for this host\n")
        return await _pass_on(request, *upstreams[host])

    return web.Server(handle, handler_cancellation=True, **HEAD_LIMITS)


async def _pass_on(request: web.BaseRequest, upstream: str, rule: IngressRule) -> web.StreamResponse:
    headers = request.headers.copy()
    for name in (SECRET_HEADER, *HOP_BY_HOP):
        headers.popall(name, None)
    if rule.websocket and opens_websocket(request):
        headers.update(UPGRADE)
    # As the controller's real-ip-header has it: the last address is what CloudFront saw.
    viewer = headers.get("x-forwarded-for", request.remote or "").rpartition(",")[2].strip()
    headers.update(
        {
            "x-real-ip": viewer,
            "x-forwarded-for": f"{headers.get('x-forwarded-for', viewer)}, {viewer}",
            "x-forwarded-host": request.headers["host"],
            "x-forwarded-port": "443" if rule.tls else "80",
            "x-forwarded-proto": "https" if rule.tls else "http",
        }
    )
    async with (
        ClientSession(
            auto_decompress=False, cookie_jar=DummyCookieJar(), timeout=ClientTimeout(total=None), **HEAD_LIMITS
        ) as session,
        session.request(
            request.method,
            f"{upstream}{request.raw_path}",
            headers=headers,
            data=request.content if request.can_read_body else None,
            allow_redirects=False,
        ) as answer,
    ):
        if answer.status == 101:
            upgraded = Upgraded(answer)
            await upgraded.prepare(request)
            await upgraded.relay(request)
            return upgraded
        response = web.StreamResponse(status=answer.status, reason=answer.reason, headers=end_to_end_headers(answer))
        await response.prepare(request)
        async for chunk in answer.content.iter_any():
            await response.write(chunk)
        await response.write_eof()
        return response
