"""Asking the edge why viewers get what they get: signed with the newest key, for a minute, and kept nowhere.

The edge's side is `edge_handler.debug`, which says what each name of the answer means.
"""

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import urllib3

from edge_handler.access.session import encode_token
from edge_handler.debug import HEADER, NAMES, SINCE
from table_admin.access_table import AccessTable
from table_admin.connecting import pool_for
from table_admin.errors import InvalidInput, TableAdminError
from table_admin.inputs import parse_host
from table_admin.routing_table import RoutingTable

METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")
"""Not HEAD, whose answer has no body; viewer-request does with it what it does with GET."""
TOKEN_SECONDS = 60
_PATIENCE = urllib3.Timeout(connect=5, read=10)
_MOST_BYTES = 100_000
"""Of an answer; viewer-request's are 40 KB at most."""
_COOKIE = re.compile(r"[!#-+\--:<-\[\]-~]+=[!-:<-~]*")


@dataclass(frozen=True, slots=True)
class EdgeAnswer:
    """What the edge says of a host."""

    url: str
    """What was asked."""
    said: dict[str, Any]
    """By the names of `edge_handler.debug`."""
    headers: dict[str, str]
    """`x-cache` and `x-amz-cf-pop`, where the answer has them."""


@dataclass(frozen=True, slots=True)
class _Place:
    url: str
    host: str
    """As it is signed for."""
    named: str
    """As the edge is told."""


def ask_edge(
    table: RoutingTable,
    address: str,
    *,
    edge: str | None = None,
    method: str = "GET",
    cookies: Sequence[str] = (),
) -> EdgeAnswer:
    """Ask the edge what a request would get, and why.

    Args:
        table: of the stack whose keys are read.
        address: a host, with a path or without; or a URL.
        edge: where a host's site is, if not at https://HOST, with {domain} in place of the host. A URL says so itself.
        method: one of METHODS.
        cookies: `NAME=VALUE` each.

    Raises:
        InvalidInput: the address, the method or a cookie is none.
        TableAdminError: the keys cannot be read, there is none, or what answers is no edge that they are good for.
    """
    place = _place(address, edge)
    if method not in METHODS:
        raise InvalidInput(f"{method[:20]!r} is none of {', '.join(METHODS)}.")
    for cookie in cookies:
        if not _COOKIE.fullmatch(cookie):
            raise InvalidInput(f"--cookie {cookie.partition('=')[0][:40]!r} is not NAME=VALUE as a browser sends it.")
    headers = {"host": place.named, HEADER: _token(table, place.host), "accept": "application/json"}
    if cookies:
        headers["cookie"] = "; ".join(cookies)
    status, told, content = _asked(place.url, method, headers)
    said = _said(content)
    shown = {name: told[name] for name in ("x-cache", "x-amz-cf-pop") if name in told}
    if status != 200 or said is None or said["host"] != place.host:
        served = f" ({shown['x-cache']})" if "x-cache" in shown else ""
        raise TableAdminError(
            f"{place.url} answers {status}{served}, not what it was asked: it is no edge of the stack {table.stack}, "
            f"one of before ask-edge, or one that cannot read its keys; see: table-admin doctor {place.host}"
        )
    return EdgeAnswer(place.url, said, shown)


def _place(address: str, edge: str | None) -> _Place:
    is_url = "://" in address
    try:
        parts = urlsplit(address if is_url else f"https://{address}")
        named = parts.hostname or ""
        port = parts.port
    except ValueError:
        named, port = "", None
    if not named or not address.isprintable() or parts.scheme not in ("http", "https") or parts.username is not None:
        raise InvalidInput(f"{address[:80]!r} is no host or URL; write for example env-123.example.com/docs/.")
    host = parse_host(named)
    path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    if is_url or port is not None:
        at = f":{port}" if port is not None else ""
        return _Place(f"{parts.scheme}://{host}{at}{path}", host, f"{host}{at}")
    base = (edge or "https://{domain}").replace("{domain}", host).rstrip("/")
    return _Place(f"{base}{path}", host, host)


def _token(table: RoutingTable, host: str) -> str:
    keys = AccessTable(table.stack, table.tables.dynamodb).keys().keys
    if not keys:
        raise TableAdminError("There is no signing key to ask the edge with; make one: table-admin access rotate")
    return encode_token("debug", "debug", host, SINCE, int(table.clock()) + TOKEN_SECONDS, keys[0].key)


def _asked(url: str, method: str, headers: dict[str, str]) -> tuple[int, Any, bytes]:
    """Return status, headers and body. Raises TableAdminError."""
    try:
        found = urlsplit(url)
        if found.scheme == "http" and f".{found.hostname}".endswith(".localhost"):
            # Names under it are this machine's (RFC 6761), and not every resolver knows.
            at = f":{found.port}" if found.port is not None else ""
            url = url.replace(found.netloc, f"127.0.0.1{at}", 1)
        with pool_for(url) as pool:
            answer = pool.urlopen(
                method, url, headers=headers, timeout=_PATIENCE, retries=False, redirect=False, preload_content=False
            )
            try:
                return answer.status, answer.headers, answer.read(_MOST_BYTES)
            finally:
                answer.close()
    except (urllib3.exceptions.HTTPError, ValueError) as error:
        why = error.reason if isinstance(error, urllib3.exceptions.MaxRetryError) else error
        raise TableAdminError(
            f"{url} does not answer ({str(why).rpartition(': ')[2]}); say where sites are: --edge, or TABLE_ADMIN_EDGE."
        ) from error


def _said(content: bytes) -> dict[str, Any] | None:
    try:
        said = json.loads(content)
    except (ValueError, RecursionError):
        return None
    return said if isinstance(said, dict) and {*NAMES} <= {*said} else None
