"""What is asked of a route, what a write did to it, and what its history tells."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from edge_handler.errors import BrokenRow
from edge_handler.routes.attributes import Item
from edge_handler.routes.route import Route, decode_route
from table_admin.errors import Overtaken, RevisionConflict
from table_admin.path_rules import rules_text, same_rules, written_pattern, written_rules
from table_admin.policies import NONE, asked_policy, lasting_policy, parse_policy, policy_document
from table_admin.second_targets import aside, asked_canary, is_failed_over, second_targets_document
from table_admin.tables import Action, Write, revision_of

PROMOTED = "env:"
"""What `source` of a promoted route begins with; no branch can have a colon in its name."""


@dataclass(frozen=True, slots=True)
class Put:
    """What a domain shall be. What is None stays as it is."""

    domain: str
    target: str
    """See `TargetResolver.resolve`."""
    environment: str | None = None
    """Defaults to the domain's first label."""
    service: str | None = None
    owner: str | None = None
    expires_at: int | None = None
    """Epoch seconds; makes the route ephemeral."""
    permanent: bool = False
    """Takes an expiry away."""
    keep_host: bool | None = None
    """See `TargetResolver.resolve`."""
    note: str | None = None
    """Of the revision that this makes; one alone makes a revision too, if it is not what the newest has."""
    managed: bool | None = None
    """Whether its environment changes and removes it; what nobody says is not managed."""
    source: str | None = None
    """See `Route.source`."""
    rules: Mapping[str, str | None] | None = None
    """By pattern what is written for it, see `table_admin.rule_targets`; None for one that shall go."""
    only_rules: bool = False
    """Rules that are not named go."""
    policy: Mapping[str, Any] | None = None
    """See `table_admin.policies.parse_policy`."""
    only_policy: bool = False
    """What of it is not said goes; but maintenance."""
    canary: Mapping[str, Any] | str | None = None
    """See `table_admin.second_targets.parse_canary`."""
    standby: str | None = None
    """See `table_admin.second_targets`; `none` takes it away."""
    failed_over: bool | None = None
    """Whether `target` is the standby's and `standby` what it stands in for. What nobody says stays as it is, and
    `target` is where the domain leads when it is not failed over."""
    declared: bool = False
    """A declarative file says it: a standby that is not said goes. But while the domain is failed over neither that
    nor a canary is looked at, for no file moves viewers then."""


@dataclass(frozen=True, slots=True)
class Change:
    """What a write did. `before` is None for a new domain, `after` for a deleted one."""

    action: Literal["created", "updated", "unchanged", "deleted"]
    domain: str
    revision: int
    before: Route | None
    after: Route | None
    message: str = ""
    """What people should know of it, e.g. what a rollback undoes, or why nothing was done."""


@dataclass(frozen=True, slots=True)
class Revision:
    """One row of the history: what was done, and the route as it was from then on (before, if deleted)."""

    domain: str
    revision: int
    action: Action
    route: Route | None
    """None where the row was broken when it was deleted."""
    updated_at: str
    updated_by: str
    note: str
    restores: int | None = None
    """The revision that a rollback went back to, 0 for before the first; rows of before 2026-12 do not say it."""

    @property
    def is_rollback(self) -> bool:
        """Tell whether a rollback made it; one may delete, too."""
        return self.action == "rollback" or self.restores is not None

    @property
    def state(self) -> Route | None:
        """The route as it was from then on; None where it was deleted."""
        return None if self.action == "delete" else self.route


def decode(item: Item | None) -> Route | None:
    """Return a row as a route, None for no row and for a broken one."""
    try:
        return decode_route(item) if item is not None else None
    except BrokenRow:
        return None


_PARTS = ("rules", "policy", "canary", "standby", "former")
"""What a row may be without."""


