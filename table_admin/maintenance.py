"""A page in place of sites, for a while: with 503 and `Retry-After`, so that nobody takes it for the sites' end.

Nothing is looked up for it, no load balancer, no bucket: it must work while what is mended does not.
"""

from collections.abc import Callable, Iterable

from edge_handler.routes.policy import Policy
from edge_handler.routes.route import Route
from table_admin.changes import Change
from table_admin.ownership import OnLeft
from table_admin.policies import RETRY_AFTER, parse_policy, planned_policy
from table_admin.routing_table import RoutingTable
from table_admin.switching import Switch, switch


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
    policy_of: Callable[[Route], Policy | None],
    note: str,
    dry_run: bool,
    on_left: OnLeft,
) -> list[Change]:
    def planned(route: Route) -> Route | str:
        policy = policy_of(route)
        # Nothing new for the CDN: what it has is served again when it is over.
        return route._replace(policy=policy) if policy != route.policy else ""

    what = Switch(planned, "what is not there needs no maintenance")
    return switch(table, domains, environment, what, note, dry_run, on_left)
