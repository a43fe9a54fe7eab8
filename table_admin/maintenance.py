"""A page in place of sites, for a while: with 503 and `Retry-After`, so that nobody takes it for the sites' end.

Nothing is looked up for it, no load balancer, no bucket: it must work while what is mended does not.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence

from edge_handler.routes.attributes import Item
from edge_handler.routes.policy import Policy
from edge_handler.routes.route import Route, encode_route
from table_admin.changes import Change, decode, is_live, unchanged
from table_admin.contention import replanned
from table_admin.errors import InvalidInput, NotFound
from table_admin.inputs import parse_domain
from table_admin.ownership import OnLeft, nothing_managed, rows_of, tell_others
from table_admin.policies import RETRY_AFTER, parse_policy, planned_policy
from table_admin.routing_table import RoutingTable
from table_admin.tables import TRANSACTION_ROWS

_Planned = Callable[[Route], Policy | None]


def switch_on(
    table: RoutingTable,
    domains: Iterable[str] = (),
    environment: str | None = None,
    *,
    retry_after: str | None = None,
    message: str | None = None,
    note: str = "",
    dry_run: bool = False,
    on_left: OnLeft = lambda *_: None,
) -> list[Change]:
    """Have domains, or all that an environment manages, answer with a page that says so. A second run changes nothing.

    Args:
        table: where.
        domains: whose rows, wildcards' too. Instead of these:
        environment: all that it manages.
        retry_after: a duration as in `10m`, when to ask again; it stays as it was, 10m at first.
        message: a line for people; it stays as it was.
        note: why, for people.
        dry_run: say what would be done.
        on_left: told what stays as it is under the environment's name, and why.

    Raises:
        NotFound, InvalidInput, TableAdminError: nothing was written of the transaction, see `TRANSACTION_ROWS`.
    """
    said = {name: value for name, value in (("retry_after", retry_after), ("message", message)) if value is not None}
    parse_policy({"maintenance": said})

    def planned(route: Route) -> Policy | None:
        before = route.policy.maintenance if route.policy is not None else None
        had = {"retry_after": before.retry_after, "message": before.message} if before else {"retry_after": RETRY_AFTER}
        return planned_policy(route.policy, parse_policy({"maintenance": {**had, **said}}))

    return _switch(table, domains, environment, planned, note, dry_run, on_left)


def switch_off(
    table: RoutingTable,
    domains: Iterable[str] = (),
    environment: str | None = None,
    *,
    note: str = "",
    dry_run: bool = False,
    on_left: OnLeft = lambda *_: None,
) -> list[Change]:
    """Have domains, or all that an environment manages, answer again; see `switch_on`. Links past it are void."""

    def planned(route: Route) -> Policy | None:
        return planned_policy(route.policy, {"maintenance": None})

    return _switch(table, domains, environment, planned, note, dry_run, on_left)


def _switch(
    table: RoutingTable,
    domains: Iterable[str],
    environment: str | None,
    planned: _Planned,
    note: str,
    dry_run: bool,
    on_left: OnLeft,
) -> list[Change]:
    named = [*dict.fromkeys(map(parse_domain, domains))]
    if bool(named) == bool(environment):
        raise InvalidInput("Name domains, or an environment.")
    if environment is not None:
        rows = rows_of(table, environment)
        if not rows.managed:
            raise NotFound(nothing_managed(environment, rows))
        for domain, item in rows.managed.items():
            if why := _why_left(table, item):
                on_left(domain, why)
            else:
                named.append(domain)
        tell_others(environment, rows.others, on_left)
    else:
        _refuse(table, named)
    chunks = (named[start : start + TRANSACTION_ROWS] for start in range(0, len(named), TRANSACTION_ROWS))
    return [change for chunk in chunks for change in _together(table, chunk, environment, planned, note, dry_run)]


def _refuse(table: RoutingTable, named: Sequence[str]) -> None:
    """Raise where one of them is not there, before anything is written."""
    items = table.tables.read(named)
    for domain in named:
        if not is_live(table.existing(domain, items.get(domain)), table.clock()):
            raise NotFound(f"{domain} has expired: what is not there needs no maintenance. Nothing was written.")


def _why_left(table: RoutingTable, item: Item) -> str:
    route = decode(item)
    if route is None:
        return "its row is broken; put it again to mend it"
    return "" if is_live(route, table.clock()) else "it has expired"


@replanned
def _together(
    table: RoutingTable,
    domains: Sequence[str],
    environment: str | None,
    planned: _Planned,
    note: str,
    dry_run: bool,
) -> list[Change]:
    items = _still_there(table, domains, environment)
    routes = {domain: table.existing(domain, item) for domain, item in items.items()}
    writes = []
    for domain, route in routes.items():
        policy = planned(route)
        if policy != route.policy:
            # Nothing new for the CDN: what it has is served again when it is over.
            row = encode_route(table.stamped(route._replace(policy=policy), note))
            writes.append(table.write("put", domain, items[domain], row, False))
    done = {change.domain: change for change in table.commit(writes, dry_run=dry_run)}
    return [done.get(domain) or unchanged(route) for domain, route in routes.items()]


def _still_there(table: RoutingTable, domains: Sequence[str], environment: str | None) -> Mapping[str, Item | None]:
    """Return the rows as they are now; of an environment's those that somebody removed meanwhile are none."""
    items = table.tables.read(domains)
    return {domain: items.get(domain) for domain in domains if environment is None or domain in items}
