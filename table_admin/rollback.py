"""Back to what was: a domain, several together, or all that an environment had at a time."""

import itertools
from collections.abc import Iterable, Iterator
from typing import Any

from edge_handler.routes.route import Item, Route, encode_route
from table_admin.changes import Change, Revision, content, decode, differences, is_live, iso, revision_from
from table_admin.errors import InvalidInput, NotFound, TableAdminError
from table_admin.inputs import parse_domain, parse_environment
from table_admin.routing_table import RoutingTable
from table_admin.tables import TRANSACTION_ROWS, Write, follow


def rollback(
    table: RoutingTable,
    domains: Iterable[str],
    *,
    to: int | None = None,
    expires_in: str | None = None,
    permanent: bool = False,
    note: str = "",
    dry_run: bool = False,
) -> list[Change]:
    """Make domains what they were before their last change, or at revision `to`, in one transaction.

    Neither a note nor `touch` is a change here.

    The targets are not resolved again: what served then serves now. A rollback is a new revision, and can be
    rolled back.

    Raises:
        NotFound: there is no such revision.
        InvalidInput: what is gone back to has expired, and neither `expires_in` nor `permanent` is given.
    """
    domains = [parse_domain(domain) for domain in domains]
    if to is not None and len(domains) > 1:
        raise InvalidInput("--to goes with one domain.")
    expiry = table.expiry(expires_in)
    items = table.tables.read(domains)
    writes = []
    for domain in domains:
        item = items.get(domain)
        entry = _at(table, domain, to) if to is not None else _before_last_change(table, domain, decode(item))
        writes.append(_to_state(table, entry, item, expiry, permanent, note))
    return [*table.commit(filter(None, writes), dry_run=dry_run)]


def rollback_environment(
    table: RoutingTable, environment: str, since: int, *, note: str = "", dry_run: bool = False
) -> Iterator[Change]:
    """Make every domain of an environment what it was at `since` (epoch seconds), also those removed since.

    In transactions of TRANSACTION_ROWS rows. A second run changes nothing.
    """
    moment = iso(since)
    names = iter(table.tables.changed_domains(parse_environment(environment), moment))
    while domains := [*itertools.islice(names, TRANSACTION_ROWS)]:
        items = table.tables.read(domains)
        writes: list[Write | None] = []
        for domain in domains:
            state = _state_at(table, domain, moment)
            text = note or f"back to {moment}"
            if state is None:
                if domain in items:
                    writes.append(table.plan_delete(domain, items[domain], text))
            elif is_live(state.state, table.clock()) or state.state is None:
                writes.append(_to_state(table, state, items.get(domain), None, False, text))
        yield from table.commit(filter(None, writes), dry_run=dry_run)


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


def _before_last_change(table: RoutingTable, domain: str, current: Route | None) -> Revision:
    """Return the newest revision that is not as the domain is now."""
    entries = map(revision_from, follow(lambda cursor: table.tables.revisions(domain, cursor=cursor)))
    for entry in entries:
        if entry.route is not None and not _same(entry.state, current):
            return entry
    raise NotFound(f"{domain} has no earlier revision.")


def _same(one: Route | None, other: Route | None) -> bool:
    if one is None or other is None:
        return one is other
    return content(one._replace(note="")) == content(other._replace(note=""))


def _state_at(table: RoutingTable, domain: str, moment: str) -> Revision | None:
    """Return the newest revision before a time, None where the domain had none."""
    entries = map(revision_from, follow(lambda cursor: table.tables.revisions(domain, cursor=cursor)))
    return next((entry for entry in entries if entry.updated_at < moment), None)


def _to_state(
    table: RoutingTable, entry: Revision, item: Item | None, expiry: int | None, permanent: bool, note: str
) -> Write | None:
    text = note or f"back to revision {entry.revision}"
    state = entry.state
    if state is None:
        if entry.action != "delete":
            raise TableAdminError(f"Revision {entry.revision} of {entry.domain} cannot be read.")
        return table.plan_delete(entry.domain, item, text) if item is not None else None
    if expiry is not None or permanent:
        state = state._replace(expires_at=expiry, lifetime="permanent" if expiry is None else "ephemeral")
    if not is_live(state, table.clock()):
        raise InvalidInput(
            f"Revision {entry.revision} of {entry.domain} has expired; say how long: --expires-in 7d, or --permanent."
        )
    current = decode(item)
    if _same(state, current):
        return None
    return _restored(table, state, item, current, text)


def _restored(table: RoutingTable, state: Route, item: Item | None, current: Route | None, note: str) -> Write:
    same = current is not None and is_live(current, table.clock()) and current.origin == state.origin
    generation = current.generation if current is not None else 1
    route = table.stamped(state._replace(generation=generation), note)
    return table.write("rollback", state.domain, item, encode_route(route), not same)
