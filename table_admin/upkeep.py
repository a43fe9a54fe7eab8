"""What keeps a table tidy: load balancers looked up again, expired rows removed, orphans reported."""

import itertools
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

from edge_handler.routes.attributes import Item
from edge_handler.routes.route import Route
from table_admin.changes import Change, Put, is_live, promoted_from, put_of
from table_admin.errors import InvalidInput, RevisionConflict, TargetRefused
from table_admin.inputs import epoch_text, parse_note
from table_admin.path_rules import rules_text
from table_admin.presence import why_nothing
from table_admin.routing_table import OnBroken, RoutingTable
from table_admin.rule_targets import bare_target, targets_of
from table_admin.tables import TRANSACTION_ROWS, Write


@dataclass(frozen=True, slots=True)
class Orphan:
    """A route whose target is gone, and why it is thought so."""

    domain: str
    target: str
    reason: str


@dataclass(frozen=True, slots=True)
class Lost:
    """A promoted route whose target is gone: nobody's leftover, viewers get errors."""

    domain: str
    target: str
    reason: str


def refresh(
    table: RoutingTable,
    environment: str | None = None,
    *,
    note: str = "",
    dry_run: bool = False,
    on_broken: OnBroken | None = None,
) -> Iterator[Change | Orphan | Lost]:
    """Resolve load balancers again, and write those routes whose DNS name, protocol or port changed.

    A second run changes nothing. Yields an Orphan, or Lost, for a load balancer that cannot serve any more.
    """
    balancers = (route for route in table.list(environment, on_broken) if any(map(_is_balancer, targets_of(route))))
    for routes in _chunks(balancers):
        items = table.tables.read(route.domain for route in routes)
        writes: list[Write] = []
        for route in routes:
            if route.domain not in items:
                continue
            write, refused = _resolved_again(table, route, items[route.domain])
            if write is not None:
                writes.append(write.noted(parse_note(note)) if note else write)
            yield from refused
        yield from _commit(table, writes, dry_run)
    table.tables.announce_withheld(table.actor)


def _resolved_again(table: RoutingTable, route: Route, item: Item) -> tuple[Write | None, list[Orphan | Lost]]:
    """Return what to write, and what cannot be resolved: a rule that cannot stays as it is, and holds up no other.

    Nor does a canary or a standby.
    """
    rules: dict[str, str | None] = {**rules_text(route)}
    put = replace(put_of(route), only_rules=False)
    parts = {part: getattr(route, part).target for part in ("canary", "standby") if getattr(route, part) is not None}
    refused: list[Orphan | Lost] = []
    while True:
        try:
            return table.plan_put(replace(put, rules=rules), item), refused
        except TargetRefused as error:
            if error.pattern:
                target = rules.pop(error.pattern) or ""
            elif error.part:
                target, put = parts[error.part], _without(put, error.part)
            else:
                target = route.target
            refused.append(_found(route, str(error), bare_target(target)))
            if not (error.pattern or error.part):
                return None, refused


def _without(put: Put, part: str) -> Put:
    return replace(put, canary=None) if part == "canary" else replace(put, standby=None)


def sweep(
    table: RoutingTable, *, note: str = "", dry_run: bool = False, on_broken: OnBroken | None = None
) -> Iterator[Change]:
    """Remove the rows that have expired and that DynamoDB's TTL has not removed yet.

    TTL may take days, and writes no history. A second run changes nothing.
    """
    now = table.clock()
    expired = (route for route in table.list(on_broken=on_broken) if not is_live(route, now))
    for routes in _chunks(expired):
        items = table.tables.read(route.domain for route in routes)
        writes = [
            table.plan_delete(route.domain, items[route.domain], note or f"expired {epoch_text(route.expires_at)}")
            for route in routes
            # Extended meanwhile: then it is another revision.
            if items.get(route.domain, {}).get("revision") == {"N": str(route.revision)}
        ]
        yield from _commit(table, writes, dry_run)
    table.tables.announce_withheld(table.actor)


def orphans(table: RoutingTable, on_broken: OnBroken | None = None) -> Iterator[Orphan]:
    """Yield live routes whose target is gone, and that were not promoted: see `gone`."""
    return (found for found in gone(table, on_broken) if isinstance(found, Orphan))


def gone(table: RoutingTable, on_broken: OnBroken | None = None) -> Iterator[Orphan | Lost]:
    """Yield live routes whose bucket, prefix, deployment or load balancer is gone. Asks AWS once for each target."""
    known: dict[str, str] = {}
    now = table.clock()
    for route in table.list(on_broken=on_broken):
        if not is_live(route, now):
            continue
        for target in targets_of(route):
            if target not in known:
                known[target] = _why_gone(table, target)
            if known[target]:
                yield _found(route, known[target], target)


def _found(route: Route, reason: str, target: str) -> Orphan | Lost:
    return (Lost if promoted_from(route) else Orphan)(route.domain, target, reason)


def _is_balancer(target: str) -> bool:
    return target.startswith("arn:")


def _why_gone(table: RoutingTable, target: str) -> str:
    if target.startswith("https://"):
        return ""
    try:
        origin = table.targets.resolve(target)
    except (TargetRefused, InvalidInput) as error:
        return str(error)
    return why_nothing(table, origin)


def _commit(table: RoutingTable, writes: Iterable[Write], dry_run: bool) -> Iterator[Change]:
    writes = [*writes]
    try:
        yield from table.commit(writes, dry_run=dry_run)
    except RevisionConflict:
        # One of them is being changed by somebody else, who knows better than upkeep does.
        for write in writes:
            try:
                yield from table.commit([write], dry_run=dry_run)
            except RevisionConflict:
                continue


def _chunks(routes: Iterable[Route]) -> Iterator[list[Route]]:
    routes = iter(routes)
    while chunk := [*itertools.islice(routes, TRANSACTION_ROWS)]:
        yield chunk
