"""Several routes removed in one go."""

from collections.abc import Iterable, Sequence

from table_admin.changes import Change
from table_admin.contention import replanned
from table_admin.errors import NotFound
from table_admin.inputs import parse_domain
from table_admin.routing_table import RoutingTable
from table_admin.tables import TRANSACTION_ROWS


def delete_many(
    table: RoutingTable, domains: Iterable[str], *, note: str = "", must_exist: bool = False, dry_run: bool = False
) -> list[Change]:
    """Remove routes as `RoutingTable.delete` does, in transactions of TRANSACTION_ROWS rows.

    Raises:
        NotFound: one is not there, and `must_exist`; nothing was written.
    """
    unique = list(dict.fromkeys(map(parse_domain, domains)))
    if must_exist:
        missing = sorted(set(unique) - set(table.tables.read(unique)))
        if missing:
            more = f" and {len(missing) - 3} more" if len(missing) > 3 else ""
            verb = "has" if len(missing) == 1 else "have"
            raise NotFound(f"{', '.join(missing[:3])}{more} {verb} no route; nothing was removed.")
    chunks = (unique[start : start + TRANSACTION_ROWS] for start in range(0, len(unique), TRANSACTION_ROWS))
    return [change for chunk in chunks for change in _together(table, chunk, note, dry_run)]


@replanned
def _together(table: RoutingTable, domains: Sequence[str], note: str, dry_run: bool) -> list[Change]:
    items = table.tables.read(domains)
    writes = [table.plan_delete(domain, items[domain], note) for domain in domains if domain in items]
    done = {change.domain: change for change in table.commit(writes, dry_run=dry_run)}
    return [done.get(domain) or table.gone(domain) for domain in domains]