def legible(item: Item | None) -> tuple[Route | None, list[str]]:
    """Return as much of a row as can be read, and which parts of it cannot: who mends one shall lose nothing else.

    None where what every row has cannot be read; and where the policy cannot, for nobody knows who may get an answer.
    """
    route = decode(item)
    if route is not None or item is None:
        return route, []
    read = {name: value for name, value in item.items() if name not in _PARTS}
    for name in _PARTS:
        if name in item and decode(more := {**read, name: item[name]}) is not None:
            read = more
    lost = [name for name in _PARTS if name in item and name not in read]
    return (None if "policy" in lost else decode(read)), lost


def change_of(write: Write) -> Change:
    """Return what a write does."""
    if write.after() is None:
        return Change("deleted", write.domain, write.revision, decode(write.before), None)
    (before, lost), after = legible(write.before), decode(write.after())
    unread = f"what it had as {' and '.join(lost)} could not be read" if before is not None and lost else ""
    message = "; ".join(filter(None, (unread, aside(before, after))))
    return Change("updated" if write.before else "created", write.domain, write.revision, before, after, message)


def unchanged(route: Route, message: str = "") -> Change:
    """Return what is said of a route that is already as it shall be."""
    if not message and is_failed_over(route):
        message = "it is failed over to its standby until fail-back, and its canary and standby stay as they are"
    return Change("unchanged", route.domain, route.revision, route, route, message)


def revision_from(item: Item) -> Revision:
    """Read a row of the history."""

    def text(name: str) -> str:
        return str(item.get(name, {}).get("S", ""))

    action: Any = text("action")
    return Revision(
        text("domain"),
        revision_of(item),
        action,
        decode(item),
        text("updated_at"),
        text("updated_by"),
        text("note"),
        int(item["restores"]["N"]) if "restores" in item else None,
    )


def content(route: Route) -> Route:
    """Return what a second run of the same command must find unchanged."""
    asked = route._replace(revision=0, generation=0, updated_at="", updated_by="", managed=is_managed(route))
    rules = tuple(rule._replace(generation=0) for rule in route.rules)
    # Nobody asks for former deployments: they come of what the domain had.
    return asked._replace(rules=rules, policy=asked_policy(route.policy), former=(), canary=asked_canary(route.canary))


def same_but_note(one: Route | None, other: Route | None) -> bool:
    """Tell whether two routes are the same: a note belongs to its revision, not to the route."""
    if one is None or other is None:
        return one is other
    return content(one._replace(note="")) == content(other._replace(note=""))


def same_for_viewers(one: Route | None, other: Route | None) -> bool:
    """Tell whether viewers get the same of two routes, and for as long; maintenance aside, which is for a while."""
    if one is None or other is None:
        return one is other
    if (one.origin, one.expires_at) != (other.origin, other.expires_at) or not same_rules(one.rules, other.rules):
        return False
    if asked_canary(one.canary) != asked_canary(other.canary):
        return False
    return lasting_policy(one.policy) == lasting_policy(other.policy)


_TOLD_IN_PARTS = ("former", "policy", "canary", "standby")


def differences(before: Route | None, after: Route | None) -> dict[str, tuple[Any, Any]]:
    """Return what is different for people, by attribute: before and after."""
    found: dict[str, tuple[Any, Any]] = {}
    for name in Route._fields:
        if name not in ("domain", "revision", "generation", "updated_at", "updated_by", *_TOLD_IN_PARTS):
            one, other = (_shown(route, name) for route in (before, after))
            if one != other:
                found[name] = (one, other)
    had, has = (policy_document(route and route.policy) for route in (before, after))
    had, has = had | second_targets_document(before), has | second_targets_document(after)
    found |= {field: (had[field], has[field]) for field in had if had[field] != has[field]}
    if before is not None and after is not None and (moved := _moved_rules(before, after)):
        found["rule_origins"] = moved
    return found


def _moved_rules(before: Route, after: Route) -> tuple[dict[str, Any], dict[str, Any]] | None:
    """Return what rules resolve to, where that is different by the same text: a load balancer has another name, say."""
    had = {(rule.pattern, rule.target): rule.origin for rule in before.rules}
    moved = [rule for rule in after.rules if had.get((rule.pattern, rule.target), rule.origin) != rule.origin]
    if not moved:
        return None
    return (
        {written_pattern(rule.pattern): had[rule.pattern, rule.target] for rule in moved},
        {written_pattern(rule.pattern): rule.origin for rule in moved},
    )


