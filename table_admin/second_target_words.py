"""A canary and a standby, in words for people."""

from typing import Any

from edge_handler.routes.canary import Canary
from edge_handler.routes.route import Route, Standby
from table_admin.second_targets import is_failed_over, second_targets_document

FIELDS = ("canary", "standby", "failed_over")
"""As documents have them."""


def badges(route: Route | None) -> list[str]:
    """Return what a listing has room for."""
    found = [f"canary {route.canary.weight} %"] if route is not None and route.canary is not None else []
    return found + ["failed over"] * is_failed_over(route)


def route_words(route: Route) -> dict[str, str]:
    """Return what is to be known of a route's second targets, by field."""
    found = {name: _words(name, value) for name, value in second_targets_document(route).items()}
    if route.canary is not None:
        found["canary"] += f", since revision {route.canary.since}"
    return found


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
    if name == "standby":
        return value or "none"
    if name == "canary" and value:
        by = f", by cookie {value['cookie']}" if value["cookie"] else ""
        return f"{value['weight']} % get {value['target']}{by}"
    return "yes" if value else "no"
