"""A viewer that an explanation is for: as far as the edge looks at who asks to find a canary's side."""

import ipaddress
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from edge_handler.access.session import SIDE_COOKIE, take_sessions
from edge_handler.answers import Request
from edge_handler.canary.side import choice, side_of
from edge_handler.routes.canary import Canary, Side
from edge_handler.routes.route import Route
from table_admin.errors import InvalidInput

NOBODYS_ADDRESS = "0.0.0.0"  # noqa: S104  # it is bound to nothing
"""Of no network that somebody lets in, but of all addresses."""


@dataclass(frozen=True, slots=True)
class Viewer:
    """Who asks."""

    cookies: tuple[str, ...] = ()
    """Each NAME=VALUE. A session is none of them: who may explain is not let in by that."""
    address: str = NOBODYS_ADDRESS
    user_agent: str = ""


def parse_viewer(cookies: Sequence[str], address: str | None, user_agent: str | None) -> Viewer | None:
    """Return a viewer of what is said of one, None where nothing is. Raises InvalidInput."""
    if not cookies and address is None and user_agent is None:
        return None
    for cookie in cookies:
        if "=" not in cookie or not cookie.isprintable() or not cookie.isascii():
            raise InvalidInput(f"{cookie[:80]!r} is no cookie; write NAME=VALUE.")
    try:
        found = str(ipaddress.ip_address(address)) if address is not None else NOBODYS_ADDRESS
    except ValueError as error:
        raise InvalidInput(f"{(address or '')[:60]!r} is no address, of IPv4 or IPv6.") from error
    return Viewer(tuple(cookies), found, user_agent or "")


def of_side(side: Side, canary: Canary) -> Viewer:
    """Return a viewer who chose a side."""
    return Viewer((f"{SIDE_COOKIE}={choice(side, canary)}",))


def headers_of(viewer: Viewer) -> dict[str, Any]:
    """Return the headers of a request that tell who asks."""
    headers = {}
    if viewer.cookies:
        headers["cookie"] = [{"key": "Cookie", "value": "; ".join(viewer.cookies)}]
    if viewer.user_agent:
        headers["user-agent"] = [{"key": "User-Agent", "value": viewer.user_agent}]
    take_sessions(headers)
    return headers


def side_words(row: Route, canary: Canary, viewer: Viewer) -> str:
    """Return which side a viewer is on, and what that follows from."""
    request: Request = {"clientIp": viewer.address, "headers": headers_of(viewer)}
    side, why = side_of(row.domain, canary, request)
    reasons = {
        "choice": "it chose so",
        "cookie": f"by its cookie {canary.cookie}",
        "address": "by its address and user agent",
    }
    return f"this viewer gets {'it' if side == 'canary' else row.target}, {reasons[why]}"
