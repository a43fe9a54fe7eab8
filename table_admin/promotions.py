"""What goes on being served from an environment's targets when the environment itself is gone."""

from collections.abc import Collection, Iterator

from edge_handler.routes.route import Route, S3Origin
from table_admin.changes import decode, is_live, is_managed, promoted_from
from table_admin.errors import TableAdminError
from table_admin.routing_table import RoutingTable
from table_admin.tables import follow


class StillServed(TableAdminError):
    """Another domain, production say, is served from what would be removed; nothing was written."""


def refuse_promoted(table: RoutingTable, name: str, gone: Collection[Route], *, whole: bool) -> None:
    """Raise StillServed where a live route outside of `gone` is served from what goes with it.

    Reads the whole table, for who was sent to a target by hand is nowhere noted.

    Args:
        table: where.
        name: the environment.
        gone: its routes that are to be removed.
        whole: all of the environment goes, so also what was promoted from it at an earlier target.
    """
    found = sorted({(route.domain, route.target) for route in _served(table, name, gone, whole)})
    if found:
        domains = ", ".join(domain for domain, _ in found[:3]) + (f" and {len(found) - 3} more" if found[3:] else "")
        raise StillServed(
            f"{domains} {'is' if len(found) == 1 else 'are'} served from {found[0][1]}, which is {name}'s; nothing was "
            "removed. Promote or roll back first; or say --force, and keep what is served."
        )


def _served(table: RoutingTable, name: str, gone: Collection[Route], whole: bool) -> Iterator[Route]:
    now = table.clock()
    removed = {route.domain for route in gone}
    origins = {route.origin for route in gone}
    own = [route.origin for route in gone if isinstance(route.origin, S3Origin) and _is_own(name, route.origin)]
    for item in follow(lambda cursor: table.tables.scan(cursor=cursor, consistent=True)):
        route = decode(item)
        if route is None or route.domain in removed or not is_live(route, now):
            continue
        if route.environment == name and is_managed(route):
            continue  # another of its services
        promoted = promoted_from(route) == name and (whole or route.origin in origins)
        if promoted or any(_is_under(route, origin) for origin in own):
            yield route


def _is_own(name: str, origin: S3Origin) -> bool:
    """Tell whether the files are the environment's, by the prefix: what many of them share is not removed with one."""
    return name in origin.prefix.split("/")


def _is_under(route: Route, origin: S3Origin) -> bool:
    found = route.origin
    return (
        isinstance(found, S3Origin)
        and found.domain_name == origin.domain_name
        and f"{found.prefix}/".startswith(f"{origin.prefix}/")
    )
