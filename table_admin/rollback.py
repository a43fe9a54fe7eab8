"""Back to what was: a domain, or several together."""

from collections.abc import Iterable, Sequence
from dataclasses import replace

from edge_handler.routes.attributes import Item
from edge_handler.routes.redirect import Answering
from edge_handler.routes.route import Route, encode_route
from table_admin.changes import (
    Change,
    Revision,
    decode,
    is_live,
    refuse_another,
    revision_from,
    same_but_note,
    same_for_viewers,
    unchanged,
)
from table_admin.contention import replanned
from table_admin.deployments.former import former_of
from table_admin.errors import InvalidInput, NotFound, TableAdminError, TargetRefused
from table_admin.history import before_first, revision_at, undoing
from table_admin.inputs import parse_domain
from table_admin.path_rules import answering, renewed, rules_before
from table_admin.policies import renewed_policy, restored_policy
from table_admin.presence import why_nothing
from table_admin.routing_table import RoutingTable
from table_admin.rule_targets import targets_of
from table_admin.second_targets import renewed_canary
from table_admin.selection import fits
from table_admin.tables import Write
from table_admin.targets import same_target


@replanned
def rollback(
    table: RoutingTable,
    domains: Iterable[str],
    *,
    to: int | None = None,
    further: bool = False,
    if_target: str | None = None,
    expires_in: str | None = None,
    permanent: bool = False,
    note: str = "",
    if_revision: int | None = None,
    dry_run: bool = False,
) -> list[Change]:
    """Make domains what they were before their last change, or at revision `to`, in one transaction.

    A change is one of what viewers get, or how long: neither a note, nor `touch`, nor whose the route is, nor
    maintenance, which stays as it is. Where the last change is a rollback nothing is done, so a second run changes
    nothing; `further` goes one step back from what was gone back to. Each change's message says what it undoes.

    With `if_target` only domains that have this target are changed: to what they were before they had it, or any other
    that is like it as a pattern with `*`; one that never was anything else is removed. So a release that fails takes
    back itself, and nothing else.

    The targets are not resolved again: what served then serves now. A rollback is a new revision, and can be
    rolled back by `to`. With `if_revision` it is made over this revision only, 0 for a domain that has no route;
    where there is nothing to do, its revision does not matter.

    Raises:
        NotFound: there is no such revision.
        RevisionConflict: it is another revision than `if_revision`; nothing was written.
        InvalidInput: `to` goes with one domain, and neither with `further` nor `if_target`; so does `if_revision`.
        InvalidInput: what is gone back to has expired, and neither `expires_in` nor `permanent` is given.
        TargetRefused: it is a prefix of a bucket under which nothing is any more, or a deployment that is not ready.
    """
    domains = list(dict.fromkeys(map(parse_domain, domains)))
    _check(domains, to, further, if_target, if_revision)
    expiry = table.expiry(expires_in)
    items = table.tables.read(domains)

    def planned(domain: str, item: Item | None) -> Write | Change:
        if if_target is not None:
            entry = _before_target(table, domain, decode(item), if_target)
            if entry is None:
                return _left(table, domain, item, f"its target is not {if_target}, so there is nothing to do")
        elif to is not None:
            entry = revision_at(table, domain, to)
        else:
            entry = _step_back(table, domain, decode(item), further)
            if entry.is_rollback and not further and same_for_viewers(entry.state, decode(item)):
                return _left(table, domain, item, _already(entry))
        write = to_state(table, entry, item, expiry, permanent, note)
        return write or _left(table, domain, item, f"it is as it was at revision {entry.revision}")

    outcomes = [planned(domain, items.get(domain)) for domain in domains]
    done = iter(commit(table, [one for one in outcomes if isinstance(one, Write)], dry_run, if_revision))
    return [next(done) if isinstance(one, Write) else one for one in outcomes]


def _check(
    domains: Sequence[str], to: int | None, further: bool, if_target: str | None, if_revision: int | None
) -> None:
    if (to is not None) + further + (if_target is not None) > 1 or (to is not None and len(domains) > 1):
        raise InvalidInput("--to goes with one domain; it, --further and --if-target do not go together.")
    if if_revision is not None and len(domains) > 1:
        raise InvalidInput("--if-revision goes with one domain.")
    if if_target == "":
        raise InvalidInput("--if-target is empty.")


def _step_back(table: RoutingTable, domain: str, current: Route | None, further: bool) -> Revision:
    """Return the newest revision that is not as the domain is now.

    Where it is as it is by a rollback: that rollback; or, to go `further`, the newest before what it went back to.
    """
    before = None
    for entry in table.history(domain):
        if entry.route is None and entry.action != "delete":
            continue  # a broken row cannot come back
        if same_for_viewers(entry.state, current):
            if entry.is_rollback and before is None:
                if not further:
                    return entry
                before = _restored_by(table, entry)
        elif entry.route is not None and (before is None or entry.revision < before):
            return entry
    raise NotFound(f"{domain} has no earlier revision.")


