"""What an instance knows of all routes: a snapshot, and what the feed has announced since.

The feed is asked every few seconds, between requests: a poll is sent on a connection that is open, and its answer is
collected by whichever request comes next. Only where what is known has become too old a request waits for a poll. An
age counts from the sending of the poll. What cannot be trusted any more (another life of the table, more changes than
a poll brings, an import that announced itself as one) puts the instance back to reading host by host, until a newer
snapshot is loaded.

Times: those of the feed and the snapshot are DynamoDB's, as text; ages are this sandbox's time of day, which shows how
long it was frozen, and which may be set: so each age has a least as well as a most.
"""

import random
import time
from collections.abc import Callable, Mapping, MutableMapping, Sequence
from math import inf
from typing import Any

from edge_handler.errors import BrokenRow
from edge_handler.feed.audit import Audit
from edge_handler.feed.known_rows import KnownRows
from edge_handler.feed.page import Change, FeedPage
from edge_handler.feed.polling import Polling
from edge_handler.feed.replica import FeedReplica, feed_replicas
from edge_handler.feed.times import back
from edge_handler.log import log
from edge_handler.routes.destination import Destination
from edge_handler.settings import Settings
from edge_handler.snapshot.buckets import SnapshotBuckets
from edge_handler.snapshot.loader import Loader
from edge_handler.snapshot.pointer import Pointer
from edge_handler.snapshot.snapshot import Found

FRESH_SECONDS = 8.0
"""How old what is known may be: with replication and an index that is behind, a change is everywhere within ten."""
LOOK_BACK_SECONDS = 60.0
"""A write may take a while from being announced to being in the index, and a replica is a little behind another."""
OPEN_SECONDS = 0.05
"""While a poll's answer is on its way, each host asks for it so often."""
REFRESH_SECONDS = 1_800.0
"""A snapshot is that old before a newer one takes its place: so the changes since stay few."""
MOST_CHANGES = 1_000
RETRY_SECONDS = 20.0
"""How often a newer snapshot is looked for where one is needed."""
SPREAD = 0.5
"""Instances that were told the same must not load the same at once."""


