"""A second target, which some of a domain's viewers get: a gradual cut-over, as Argo Rollouts and Flagger call it.

Everybody else gets the row's own target, the stable one. What has no canary starts without this module.
"""

import re
from typing import Literal, NamedTuple

from edge_handler.errors import BrokenRow
from edge_handler.routes.attributes import Item, integer, string
from edge_handler.routes.origin import Origin, decode_origin, encode_origin

Side = Literal["stable", "canary"]
STABLE: Side = "stable"
CANARY: Side = "canary"
NEW = 0
"""In place of a revision: that of the write that is planned."""
MAX_WEIGHT = 100
# RFC 6265's cookie-name.
_COOKIE = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]{1,100}")


class Canary(NamedTuple):
    """See above."""

    origin: Origin
    weight: int
    """Of a hundred viewers, how many."""
    since: int
    """The revision at which it began. Who gets it follows from this, and stays as it is when the weight changes."""
    generation: int
    """The revision at which what they get last changed; part of the cache key of what they ask for."""
    cookie: str = ""
    """One of the application's, whose value says who a viewer is; empty, or not there: address and user agent do."""
    target: str = ""
    """What the person wrote; the edge has no use for it."""


def is_cookie_name(text: str) -> bool:
    """Tell whether a cookie may be called so."""
    return _COOKIE.fullmatch(text) is not None


def decode_canary(item: Item) -> Canary:
    """Read the `canary` attribute of a row, without its target. Raises BrokenRow, KeyError and TypeError."""
    canary = Canary(
        origin=decode_origin(item["origin"]["M"]),
        weight=integer(item, "weight", 0),
        since=integer(item, "since", 1),
        generation=integer(item, "generation", 1),
        cookie=string(item, "cookie") if "cookie" in item else "",
    )
    if canary.weight > MAX_WEIGHT or not (canary.cookie == "" or is_cookie_name(canary.cookie)):
        raise BrokenRow("the row's canary cannot be read")
    return canary


def encode_canary(canary: Canary) -> dict[str, dict[str, object]]:
    """Write it, with its target."""
    item: dict[str, dict[str, object]] = {
        "target": {"S": canary.target},
        "origin": {"M": encode_origin(canary.origin)},
        "weight": {"N": str(canary.weight)},
        "since": {"N": str(canary.since)},
        "generation": {"N": str(canary.generation)},
    }
    return item | ({"cookie": {"S": canary.cookie}} if canary.cookie else {})
