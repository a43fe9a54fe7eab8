"""Requests to origins, and what of their answers goes on to viewers."""

from collections.abc import Callable
from typing import Any

from aiohttp import ClientResponse, ClientSession, ClientTimeout, hdrs, web
from multidict import CIMultiDict
from yarl import URL

from local_edge.events import region_of
from local_edge.origin_access_control import refusal, signed_headers
from local_edge.template import Distribution

UPGRADE = {"connection": "Upgrade", "upgrade": "websocket"}
Locate = Callable[[URL], URL]
"""Where an origin's name is found: DNS, which here knows the embedded AWS and the demo's ingress."""
HOP_BY_HOP = frozenset(
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


class Refused(Exception):
    """S3 would answer 403, which no S3 is here to do."""


def opens_websocket(viewer: web.BaseRequest) -> bool:
    """Tell whether a request asks for a WebSocket."""
    said = {name: viewer.headers.get(name, "").lower() for name in UPGRADE}
    return viewer.method == "GET" and said["upgrade"] == "websocket" and "upgrade" in said["connection"]


class Origins:
    """Sends requests where origin-request wants them."""

    def __init__(self, distribution: Distribution, session: ClientSession, locate: Locate) -> None:
        self._distribution = distribution
        self._session = session
        self._locate = locate

    async def send(self, viewer: web.BaseRequest, request: dict[str, Any], request_id: str) -> ClientResponse:
        """Return the head of an origin's answer; `request` is what origin-request made of the viewer's.

        Raises:
            Refused: it is a bucket's, and the request is signed as S3 does not take it.
            ClientError, TimeoutError, OSError: the origin gives none.
        """
        ((kind, origin),) = request["origin"].items()
        headers: CIMultiDict[str] = CIMultiDict()
        for name, values in {**request["headers"], **origin.get("customHeaders", {})}.items():
            for pair in values:
                headers.add(name, pair["value"])
        if kind == "custom":
            headers["x-amz-cf-id"] = request_id
        headers.popall("transfer-encoding", None)
        if opens_websocket(viewer) and kind == "custom":
            headers.update(UPGRADE)
        scheme, port = ("https", 443) if kind == "s3" else (origin["protocol"], origin["port"])
        query = f"?{request['querystring']}" if request["querystring"] else ""
        url = URL(f"{scheme}://{origin['domainName']}:{port}{origin['path']}{request['uri']}{query}", encoded=True)
        if self._distribution.origin_access_control:
            own = origin["domainName"] == self._distribution.origin_domain_name
            if reason := refusal(kind, origin["domainName"], headers, own=own):
                raise Refused(f"S3 refuses the request, {reason}")
            if kind == "s3":
                region = region_of(origin["domainName"])
                headers.update(signed_headers(request["method"], url, origin["domainName"], region))
        return await self._session.request(
            request["method"],
            self._locate(url),
            headers=headers,
            data=viewer.content if viewer.can_read_body else None,
            allow_redirects=False,
            skip_auto_headers=(hdrs.USER_AGENT, hdrs.ACCEPT, hdrs.ACCEPT_ENCODING, hdrs.CONTENT_TYPE),
            timeout=ClientTimeout(sock_connect=10, sock_read=origin.get("readTimeout", 30)),
        )


def end_to_end_headers(upstream: ClientResponse) -> CIMultiDict[str]:
    """Return the headers of an answer that are not about its connection."""
    return CIMultiDict((n, v) for n, v in upstream.headers.items() if n.lower() not in HOP_BY_HOP)