class Follower:
    """Follows the feed. Asked only where a host has to be looked up: a hit knows nothing of it."""

    def __init__(
        self,
        feeds: Sequence[FeedReplica],
        loader: Loader,
        fresh_seconds: float = FRESH_SECONDS,
        clock: Callable[[], float] = time.time,
        audit: Audit | None = None,
    ) -> None:
        """`feeds` nearest first."""
        self._audit = audit
        self.trusted_from = inf
        """What was read before this time was not followed since, and must be looked up again."""
        self.known_at = -inf
        """When what is known was last known to be so, or was loaded."""
        self._polling = Polling(feeds, clock)
        self._loader = loader
        self._fresh = min(fresh_seconds, FRESH_SECONDS)
        self._clock = clock
        self._pointer: Pointer | None = None
        """Of the snapshot that is followed from; None where none is, and hosts are read one by one."""
        self._rows = KnownRows()
        self._newest = ""
        self._heartbeat_at = ""
        self._after = ""
        """A snapshot that is to be of use was taken after this."""
        self._good_at = -inf
        self._due_at = inf
        self._load_at = 0.0
        self._refresh_at = inf

    @classmethod
    def from_settings(cls, settings: Settings) -> "Follower":
        """Return what follows the settings' snapshots and the feed of their table. Connects to none."""
        feeds = feed_replicas(settings)
        loader = Loader(SnapshotBuckets.from_settings(settings), settings.table)
        return cls(feeds, loader, settings.fresh_seconds, audit=Audit(settings.table, feeds[0]))

    @property
    def pointer(self) -> Pointer | None:
        """Of the snapshot that is followed from, None where hosts are read one by one."""
        return self._pointer

    @property
    def good_at(self) -> float:
        """When the last poll was sent that was answered well (seconds of the clock)."""
        return self._good_at

    def start(self, load_seconds: float, poll_seconds: float) -> None:
        """Load what there is time for, and ask for what was announced since: work for before the first request."""
        self._loader.load(time.monotonic() + load_seconds)
        self._take_up(self._clock())
        if self._pointer is not None:
            self.catch_up(time.monotonic() + poll_seconds)

    def advance(self, remembered: MutableMapping[str, Any], wildcards: Mapping[str, str]) -> Mapping[str, Change]:
        """Do what can be done without waiting: collect an answer, send a poll, take up a snapshot.

        `remembered`: what was looked up, by host, the longest unchecked first; and the `wildcards` that answer for some
        of them; see `Audit`. Return what has changed, by domain.
        """
        now = self._clock()
        self._take_up(now)
        if self._pointer is None:
            return {}
        page = self._polling.collect()
        news = self._learn(page) or {} if page is not None else {}
        if self._audit is not None and self._pointer is not None and self.fresh_until():
            host = self._audit.contradiction(now, remembered, wildcards, self.find)
            if host is not None:
                self._distrust(f"the row of {host} is not what was announced", self._newest)
        if self._pointer is not None and not self._polling.is_open and not self._before_due(now):
            self._polling.send(self._since())
        return news

    def fresh_until(self) -> float:
        """Return until when (of the clock) what is known may be used without asking again; 0 where it may not be."""
        now = self._clock()
        if self._pointer is None or not self._good_at <= now < self._good_at + self._fresh:
            return 0.0
        until = self._good_at + self._fresh
        if now < self._due_at and not self._polling.is_open:
            return min(self._due_at, until)
        if self._polling.is_open or (self._audit is not None and self._audit.is_open):
            return min(now + OPEN_SECONDS, until)
        return until

    def catch_up(self, deadline: float) -> Mapping[str, Change] | None:
        """Poll, and wait for the answer. Return what has changed, None where there is no answer that counts.

        `deadline` is of `time.monotonic`.
        """
        if self._pointer is None:
            return None
        if self._audit is not None:
            self._audit.give_up()
        page = self._polling.ask(self._since(), deadline)
        return self._learn(page) if page is not None else None

    def find(self, domain: str) -> Found:
        """Return what is known of a domain, however old that is."""
        return self._rows.find(domain, self._loader.snapshot)

    def was_announced(self, domain: str) -> bool:
        """Tell whether what is known of a domain was announced since the snapshot."""
        return domain in self._rows

    def newest(self, domain: str, row: Destination | BrokenRow | None) -> Destination | BrokenRow | None:
        """Return what is newer: a row as it was just read, or what the feed said of it. A replica may be behind.

        Only while the feed is heard: the row may have been deleted since, and the table may have been restored.
        """
        return self._rows.newest(domain, row) if self.fresh_until() else row

    def look_for_newer(self) -> None:
        """Look whether there is a newer snapshot, in the background, and not all the time."""
        now = self._clock()
        if not self._load_at - RETRY_SECONDS <= now < self._load_at:
            self._load_at = now + RETRY_SECONDS * (1 - SPREAD * random.random())
            self._loader.load_later()

    def _before_due(self, now: float) -> bool:
        return self._polling.sent_at <= now < self._due_at

    def _since(self) -> str:
        """Return from when on to ask: so that the heartbeat is in the answer, wherever it was last seen."""
        return min(back(self._newest, LOOK_BACK_SECONDS), self._heartbeat_at or self._newest)

    def _learn(self, page: FeedPage) -> Mapping[str, Change] | None:
        """Take what an answer says. Return what it changes, None where it does not count."""
        beat, pointer = page.heartbeat, self._pointer
        assert pointer is not None
        sent_at = self._polling.sent_at
        self._due_at = sent_at + self._fresh / 2 * (1 - SPREAD / 2 * random.random())
        if beat is None or beat.announced_at < self._heartbeat_at:
            # Another table's, or one that is far behind: what it does not say, nobody knows.
            self._polling.disbelieve("the feed does not say whose it is")
            if not page.is_whole:
                self._distrust("more has changed than a poll brings", self._newest)
            return None
        if (beat.table, beat.epoch) != (pointer.table, pointer.epoch):
            self._distrust("the table is another one, or was restored", pointer.taken_at)
            return None
        self._heartbeat_at = beat.announced_at
        if page.reload_at > pointer.taken_at:
            self._distrust("so much was written that any route may be another", page.reload_at)
            return None
        if not page.is_whole:
            self._distrust("more has changed than a poll brings", self._newest)
            return None
        news = self._rows.announce(page.changes)
        self._newest = max(self._newest, beat.announced_at, *(change.announced_at for change in news.values()))
        self._good_at = self.known_at = sent_at
        if len(self._rows) > MOST_CHANGES:
            self._refresh_at = min(self._refresh_at, sent_at)
        return news

    def _distrust(self, why: str, after: str) -> None:
        """Go back to reading host by host, until there is a snapshot that was taken after a time."""
        log("WARNING", "routes are read one by one until a newer snapshot is there", reason=why, after=after)
        self._polling.give_up()
        self._pointer = None
        self.trusted_from = inf
        self._good_at = -inf
        self._after = max(after, self._after)
        self._load_at = self._clock() + RETRY_SECONDS * random.random()

    def _take_up(self, now: float) -> None:
        """Look for a newer snapshot where one is needed or due, and follow from one that was loaded."""
        found = self._loader.snapshot
        pointer = self._pointer
        if found is not None and found.pointer is not pointer:
            if pointer is not None and found.pointer.epoch != pointer.epoch:
                # What was announced in the former life of the table says nothing of this one's rows.
                self._distrust("the snapshot is of another life of the table", pointer.taken_at)
                self._rows, pointer = KnownRows(), None
            if pointer is None:
                # What is still missing is read from the table; what would come of an older snapshot cannot be trusted.
                if found.stands_alone and found.pointer.taken_at > self._after:
                    self._follow(found.pointer, now)
            elif found.missing is None:
                self._follow_on(found.pointer, now)
        wanted = self._pointer is None or found is None or found.missing is not None
        if wanted:
            self.look_for_newer()
        elif not now < self._refresh_at:
            self._refresh_at = now + REFRESH_SECONDS * (1 - SPREAD * random.random())
            self._loader.load_later()

    def _follow(self, pointer: Pointer, now: float) -> None:
        self._pointer = pointer
        self._rows = KnownRows(pointer.taken_at)
        self._newest = pointer.taken_at
        self._heartbeat_at = ""
        self._good_at, self._due_at = -inf, inf
        self.trusted_from = self.known_at = now
        self._refresh_at = now + REFRESH_SECONDS * (1 - SPREAD * random.random())

    def _follow_on(self, pointer: Pointer, now: float) -> None:
        """What a newer snapshot has, need not be remembered beside it; what was looked up before, it may have changed.

        For a reload that was announced before it was taken is not looked at any more.
        """
        self._pointer = pointer
        self.trusted_from = self.known_at = now
        self._rows.taken(pointer.taken_at, back(pointer.taken_at, LOOK_BACK_SECONDS))
        self._refresh_at = now + REFRESH_SECONDS * (1 - SPREAD * random.random())
