"""The row of the routing table, as it is written, and read by people and pipelines.

The edge reads less of it, by the same code: `edge_handler.routes.destination`.
"""

from typing import Any, Literal, NamedTuple

from edge_handler.errors import BrokenRow
from edge_handler.routes.attributes import Item, boolean, string
from edge_handler.routes.canary import Canary, encode_canary
from edge_handler.routes.destination import Former, decode_destination, unreadable
from edge_handler.routes.origin import DeploymentOrigin
from edge_handler.routes.path_rules import Rule, decode_answering, encode_answering, encode_rules, rule_targets
from edge_handler.routes.policy import Policy, encode_policy
from edge_handler.routes.redirect import Answering, Redirect
from edge_handler.routes.wildcards import is_wildcard

ATTRIBUTE_TYPES = {
    "domain": "S",
    "target": "S",
    "environment": "S",
    "service": "S",
    "owner": "S",
    "lifetime": "S",
    "expires_at": "N",
    "revision": "N",
    "generation": "N",
    "schema": "N",
    "updated_at": "S",
    "updated_by": "S",
    "note": "S",
    "managed": "BOOL",
    "source": "S",
}

_OPTIONAL = ("service", "owner", "source")


class Standby(NamedTuple):
    """A second target that a domain is moved to when its own fails, and moved back from. The edge is not told."""

    target: str
    """As people write it."""
    origin: Answering
    failed_over: bool = False
    """Whether viewers get it now: then the row's own target is the standby, and this is what they get again."""


class Route(NamedTuple):
    """One row: which origin answers for a domain, and what people want to know about it."""

    domain: str
    target: str
    """What the person wrote; `origin` is what it resolved to when it was written."""
    origin: Answering
    environment: str
    lifetime: Literal["permanent", "ephemeral"]
    expires_at: int | None
    """Epoch seconds; the first second in which the route does not answer any more."""
    revision: int
    generation: int
    """The revision at which what viewers get last changed; part of the CDN's cache key."""
    updated_at: str
    """ISO 8601, UTC."""
    updated_by: str
    note: str
    service: str = ""
    """Which of its environment's services this is; empty for the environment's only one."""
    owner: str = ""
    """Whose declarative file this route is kept by; nobody else's plan changes or deletes it."""
    managed: bool | None = None
    """Whether its environment changes and removes it; None in rows written before they said so."""
    source: str = ""
    """What made it, for people and pipelines: a branch, a pull request, the environment it was promoted from."""
    former: tuple[Former, ...] = ()
    """The newest first, MAX_FORMER at most."""
    rules: tuple[Rule, ...] = ()
    """For some of its paths, by pattern."""
    policy: Policy | None = None
    """Who gets an answer and what goes with it; None where nothing is said."""
    canary: Canary | None = None
    """What some of the viewers get."""
    standby: Standby | None = None
    """Where `fail-over` leads, or `fail-back`."""


def decode_route(item: Item) -> Route:
    """Read a row in DynamoDB's JSON. Unknown attributes are ignored.

    Raises:
        BrokenRow, UnreadableRow: as `decode_destination` does, for the attributes that people read too.
    """
    found = decode_destination(item)
    try:
        lifetime = string(item, "lifetime")
        if lifetime not in ("permanent", "ephemeral"):
            raise BrokenRow(f"lifetime is {lifetime[:40]!r}, not permanent or ephemeral")
        return Route(
            **found._replace(rules=_with_targets(item, found.rules), canary=_with_target(item, found.canary))._asdict(),
            target=string(item, "target"),
            environment=string(item, "environment"),
            lifetime=lifetime,  # type: ignore[arg-type]  # narrowed by `in`, which mypy does not follow
            updated_at=string(item, "updated_at"),
            updated_by=string(item, "updated_by"),
            note=string(item, "note"),
            service=string(item, "service") if "service" in item else "",
            owner=string(item, "owner") if "owner" in item else "",
            managed=boolean(item, "managed") if "managed" in item else None,
            source=string(item, "source") if "source" in item else "",
            standby=_decode_standby(item["standby"]["M"]) if "standby" in item else None,
        )
    except (BrokenRow, AttributeError, KeyError, TypeError, ValueError) as error:
        raise unreadable(item, error) from error


def encode_route(route: Route) -> dict[str, dict[str, Any]]:
    """Write a route as a row in DynamoDB's JSON: the inverse of `decode_route`."""
    values = {**route._asdict(), "schema": _schema(route)}
    # An empty owner must not be written: the index by owner holds the rows that have one.
    item: dict[str, dict[str, Any]] = {
        name: {kind: values[name] if kind == "BOOL" else str(values[name])}
        for name, kind in ATTRIBUTE_TYPES.items()
        if values[name] is not None and (values[name] != "" or name not in _OPTIONAL)
    }
    item["origin"] = {"M": encode_answering(route.origin)}
    if route.former:
        former = [{"deployment": {"S": one.deployment}, "until": {"N": str(one.until)}} for one in route.former]
        item["former"] = {"L": [{"M": one} for one in former]}
    if route.rules:
        item["rules"] = encode_rules(route.rules)
    if route.policy is not None:
        item["policy"] = {"M": encode_policy(route.policy)}
    if route.canary is not None:
        item["canary"] = {"M": encode_canary(route.canary)}
    if route.standby is not None:
        target, origin, failed_over = route.standby
        said = {"target": {"S": target}, "origin": {"M": encode_answering(origin)}}
        item["standby"] = {"M": said | ({"failed_over": {"BOOL": True}} if failed_over else {})}
    return item


def _with_targets(item: Item, rules: tuple[Rule, ...]) -> tuple[Rule, ...]:
    targets = rule_targets(item) if rules else []
    return tuple(rule._replace(target=target) for rule, target in zip(rules, targets, strict=True))


def _with_target(item: Item, canary: Canary | None) -> Canary | None:
    return canary and canary._replace(target=string(item["canary"]["M"], "target"))


def _decode_standby(item: Item) -> Standby:
    failed_over = "failed_over" in item and boolean(item, "failed_over")
    return Standby(string(item, "target"), decode_answering(item["origin"]["M"]), failed_over)


def _schema(route: Route) -> int:
    """Return the lowest that says what a route says to the edge; see `SCHEMAS`."""
    if route.canary is not None:
        return 5
    if route.policy is not None:
        return 4
    if route.rules or isinstance(route.origin, Redirect) or is_wildcard(route.domain):
        return 3
    return 2 if isinstance(route.origin, DeploymentOrigin) else 1
