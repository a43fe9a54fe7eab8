"""Environments of branches: a label of any branch's name, and no two branches on one."""

from collections.abc import Mapping
from typing import Any

from table_admin import environments
from table_admin.changes import Change, is_live, is_managed
from table_admin.names import branch_label, hashed_label
from table_admin.ownership import OnLeft, Taken
from table_admin.routing_table import RoutingTable


def name_of(table: RoutingTable, branch: str) -> str:
    """Return the environment's name of a branch, which `up` makes: a DNS label, see `branch_label`.

    It has a hash where it had to be cut, where letters were left out that are not Latin ones, and where another branch,
    or somebody else's route, has the plain one; and has it for ever from then on.

    Raises:
        InvalidInput: the branch has no name.
    """
    plain, own = branch_label(branch), hashed_label(branch)
    if plain == own or next(table.tables.environment_history(own), None) is not None:
        return own
    now = table.clock()
    for route in table.list(plain):
        if is_live(route, now) and (not is_managed(route) or route.source != branch):
            return own
    return plain


def up(
    table: RoutingTable,
    branch: str,
    base: str,
    services: Mapping[str, str],
    *,
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
    """Create a branch's environment, or change it: `environments.up` with the name that `name_of` tells."""

    def made(name: str) -> list[Change]:
        return environments.up(
            table,
            name,
            base,
            services,
            source=branch,
            expires_in=expires_in,
            permanent=permanent,
            default_expires_in=default_expires_in,
            prune=prune,
            force=force,
            policy=policy,
            note=note,
            if_generations=if_generations,
            dry_run=dry_run,
            on_left=on_left,
        )

    try:
        return made(name_of(table, branch))
    except Taken:
        # Another branch was a moment faster, or one of the URLs is another environment's.
        return made(hashed_label(branch))
