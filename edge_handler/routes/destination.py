"""What the edge needs of a row: where requests go, and how long that is so.

NamedTuples, not dataclasses: `import dataclasses` costs 5 ms of CPU at start-up (it imports inspect),
a tenth of this whole package's.
"""

from typing import NamedTuple

from edge_handler.errors import BrokenRow, UnreadableRow
from edge_handler.routes.attributes import Item, integer, is_item, string
from edge_handler.routes.origin import is_deployment
from edge_handler.routes.path_rules import Rule, decode_answering, decode_rules
from edge_handler.routes.redirect import Answering, Redirect

TYPE_CHECKING = False  # as typing has it; what has no policy and no canary starts without their modules
if TYPE_CHECKING:
    from edge_handler.routes.canary import Canary
    from edge_handler.routes.policy import Policy

SCHEMAS = (1, 2, 3, 4, 5)
"""What this reads. A writer writes the lowest that can say what the row says: 2 is for deployments, 3 for wildcards,
rules and redirects, 4 for a policy, 5 for a canary."""
ATTRIBUTES = ("schema", "revision", "generation", "origin", "expires_at", "former", "rules", "policy", "canary")
"""Of a row, what is read here; besides its key. The feed and the snapshot carry these and no more."""
MAX_FORMER = 2


class Former(NamedTuple):
    """A deployment that a domain had before: pages of it are still open somewhere, and ask for its files."""

    deployment: str
    """See `DeploymentOrigin.deployment`; in the same bucket."""
    until: int
    """Epoch seconds: from then on nobody is thought to have it open."""


class Destination(NamedTuple):
    """Which origin answers for a domain. The fields are as `Route` has them."""

    domain: str
    """A host, or a wildcard: see `edge_handler.routes.wildcards`."""
    origin: Answering
    """Of paths that no rule is for."""
    expires_at: int | None
    revision: int
    generation: int
    former: tuple[Former, ...] = ()
    rules: tuple[Rule, ...] = ()
    policy: "Policy | None" = None
    """None where it says nothing."""
    canary: "Canary | None" = None
    """What some viewers get instead of `origin`."""


def decode_destination(item: Item) -> Destination:
    """Read of a row in DynamoDB's JSON what the edge needs. Other attributes are ignored.

    Raises:
        BrokenRow: an attribute is missing, has the wrong type or a value nothing can be done with,
            or the row's schema is newer than this reader.
        UnreadableRow: it is not DynamoDB's JSON.
    """
    try:
        schema = integer(item, "schema", 0)
        if schema not in SCHEMAS:
            raise BrokenRow(f"the row has schema {schema}, this reader knows {SCHEMAS[-1]}")
        found = Destination(
            domain=string(item, "domain"),
            origin=decode_answering(item["origin"]["M"]),
            expires_at=integer(item, "expires_at", 0) if "expires_at" in item else None,
            revision=integer(item, "revision", 1),
            generation=integer(item, "generation", 1),
            former=_former(item) if "former" in item else (),
            rules=decode_rules(item) if "rules" in item else (),
            policy=_policy(item) if "policy" in item else None,
            canary=_canary(item) if "canary" in item else None,
        )
        if found.canary is not None and isinstance(found.origin, Redirect):
            raise BrokenRow("the row has a canary beside a redirect")
        return found
    except (BrokenRow, AttributeError, KeyError, TypeError, ValueError, OverflowError) as error:
        raise unreadable(item, error) from error


def unreadable(item: Item, error: Exception) -> BrokenRow:
    """Return what to raise where a row cannot be read."""
    if not is_item(item):
        return UnreadableRow("the row is not DynamoDB's JSON")
    if isinstance(error, BrokenRow):
        return BrokenRow(str(error))
    return BrokenRow(f"the row cannot be read: {type(error).__name__}: {error}")


def read_destination(item: Item) -> Destination | BrokenRow:
    """Return what a row says, or why it is broken. Raises UnreadableRow."""
    try:
        return decode_destination(item)
    except UnreadableRow:
        raise
    except BrokenRow as error:
        reason = str(error)
    return BrokenRow(reason)  # a new one: the other holds on to everything that was there when it was raised


def _former(item: Item) -> tuple[Former, ...]:
    former = tuple(Former(string(one["M"], "deployment"), integer(one["M"], "until", 0)) for one in item["former"]["L"])
    if len(former) > MAX_FORMER or not all(is_deployment(one.deployment) for one in former):
        raise BrokenRow("the row's former deployments cannot be read")
    return former


def _policy(item: Item) -> "Policy":
    from edge_handler.routes.policy import decode_policy  # noqa: PLC0415  # see above

    return decode_policy(item["policy"]["M"])


def _canary(item: Item) -> "Canary":
    from edge_handler.routes.canary import decode_canary  # noqa: PLC0415  # likewise

    return decode_canary(item["canary"]["M"])