def _before_target(table: RoutingTable, domain: str, current: Route | None, target: str) -> Revision | None:
    """Return what a domain was before it had a target, None where it has another now.

    One that never was anything else did not exist before.
    """
    if current is None or not _has(current, target):
        return None
    for entry in table.history(domain):
        if entry.route is None and entry.action != "delete":
            continue  # a broken row cannot come back
        if entry.state is None or not _has(entry.state, target):
            return entry
    return before_first(domain)


def _has(route: Route, target: str) -> bool:
    return fits(route.target, target) if "*" in target else same_target(route.target, target)


def _restored_by(table: RoutingTable, rollback: Revision) -> int:
    """Return the revision that was not made by a rollback, and that this one and those before it went back to."""
    while rollback.is_rollback:
        if rollback.restores == 0:
            return 0
        if rollback.restores is None:
            older = (entry for entry in table.history(rollback.domain) if entry.revision < rollback.revision)
            found = next((entry for entry in older if _same_but_expiry(entry.state, rollback.state)), None)
        else:
            item = table.tables.revision(rollback.domain, rollback.restores)
            found = revision_from(item) if item is not None else None
        if found is None:
            break
        rollback = found
    return rollback.revision


def _same_but_expiry(one: Route | None, other: Route | None) -> bool:
    one, other = (route and route._replace(expires_at=None, lifetime="permanent") for route in (one, other))
    return same_but_note(one, other)


def _already(rollback: Revision) -> str:
    back = f" to revision {rollback.restores}" if rollback.restores else ""
    return (
        f"its newest change is a rollback{back} by {rollback.updated_by} at {rollback.updated_at[:19]}Z, so there is "
        "nothing to do; --further goes one step back from there"
    )


def _left(table: RoutingTable, domain: str, item: Item | None, message: str) -> Change:
    return table.gone(domain, message) if item is None else unchanged(table.existing(domain, item), message)


def commit(table: RoutingTable, writes: Sequence[Write], dry_run: bool, if_revision: int | None = None) -> list[Change]:
    """Write, and say of each what it undoes."""
    for write in writes:
        refuse_another(write.domain, write.before, if_revision)
    changes = table.commit(writes, dry_run=dry_run)
    return [
        replace(change, message=_told(change, undoing(table, write.domain, write.restores or 0, change.revision)))
        for write, change in zip(writes, changes, strict=True)
    ]


def _told(change: Change, undone: str) -> str:
    return "; ".join(filter(None, (undone, change.message)))


def to_state(
    table: RoutingTable, entry: Revision, item: Item | None, expiry: int | None, permanent: bool, note: str
) -> Write | None:
    """Return the write that makes a domain what it was at a revision, over the row `item`; None where it is so.

    `expiry` (epoch seconds) and `permanent` go before what the revision says. Raises what `rollback` does.
    """
    text = note or (f"back to revision {entry.revision}" if entry.revision else "back to before its first revision")
    state = entry.state
    if state is None:
        if entry.action != "delete":
            raise TableAdminError(f"Revision {entry.revision} of {entry.domain} cannot be read.")
        if item is None:
            return None
        return replace(table.plan_delete(entry.domain, item, text), restores=entry.revision)
    if expiry is not None or permanent:
        state = state._replace(expires_at=expiry, lifetime="permanent" if expiry is None else "ephemeral")
    if not is_live(state, table.clock()):
        raise InvalidInput(
            f"Revision {entry.revision} of {entry.domain} has expired; say how long: --expires-in 7d, or --permanent."
        )
    current = decode(item)
    live = current if is_live(current, table.clock()) else None
    policy = restored_policy(state.policy, live.policy) if live is not None else renewed_policy(state.policy, None)
    state = state._replace(policy=policy)
    if same_but_note(state, current):
        return None
    had = answering(current) if current is not None else []
    for origin, target in zip(answering(state), targets_of(state), strict=True):
        if origin not in had:
            _refuse_gone(table, entry, origin, target)
    return replace(_restored(table, state, item, current, text), restores=entry.revision)


def _refuse_gone(table: RoutingTable, entry: Revision, origin: Answering, target: str) -> None:
    """Raise TargetRefused where nothing is any more: closing a pull request removes files, say."""
    try:
        why = why_nothing(table, origin)
    except TableAdminError:
        return  # who may not list the bucket can roll back, too
    if why:
        raise TargetRefused(
            f"Revision {entry.revision} of {entry.domain} leads to {target}, where nothing is any more "
            f"({why.rstrip('.')}); go to another: table-admin history {entry.domain}, then rollback --to REVISION."
        )


def _restored(table: RoutingTable, state: Route, item: Item | None, current: Route | None, note: str) -> Write:
    live = current is not None and is_live(current, table.clock())
    same = live and current is not None and current.origin == state.origin
    generation = current.generation if current is not None else 1
    rules = renewed(state.rules, rules_before(current, table.clock()))
    canary = renewed_canary(state.canary, current.canary if live and current is not None else None)
    state = state._replace(generation=generation, rules=rules, canary=canary)
    state = state._replace(former=former_of(current, state, table.clock()))
    route = table.stamped(state, note)
    return table.write("rollback", state.domain, item, encode_route(route), not same)
