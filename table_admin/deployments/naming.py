"""Which deployments are needed: what rows name now, and what a domain could be rolled back to."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from table_admin.deployments.keys import deployment_key, key_of_row, keys_of_row, split_key
from table_admin.routing_table import RoutingTable
from table_admin.tables import follow

KEPT_OF_A_DOMAIN = 10
"""So many deployments back a domain can be rolled back, however old they are."""


def named_by_rows(table: RoutingTable) -> dict[str, set[str]]:
    """Return the keys of all deployments that rows name now, also as former ones; and which domains name each."""
    found: dict[str, set[str]] = defaultdict(set)
    for row in follow(lambda cursor: table.tables.scan(cursor=cursor, consistent=True)):
        for key in _keys(row):
            found[key].add(row["domain"]["S"])
    return found


def kept_for_rollback(table: RoutingTable, domains: Iterable[str]) -> set[str]:
    """Return the keys of the last KEPT_OF_A_DOMAIN deployments of each domain, canaries' and standbys' too."""
    return {key for domain in domains for key in _last(table, domain)}


def _last(table: RoutingTable, domain: str) -> set[str]:
    found: set[str] = set()
    for entry in follow(lambda cursor: table.tables.revisions(domain, cursor=cursor)):
        found.update(keys_of_row(entry))
        if len(found) >= KEPT_OF_A_DOMAIN:
            break
    return found


def _keys(row: Mapping[str, Any]) -> Iterator[str]:
    """Yield what a row names, as far as one that was damaged by hand can be read."""
    yield from keys_of_row(row)
    key = key_of_row(row)
    if key is None:
        return
    bucket, _ = split_key(key)
    former = row.get("former", {}).get("L", ())
    for one in former if isinstance(former, list) else ():
        try:
            yield deployment_key(bucket, one["M"]["deployment"]["S"])
        except (KeyError, TypeError):
            continue
