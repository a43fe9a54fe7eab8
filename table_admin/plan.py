"""Plan and apply: what a declarative file changes, shown before it is made, and made as it was shown."""

import functools
import hashlib
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from typing import Literal

from edge_handler.errors import BrokenRow
from edge_handler.routes.attributes import Item
from edge_handler.routes.route import decode_route
from table_admin.changes import Change, change_of, content, decode, is_live, same_but_note
from table_admin.contention import settled
from table_admin.errors import InvalidInput, RevisionConflict, TableAdminError
from table_admin.manifest import Manifest
from table_admin.redirect_loops import refuse_redirect_loops
from table_admin.routing_table import RoutingTable
from table_admin.tables import Write, follow, revision_of, together

# As octodns has them: of a table of some size, a plan that changes or removes a third is more often a mistake.
MAX_CHANGED_SHARE = 0.3
MIN_EXISTING = 10


class Unsafe(TableAdminError):
    """The plan changes or removes more than is likely meant; nothing was written."""


class PlanMoved(TableAdminError):
    """The plan is not the one that was shown; nothing was written."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What has to be written so that the table is as a file says."""

    owner: str
    writes: tuple[Write, ...]
    unchanged: int
    existing: int
    """How many rows the owner has now."""
    again: Callable[[], "Plan"] = field(compare=False, repr=False)
    """Compares the same file with the table once more."""

    @property
    def id(self) -> str:
        """A fingerprint: the same file over the same rows has the same one."""
        lines = [_fingerprint(write) for write in self.writes]
        return hashlib.sha256(json.dumps([self.owner, sorted(lines)]).encode()).hexdigest()[:12]

    @property
    def changes(self) -> list[Change]:
        """What is done to which domain, by domain."""
        return sorted(map(change_of, self.writes), key=lambda change: change.domain)

    def count(self, action: Literal["created", "updated", "deleted"]) -> int:
        """Return how many domains are created, updated or deleted."""
        return sum(change.action == action for change in self.changes)

    def check_safety(self) -> None:
        """Raise Unsafe where more of the owner's rows are updated or deleted than is likely meant."""
        if self.existing < MIN_EXISTING:
            return
        for action in ("updated", "deleted"):
            count = self.count(action)
            if count / self.existing > MAX_CHANGED_SHARE:
                raise Unsafe(
                    f"{count} of {self.owner}'s {self.existing} routes would be {action}, more than "
                    f"{MAX_CHANGED_SHARE:.0%}; nothing was written. If that is meant, say --force."
                )


def make_plan(table: RoutingTable, manifest: Manifest, *, adopt: bool = False) -> Plan:
    """Compare a file with the table.

    Args:
        table: where.
        manifest: the file.
        adopt: take over rows that nobody or somebody else keeps.

    Raises:
        InvalidInput, TargetRefused: a route of the file cannot be; with its line.
        TableAdminError: a row is somebody else's.
    """
    items = table.tables.read(manifest.routes)
    writes: list[Write] = []
    unchanged = 0
    for domain, put in manifest.routes.items():
        item = items.get(domain)
        try:
            if not adopt:
                _refuse_others(table, item, manifest.owner)
            write = table.plan_put(put, item)
        except TableAdminError as error:
            raise type(error)(f"{manifest.at(domain, error.pattern or error.part)}: {error}") from error
        if write is None or same_but_note(decode(item), decode(write.after())):
            unchanged += 1  # a note goes with the revision that something else makes
        else:
            writes.append(write)
    kept, removed = _owned(table, manifest)
    writes += [table.plan_delete(domain, item, f"not in {manifest.path} any more") for domain, item in removed.items()]
    try:
        refuse_redirect_loops(table.tables, writes)
    except InvalidInput as error:
        raise InvalidInput(f"{manifest.path}: {error}") from error
    again = functools.partial(make_plan, table, manifest, adopt=adopt)
    return Plan(manifest.owner, tuple(writes), unchanged, kept + len(removed), again)


def apply_plan(
    table: RoutingTable,
    plan: Plan,
    *,
    expected: str | None = None,
    force: bool = False,
    on_progress: Callable[[int], object] = lambda _: None,
) -> Iterator[Change]:
    """Write a plan, up to TRANSACTION_ROWS rows at a time; creations and updates first.

    A second run after an interruption does the rest: what is done is not in its plan any more. Where somebody else
    changes a row meanwhile the rest is planned again; with `expected` it has to be part of the plan that was shown.

    Args:
        table: where.
        plan: what.
        expected: the id of the plan that was shown.
        force: also where it changes more than is likely meant.
        on_progress: told how many rows are written.

    Raises:
        Unsafe, PlanMoved: it says what was written before.
    """
    if expected is not None and plan.writes and expected != plan.id:
        raise PlanMoved(f"The file or the table changed: the plan is {plan.id} now, not {expected}. Look at it again.")
    shown = frozenset(map(_fingerprint, plan.writes)) if expected is not None else None
    if not force:
        plan.check_safety()
    rest, written = plan, 0

    def next_chunk() -> list[Change]:
        nonlocal rest
        ordered = _ordered(rest)
        chunk = ordered[: together(ordered)]
        try:
            changes = table.commit(chunk, later=rest.writes)
        except RevisionConflict as error:
            rest = rest.again()
            if shown is not None and not shown.issuperset(map(_fingerprint, rest.writes)):
                raise RevisionConflict(error.domain, error.revision, given=True) from error
            if not force:
                rest.check_safety()
            raise
        rest = replace(rest, writes=tuple(ordered[len(chunk) :]))
        return list(changes)

    while rest.writes:
        try:
            changes = settled(next_chunk)
        except RevisionConflict as error:
            table.tables.announce_withheld(table.actor)
            raise PlanMoved(
                f"{error.domain} was changed by somebody else, to revision {error.revision}; "
                f"{written} of {len(plan.writes)} changes were written before. Plan again."
            ) from error
        yield from changes
        written += len(changes)
        if changes:
            on_progress(written)
    table.tables.announce_withheld(table.actor)


def _ordered(plan: Plan) -> list[Write]:
    return sorted(plan.writes, key=lambda write: write.action == "delete")


def _owned(table: RoutingTable, manifest: Manifest) -> tuple[int, dict[str, Item]]:
    """Return how many of the owner's rows the file keeps, and the rows that it does not."""
    kept, gone = 0, []
    for item in follow(lambda cursor: table.tables.by_index("owner", manifest.owner, cursor=cursor)):
        domain = item["domain"]["S"]
        if domain in manifest.routes:
            kept += 1
        else:
            gone.append(domain)
    # The index may be behind the table: what is removed is what the row says now.
    rows = table.tables.read(sorted(gone))
    return kept, {domain: item for domain, item in rows.items() if item.get("owner") == {"S": manifest.owner}}


def _refuse_others(table: RoutingTable, item: Item | None, owner: str) -> None:
    route = decode(item)
    if route is None or route.owner == owner or not is_live(route, table.clock()):
        return
    whose = f"kept by {route.owner}" if route.owner else "kept by no file"
    raise TableAdminError(f"{route.domain} is {whose}; say --adopt to take it over.")


def _fingerprint(write: Write) -> str:
    after = write.after()
    try:
        route = decode_route(after) if after is not None else None
    except BrokenRow:
        route = None
    # When and by whom differs between the plan that is shown and the one that is applied.
    wanted = content(route) if route else None
    return json.dumps([write.domain, write.action, revision_of(write.before), wanted])
