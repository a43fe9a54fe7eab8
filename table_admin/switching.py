"""What is switched of domains, or of all that an environment manages, whatever else is wrong there: in few writes."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from edge_handler.routes.attributes import Item
from edge_handler.routes.route import Route, encode_route
from table_admin.changes import Change, decode, is_live, refuse_another, unchanged
from table_admin.contention import replanned
from table_admin.errors import InvalidInput, NotFound
from table_admin.inputs import parse_domain
from table_admin.ownership import OnLeft, nothing_managed, rows_of, tell_others
from table_admin.routing_table import RoutingTable
from table_admin.tables import TRANSACTION_ROWS


@dataclass(frozen=True, slots=True)
class Switch:
    """What is done to each domain."""

    planned: Callable[[Route], Route | str]
    """Returns a route as it shall be; or what is said of one that is so already."""
    expired: str
    """What is said of a domain that has expired, in place of what is done."""
    impossible: Callable[[Route], str] = lambda _: ""
    """Tells why it cannot be done to a domain, without its name; empty where it can."""
    if_revision: int | None = None
    """Write only over this revision, of a domain that is named alone. Where all is so already, it does not matter."""


def switch(
    table: RoutingTable,
    domains: Iterable[str],
    environment: str | None,
    what: Switch,
    note: str,
    dry_run: bool,
    on_left: OnLeft,
) -> list[Change]:
    """Do it to domains, or to all that an environment manages; in transactions of TRANSACTION_ROWS rows.

    Raises:
        NotFound, InvalidInput, TableAdminError: nothing was written of the transaction; where domains are named and it
            cannot be done to one of them, nothing at all.
    """
    named = [*dict.fromkeys(map(parse_domain, domains))]
    if bool(named) == bool(environment):
        raise InvalidInput("Name domains, or an environment.")
    if environment is not None:
        named = _managed(table, environment, what, on_left)
    else:
        _refuse(table, named, what)
    chunks = (named[start : start + TRANSACTION_ROWS] for start in range(0, len(named), TRANSACTION_ROWS))
    return [change for chunk in chunks for change in _together(table, chunk, environment, what, note, dry_run)]


def _managed(table: RoutingTable, environment: str, what: Switch, on_left: OnLeft) -> list[str]:
    rows = rows_of(table, environment)
    if not rows.managed:
        raise NotFound(nothing_managed(environment, rows))
    named = []
    for domain, item in rows.managed.items():
        if why := _why_left(table, item, what):
            on_left(domain, why)
        else:
            named.append(domain)
    tell_others(environment, rows.others, on_left)
    return named


def _refuse(table: RoutingTable, named: Sequence[str], what: Switch) -> None:
    """Raise where it cannot be done to one of them, before anything is written."""
    items = table.tables.read(named)
    for domain in named:
        route = table.existing(domain, items.get(domain))
        if not is_live(route, table.clock()):
            raise NotFound(f"{domain} has expired: {what.expired}. Nothing was written.")
        if why := what.impossible(route):
            raise InvalidInput(f"{domain}: {why}. Nothing was written.")


def _why_left(table: RoutingTable, item: Item, what: Switch) -> str:
    route = decode(item)
    if route is None:
        return "its row is broken; put it again to mend it"
    return what.impossible(route) if is_live(route, table.clock()) else "it has expired"


@replanned
def _together(
    table: RoutingTable, domains: Sequence[str], environment: str | None, what: Switch, note: str, dry_run: bool
) -> list[Change]:
    items = _still_there(table, domains, environment)
    kept, writes = {}, []
    for domain, item in items.items():
        route = table.existing(domain, item)
        # It may be another one by now.
        planned = what.impossible(route) or what.planned(route)
        if isinstance(planned, str):
            kept[domain] = unchanged(route, planned)
        else:
            refuse_another(domain, item, what.if_revision)
            row = encode_route(table.stamped(planned, note))
            writes.append(table.write("put", domain, item, row, planned.origin != route.origin))
    done = kept | {change.domain: change for change in table.commit(writes, dry_run=dry_run)}
    return [done[domain] for domain in items]


def _still_there(table: RoutingTable, domains: Sequence[str], environment: str | None) -> Mapping[str, Item | None]:
    """Return the rows as they are now; of an environment's those that somebody removed meanwhile are none."""
    items = table.tables.read(domains)
    return {domain: items.get(domain) for domain in domains if environment is None or domain in items}
