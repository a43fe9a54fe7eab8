"""Whose routes are whose: what an environment manages, and what is only seen under its name."""

import hashlib
import shlex
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace

from edge_handler.routes.attributes import Item
from edge_handler.routes.route import Route, encode_route
from table_admin.changes import Put, decode, is_live, is_managed, promoted_from
from table_admin.deployments.former import former_of
from table_admin.errors import InvalidInput, TableAdminError
from table_admin.inputs import parse_environment
from table_admin.routing_table import RoutingTable
from table_admin.tables import Write, follow, revision_of

OnLeft = Callable[[str, str], object]
"""Told of each domain that is left as it is, and why."""


class Taken(TableAdminError):
    """The environment, or one of its URLs, is somebody else's; nothing was written."""


class EnvironmentMoved(TableAdminError):
    """The environment is not what the caller saw any more."""


@dataclass(frozen=True, slots=True)
class Rows:
    """What the table has under an environment's name."""

    managed: dict[str, Item] = field(default_factory=dict)
    others: dict[str, Item] = field(default_factory=dict)

    def routes(self) -> list[Route]:
        """Return what is managed and can be read."""
        return routes_of(self.managed.values())

    def tag(self) -> str:
        """Return what is another one as soon as one of the rows is: the environment's ETag."""
        revisions = sorted((domain, revision_of(item)) for domain, item in (self.managed | self.others).items())
        return hashlib.sha256(repr(revisions).encode()).hexdigest()[:16]


def rows_of(table: RoutingTable, name: str) -> Rows:
    """Return an environment's rows as they are now: the index that names them may be behind."""
    parse_environment(name)
    listed = follow(lambda cursor: table.tables.by_index("environment", name, cursor=cursor))
    items = table.tables.read(sorted(item["domain"]["S"] for item in listed))
    rows = Rows()
    for domain, item in items.items():
        if item.get("environment") == {"S": name}:
            (rows.managed if manages(name, item) else rows.others)[domain] = item
    return rows


def manages(name: str, item: Item) -> bool:
    """Tell whether an environment changes and removes a row."""
    if item.get("environment") != {"S": name}:
        return False
    route = decode(item)
    if route is not None:
        return is_managed(route)
    # A broken one goes with its environment where it says that it is of one.
    if "managed" in item:
        return item["managed"] == {"BOOL": True}
    return "service" in item or item.get("lifetime") == {"S": "ephemeral"}


def refuse_moved(name: str, rows: Rows, if_tag: str | None) -> None:
    """Raise EnvironmentMoved where the rows are not those that the tag was of."""
    if if_tag not in (None, rows.tag()):
        raise EnvironmentMoved(
            f"The environment {name} was changed by somebody else. "
            f"Look at it (table-admin env show {name}) and try again."
        )


def routes_of(items: Iterable[Item]) -> list[Route]:
    """Return the rows that can be read."""
    return [route for route in map(decode, items) if route is not None]


def check_source(source: str | None) -> None:
    """Raise InvalidInput for an empty source."""
    if source is not None and not source.strip():
        raise InvalidInput("A source is a branch or a pull request; this one is empty.")


def refuse_source(
    table: RoutingTable, name: str, routes: Iterable[Route], source: str | None, *, down: bool = False
) -> None:
    """Raise Taken where another branch or pull request made an environment's live routes, or any where none is given.

    `down`: they are to be removed, else changed.
    """
    for route in routes:
        made = "" if source is None and promoted_from(route) else route.source
        if made not in ("", source) and is_live(route, table.clock()):
            raise Taken(_whose(name, made, source, down))


def _whose(name: str, made: str, source: str | None, down: bool) -> str:
    if source is None:
        return f"The environment {name} is of {made}; say --source {shlex.quote(made)}, or take it over: --take-over"
    whose = f"The environment {name} is of {made}, not of {source}"
    if down:
        return f"{whose}, and stays; to remove it nevertheless: table-admin env down {name}"
    quoted = shlex.quote(source)
    return (
        f"{whose}; choose another name (a branch's is what table-admin env name {quoted} says), "
        f"or take it over: --take-over"
    )


def refuse_others(route: Route, environment: str) -> None:
    """Raise Taken where a live route is not the environment's to change."""
    if route.environment != environment:
        raise Taken(
            f"{route.domain} belongs to the environment {route.environment}; choose another name, or remove it first."
        )
    if not is_managed(route):
        raise Taken(
            f"{route.domain} is not managed by the environment {environment}; choose another name, or take it in "
            f"with: table-admin env adopt {environment}"
        )


def refuse_taken(
    table: RoutingTable, name: str, rows: Rows, items: Mapping[str, Item], source: str | None, take_over: bool
) -> None:
    """Raise Taken where another source made the environment, or one of the URLs is not the environment's."""
    live = [route for route in routes_of(items.values()) if is_live(route, table.clock())]
    if not take_over:
        refuse_source(table, name, rows.routes(), source)
    for route in live:
        refuse_others(route, name)
    if not take_over:  # the index that named `rows` may be behind
        refuse_source(table, name, live, source)


def source_of(before: Route | None, source: str | None, take_over: bool) -> str | None:
    """Return where a URL is from; what is taken over by nobody in particular is nobody's, and None: as it was."""
    if source is not None or before is None or not take_over or promoted_from(before):
        return source
    return ""


def taken_over(table: RoutingTable, extra: Mapping[str, Item], source: str | None, note: str) -> list[Write]:
    """Return the writes that take over what is not named: else the next run would be refused for it."""
    writes = []
    for route in routes_of(extra.values()):
        whose = source_of(route, source, take_over=True)
        if whose is not None and route.source not in ("", whose) and is_live(route, table.clock()):
            after = route._replace(source=whose)
            after = after._replace(former=former_of(route, after, table.clock()))
            row = encode_route(table.stamped(after, note))
            writes.append(table.write("put", route.domain, extra[route.domain], row, False))
    return writes


def unmanaged(table: RoutingTable, put: Put, item: Item | None) -> Put:
    """Return what a domain is promoted with: a new one is no environment's, whatever its first label is."""
    before = decode(item)
    if before is None or not is_live(before, table.clock()):
        return replace(put, managed=False)
    if is_managed(before) and before.lifetime == "ephemeral":
        raise Taken(
            f"{before.domain} is a URL of the environment {before.environment} and goes with it; promote to another "
            f"domain, or change it with: table-admin env up {before.environment}"
        )
    return put


def nothing_managed(name: str, rows: Rows) -> str:
    """Return what is said where an environment has no route that it manages."""
    if not rows.others:
        return f"There is no environment {name}."
    domains = ", ".join([*rows.others][:3])
    return f"The environment {name} manages no route; take in {domains} with: table-admin env adopt {name}"


def tell_others(name: str, others: Iterable[str], on_left: OnLeft) -> None:
    """Name what is left as it is."""
    for domain in others:
        on_left(domain, not_managed(name))


def not_managed(name: str) -> str:
    """Return why a domain is left as it is."""
    return f"{name} does not manage it; env adopt {name} takes it in"
