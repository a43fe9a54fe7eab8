"""A gradual cut-over to a second target: begun, weighed, promoted or aborted, each with one write.

None of it empties the CDN: what either side has there stays good. What the row's own target is, is not looked up again.
"""

import itertools
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from edge_handler.routes.attributes import Item
from edge_handler.routes.canary import Canary
from edge_handler.routes.route import Route, Standby, encode_route
from table_admin.changes import Change, is_live, promoted_from, refuse_another, same_but_note, unchanged
from table_admin.contention import replanned
from table_admin.deployments.former import former_of
from table_admin.errors import InvalidInput, NotFound
from table_admin.inputs import parse_domain
from table_admin.policies import keeps_out
from table_admin.routing_table import RoutingTable
from table_admin.rule_targets import KEEP_HOST, bare_target
from table_admin.second_targets import parse_canary, planned_canary, written_target

_READ_BACK = 50
"""So many revisions are read to find what was promoted."""


@replanned
def start(
    table: RoutingTable,
    domain: str,
    target: str = "",
    *,
    weight: int,
    of: str = "",
    cookie: str | None = None,
    keep_host: bool = False,
    note: str = "",
    if_revision: int | None = None,
    dry_run: bool = False,
) -> Change:
    """Begin a canary. Of one that has this target already the weight is changed; a second run changes nothing.

    Args:
        table: where.
        domain: whose viewers; a wildcard's too.
        target: what some of them get; or
        of: the domain whose target it is, say an environment's URL: what that one's viewers get, but for its rules.
        weight: of a hundred viewers, how many.
        cookie: one of the application's whose value says who a viewer is; it stays as it was, none at first.
        keep_host: see `TargetResolver.resolve`.
        note: why, for people.
        if_revision: write only over this revision. Where all is so already, it does not matter.
        dry_run: say what would be done.

    Raises:
        InvalidInput, TargetRefused, NotFound: nothing was written.
        RevisionConflict: it is another revision than `if_revision`; nothing was written.
    """
    domain = parse_domain(domain)
    if bool(target) == bool(of):
        raise InvalidInput("Say which target, or which domain's: one of them.")
    if keep_host and not target.startswith("https://"):
        raise InvalidInput("--keep-host goes with an https:// target: load balancers get the viewer's host anyway.")
    said: dict[str, Any] = {"target": KEEP_HOST * keep_host + target if target else _target_of(table, of, domain)}
    said |= {"weight": weight} | ({"cookie": cookie} if cookie is not None else {})
    said = _parsed(said)
    item, route = _read(table, domain)
    if route.canary is not None and not _has(route, said["target"]):
        raise InvalidInput(
            f"{domain} has a canary already, {route.canary.target}; end it first: table-admin canary abort {domain}"
        )
    if route.canary is not None and said.get("cookie", route.canary.cookie) != route.canary.cookie:
        by = f"the cookie {route.canary.cookie}" if route.canary.cookie else "address"
        raise InvalidInput(
            f"{domain} has this canary already, by {by}; by another cookie viewers would change sides. End it first: "
            f"table-admin canary abort {domain}"
        )
    canary = planned_canary(route.canary, said, route.origin, table.targets)
    return _write(table, item, route, canary, note, if_revision, dry_run)


@replanned
def weigh(
    table: RoutingTable,
    domain: str,
    weight: int,
    *,
    note: str = "",
    if_revision: int | None = None,
    dry_run: bool = False,
) -> Change:
    """Give a domain's canary so many of a hundred viewers; those it has stay with it where they become more.

    See `start`. Raises NotFound where there is none.
    """
    item, route = _read(table, parse_domain(domain))
    if route.canary is None:
        raise _none(route)
    canary = route.canary._replace(weight=_parsed({"weight": weight})["weight"])
    return _write(table, item, route, canary, note, if_revision, dry_run)


