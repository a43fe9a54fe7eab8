"""Production sent to an environment's targets, and what of them is served when the environment itself is gone."""

from collections.abc import Collection, Iterator, Mapping
from dataclasses import replace

from edge_handler.routes.attributes import Item
from edge_handler.routes.origin import DeploymentOrigin, S3Origin
from edge_handler.routes.redirect import Answering, Redirect
from edge_handler.routes.route import Route, decode_route, encode_route
from table_admin.changes import PROMOTED, Change, Put, decode, is_live, is_managed, promoted_from, put_of, unchanged
from table_admin.contention import replanned
from table_admin.errors import NotFound, TableAdminError
from table_admin.inputs import parse_domain
from table_admin.ownership import rows_of, unmanaged
from table_admin.path_rules import answering, rules_text, written_pattern
from table_admin.routing_table import RoutingTable
from table_admin.rule_targets import targets_of
from table_admin.second_targets import lasting_origin
from table_admin.tables import Write, follow
from table_admin.transactions import commit_all


class StillServed(TableAdminError):
    """Another domain, production say, is served from what would be removed; nothing was written."""


@replanned
def promote(
    table: RoutingTable, name: str, domains: Mapping[str, str], *, note: str = "", dry_run: bool = False
) -> list[Change]:
    """Send other domains, say production's, to where an environment's services are, in one transaction.

    The environment does not manage them. Its own routes get a revision that says so, in the same transaction: who
    removes the environment at that moment plans again, and sees what is served. Back again: `rollback` of the domains.

    Where the environment is gone, and all domains are where its services were, there is nothing to do.

    Args:
        table: where.
        name: the environment.
        domains: service's name by domain; the name is empty for an environment's only service.
        note: why, for people.
        dry_run: say what would be done.

    Raises:
        NotFound: there is no such environment any more, or no such service in it.
        Taken: one of the domains is an ephemeral environment's URL, and would go with it.
    """
    rows = rows_of(table, name)
    known = {domain: table.existing(domain, item) for domain, item in (rows.managed or rows.others).items()}
    live = {route.service: route for route in known.values() if is_live(route, table.clock())}
    services = live or {route.service: route for route in known.values()} or _last_services(table, name)
    if not services:
        raise NotFound(f"There is no environment {name}.")
    sources = {parse_domain(domain): _service(name, services, service) for domain, service in domains.items()}
    items = table.tables.read(sources)
    if not live:
        return _promoted_before(table, name, sources, items)
    wanted = []
    for domain, source in sources.items():
        put = Put(domain, source.target, keep_host=put_of(source).keep_host, permanent=True)
        put = unmanaged(table, replace(put, note=note or None, source=f"{PROMOTED}{name}"), items.get(domain))
        if not note and table.plan_put(put, items.get(domain)) is not None:
            # Only of what changes: after a rollback to it, say, it is as it was promoted, but for the note.
            put = replace(put, note=f"promoted from {name}")
        wanted.append(put)
    own = {**rows.managed, **rows.others}
    marks = [_mark(table, own[domain], sources) for domain in {route.domain for route in sources.values()} - {*sources}]
    return [_with_rules_left(change, sources) for change in commit_all(table, wanted, items, dry_run, beside=marks)]


def _with_rules_left(change: Change, sources: Mapping[str, Route]) -> Change:
    """Return a change that says which rules were not promoted: where production's paths lead is its own affair."""
    source = sources[change.domain]
    rules, own = rules_text(source), rules_text(change.after) if change.after else {}
    left = [written_pattern(pattern) for pattern, target in rules.items() if own.get(pattern) != target]
    if not left:
        return change
    named = ", ".join(left[:3]) + (f" and {len(left) - 3} more" if left[3:] else "")
    which = f"{'a rule' if len(left) == 1 else 'rules'} of {source.domain} {'is' if len(left) == 1 else 'are'}"
    message = f"{which} not promoted ({named}), {change.domain} keeps its own"
    return replace(change, message="; ".join(filter(None, (change.message, message))))


