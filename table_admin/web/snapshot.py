"""All routes in memory, so that a person can search them without waiting for the table."""

import contextlib
import threading
import time
from bisect import bisect_left
from collections.abc import Iterable
from dataclasses import dataclass

from edge_handler.routes.route import Route
from table_admin import second_target_words
from table_admin.errors import TableAdminError
from table_admin.feed import Feed
from table_admin.policy_words import badges
from table_admin.routing_table import RoutingTable

# A table of any size is being read for a tenth of the time at most.
LEAST_PAUSE_SECONDS = 5.0
PAUSE_PER_READING = 9.0
# What the feed tells of is seen so soon; all rows are read for those that were written by hand.
POLL_SECONDS = 2.0
FOLLOWED_PAUSE_SECONDS = 60.0


@dataclass(frozen=True, slots=True, order=True)
class Entry:
    """A route as a list shows it; `text` is what a search looks at."""

    domain: str
    target: str
    environment: str
    service: str
    owner: str
    expires_at: int | None
    revision: int
    updated_at: str
    updated_by: str
    rules: int
    policy: tuple[str, ...]
    """A word for each thing that it says of who gets an answer and what goes with it, and of second targets."""
    text: str


@dataclass(frozen=True, slots=True)
class Found:
    """What a search found: some of the entries, and how many there are."""

    entries: tuple[Entry, ...]
    total: int
    loaded: int
    complete: bool
    """Whether all rows have been read since the start."""


class Snapshot:
    """The routes of a table: read in the background, then followed by the feed, and read again now and then."""

    def __init__(self, table: RoutingTable) -> None:
        self._table = table
        self._lock = threading.Lock()
        self._entries: list[Entry] = []
        self._complete = False
        self._written: dict[str, Entry | None] = {}
        """What `update` read since the reading began, which may have passed by these rows before; None: removed."""
        self._stop = threading.Event()

    def start(self) -> None:
        """Read all rows in the background, now and again and again."""
        threading.Thread(target=self._run, daemon=True).start()

    def stop(self) -> None:
        """Read no more."""
        self._stop.set()

    def load(self) -> None:
        """Read all rows once. While the first reading goes on, what is read can be searched already."""
        entries: list[Entry] = []
        with self._lock:
            self._written = {}
        for count, route in enumerate(self._table.list(), 1):
            entries.append(_entry(route))
            if not self._complete and count % 5000 == 0:
                self._show(sorted(entries))
        self._show(sorted(entries), complete=True)

    def _show(self, entries: list[Entry], *, complete: bool = False) -> None:
        with self._lock:
            self._entries, self._complete = entries, self._complete or complete
            for domain, entry in self._written.items():
                self._put(domain, entry)

    def update(self, domains: Iterable[str]) -> None:
        """Read some rows again: they have just been written."""
        rows = dict.fromkeys(domains)
        found = {route.domain: route for route in self._table.decoded(rows)}
        with self._lock:
            for domain in rows:
                self._written[domain] = entry = _entry(found[domain]) if domain in found else None
                self._put(domain, entry)

    def _put(self, domain: str, entry: Entry | None) -> None:
        at = bisect_left(self._entries, domain, key=lambda entry: entry.domain)
        if at < len(self._entries) and self._entries[at].domain == domain:
            del self._entries[at]
        if entry is not None:
            self._entries.insert(at, entry)

    def search(
        self,
        words: str = "",
        *,
        environment: str = "",
        expiring_before: float | None = None,
        offset: int = 0,
        limit: int = 100,
    ) -> Found:
        """Return the entries that hold all words, in any attribute.

        Args:
            words: separated by spaces.
            environment: only this one's.
            expiring_before: only what expires, and before this time (epoch seconds).
            offset: how many to leave out.
            limit: how many at the most.
        """
        with self._lock:
            entries, complete = self._entries, self._complete
            wanted = words.lower().split()
            matching = [
                entry
                for entry in entries
                if all(word in entry.text for word in wanted)
                and (not environment or entry.environment == environment)
                and (expiring_before is None or (entry.expires_at is not None and entry.expires_at <= expiring_before))
            ]
        if expiring_before is not None:
            matching.sort(key=lambda entry: entry.expires_at or 0)
        return Found(tuple(matching[offset : offset + limit]), len(matching), len(entries), complete)

    def _run(self) -> None:
        while not self._stop.is_set():
            started, feed, pause = time.monotonic(), None, LEAST_PAUSE_SECONDS
            with contextlib.suppress(TableAdminError):
                feed = Feed(self._table)
            # A table that does not answer is asked again; until then the last reading is shown.
            with contextlib.suppress(TableAdminError):
                self.load()
                pause = FOLLOWED_PAUSE_SECONDS if feed else pause
            self._follow(feed, time.monotonic() + max(pause, PAUSE_PER_READING * (time.monotonic() - started)))

    def _follow(self, feed: Feed | None, until: float) -> None:
        """Take in what is written, until it is time to read everything again."""
        while not self._stop.is_set() and (left := until - time.monotonic()) > 0:
            if feed is not None:
                with contextlib.suppress(TableAdminError):
                    news = feed.poll()
                    self.update(revision.domain for revision in news.revisions)
                    if news.reload:
                        return
            self._stop.wait(min(POLL_SECONDS if feed else left, left))


def _entry(route: Route) -> Entry:
    words = (route.domain, route.target, route.environment, route.service, route.owner, route.updated_by, route.note)
    rules = (word for rule in route.rules for word in (rule.pattern, rule.target))
    said = (*badges(route), *second_target_words.badges(route))
    return Entry(
        route.domain,
        route.target,
        route.environment,
        route.service,
        route.owner,
        route.expires_at,
        route.revision,
        route.updated_at,
        route.updated_by,
        len(route.rules),
        said,
        " ".join((*words, *rules, *said)).lower(),
    )
