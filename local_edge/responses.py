"""An origin's answer as origin-response sees it, and what that function makes of it."""

import base64
from dataclasses import dataclass
from typing import Any

from aiohttp import ClientResponse
from multidict import CIMultiDict

from local_edge.contract import is_disallowed
from local_edge.origin import end_to_end_headers


@dataclass(frozen=True, slots=True)
class OriginAnswer:
    """An answer that goes on to the cache and to the viewer."""

    status: int
    reason: str | None
    headers: CIMultiDict[str]
    body: bytes | None
    """None: the origin's."""


def seen(upstream: ClientResponse) -> dict[str, Any]:
    """Return an answer's head as an event has it."""
    headers: dict[str, list[dict[str, str]]] = {}
    for name, value in end_to_end_headers(upstream).items():
        if not is_disallowed(name.lower()):
            headers.setdefault(name.lower(), []).append({"key": name, "value": value})
    return {"status": str(upstream.status), "statusDescription": upstream.reason or "", "headers": headers}


def made(upstream: ClientResponse, result: dict[str, Any]) -> OriginAnswer:
    """Return what the function made of an answer; what it was not shown stays."""
    hidden = ((name, value) for name, value in end_to_end_headers(upstream).items() if is_disallowed(name.lower()))
    headers: CIMultiDict[str] = CIMultiDict(hidden)
    for name, values in result.get("headers", {}).items():
        for pair in values:
            headers.add(pair.get("key", name), pair["value"])
    body = None
    if "body" in result:
        encoded = result.get("bodyEncoding") == "base64"
        body = base64.b64decode(result["body"]) if encoded else result["body"].encode()
        headers.popall("content-length", None)
    return OriginAnswer(int(result["status"]), result.get("statusDescription"), headers, body)