@replanned
def promote(
    table: RoutingTable, domain: str, *, note: str = "", if_revision: int | None = None, dry_run: bool = False
) -> Change:
    """Give all viewers what the canary's get. Where that was done, a second run changes nothing.

    Where the canary's target is the standby's, the two change places: what all got until now is the standby then. So
    a canary is a gradual fail-back, too.

    See `start`. Raises NotFound where there is no canary.
    """
    item, route = _read(table, parse_domain(domain))
    canary = route.canary
    if canary is None:
        return unchanged(route, _promoted_before(table, route))
    after = route._replace(
        target=bare_target(canary.target),
        origin=canary.origin,
        generation=canary.generation,
        canary=None,
        standby=_standby_after(route, canary),
    )
    # Of the same site, whatever it came from: the edge has named these with the canary's side all along.
    after = after._replace(former=former_of(route, after, table.clock()))
    after = after._replace(source="" if promoted_from(route) else route.source)
    change = _commit(table, item, after, note, if_revision, dry_run)
    if after.standby == route.standby or after.standby is None:
        return change
    return replace(change, message="; ".join(filter(None, (change.message, f"its standby is {after.standby.target}"))))


@replanned
def abort(
    table: RoutingTable, domain: str, *, note: str = "", if_revision: int | None = None, dry_run: bool = False
) -> Change:
    """Give all viewers the domain's own target again. Where there is no canary, nothing is done. See `start`."""
    item, route = _read(table, parse_domain(domain))
    if route.canary is None:
        return unchanged(route, "it has no canary, so there is nothing to abort")
    return _write(table, item, route, None, note, if_revision, dry_run)


def _parsed(said: dict[str, Any]) -> dict[str, Any]:
    found = parse_canary(said)
    return dict(found) if isinstance(found, Mapping) else {}


def _target_of(table: RoutingTable, of: str, domain: str) -> str:
    route = table.get(of)
    if keeps_out(route.policy) and not keeps_out(table.get(domain).policy):
        raise InvalidInput(
            f"{route.domain} is not for everybody, and {domain} is: its viewers would get what is private there. Where "
            f"they shall, name the target itself: {route.target}"
        )
    if not is_live(route, table.clock()):
        raise NotFound(f"{route.domain} has expired; nothing was written.")
    return written_target(route.target, route.origin)


def _read(table: RoutingTable, domain: str) -> tuple[Item | None, Route]:
    item = table.tables.read([domain]).get(domain)
    route = table.existing(domain, item)
    if not is_live(route, table.clock()):
        raise NotFound(f"{domain} has expired: nobody gets anything of it. Nothing was written.")
    return item, route


def _has(route: Route, target: str) -> bool:
    return route.canary is not None and route.canary.target.rstrip("/") == target.rstrip("/")


def _write(
    table: RoutingTable,
    item: Item | None,
    route: Route,
    canary: Canary | None,
    note: str,
    if_revision: int | None,
    dry_run: bool,
) -> Change:
    after = route._replace(canary=canary)
    after = after._replace(former=former_of(route, after, table.clock()))
    if same_but_note(route, after):
        return unchanged(route, "")
    return _commit(table, item, after, note, if_revision, dry_run)


def _commit(
    table: RoutingTable, item: Item | None, after: Route, note: str, if_revision: int | None, dry_run: bool
) -> Change:
    refuse_another(after.domain, item, if_revision)
    row = encode_route(table.stamped(after, note))
    return table.commit([table.write("put", after.domain, item, row, False)], dry_run=dry_run)[0]


def _standby_after(route: Route, canary: Canary) -> Standby | None:
    if route.standby is None or route.standby.origin != canary.origin:
        return route.standby
    return Standby(written_target(route.target, route.origin), route.origin)


def _promoted_before(table: RoutingTable, route: Route) -> str:
    """Return what is said where the last canary was promoted. Raises NotFound where it was not, or there was none."""
    for entry in itertools.islice(table.history(route.domain), _READ_BACK):
        if entry.state is not None and entry.state.canary is not None:
            if entry.state.canary.origin == route.origin:
                return f"its canary {entry.state.canary.target} was promoted already"
            break
    raise _none(route)


def _none(route: Route) -> NotFound:
    return NotFound(f"{route.domain} has no canary; begin one: table-admin canary start {route.domain} TARGET")
