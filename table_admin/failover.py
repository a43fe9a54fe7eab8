"""From a domain's own target to its standby, and back: in one write, and nothing is looked up for it.

It must work while what is mended does not: no load balancer is asked, no bucket, and no deployment.
"""

from collections.abc import Iterable

from edge_handler.routes.route import Route, Standby
from table_admin.changes import Change
from table_admin.deployments.former import former_of
from table_admin.errors import NotFound
from table_admin.ownership import OnLeft
from table_admin.routing_table import RoutingTable
from table_admin.second_targets import swapped
from table_admin.switching import Switch, switch

_EXPIRED = "nobody gets anything of it, so there is nothing to move"


def fail_over(
    table: RoutingTable,
    domains: Iterable[str] = (),
    environment: str | None = None,
    *,
    note: str = "",
    if_revision: int | None = None,
    dry_run: bool = False,
    on_left: OnLeft = lambda *_: None,
) -> list[Change]:
    """Move domains, or all that an environment manages and that have one, to their standbys.

    Up to TRANSACTION_ROWS of them move in one transaction. A canary ends. A second run changes nothing.

    Args:
        table: where.
        domains: whose rows, wildcards' too. Instead of these:
        environment: all that it manages.
        note: why, for people.
        if_revision: see `Switch.if_revision`.
        dry_run: say what would be done.
        on_left: told what stays as it is under the environment's name, and why.

    Raises:
        InvalidInput: one of the domains has no standby, or its standby redirects in a circle; nothing was written.
        RevisionConflict: it is another revision than `if_revision`; likewise.
        NotFound, TableAdminError: likewise; see `switching.switch`.
    """

    def planned(route: Route) -> Route | str:
        if route.standby is None or route.standby.failed_over:
            return f"it is failed over {_since(route)}"
        return _moved(table, route, route.standby)

    def impossible(route: Route) -> str:
        return "" if route.standby is not None else f"it has no standby{_GIVE}" if domains else "it has no standby"

    domains = [*domains]
    done = switch(
        table, domains, environment, Switch(planned, _EXPIRED, impossible, if_revision), note, dry_run, on_left
    )
    if not done:
        raise NotFound(f"Nothing that {environment} manages has a standby; nothing was written.")
    return done


def fail_back(
    table: RoutingTable,
    domains: Iterable[str] = (),
    environment: str | None = None,
    *,
    note: str = "",
    if_revision: int | None = None,
    dry_run: bool = False,
    on_left: OnLeft = lambda *_: None,
) -> list[Change]:
    """Move domains, or all of an environment, back to their own targets; see `fail_over`."""

    def planned(route: Route) -> Route | str:
        if route.standby is None or not route.standby.failed_over:
            return "it is not failed over, so there is nothing to do"
        return _moved(table, route, route.standby)

    return switch(
        table, domains, environment, Switch(planned, _EXPIRED, if_revision=if_revision), note, dry_run, on_left
    )


_GIVE = "; give it one: table-admin put DOMAIN TARGET --standby OTHER"


def _since(route: Route) -> str:
    return f"already; its newest revision is of {route.updated_by} at {route.updated_at[:19]}Z"


def _moved(table: RoutingTable, route: Route, standby: Standby) -> Route:
    after = swapped(route, standby)
    return after._replace(former=former_of(route, after, table.clock()))