def _service(name: str, services: Mapping[str, Route], service: str) -> Route:
    only = next(iter(services)) if service == "" and len(services) == 1 else service
    if only not in services:
        names = ", ".join(filter(None, services)) or "one without a name"
        raise NotFound(f"{name} has no service {service!r}; it has {names}.")
    return services[only]


def _last_services(table: RoutingTable, name: str) -> dict[str, Route]:
    """Return the routes that an environment had last, by service."""
    services: dict[str, Route] = {}
    for domain in dict.fromkeys(item["domain"]["S"] for item in table.tables.environment_history(name)):
        last = next(table.history(domain, limit=1)).route
        if last is not None and last.environment == name:
            services.setdefault(last.service, last)
    return services


def _promoted_before(
    table: RoutingTable, name: str, sources: Mapping[str, Route], items: Mapping[str, Item]
) -> list[Change]:
    """Return that nothing is to be done. Raises NotFound where one domain is elsewhere: nobody keeps its files."""
    changes = []
    for domain, source in sources.items():
        route = decode(items.get(domain))
        if route is None or not is_live(route, table.clock()) or lasting_origin(route) != source.origin:
            raise NotFound(
                f"The environment {name} has expired or was removed; make it again with env up, then promote it."
            )
        changes.append(unchanged(route, f"{name} is gone, and was promoted before"))
    return changes


def _mark(table: RoutingTable, item: Item, sources: Mapping[str, Route]) -> Write:
    route = decode_route(item)
    domains = (domain for domain, source in sources.items() if source.domain == route.domain)
    row = encode_route(table.stamped(route, f"promoted to {', '.join(domains)}"))
    return table.write("put", route.domain, item, row, False)


def refuse_promoted(table: RoutingTable, name: str, gone: Collection[Route], *, whole: bool) -> None:
    """Raise StillServed where a live route outside of `gone` is served from what goes with it.

    Reads the whole table, for who was sent to a target by hand is nowhere noted.

    Args:
        table: where.
        name: the environment.
        gone: its routes that are to be removed.
        whole: all of the environment goes, so also what was promoted from it at an earlier target.
    """
    found = sorted({*_served(table, name, gone, whole)})
    if found:
        which = ", ".join(f"{domain} from {target}" for domain, target in found[:3])
        more = f" and {len(found) - 3} more" if found[3:] else ""
        raise StillServed(
            f"Other domains are served from what is {name}'s: {which}{more}; nothing was removed. Promote or roll back "
            "first; or say --force, and keep what is served."
        )


def _served(table: RoutingTable, name: str, gone: Collection[Route], whole: bool) -> Iterator[tuple[str, str]]:
    """Yield domain and target of what is served from what goes."""
    now = table.clock()
    removed = {route.domain for route in gone}
    origins = {origin for route in gone for origin in answering(route)}
    own = {*filter(None, (_own_part(name, origin) for origin in origins))}
    for item in follow(lambda cursor: table.tables.scan(cursor=cursor, consistent=True)):
        route = decode(item)
        if route is None or route.domain in removed or not is_live(route, now):
            continue
        if route.environment == name and is_managed(route):
            continue  # another of its services
        # A deployment's files are kept for as long as a row names it, whatever environment it was made for; and
        # nothing is behind a redirect.
        promoted = promoted_from(route) == name and (whole or lasting_origin(route) in origins)
        for origin, target in zip(answering(route), targets_of(route), strict=True):
            if isinstance(origin, DeploymentOrigin | Redirect):
                continue
            if _own_part(name, origin) in own or (promoted and origin == lasting_origin(route)):
                yield route.domain, target


def _own_part(name: str, origin: Answering) -> tuple[str, str] | None:
    """Return what goes with an environment: the files under its own folder, a host that has its name.

    What many environments share, a prefix or a load balancer, does not go with one; nor does a deployment.
    """
    if isinstance(origin, DeploymentOrigin | Redirect):
        return None
    if isinstance(origin, S3Origin):
        before, found, _ = f"{origin.prefix}/".partition(f"/{name}/")
        return (origin.domain_name, f"{before}{found}") if found else None
    return (origin.domain_name, "") if name in origin.domain_name.split(".") else None
