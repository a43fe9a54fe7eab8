"""What the history tells: one revision, what is different between two, what a rollback undoes."""

import itertools
from typing import Any

from table_admin.changes import Revision, differences, revision_from
from table_admin.errors import NotFound
from table_admin.inputs import parse_domain
from table_admin.routing_table import RoutingTable

_READ_BACK = 50
"""So many revisions are read to say what a rollback undoes."""


def revision_at(table: RoutingTable, domain: str, revision: int) -> Revision:
    """Return one revision of a domain. Raises NotFound."""
    item = table.tables.revision(domain, revision)
    if item is None:
        raise NotFound(f"{domain} has no revision {revision}.")
    return revision_from(item)


def before_first(domain: str) -> Revision:
    """Return what stands for the time before a domain's first revision: it did not exist."""
    return Revision(domain, 0, "delete", None, "", "", "")


def undoing(table: RoutingTable, domain: str, restored: int, revision: int) -> str:
    """Return what people are told of the rollback that is `revision`, and went back to the revision `restored`."""
    back = f"back to revision {restored}" if restored else "back to before its first revision"
    between = [
        entry
        for entry in itertools.islice(table.history(domain), _READ_BACK)
        if restored < entry.revision < revision and entry.action != "touch"
    ]
    if not between:
        return back
    newest, *more = between
    who = f"{newest.action} by {newest.updated_by} at {newest.updated_at[:19]}Z"
    why = f": {newest.note}" if newest.note else ""
    rest = f" and all since revision {restored}" if more else ""
    return f"undoes revision {newest.revision} ({who}{why}){rest}; {back}"


def diff(table: RoutingTable, domain: str, old: int | None = None, new: int | None = None) -> dict[str, Any]:
    """Return what is different between two revisions, the last two by default, by attribute: before and after.

    Raises:
        NotFound: there is no such revision.
    """
    domain = parse_domain(domain)
    new = new if new is not None else _newest(table, domain)
    old = old if old is not None else new - 1
    if new < 1:
        raise NotFound(f"{domain} has no history.")
    before = revision_at(table, domain, old).state if old > 0 else None
    return differences(before, revision_at(table, domain, new).state)


def _newest(table: RoutingTable, domain: str) -> int:
    last = table.tables.last_revision(domain)
    if last == 0:
        raise NotFound(f"{domain} has no history.")
    return last
