"""The feed is held against the table: now and then rows are read between requests, those longest unchecked.

A write that announced nothing would else go unseen: the snapshot's writer finds it within a minute, and this does
where there is no writer, or no feed that says anything. A row that says otherwise twice, a while apart, with nothing
announced meanwhile, is a contradiction; once, it may be on its way.
"""

import random
import time
from collections.abc import Callable, Mapping, MutableMapping
from itertools import islice
from typing import Any

from edge_handler.errors import Refused, Unreadable
from edge_handler.feed.replica import FeedReplica
from edge_handler.routes.destination import Destination, read_destination
from edge_handler.snapshot.snapshot import Found
from edge_handler.table.reader import HEADERS, Rows, question, read_items

AUDIT_SECONDS = 60.0
HOSTS = 10
"""So many rows are read each time, for one request's price."""
_SEND_SECONDS = 0.05
_GIVE_UP_SECONDS = 5.0


class Audit:
    """Reads rows over the connection that the nearest replica's feed is asked on: a second one would always be idle."""

    def __init__(self, table: str, feed: FeedReplica) -> None:
        """`table`: of the routes."""
        self._table = table
        self._feed = feed
        self._due_at = 0.0
        self._sent_at = 0.0
        self._asked: list[str] = []
        self._suspects: dict[str, Found] = {}

    @property
    def is_open(self) -> bool:
        """Whether rows were asked for that have not been collected."""
        return bool(self._asked)

    def give_up(self) -> None:
        """Make way for a question that somebody waits for."""
        if self._asked:
            self._asked = []
            self._feed.close()

    def contradiction(
        self,
        now: float,
        remembered: MutableMapping[str, Any],
        wildcards: Mapping[str, str],
        find: Callable[[str], Found],
    ) -> str | None:
        """Read some rows, and return the domain of one that is something else in the table than `find` says, twice.

        Args:
            now: of the clock that `AUDIT_SECONDS` are seconds of.
            remembered: what is remembered by host, the longest unchecked first; what is checked goes to its end.
            wildcards: that answer for a host that has no row; whether it still has none is asked, too.
            find: says what is known of a domain.
        """
        if self._asked:
            rows = self._collect(now)
            return None if rows is None else self._judge(rows, remembered, find)
        if not self._due_at - AUDIT_SECONDS <= now < self._due_at:
            self._due_at = now + AUDIT_SECONDS * (1 - random.random() / 2)
            self._send(now, remembered, wildcards)
        return None

    def _send(self, now: float, remembered: MutableMapping[str, Any], wildcards: Mapping[str, str]) -> None:
        hosts = [*dict.fromkeys([*self._suspects, *islice(remembered, HOSTS)])][:HOSTS]
        domains = [*dict.fromkeys([*hosts, *(wildcards[host] for host in hosts if host in wildcards)])]
        if not domains or not self._feed.is_ready():
            return
        try:
            self._feed.ask(HEADERS, question(self._table, domains), time.monotonic() + _SEND_SECONDS)
        except OSError:
            return
        self._asked, self._sent_at = domains, now

    def _collect(self, now: float) -> Rows | None:
        try:
            found = self._feed.answer()
            if found is not None:
                return read_items(read_destination, *found, self._table, self._asked)
            if self._sent_at <= now < self._sent_at + _GIVE_UP_SECONDS:
                return None
        except (OSError, Refused, Unreadable):
            pass
        self.give_up()
        return None

    def _judge(self, rows: Rows, remembered: MutableMapping[str, Any], find: Callable[[str], Found]) -> str | None:
        suspects, self._suspects = self._suspects, {}
        asked, self._asked = self._asked, []
        for domain in asked:
            if domain in remembered:
                remembered[domain] = remembered.pop(domain)
            known, row = find(domain), rows.get(domain)
            if _agree(known, row):
                continue
            if domain in suspects and suspects[domain] == known:
                return domain
            self._suspects[domain] = known
        return None


def _agree(known: Found, row: Any) -> bool:
    if known == row or isinstance(known, str):
        return True
    if not isinstance(known, Destination):
        return known is not None and row is not None  # both broken: two errors are never equal
    if row is None:
        return known.expires_at is not None  # DynamoDB removes what has expired, and announces nothing
    # A replica may be behind.
    return isinstance(row, Destination) and row.revision < known.revision
