"""Environments as the unit: a URL per service, made, moved and removed together."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from edge_handler.routes.route import Item, Route, decode_route
from table_admin.changes import Change, Put, decode, is_live, put_of, unchanged
from table_admin.errors import InvalidInput, NotFound, TableAdminError
from table_admin.inputs import parse_domain, parse_environment, parse_label
from table_admin.routing_table import OnBroken, RoutingTable
from table_admin.tables import TRANSACTION_ROWS, follow


@dataclass(frozen=True, slots=True)
class Environment:
    """The routes of one environment, by what matters for all of them."""

    name: str
    routes: int
    expires_at: int | None
    """Epoch seconds of the first route to expire, None where none does."""
    updated_at: str
    updated_by: str


def url_domain(environment: str, service: str, base: str) -> str:
    """Return the domain of an environment's service: `env-42.base`, or `web-env-42.base` for a named one.

    One label, for a certificate's wildcard covers no more.

    Raises:
        InvalidInput: it would be no DNS label.
    """
    label = parse_label(f"{service}-{environment}" if service else environment)
    if not label:
        raise InvalidInput("An environment needs a name.")
    return parse_domain(f"{label}.{base}")


def up(
    table: RoutingTable,
    name: str,
    base: str,
    services: Mapping[str, str],
    *,
    expires_in: str | None = None,
    permanent: bool = False,
    note: str = "",
    dry_run: bool = False,
) -> list[Change]:
    """Create an environment, or change it, in one transaction; return a change per service.

    A second run changes nothing; services that are not named stay.

    Args:
        table: where.
        name: a DNS label, e.g. `env-42`.
        base: the domain its URLs are under, e.g. `example.com`.
        services: target by service's name; the name is empty for an environment's only one.
        expires_in: a duration as in `7d`.
        permanent: takes an expiry away.
        note: why, for people.
        dry_run: say what would be done.

    Raises:
        InvalidInput, TargetRefused, TableAdminError: nothing was written.
    """
    parse_environment(name)
    if not services:
        raise InvalidInput("An environment has at least one service: --service web=s3://bucket/prefix.")
    expires_at = table.expiry(expires_in)
    wanted = [
        Put(
            url_domain(name, service, base),
            target,
            environment=name,
            service=service,
            expires_at=expires_at,
            permanent=permanent,
            note=note or None,
        )
        for service, target in services.items()
    ]
    items = table.tables.read(put.domain for put in wanted)
    for put in wanted:
        _refuse_others(items.get(put.domain), name, table.clock())
    return _commit_all(table, wanted, items, dry_run)


def show(table: RoutingTable, name: str, on_broken: OnBroken | None = None) -> list[Route]:
    """Return an environment's routes, by domain. Raises NotFound where there is none."""
    found = sorted(table.list(parse_environment(name), on_broken))
    if not found:
        raise NotFound(f"There is no environment {name}.")
    return found


def summaries(table: RoutingTable, on_broken: OnBroken | None = None) -> Iterator[Environment]:
    """Yield all environments, by name. Holds one line for each."""
    found: dict[str, Environment] = {}
    for route in table.list(on_broken=on_broken):
        known = found.get(route.environment)
        if known is None:
            found[route.environment] = Environment(
                route.environment, 1, route.expires_at, route.updated_at, route.updated_by
            )
            continue
        expiries = [expiry for expiry in (known.expires_at, route.expires_at) if expiry is not None]
        when, who = max((known.updated_at, known.updated_by), (route.updated_at, route.updated_by))
        found[route.environment] = Environment(known.name, known.routes + 1, min(expiries, default=None), when, who)
    yield from (found[name] for name in sorted(found))


def extend(
    table: RoutingTable,
    name: str,
    *,
    expires_in: str | None = None,
    permanent: bool = False,
    note: str = "",
    dry_run: bool = False,
) -> list[Change]:
    """Give all routes of an environment the same new expiry, or none. Raises NotFound, InvalidInput."""
    if bool(expires_in) == permanent:
        raise InvalidInput("Say how long: --expires-in 7d, or --permanent.")
    expires_at = table.expiry(expires_in)
    items = _items(table, name)
    wanted = []
    for domain, item in items.items():
        route = table.existing(domain, item)
        wanted.append(Put(route.domain, route.target, expires_at=expires_at, permanent=permanent, note=note or None))
    return _commit_all(table, wanted, items, dry_run)


def promote(
    table: RoutingTable, name: str, domains: Mapping[str, str], *, note: str = "", dry_run: bool = False
) -> list[Change]:
    """Send other domains, say production's, to where an environment's services are, in one transaction.

    Back again: `rollback` of the same domains.

    Args:
        table: where.
        name: the environment.
        domains: service's name by domain; the name is empty for an environment's only service.
        note: why, for people.
        dry_run: say what would be done.

    Raises:
        NotFound: there is no such environment, or no such service in it.
    """
    routes = [table.existing(domain, item) for domain, item in _items(table, name).items()]
    services = {route.service: route for route in routes}
    wanted = []
    for domain, service in domains.items():
        only = next(iter(services)) if service == "" and len(services) == 1 else service
        if only not in services:
            known = ", ".join(filter(None, services)) or "one without a name"
            raise NotFound(f"{name} has no service {service!r}; it has {known}.")
        source = services[only]
        kept = put_of(source)
        text = note or f"promoted from {name}"
        wanted.append(Put(parse_domain(domain), source.target, keep_host=kept.keep_host, permanent=True, note=text))
    items = table.tables.read(put.domain for put in wanted)
    return _commit_all(table, wanted, items, dry_run)


def down(table: RoutingTable, name: str, *, note: str = "", dry_run: bool = False) -> list[Change]:
    """Remove all routes of an environment, broken ones too. Raises NotFound where there is none."""
    items = _items(table, name)
    writes = [table.plan_delete(domain, item, note) for domain, item in items.items()]
    changes: list[Change] = []
    for start in range(0, len(writes), TRANSACTION_ROWS):
        changes += table.commit(writes[start : start + TRANSACTION_ROWS], dry_run=dry_run)
    return changes


def _items(table: RoutingTable, name: str) -> dict[str, Item]:
    """Return an environment's rows as they are now: the index that names them may be behind."""
    parse_environment(name)
    listed = follow(lambda cursor: table.tables.by_index("environment", name, cursor=cursor))
    items = table.tables.read(sorted(item["domain"]["S"] for item in listed))
    items = {domain: item for domain, item in items.items() if item.get("environment") == {"S": name}}
    if not items:
        raise NotFound(f"There is no environment {name}.")
    return items


def _refuse_others(item: Item | None, environment: str, now: float) -> None:
    route = decode(item)
    if route is not None and route.environment != environment and is_live(route, now):
        raise TableAdminError(
            f"{route.domain} belongs to the environment {route.environment}; choose another name, or remove it first."
        )


def _commit_all(table: RoutingTable, wanted: Sequence[Put], items: Mapping[str, Item], dry_run: bool) -> list[Change]:
    """Make all of them so, in one transaction."""
    writes = {put.domain: table.plan_put(put, items.get(put.domain)) for put in wanted}
    changes = table.commit(filter(None, writes.values()), dry_run=dry_run)
    done = {change.domain: change for change in changes}
    return [done.get(put.domain) or unchanged(decode_route(items[put.domain])) for put in wanted]