def _shown(route: Route | None, name: str) -> Any:
    if route is None:
        return None
    if name == "rules":
        return written_rules(route) or None
    return is_managed(route) if name == "managed" else getattr(route, name)


def is_managed(route: Route) -> bool:
    """Tell whether a route's environment changes and removes it, as `env up` makes them."""
    if route.managed is not None:
        return route.managed
    # Written before rows said so.
    return (
        route.lifetime == "ephemeral" or route.service != "" or route.environment != default_environment(route.domain)
    )


def promoted_from(route: Route) -> str:
    """Return the environment a route was promoted from, empty where it was not."""
    return route.source.removeprefix(PROMOTED) if route.source.startswith(PROMOTED) else ""


def is_live(route: Route | None, now: float) -> bool:
    """Tell whether the edge answers with a route."""
    return route is not None and (route.expires_at is None or now < route.expires_at)


def generation_of(item: Item | None, now: float) -> int:
    """Return what changes with what viewers get of a domain: 0 where they get nothing."""
    route = decode(item)
    return route.generation if route is not None and is_live(route, now) else 0


def refuse_another(domain: str, item: Item | None, if_revision: int | None) -> None:
    """Raise RevisionConflict where a row is not at the revision that somebody wants to write over."""
    if if_revision not in (None, revision_of(item)):
        raise RevisionConflict(domain, revision_of(item), given=True)


def refuse_overtaken(domain: str, item: Item | None, generation: int | None, target: str, now: float) -> None:
    """Raise Overtaken where viewers get something else than at `generation`, and not what `target` is either."""
    route = decode(item)
    if generation in (None, generation_of(item, now)) or (route is not None and route.target == target):
        return
    if route is None or not is_live(route, now):
        raise Overtaken(f"{domain} was removed, or expired, while this was on its way; it stays so. {_AGAIN}")
    raise Overtaken(
        f"{domain} was changed while this was on its way, by {route.updated_by} at {route.updated_at} to "
        f"{route.target} (revision {route.revision}); it stays so. {_AGAIN}"
    )


_AGAIN = "Where this is what it shall be nevertheless, run the same command again."


def expired(what: str) -> str:
    """Return what is said where it is not said how long something lives that had expired."""
    return f"{what} had expired; say how long it is to live: --expires-in 7d, or --permanent; in a file, expires_at."


def first_expiry(routes: Iterable[Route], now: float) -> int | None:
    """Return when the first of an environment's routes expires that it manages: what a new one inherits."""
    expiries = (route.expires_at for route in routes if is_managed(route) and is_live(route, now))
    return min((expiry for expiry in expiries if expiry is not None), default=None)


def put_of(route: Route) -> Put:
    """Return what would have to be asked for to get `route`, but for who keeps it and its note."""
    return Put(
        route.domain,
        route.target,
        environment=route.environment,
        service=route.service,
        expires_at=route.expires_at,
        permanent=route.expires_at is None,
        keep_host=keeps_host(route),
        managed=route.managed,
        source=route.source,
        rules=rules_text(route),
        only_rules=True,
        policy=parse_policy(policy_document(route.policy)),
        only_policy=True,
        canary=second_targets_document(route)["canary"] or NONE,
        standby=route.standby.target if route.standby is not None else NONE,
        failed_over=is_failed_over(route),
    )


def default_environment(domain: str) -> str:
    """Return the name under which people see a route that says none: the domain's first label."""
    return domain.removeprefix("*.").partition(".")[0]


def keeps_host(route: Route) -> bool | None:
    """Return the `keep_host` a route was put with; None where its kind of target has no choice."""
    return route.origin.host_header == "viewer" if route.target.startswith("https://") else None  # type: ignore[union-attr]
