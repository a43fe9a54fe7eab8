"""Who gets an answer of a host that does not answer everybody: asked before anything is, from the cache or an origin.

In this order: the network, the reserved paths, maintenance, the session. What needs a session needs it whatever the
method: a browser's preflight (OPTIONS) from another origin brings no cookie, and gets 403.
"""

import socket
import time
from collections.abc import Callable
from functools import lru_cache
from math import ceil

from edge_handler.access.attempts import Attempts
from edge_handler.access.keys import AccessTable
from edge_handler.access.pages import MAINTENANCE, NETWORK, RESERVED, UNKNOWN, page, private
from edge_handler.access.session import is_signed, read_token, take_sessions
from edge_handler.access.sign_in import SignIn, since_of
from edge_handler.answers import Request, Result
from edge_handler.errors import TableUnreachable
from edge_handler.routes.policy import Policy, parse_network
from edge_handler.routes.resolver import KNOWN_HOST_SECONDS
from edge_handler.settings import Settings
from edge_handler.table.reader import ReplicatedTable
from edge_handler.time_left import seconds_left, tell_waited

_MOST_SESSIONS = 4
"""So many of a request's are looked at: a browser sends one."""


class Guard:
    """Asked for each request of a host whose row says that not everybody gets an answer."""

    def __init__(self, access: AccessTable, clock: Callable[[], float], attempts: Attempts | None = None) -> None:
        """`clock` is the time of day."""
        self.access = access
        """What tokens are verified with; one for all who verify some."""
        self._clock = clock
        self._sign_in = SignIn(access, attempts or Attempts())

    @classmethod
    def from_settings(cls, settings: Settings, clock: Callable[[], float]) -> "Guard":
        """Make what reads the stack's access table. Connects to nothing."""
        return cls(AccessTable(ReplicatedTable.from_settings(settings, settings.access_table), clock), clock)

    def refusal(self, domain: str, policy: Policy, request: Request, request_id: str) -> Result | None:
        """Return what a request gets instead of an answer, None where it gets one: then without its session.

        Args:
            domain: the row's.
            policy: the row's.
            request: changed in place.
            request_id: CloudFront's.
        """
        sessions = take_sessions(request["headers"])
        if policy.allow and not is_in(request["clientIp"], policy.allow):
            reason = f"the address {request['clientIp']} may not see this"
            return page(NETWORK, reason, request, request_id)
        left = seconds_left(request["headers"], request_id)
        started = time.monotonic()
        deadline = started + min(KNOWN_HOST_SECONDS, left)
        try:
            if request["uri"].startswith(RESERVED):
                return self._sign_in.answer(domain, policy, request, request_id, self._clock(), deadline)
            passes = self._passes(sessions, domain, policy, deadline)
        except TableUnreachable as error:
            retry_after = {"retry-after": str(max(1, ceil(error.retry_after)))}
            return page(UNKNOWN, "the table of keys does not answer", request, request_id, retry_after)
        if not passes:
            return _refusal(policy, request, request_id)
        tell_waited(request["headers"], request_id, left, time.monotonic() - started)
        return None

    def _passes(self, sessions: list[str], domain: str, policy: Policy, deadline: float) -> bool:
        """Tell whether somebody gets an answer: during maintenance, with a session of those who mend it."""
        if not policy.private and policy.maintenance is None:
            return True
        now = self._clock()
        for text in sessions[:_MOST_SESSIONS]:
            token = read_token(text)
            if token is None or now >= token.expires_at or (policy.maintenance and token.kind != "bypass"):
                continue
            since = since_of(policy, token.kind)
            if since and is_signed(token, "session", domain, since, self.access.keys(token.key_id, deadline), now):
                return True
        return False


def _refusal(policy: Policy, request: Request, request_id: str) -> Result:
    if policy.maintenance is None:
        return private(request, request_id)
    retry_after = {"retry-after": str(policy.maintenance.retry_after)}
    message = policy.maintenance.message.removesuffix(".") or "it is being worked on"
    return page(MAINTENANCE, message, request, request_id, retry_after)


def is_in(address: str, networks: tuple[str, ...]) -> bool:
    """Tell whether an address is in one of some networks. One of IPv4 that is written as IPv6 counts as what it is."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    try:
        number = int.from_bytes(socket.inet_pton(family, address))
    except (OSError, ValueError):
        return False
    if family == socket.AF_INET6 and number >> 32 == 0xFFFF:
        family, number = socket.AF_INET, number & 0xFFFFFFFF
    return any(number & mask in firsts for mask, firsts in _parsed(networks)[family].items())


@lru_cache(maxsize=200)
def _parsed(networks: tuple[str, ...]) -> dict[int, dict[int, set[int]]]:
    """Return the first addresses of networks by family and mask."""
    parsed: dict[int, dict[int, set[int]]] = {socket.AF_INET: {}, socket.AF_INET6: {}}
    for family, first, mask in map(parse_network, networks):
        parsed[family].setdefault(mask, set()).add(first)
    return parsed
