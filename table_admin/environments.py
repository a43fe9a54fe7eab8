"""Environments as the unit: a URL per service, made, moved and removed together.

An environment manages the routes that `up` and `put --environment` made. The others that people see under its name,
production's `docs.example.com` under docs say, are left alone and named, until `adopt` takes them in.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from edge_handler.routes.route import Route, encode_route
from table_admin.changes import (
    Change,
    Put,
    decode,
    expired,
    first_expiry,
    is_live,
    refuse_overtaken,
    unchanged,
)
from table_admin.contention import replanned
from table_admin.errors import InvalidInput, NotFound
from table_admin.inputs import parse_duration, parse_environment
from table_admin.names import url_domain
from table_admin.ownership import (
    OnLeft,
    Rows,
    check_source,
    nothing_managed,
    refuse_moved,
    refuse_source,
    refuse_taken,
    routes_of,
    rows_of,
    source_of,
    taken_over,
    tell_others,
)
from table_admin.policies import parse_policy
from table_admin.promotions import refuse_promoted
from table_admin.routing_table import OnBroken, RoutingTable
from table_admin.second_targets import is_failed_over
from table_admin.tables import Write
from table_admin.transactions import commit_all, commit_in_turn


@dataclass(frozen=True, slots=True)
class Environment:
    """The routes of one environment, by what matters for all of them."""

    name: str
    routes: int
    expires_at: int | None
    """Epoch seconds of the first route to expire, None where none does."""
    updated_at: str
    updated_by: str


@replanned
def up(
    table: RoutingTable,
    name: str,
    base: str,
    services: Mapping[str, str],
    *,
    source: str | None = None,
    take_over: bool = False,
    expires_in: str | None = None,
    permanent: bool = False,
    default_expires_in: str | None = None,
    prune: bool = False,
    force: bool = False,
    policy: Mapping[str, Any] | None = None,
    note: str = "",
    if_generations: Mapping[str, int] | None = None,
    dry_run: bool = False,
    on_left: OnLeft = lambda *_: None,
) -> list[Change]:
    """Create an environment, or change it, in one transaction; return a change per service.

    A second run changes nothing, but `expires_in` counts from now: it moves the expiry. A service that is new in an
    ephemeral environment expires with it. Where the environment, or one of its URLs, has expired, it must be said how
    long it is to live.

    Args:
        table: where.
        name: a DNS label, e.g. `env-42`.
        base: the domain its URLs are under, e.g. `example.com`.
        services: target by service's name; the name is empty for an environment's only one.
        source: the branch or pull request it is of.
        take_over: also where another source made it, or where one did and `source` is not given: it is of none then.
        expires_in: a duration as in `7d`.
        permanent: takes an expiry away.
        default_expires_in: of an environment that manages no live route, where neither is given; and of an expired URL.
        prune: remove the services that are not named; else they stay.
        force: prune also what other domains are served from.
        policy: of each of its services, see `RoutingTable.put`; what is not said stays as it is.
        note: why, for people.
        if_generations: by domain, see `RoutingTable.put`.
        dry_run: say what would be done.
        on_left: told what stays under the environment's name beside the services.

    Raises:
        InvalidInput, TargetRefused, Taken, StillServed, Overtaken, TableAdminError: nothing was written.
    """
    parse_environment(name)
    check_source(source)
    if not services:
        raise InvalidInput("An environment has at least one service: --service web=s3://bucket/prefix.")
    expires_at, default = table.expiry(expires_in), table.expiry(default_expires_in)
    targets = {url_domain(name, service, base): (service, target) for service, target in services.items()}
    rows = rows_of(table, name)
    items = table.tables.read(targets)
    refuse_taken(table, name, rows, items, source, take_over)
    for domain, (_, target) in targets.items():
        refuse_overtaken(domain, items.get(domain), (if_generations or {}).get(domain), target, table.clock())
    said = expires_at is not None or permanent
    said_policy = parse_policy(policy) if policy is not None else None
    inherited = None if said else _inherited(table, name, rows, default)
    wanted = []
    for domain, (service, target) in targets.items():
        before, expiry = decode(items.get(domain)), expires_at
        if not said and not is_live(before, table.clock()):
            expiry = inherited if inherited or before is None else default
        put = Put(domain, target, environment=name, service=service, permanent=permanent, note=note or None)
        put = replace(put, policy=said_policy)
        wanted.append(replace(put, expires_at=expiry, managed=True, source=source_of(before, source, take_over)))
    extra = {domain: item for domain, item in rows.managed.items() if domain not in targets}
    writes: list[Write] = []
    if prune and extra:
        if not force:
            refuse_promoted(table, name, routes_of(extra.values()), whole=False)
        writes = [table.plan_delete(domain, item, note or "not named any more") for domain, item in extra.items()]
    elif take_over:
        writes = taken_over(table, extra, source, note)
    changes = commit_all(table, wanted, items, dry_run, also=writes)
    for domain in () if prune else extra:
        on_left(domain, "it is not named; --prune removes it")
    tell_others(name, {domain: item for domain, item in rows.others.items() if domain not in targets}, on_left)
    return changes


def _inherited(table: RoutingTable, name: str, rows: Rows, default: int | None) -> int | None:
    """Return when a URL expires that is new in an environment, None for never.

    Raises InvalidInput where all of it has expired and nobody says how long it is to live now.
    """
    routes, now = rows.routes(), table.clock()
    if any(is_live(route, now) for route in routes):
        return first_expiry(routes, now)
    if routes and default is None:
        raise InvalidInput(expired(f"The environment {name}"))
    return default


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


@replanned
def extend(
    table: RoutingTable,
    name: str,
    *,
    expires_in: str | None = None,
    permanent: bool = False,
    add: str | None = None,
    note: str = "",
    if_tag: str | None = None,
    dry_run: bool = False,
    on_left: OnLeft = lambda *_: None,
) -> list[Change]:
    """Give all routes that an environment manages the same new expiry, or none, or add to what each has left.

    Args:
        table: where.
        name: the environment.
        expires_in: a duration from now, as in `7d`.
        permanent: takes the expiries away.
        add: a duration that is added to what is left, from now where it has expired; what is permanent stays so. A
            second run adds again, unless `if_tag` is given.
        note: why, for people.
        if_tag: only where the environment's rows have this tag, see `Rows.tag`.
        dry_run: say what would be done.
        on_left: told what stays under the environment's name, and what is permanent.

    Raises:
        NotFound, InvalidInput, EnvironmentMoved: nothing was written.
    """
    if (expires_in is not None) + (add is not None) + permanent != 1:
        raise InvalidInput("Say how long: --expires-in 7d, or --permanent.")
    expires_at = table.expiry(expires_in)
    more = parse_duration(add) if add is not None else None
    rows = rows_of(table, name)
    refuse_moved(name, rows, if_tag)
    if not rows.managed:
        raise NotFound(nothing_managed(name, rows))
    wanted = []
    for domain, item in rows.managed.items():
        route = table.existing(domain, item)
        if more is not None and route.expires_at is None:
            on_left(domain, "it is permanent")
            continue
        if more is not None:
            expires_at = max(route.expires_at or 0, int(table.clock())) + more
        put = Put(route.domain, route.target, expires_at=expires_at, permanent=permanent, note=note or None)
        # What is served now is what goes on, also where that is the standby.
        wanted.append(replace(put, failed_over=is_failed_over(route)))
    if not wanted:
        raise InvalidInput(f"The environment {name} is permanent: there is no expiry to add to.")
    changes = commit_all(table, wanted, rows.managed, dry_run)
    tell_others(name, rows.others, on_left)
    return changes


def down(
    table: RoutingTable,
    name: str,
    *,
    source: str | None = None,
    force: bool = False,
    note: str = "",
    if_tag: str | None = None,
    dry_run: bool = False,
    on_left: OnLeft = lambda *_: None,
) -> list[Change]:
    """Remove all routes that an environment manages, broken ones too. A second run removes nothing.

    Args:
        table: where.
        name: the environment.
        source: only where this branch or pull request made it, or nobody says who did.
        force: also where another domain, production say, is served from its targets.
        note: why, for people.
        if_tag: only where the environment's rows have this tag, see `Rows.tag`.
        dry_run: say what would be done.
        on_left: told what stays under the environment's name.

    Raises:
        StillServed, Taken: nothing was written.
        EnvironmentMoved: what was not written yet stays as it is.
    """
    check_source(source)
    done: list[Change] = []
    rows = _down(table, name, source, force, note, if_tag, dry_run, done)
    tell_others(name, rows.others, on_left)
    return done


@replanned
def _down(
    table: RoutingTable,
    name: str,
    source: str | None,
    force: bool,
    note: str,
    if_tag: str | None,
    dry_run: bool,
    done: list[Change],
) -> Rows:
    # What was removed before somebody else wrote is in `done`, and not among the rows any more.
    rows = rows_of(table, name)
    refuse_moved(name, rows, if_tag)
    if source is not None:
        refuse_source(table, name, rows.routes(), source, down=True)
    if not force:
        # Also where all has gone by itself: what comes after this, in a pipeline, is to remove the files.
        refuse_promoted(table, name, rows.routes(), whole=True)
    writes = [table.plan_delete(domain, item, note) for domain, item in rows.managed.items()]
    _write_in_turn(table, writes, dry_run, done)
    return rows


def adopt(
    table: RoutingTable, name: str, *, note: str = "", dry_run: bool = False, on_left: OnLeft = lambda *_: None
) -> list[Change]:
    """Let an environment manage all routes that are under its name. A second run changes nothing.

    Raises NotFound where there is none.
    """
    done: list[Change] = []
    rows = _adopt(table, name, note, dry_run, done)
    taken_in = {change.domain for change in done}
    for domain, item in rows.others.items():
        if decode(item) is None:
            on_left(domain, "its row is broken; put it again to mend it")
    managed = [unchanged(route) for route in rows.routes() if route.domain not in taken_in]
    return sorted([*managed, *done], key=lambda change: change.domain)


@replanned
def _adopt(table: RoutingTable, name: str, note: str, dry_run: bool, done: list[Change]) -> Rows:
    rows = rows_of(table, name)
    if not (rows.managed or rows.others):
        raise NotFound(f"There is no environment {name}.")
    writes = []
    for domain, item in rows.others.items():
        route = decode(item)
        if route is not None:
            row = table.stamped(route._replace(managed=True), note)
            writes.append(table.write("put", domain, item, encode_route(row), False))
    _write_in_turn(table, writes, dry_run, done)
    return rows


def _write_in_turn(table: RoutingTable, writes: Sequence[Write], dry_run: bool, done: list[Change]) -> None:
    for change in commit_in_turn(table, writes, dry_run):
        done.append(change)  # noqa: PERF402  # what was done is said, also if the next fails
