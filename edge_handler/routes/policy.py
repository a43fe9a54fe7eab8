"""What a row says beside its target: who gets an answer, and what goes with it.

A row that says nothing has none; what has none starts without this module.
"""

import socket
from typing import NamedTuple

from edge_handler.errors import BrokenRow
from edge_handler.routes.attributes import Item, boolean, integer, string
from edge_handler.routes.header_names import is_settable

NEW = -1
"""In place of a revision: that of the write that is planned."""
MAX_NETWORKS = 50
MAX_HEADERS = 20
MAX_HEADER_BYTES = 1_024
"""Of all names and values together: they are in the stamp, and in what origin-response is told."""
MAX_MESSAGE = 300
ROBOTS = "x-robots-tag"


class Maintenance(NamedTuple):
    """A domain that answers with a page that says so, and 503."""

    since: int
    """The revision at which it began; what lets somebody past is signed for it."""
    retry_after: int
    """Seconds."""
    message: str = ""


class Policy(NamedTuple):
    """See above."""

    private: int = 0
    """The revision since which only those with a session get an answer, that being signed for it; 0: all do."""
    allow: tuple[str, ...] = ()
    """Networks in CIDR notation whose addresses get an answer; none: all do."""
    maintenance: Maintenance | None = None
    noindex: bool | None = None
    """Whether search engines are told to keep away; None: of what expires they are."""
    headers: tuple[tuple[str, str], ...] = ()
    """Of the response, by lower-case name: an empty value takes one away."""

    @property
    def guards(self) -> bool:
        """Whether not everybody gets an answer at any time."""
        return bool(self.private or self.allow or self.maintenance)


def is_noindex(policy: Policy | None, expires_at: int | None) -> bool:
    """Tell whether search engines are told to keep away from a route."""
    said = policy.noindex if policy is not None else None
    return said if said is not None else expires_at is not None


def parse_network(text: str) -> tuple[int, int, int]:
    """Return a network's family, first address and mask. Raises ValueError.

    Not by `ipaddress`, which takes a tenth of the start.
    """
    address, slash, length = text.partition("/")
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    try:
        packed = socket.inet_pton(family, address)
    except OSError as error:
        raise ValueError(f"{text[:60]!r} is no network") from error
    bits = len(packed) * 8
    if not slash or not (length.isascii() and length.isdigit()) or int(length) > bits:
        raise ValueError(f"{text[:60]!r} is no network")
    mask = (1 << bits) - (1 << (bits - int(length)))
    return family, int.from_bytes(packed) & mask, mask


def decode_policy(item: Item) -> Policy:
    """Read the `policy` attribute of a row. Raises BrokenRow, KeyError and TypeError."""
    try:
        allow = tuple(one["S"] for one in item["allow"]["L"]) if "allow" in item else ()
        for network in allow:
            parse_network(network)
    except (AttributeError, ValueError) as error:
        raise BrokenRow("the row's networks cannot be read") from error
    headers = item["headers"]["M"] if "headers" in item else {}
    policy = Policy(
        private=integer(item, "private", 1) if "private" in item else 0,
        allow=allow,
        maintenance=_maintenance(item["maintenance"]["M"]) if "maintenance" in item else None,
        noindex=boolean(item, "noindex") if "noindex" in item else None,
        headers=tuple((name, string(headers, name)) for name in sorted(headers)),
    )
    if policy == Policy() or len(allow) > MAX_NETWORKS or not are_headers(policy.headers):
        raise BrokenRow("the row's policy cannot be read")
    return policy


def are_headers(headers: tuple[tuple[str, str], ...]) -> bool:
    """Tell whether these are few enough, in order, and can stand in a response: CloudFront answers 502 for others."""
    size = sum(len(name) + len(value) for name, value in headers)
    if len(headers) > MAX_HEADERS or size > MAX_HEADER_BYTES:
        return False
    names = [name for name, _ in headers]
    return sorted({*names}) == names and all(is_settable(name) and _is_value(value) for name, value in headers)


def encode_policy(policy: Policy) -> dict[str, dict[str, object]]:
    """Write it: the inverse of `decode_policy`."""
    item: dict[str, dict[str, object]] = {}
    if policy.private:
        item["private"] = {"N": str(policy.private)}
    if policy.allow:
        item["allow"] = {"L": [{"S": network} for network in policy.allow]}
    if policy.maintenance is not None:
        since, retry_after, message = policy.maintenance
        said = {"since": {"N": str(since)}, "retry_after": {"N": str(retry_after)}}
        item["maintenance"] = {"M": said | ({"message": {"S": message}} if message else {})}
    if policy.noindex is not None:
        item["noindex"] = {"BOOL": policy.noindex}
    if policy.headers:
        item["headers"] = {"M": {name: {"S": value} for name, value in policy.headers}}
    return item


def _is_value(value: str) -> bool:
    return value.isascii() and value.isprintable() and value == value.strip()


def _maintenance(item: Item) -> Maintenance:
    message = string(item, "message") if "message" in item else ""
    found = Maintenance(integer(item, "since", 1), integer(item, "retry_after", 1), message)
    if len(message) > MAX_MESSAGE:
        raise BrokenRow("the row's maintenance cannot be read")
    return found
