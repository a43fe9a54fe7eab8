"""A canary and a standby, in words for people."""

from typing import Any

from edge_handler.routes.canary import Canary
from edge_handler.routes.route import Route, Standby

FIELDS = ("canary", "standby", "failed_over")
"""As documents have them."""


def badges(route: Route | None) -> list[str]:
    """Return what a listing has room for."""
    if route is None:
        return []
    found = [f"canary {route.canary.weight} %"] if route.canary is not None else []
    return found + ["failed over"] * (route.standby is not None and route.standby.failed_over)


def route_words(route: Route) -> dict[str, str]:
    """Return what is to be known of a route's second targets, by field."""
    canary, standby = route.canary, route.standby
    since = f", since revision {canary.since}" if canary is not None else ""
    return {
        "canary": _canary(canary.weight, canary.target, canary.cookie) + since if canary is not None else "no",
        "standby": standby.target if standby is not None else "none",
        "failed_over": "yes" if standby is not None and standby.failed_over else "no",
    }


def standby_words(standby: Standby, domain: str) -> str:
    """Return what an explanation says of a standby."""
    if standby.failed_over:
        return f"failed over: this stands in for {standby.target}; table-admin fail-back {domain} moves viewers back"
    return f"table-admin fail-over {domain} moves viewers to {standby.target}"


def canary_words(canary: Canary) -> str:
    """Return what an explanation says of a canary."""
    who = f"the cookie {canary.cookie}, else address and user agent," if canary.cookie else "address and user agent"
    tell = "tells" if canary.cookie else "tell"
    return (
        f"{canary.weight} % of viewers get {canary.target}, since revision {canary.since}; {who} {tell} which, "
        "and a tester chooses at /.well-known/edge-canary"
    )


def difference_words(name: str, before: Any, after: Any) -> tuple[str, str, str]:
    """Return what is different in one of FIELDS as documents have it: what, before, after."""
    return name.replace("_", " "), _words(name, before), _words(name, after)


def _words(name: str, value: Any) -> str:
    if name == "canary":
        return _canary(value["weight"], value["target"], value["cookie"]) if value else "no"
    if name == "standby":
        return value or "none"
    return "yes" if value else "no"


def _canary(weight: int, target: str, cookie: str) -> str:
    return f"{weight} % get {target}" + (f", by cookie {cookie}" if cookie else "")
