"""Which side of a gradual cut-over a viewer is on: worked out anew with each request, and always the same.

From a cookie that is there, or else from address and user agent; so nothing is looked up, and nothing is added to
anybody's response. A larger weight takes more viewers, and leaves none that it had.
"""

import hashlib
import socket
from collections.abc import Iterator
from typing import Any, Literal

from edge_handler.access.session import SIDE_COOKIE, take_cookie
from edge_handler.answers import Request, header
from edge_handler.routes.canary import CANARY, STABLE, Canary, Side

PAGE = "/.well-known/edge-canary"
"""Where a tester chooses: no path of the environment's, on hosts that have a canary."""
Reason = Literal["choice", "cookie", "address"]
_IPV6_SUBNET_BYTES = 8
"""What stays of an address while a device changes the rest every day (RFC 8981)."""
_SHARES = 1 << 32


def side_of(domain: str, canary: Canary, request: Request) -> tuple[Side, Reason]:
    """Return a viewer's side, and what it follows from.

    Args:
        domain: the row's: under a wildcard a viewer is on one side of all names.
        canary: the row's.
        request: changed in place: origins do not get what a tester chose.
    """
    for value in take_cookie(request["headers"], SIDE_COOKIE):
        # Another canary's choice is none.
        side, _, since = value.partition(".")
        if side in (STABLE, CANARY) and since == str(canary.since):
            return side, "choice"
    value = next(_values(request["headers"], canary.cookie), "") if canary.cookie else ""
    who = f"cookie\n{value}" if value else f"address\n{_subnet(request['clientIp'])}\n{header(request, 'user-agent')}"
    # Of its beginning too: the same viewers are not the first with every canary.
    text = f"{domain}\n{canary.since}\n{who}".encode(errors="surrogatepass")
    share = int.from_bytes(hashlib.blake2b(text, digest_size=4).digest())
    side = CANARY if share * 100 < canary.weight * _SHARES else STABLE
    return side, "cookie" if value else "address"


def is_on_canary(domain: str, canary: Canary, request: Request) -> bool:
    """Tell whether a viewer gets the canary; see `side_of`."""
    return side_of(domain, canary, request)[0] == CANARY


def choice(side: Side, canary: Canary) -> str:
    """Return the value of the cookie by which a tester is on a side of a canary."""
    return f"{side}.{canary.since}"


def _values(headers: dict[str, Any], name: str) -> Iterator[str]:
    for line in headers.get("cookie", ()):
        for pair in line["value"].split(";"):
            found, equals, value = pair.partition("=")
            if equals and found.strip() == name and value.strip():
                yield value.strip()


def _subnet(address: str) -> str:
    if ":" not in address:
        return address
    try:
        packed = socket.inet_pton(socket.AF_INET6, address)
    except (OSError, ValueError):
        return address
    if packed.startswith(b"\0" * 10 + b"\xff\xff"):
        return socket.inet_ntop(socket.AF_INET, packed[12:])
    return packed[:_IPV6_SUBNET_BYTES].hex()
