"""What is written, as it is written: the feed of the history, followed by polling.

Announcements carry DynamoDB's time, but a write may take a while from being announced to being there, and an index is
a little behind its table: so each poll looks back a minute, and what was seen is not told twice.
"""

import base64
import hashlib
import itertools
import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from edge_handler.feed.page import ALL_ROUTES, SNAPSHOT_ACTION
from edge_handler.routes.attributes import Item
from table_admin.changes import Revision, revision_from
from table_admin.errors import InvalidInput
from table_admin.inputs import iso
from table_admin.routing_table import RoutingTable
from table_admin.tables import follow, revision_of

OVERLAP_SECONDS = 60.0
_A_MOMENT = 1.0
"""So exact are the times: those of DynamoDB's answers are whole seconds."""
_CURSOR_KEEPS = 300
"""So many of the newest changes a cursor remembers."""


@dataclass(frozen=True, slots=True)
class News:
    """What a poll brought."""

    revisions: tuple[Revision, ...]
    """The oldest first."""
    reload: tuple[str, ...] = ()
    """Who wrote so much that each row was not announced: any may be another."""
    more: bool = False
    """Whether there may be more already."""


class Feed:
    """Follows what is written, from a time on."""

    def __init__(self, table: RoutingTable, since: float | None = None) -> None:
        """`since`: epoch seconds, by DynamoDB's clock; now by default."""
        self._table = table
        if since is None:
            table.tables.announced(iso(table.tables.clock.now()))  # its answer tells DynamoDB's time
            since = table.tables.clock.now() - _A_MOMENT
        self._since = iso(since)
        self._seen: dict[str, str] = {}
        """When each was announced, by what stands for domain and revision."""

    @classmethod
    def at(cls, table: RoutingTable, cursor: str) -> "Feed":
        """Return the feed as it was when `cursor` was made. Raises InvalidInput."""
        try:
            since, newest, keys = json.loads(base64.urlsafe_b64decode(cursor))
            datetime.fromisoformat(since), datetime.fromisoformat(newest)
            feed = cls(table, 0)
            feed._since = since
            feed._seen = {str(key): newest for key in keys}
        except (ValueError, TypeError) as error:
            raise InvalidInput("The cursor is none that the feed has given.") from error
        return feed

    @property
    def cursor(self) -> str:
        """Where to go on, for another process. It fits into an address."""
        since, kept = self._since, self._seen
        if len(kept) > _CURSOR_KEEPS:
            # What is not remembered would be told again: there is no looking back beyond what is.
            since = sorted(kept.values())[-_CURSOR_KEEPS]
            kept = {key: at for key, at in kept.items() if at >= since}
        text = json.dumps([since, max(kept.values(), default=since), [*kept]], separators=(",", ":"))
        return base64.urlsafe_b64encode(text.encode()).decode()

    def poll(self, limit: int | None = None) -> News:
        """Return what was announced since the last poll, so many at the most. Raises NoFeed, TableAdminError."""
        tables = self._table.tables
        since = self._from()
        items = follow(lambda cursor: tables.announced(since, cursor))
        unseen = (item for item in items if not is_heartbeat(item) and _key(item) not in self._seen)
        found = [*itertools.islice(unseen, limit)]
        rows = tables.revisions_of([_where(item) for item in found if not _is_reload(item)])
        news, reload = [], []
        for item in found:
            if _is_reload(item):
                reload.append(str(item.get("updated_by", {}).get("S", "unknown")))
            elif _where(item) in rows:
                news.append(revision_from(rows[_where(item)]))
            else:
                continue  # the next poll looks again
            self._seen[_key(item)] = item["announced_at"]["S"]
        before = self._from()
        self._seen = {key: at for key, at in self._seen.items() if at >= before}
        return News(_in_order(news), tuple(reload), limit is not None and len(found) == limit)

    def _from(self) -> str:
        """Return from when on the next poll asks."""
        if not self._seen:
            return self._since
        newest = datetime.fromisoformat(max(self._seen.values())).timestamp()
        return max(self._since, iso(newest - OVERLAP_SECONDS))


def _in_order(revisions: Sequence[Revision]) -> tuple[Revision, ...]:
    """Return revisions as they came, but those of a domain as they are numbered: writers' times differ by a second."""
    of_domain: dict[str, list[Revision]] = {}
    for one in sorted(revisions, key=lambda one: -one.revision):
        of_domain.setdefault(one.domain, []).append(one)
    return tuple(of_domain[one.domain].pop() for one in revisions)


def _where(item: Item) -> tuple[str, int]:
    return item["domain"]["S"], revision_of(item)


def _key(item: Item) -> str:
    """Return what stands for a revision in a cursor: short, for it goes into an address."""
    domain, revision = _where(item)
    return base64.urlsafe_b64encode(hashlib.sha256(f"{domain} {revision}".encode()).digest()[:6]).decode()


def is_heartbeat(item: Item) -> bool:
    """Tell whether an item of the feed says only that the snapshot was taken: of no row, and told to nobody."""
    return item.get("action") == {"S": SNAPSHOT_ACTION}


def _is_reload(item: Item) -> bool:
    return _where(item)[0] == ALL_ROUTES
