"""Writes that are asked for twice and made once: the key is kept in the history, in the write's own transaction."""

import hashlib
from collections.abc import Callable, Iterable, Sequence
from itertools import islice

from edge_handler.routes.attributes import Item
from table_admin.changes import Change, revision_from
from table_admin.contention import settled
from table_admin.errors import NotFound, RevisionConflict
from table_admin.history import undoing
from table_admin.ownership import EnvironmentMoved
from table_admin.routing_table import RoutingTable
from table_admin.tables import follow
from table_admin.web.problems import KeyReused

# Retries come soon after; further back in a history nobody looks for them.
_LOOK_BACK = 50


def request_of(key: str | None, *parts: str) -> str:
    """Return what is kept of a request: its key, and a fingerprint that tells another request under the same key."""
    return f"{key} {hashlib.sha256(chr(0).join(parts).encode()).hexdigest()[:16]}" if key else ""


def once(
    table: RoutingTable,
    request: str,
    write: Callable[[], Sequence[Change]],
    *,
    domain: str | None = None,
    environment: str | None = None,
) -> Sequence[Change]:
    """Make a write of a domain or of an environment, or return what it did when it was made before.

    Raises:
        KeyReused: the key belongs to another request.
    """
    if not request:
        return write()
    done = _made(table, request, domain, environment)
    if done:
        return done

    def attempt() -> Sequence[Change]:
        try:
            return write()
        except (RevisionConflict, EnvironmentMoved, NotFound):
            # The same request, a moment earlier, on another connection.
            done = _made(table, request, domain, environment)
            if done:
                return done
            raise

    return settled(attempt)


def _made(table: RoutingTable, request: str, domain: str | None, environment: str | None) -> list[Change]:
    key = request.partition(" ")[0]
    if domain is not None:
        entries: Iterable[Item] = follow(lambda cursor: table.tables.revisions(domain, cursor=cursor))
    else:
        entries = table.tables.environment_history(environment or "")
    made = []
    for item in islice(entries, _LOOK_BACK):
        found = str(item.get("request", {}).get("S", ""))
        if found == request:
            made.append((item["domain"]["S"], int(item["revision"]["N"])))
        elif found.partition(" ")[0] == key:
            raise KeyReused("This Idempotency-Key was used for another request; take a new one.")
    return [_change(table, name, revision) for name, revision in sorted(made)]


def _change(table: RoutingTable, domain: str, revision: int) -> Change:
    entry, previous = (table.tables.revision(domain, number) for number in (revision, revision - 1))
    done = revision_from(entry or {})
    before = revision_from(previous).state if previous else None
    message = undoing(table, domain, done.restores, revision) if done.restores is not None else ""
    if done.state is None:
        return Change("deleted", domain, revision, before, None, message)
    return Change("updated" if before else "created", domain, revision, before, done.state, message)
