"""The row of the routing table: one codec, used by the edge that reads and the admin that writes.

NamedTuples, not dataclasses: `import dataclasses` costs 5 ms of CPU at start-up (it imports inspect),
a tenth of this whole package's.
"""

from typing import Any, Literal, NamedTuple

from edge_handler.errors import BrokenRow, UnreadableRow
from edge_handler.routes.attributes import Item, boolean, integer, is_item, string
from edge_handler.routes.origin import DeploymentOrigin, Origin, decode_origin, encode_origin, is_deployment

SCHEMAS = (1, 2)
"""What this reads. A writer writes the lowest that can say what the row says: 2 is for deployments."""
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
MAX_FORMER = 2


class Former(NamedTuple):
    """A deployment that a domain had before: pages of it are still open somewhere, and ask for its files."""

    deployment: str
    """See `DeploymentOrigin.deployment`; in the same bucket."""
    until: int
    """Epoch seconds: from then on nobody is thought to have it open."""


class Route(NamedTuple):
    """One row: which origin answers for a domain, and what people want to know about it."""

    domain: str
    target: str
    """What the person wrote; `origin` is what it resolved to when it was written."""
    origin: Origin
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


def decode_route(item: Item) -> Route:
    """Read a row in DynamoDB's JSON. Unknown attributes are ignored.

    Raises:
        BrokenRow: an attribute is missing, has the wrong type or a value nothing can be done with,
            or the row's schema is newer than this reader.
        UnreadableRow: it is not DynamoDB's JSON.
    """
    try:
        schema = integer(item, "schema", 0)
        if schema not in SCHEMAS:
            raise BrokenRow(f"the row has schema {schema}, this reader knows {SCHEMAS[-1]}")
        expires_at = integer(item, "expires_at", 0) if "expires_at" in item else None
        lifetime = string(item, "lifetime")
        if lifetime not in ("permanent", "ephemeral"):
            raise BrokenRow(f"lifetime is {lifetime[:40]!r}, not permanent or ephemeral")
        return Route(
            domain=string(item, "domain"),
            target=string(item, "target"),
            origin=decode_origin(item["origin"]["M"]),
            environment=string(item, "environment"),
            lifetime=lifetime,  # type: ignore[arg-type]  # narrowed by `in`, which mypy does not follow
            expires_at=expires_at,
            revision=integer(item, "revision", 1),
            generation=integer(item, "generation", 1),
            updated_at=string(item, "updated_at"),
            updated_by=string(item, "updated_by"),
            note=string(item, "note"),
            service=string(item, "service") if "service" in item else "",
            owner=string(item, "owner") if "owner" in item else "",
            managed=boolean(item, "managed") if "managed" in item else None,
            source=string(item, "source") if "source" in item else "",
            former=_former(item) if "former" in item else (),
        )
    except (BrokenRow, AttributeError, KeyError, TypeError, ValueError, OverflowError) as error:
        if not is_item(item):
            raise UnreadableRow("the row is not DynamoDB's JSON") from error
        if isinstance(error, BrokenRow):
            raise
        raise BrokenRow(f"the row cannot be read: {type(error).__name__}: {error}") from error


def read_row(item: Item) -> Route | BrokenRow:
    """Return the route that a row says, or why it is broken. Raises UnreadableRow."""
    try:
        return decode_route(item)
    except UnreadableRow:
        raise
    except BrokenRow as error:
        reason = str(error)
    return BrokenRow(reason)  # a new one: the other holds on to everything that was there when it was raised


def encode_route(route: Route) -> dict[str, dict[str, Any]]:
    """Write a route as a row in DynamoDB's JSON: the inverse of `decode_route`."""
    values = {**route._asdict(), "schema": 2 if isinstance(route.origin, DeploymentOrigin) else 1}
    # An empty owner must not be written: the index by owner holds the rows that have one.
    item: dict[str, dict[str, Any]] = {
        name: {kind: values[name] if kind == "BOOL" else str(values[name])}
        for name, kind in ATTRIBUTE_TYPES.items()
        if values[name] is not None and (values[name] != "" or name not in _OPTIONAL)
    }
    item["origin"] = {"M": encode_origin(route.origin)}
    if route.former:
        former = [{"deployment": {"S": one.deployment}, "until": {"N": str(one.until)}} for one in route.former]
        item["former"] = {"L": [{"M": one} for one in former]}
    return item


def _former(item: Item) -> tuple[Former, ...]:
    former = tuple(Former(string(one["M"], "deployment"), integer(one["M"], "until", 0)) for one in item["former"]["L"])
    if len(former) > MAX_FORMER or not all(is_deployment(one.deployment) for one in former):
        raise BrokenRow("the row's former deployments cannot be read")
    return former
