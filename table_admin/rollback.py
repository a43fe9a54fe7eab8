"""Back to what was: a domain, several together, or all that an environment had at a time."""

import itertools
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from fnmatch import fnmatchcase
from typing import Any

from edge_handler.routes.route import Item, Origin, Route, S3Origin, encode_route
from table_admin.changes import (
    Change,
    Revision,
    decode,
    differences,
    is_live,
    is_managed,
    iso,
    revision_from,
    same_but_note,
    same_for_viewers,
    unchanged,
)
from table_admin.contention import replanned
from table_admin.errors import InvalidInput, NotFound, RevisionConflict, TableAdminError, TargetRefused
from table_admin.inputs import parse_domain, parse_environment
from table_admin.ownership import OnLeft, manages, not_managed
from table_admin.routing_table import RoutingTable
from table_admin.tables import TRANSACTION_ROWS, Write, follow, revision_of
from table_admin.targets import objects_under, same_target

_READ_BACK = 50
"""So many revisions are read to say what a rollback undoes."""


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

    A change is one of what viewers get, or how long: neither a note, nor `touch`, nor whose the route is. Where the
    last change is a rollback nothing is done, so a second run changes nothing; `further` goes one step back from what
    was gone back to. Each change's message says what it undoes.

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
        TargetRefused: it is a prefix of a bucket under which nothing is any more.
    """
    domains = list(dict.fromkeys(map(parse_domain, domains)))
    _check(domains, to, further, if_target, if_revision)
    expiry = table.expiry(expires_in)
    items = table.tables.read(domains)
    writes: list[Write] = []
    left: dict[str, Change] = {}
    for domain in domains:
        item = items.get(domain)
        if if_target is not None:
            write = _past(table, domain, item, if_target, expiry, permanent, note)
            if write is None:
                left[domain] = _left(table, domain, item, f"its target is not {if_target}, so there is nothing to do")
            else:
                writes.append(write)
            continue
        entry = _at(table, domain, to) if to is not None else _step_back(table, domain, decode(item), further)
        if entry.is_rollback and to is None and not further and same_for_viewers(entry.state, decode(item)):
            left[domain] = _left(table, domain, item, _already(entry))
            continue
        write = _to_state(table, entry, item, expiry, permanent, note)
        if write is None:
            left[domain] = _left(table, domain, item, f"it is as it was at revision {entry.revision}")
        else:
            writes.append(write)
    done = {change.domain: change for change in _commit(table, writes, dry_run, if_revision)}
    return [left.get(domain) or done[domain] for domain in domains]


def _check(
    domains: Sequence[str], to: int | None, further: bool, if_target: str | None, if_revision: int | None
) -> None:
    if (to is not None) + further + (if_target is not None) > 1 or (to is not None and len(domains) > 1):
        raise InvalidInput("--to goes with one domain; it, --further and --if-target do not go together.")
    if if_revision is not None and len(domains) > 1:
        raise InvalidInput("--if-revision goes with one domain.")
    if if_target == "":
        raise InvalidInput("--if-target is empty.")


def rollback_environment(
    table: RoutingTable,
    environment: str,
    since: int,
    *,
    note: str = "",
    dry_run: bool = False,
    on_left: OnLeft = lambda *_: None,
) -> Iterator[Change]:
    """Make every domain that an environment manages what it was at `since` (epoch seconds), also those removed since.

    In transactions of TRANSACTION_ROWS rows. A second run changes nothing. `on_left` is told of each domain that was
    written since and stays as it is, and why.

    Raises:
        NotFound: there is no such environment, and never was.
    """
    moment = iso(since)
    if next(table.tables.environment_history(parse_environment(environment)), None) is None:
        raise NotFound(f"There is no environment {environment}, and never was.")
    names = iter(table.tables.changed_domains(environment, moment))
    while domains := [*itertools.islice(names, TRANSACTION_ROWS)]:
        yield from _to_moment(table, environment, domains, moment, note or f"back to {moment}", dry_run, on_left)


@replanned
def _to_moment(
    table: RoutingTable,
    environment: str,
    domains: Sequence[str],
    moment: str,
    note: str,
    dry_run: bool,
    on_left: OnLeft,
) -> Sequence[Change]:
    items = table.tables.read(domains)
    writes: list[Write | None] = []
    left: list[tuple[str, str]] = []
    for domain in domains:
        item = items.get(domain)
        entry = _state_at(table, domain, moment)
        state = entry.state if entry is not None else None
        if (item is not None and not manages(environment, item)) or (item is None and not _was_of(environment, state)):
            if item is not None or state is not None:
                left.append((domain, _why_left(environment, item)))
        elif entry is None:
            if item is not None:
                writes.append(replace(table.plan_delete(domain, item, note), restores=0))
        elif state is not None and not is_live(state, table.clock()):
            left.append((domain, f"revision {entry.revision} has expired; rollback {domain} --to it says how long"))
        else:
            try:
                writes.append(_to_state(table, entry, item, None, False, note))
            except TargetRefused as error:
                left.append((domain, str(error)))
    changes = _commit(table, [write for write in writes if write is not None], dry_run)
    for domain, why in left:
        on_left(domain, why)
    return changes


def _was_of(environment: str, state: Route | None) -> bool:
    return state is not None and state.environment == environment and is_managed(state)


def _why_left(environment: str, item: Item | None) -> str:
    route = decode(item)
    if route is None or route.environment == environment:
        return not_managed(environment)
    return f"it belongs to the environment {route.environment} now"


def undoing(table: RoutingTable, domain: str, restored: int, revision: int) -> str:
    """Return what people are told of the rollback that is `revision`, and went back to the revision `restored`."""
    back = f"back to revision {restored}" if restored else "back to before its first revision"
    between = [
        entry
        for entry in itertools.islice(_history(table, domain), _READ_BACK)
        if restored < entry.revision < revision and entry.action != "touch"
    ]
    if not between:
        return back
    newest, *more = between
    who = f"{newest.action} by {newest.updated_by} at {newest.updated_at[:19]}Z"
    why = f": {newest.note}" if newest.note else ""
    rest = f" and all since revision {restored}" if more else ""
    return f"undoes revision {newest.revision} ({who}{why}){rest}; {back}"


def diff(table: RoutingTable, domain: str, old: int | None = None, new: int | None = None) -> dict[str, Any]:
    """Return what is different between two revisions, the last two by default, by attribute: before and after.

    Raises:
        NotFound: there is no such revision.
    """
    domain = parse_domain(domain)
    new = new if new is not None else _last(table, domain)
    old = old if old is not None else new - 1
    if new < 1:
        raise NotFound(f"{domain} has no history.")
    before = _at(table, domain, old).state if old > 0 else None
    return differences(before, _at(table, domain, new).state)


def _last(table: RoutingTable, domain: str) -> int:
    last = table.tables.last_revision(domain)
    if last == 0:
        raise NotFound(f"{domain} has no history.")
    return last


def _at(table: RoutingTable, domain: str, revision: int) -> Revision:
    item = table.tables.revision(domain, revision)
    if item is None:
        raise NotFound(f"{domain} has no revision {revision}.")
    return revision_from(item)


def _history(table: RoutingTable, domain: str) -> Iterator[Revision]:
    return map(revision_from, follow(lambda cursor: table.tables.revisions(domain, cursor=cursor)))


def _step_back(table: RoutingTable, domain: str, current: Route | None, further: bool) -> Revision:
    """Return the newest revision that is not as the domain is now.

    Where it is as it is by a rollback: that rollback; or, to go `further`, the newest before what it went back to.
    """
    before = None
    for entry in _history(table, domain):
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


def _past(
    table: RoutingTable, domain: str, item: Item | None, target: str, expiry: int | None, permanent: bool, note: str
) -> Write | None:
    """Return the write that makes a domain what it was before it had a target; None where it has another."""
    current = decode(item)
    if item is None or current is None or not _has(current, target):
        return None
    for entry in _history(table, domain):
        if entry.route is None and entry.action != "delete":
            continue  # a broken row cannot come back
        if entry.state is None or not _has(entry.state, target):
            return _to_state(table, entry, item, expiry, permanent, note)
    return replace(table.plan_delete(domain, item, note or "back to before its first revision"), restores=0)


def _has(route: Route, target: str) -> bool:
    return fnmatchcase(route.target, target) if "*" in target else same_target(route.target, target)


def _restored_by(table: RoutingTable, rollback: Revision) -> int:
    """Return the revision that was not made by a rollback, and that this one and those before it went back to."""
    while rollback.is_rollback:
        if rollback.restores == 0:
            return 0
        if rollback.restores is None:
            older = (entry for entry in _history(table, rollback.domain) if entry.revision < rollback.revision)
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


def _commit(
    table: RoutingTable, writes: Sequence[Write], dry_run: bool, if_revision: int | None = None
) -> list[Change]:
    """Write, and say of each what it undoes."""
    for write in writes:
        if if_revision not in (None, revision_of(write.before)):
            raise RevisionConflict(write.domain, revision_of(write.before), given=True)
    changes = table.commit(writes, dry_run=dry_run)
    return [
        replace(change, message=undoing(table, write.domain, write.restores or 0, change.revision))
        for write, change in zip(writes, changes, strict=True)
    ]


def _state_at(table: RoutingTable, domain: str, moment: str) -> Revision | None:
    """Return the newest revision before a time, None where the domain had none."""
    return next((entry for entry in _history(table, domain) if entry.updated_at < moment), None)


def _to_state(
    table: RoutingTable, entry: Revision, item: Item | None, expiry: int | None, permanent: bool, note: str
) -> Write | None:
    text = note or f"back to revision {entry.revision}"
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
    if same_but_note(state, current):
        return None
    if current is None or current.origin != state.origin:
        _refuse_gone(table, entry, state.origin)
    return replace(_restored(table, state, item, current, text), restores=entry.revision)


def _refuse_gone(table: RoutingTable, entry: Revision, origin: Origin) -> None:
    """Raise TargetRefused where a prefix has nothing any more: closing a pull request removes files, say."""
    try:
        gone = isinstance(origin, S3Origin) and not objects_under(table.client, origin)
    except TableAdminError:
        return  # who may not list the bucket can roll back, too
    if gone:
        raise TargetRefused(
            f"Revision {entry.revision} of {entry.domain} leads to {entry.route.target if entry.route else ''}, where "
            f"nothing is any more; go back further: table-admin history {entry.domain}, then rollback --to REVISION."
        )


def _restored(table: RoutingTable, state: Route, item: Item | None, current: Route | None, note: str) -> Write:
    same = current is not None and is_live(current, table.clock()) and current.origin == state.origin
    generation = current.generation if current is not None else 1
    route = table.stamped(state._replace(generation=generation), note)
    return table.write("rollback", state.domain, item, encode_route(route), not same)
