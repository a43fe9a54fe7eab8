"""All that an environment manages, back to what it was at a time."""

import itertools
from collections.abc import Iterator, Sequence

from edge_handler.routes.attributes import Item
from edge_handler.routes.route import Route
from table_admin.changes import Change, Revision, decode, is_live, is_managed
from table_admin.contention import replanned
from table_admin.errors import NotFound, TableAdminError
from table_admin.history import before_first
from table_admin.inputs import iso, parse_environment
from table_admin.ownership import OnLeft, manages, not_managed
from table_admin.rollback import commit, to_state
from table_admin.routing_table import RoutingTable
from table_admin.tables import TRANSACTION_ROWS, Write, together


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
        item, entry = items.get(domain), _at_moment(table, domain, moment)
        state = entry.state
        if not (manages(environment, item) if item is not None else _was_of(environment, state)):
            if item is not None or state is not None:
                left.append((domain, _why_left(environment, item)))
        elif state is not None and not is_live(state, table.clock()):
            left.append((domain, f"revision {entry.revision} has expired; rollback {domain} --to it says how long"))
        else:
            try:
                writes.append(to_state(table, entry, item, None, False, note))
            except TableAdminError as error:
                left.append((domain, str(error)))
    changes = _in_turn(table, [write for write in writes if write is not None], dry_run)
    for domain, why in left:
        on_left(domain, why)
    return changes


def _in_turn(table: RoutingTable, writes: Sequence[Write], dry_run: bool) -> list[Change]:
    changes: list[Change] = []
    while writes:
        count = together(writes)
        changes += commit(table, writes[:count], dry_run)
        writes = writes[count:]
    return changes


def _was_of(environment: str, state: Route | None) -> bool:
    return state is not None and state.environment == environment and is_managed(state)


def _why_left(environment: str, item: Item | None) -> str:
    route = decode(item)
    if route is None or route.environment == environment:
        return not_managed(environment)
    return f"it belongs to the environment {route.environment} now"


def _at_moment(table: RoutingTable, domain: str, moment: str) -> Revision:
    """Return the newest revision before a time."""
    return next((entry for entry in table.history(domain) if entry.updated_at < moment), before_first(domain))
