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
from typing import Any, Protocol

from edge_handler.errors import BrokenRow, Refused, Unreadable
from edge_handler.feed.page import Change, FeedPage
from edge_handler.feed.times import back
from edge_handler.log import log
from edge_handler.routes.destination import Destination
from edge_handler.snapshot.pointer import Pointer
from edge_handler.snapshot.snapshot import UNSURE, Found, Snapshot, read_carried

FRESH_SECONDS = 8.0
"""How old what is known may be: with replication and an index that is behind, a change is everywhere within ten."""
LOOK_BACK_SECONDS = 60.0
"""A write may take a while from being announced to being in the index, and a replica is a little behind another."""
OPEN_SECONDS = 0.05
"""While a poll's answer is on its way, each host asks for it so often."""
GIVE_UP_SECONDS = 3.0
"""An answer that has not come by then is not waited for any more."""
REFRESH_SECONDS = 1_800.0
"""A snapshot is that old before a newer one takes its place: so the changes since stay few."""
MOST_CHANGES = 1_000
RETRY_SECONDS = 20.0
"""How often a newer snapshot is looked for where one is needed."""
SPREAD = 0.5
"""Instances that were told the same must not load the same at once."""


class Feed(Protocol):
    """The feed in one region, see `FeedReplica`."""

    @property
    def region(self) -> str: ...  # noqa: D102
    @property
    def pause(self) -> "Pausing": ...  # noqa: D102
    @property
    def is_open(self) -> bool: ...  # noqa: D102
    def is_ready(self) -> bool: ...  # noqa: D102
    def send(self, since: str, deadline: float) -> None: ...  # noqa: D102
    def collect(self) -> FeedPage | None: ...  # noqa: D102
    def wait(self, deadline: float) -> FeedPage: ...  # noqa: D102
    def close(self) -> None: ...  # noqa: D102


class Pausing(Protocol):
    """See `Pause`."""

    def seconds(self) -> float: ...  # noqa: D102
    def begin(self) -> float: ...  # noqa: D102
    def end(self) -> None: ...  # noqa: D102


class Auditing(Protocol):
    """See `Audit`."""

    @property
    def is_open(self) -> bool: ...  # noqa: D102
    def give_up(self) -> None: ...  # noqa: D102
    def contradiction(  # noqa: D102
        self, now: float, remembered: MutableMapping[str, Any], find: Callable[[str], Found]
    ) -> str | None: ...


class Loading(Protocol):
    """See `Loader`."""

    @property
    def snapshot(self) -> Snapshot | None: ...  # noqa: D102
    @property
    def is_busy(self) -> bool: ...  # noqa: D102
    def load(self, deadline: float) -> None: ...  # noqa: D102
    def load_later(self) -> None: ...  # noqa: D102


class Follower:
    """Follows the feed. Asked only where a host has to be looked up: a hit knows nothing of it."""

    def __init__(
        self,
        feeds: Sequence[Feed],
        loader: Loading,
        fresh_seconds: float = FRESH_SECONDS,
        clock: Callable[[], float] = time.time,
        audit: "Auditing | None" = None,
    ) -> None:
        """`feeds` nearest first."""
        self._audit = audit
        self.trusted_from = inf
        """What was read before this time was not followed since, and must be looked up again."""
        self.known_at = -inf
        """When what is known was last known to be so, or was loaded."""
        self._feeds = feeds
        self._loader = loader
        self._fresh = min(fresh_seconds, FRESH_SECONDS)
        self._clock = clock
        self._pointer: Pointer | None = None
        """Of the snapshot that is followed from; None where none is, and hosts are read one by one."""
        self._changes: dict[str, Change] = {}
        self._newest = ""
        self._heartbeat_at = ""
        self._after = ""
        """A snapshot that is to be of use was taken after this."""
        self._asked: Feed | None = None
        self._sent_at = 0.0
        self._good_at = -inf
        self._due_at = inf
        self._load_at = 0.0
        self._refresh_at = inf

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

    def advance(self, remembered: MutableMapping[str, Any]) -> Mapping[str, Change]:
        """Do what can be done without waiting: collect an answer, send a poll, take up a snapshot.

        `remembered`: what was looked up, by host, the longest unchecked first; see `Audit`. Return what has changed, by
        domain.
        """
        now = self._clock()
        self._take_up(now)
        if self._pointer is None:
            return {}
        news = self._collect(now)
        if self._audit is not None and self._pointer is not None and self.fresh_until():
            host = self._audit.contradiction(now, remembered, self.find)
            if host is not None:
                self._distrust(f"the row of {host} is not what was announced", self._newest)
        if self._pointer is not None and self._asked is None and not self._before_due(now):
            self._send(now)
        return news

    def fresh_until(self) -> float:
        """Return until when (of the clock) what is known may be used without asking again; 0 where it may not be."""
        now = self._clock()
        if self._pointer is None or not self._good_at <= now < self._good_at + self._fresh:
            return 0.0
        until = self._good_at + self._fresh
        if now < self._due_at and self._asked is None:
            return min(self._due_at, until)
        if self._asked is not None or (self._audit is not None and self._audit.is_open):
            return min(now + OPEN_SECONDS, until)
        return until

    def catch_up(self, deadline: float) -> Mapping[str, Change] | None:
        """Poll, and wait for the answer. Return what has changed, None where there is no answer that counts.

        `deadline` is of `time.monotonic`.
        """
        self._give_up()
        if self._audit is not None:
            self._audit.give_up()
        worth_asking = [feed for feed in self._feeds if not feed.pause.seconds()]
        for position, feed in enumerate(worth_asking, 1):
            left = deadline - time.monotonic()
            if self._pointer is None or left <= 0:
                return None
            share = deadline if position == len(worth_asking) else deadline - left / 2
            self._sent_at = self._clock()
            try:
                feed.send(self._since(), share)
                page = feed.wait(share)
            except (OSError, Refused, Unreadable) as error:
                _failed(feed, error)
            else:
                feed.pause.end()
                return self._learn(page, feed) if self._pointer is not None else None
        return None

    def find(self, domain: str) -> Found:
        """Return what is known of a domain, however old that is."""
        snapshot = self._loader.snapshot
        found = UNSURE if snapshot is None else snapshot.find(domain)
        change = self._changes.get(domain)
        if change is None or (isinstance(found, Destination) and found.revision >= change.revision):
            return found  # with the same revision too: somebody may have changed it by hand since
        if change.text is None:
            return None
        return UNSURE if found is None and self._may_be_gone(change) else read_carried(domain, change.text)

    def was_announced(self, domain: str) -> bool:
        """Tell whether what is known of a domain was announced since the snapshot."""
        return domain in self._changes

    def newest(self, domain: str, row: Destination | BrokenRow | None) -> Destination | BrokenRow | None:
        """Return what is newer: a row as it was just read, or what the feed said of it. A replica may be behind.

        Only while the feed is heard: the row may have been deleted since, and the table may have been restored.
        """
        change = self._changes.get(domain) if self.fresh_until() else None
        if change is None or (isinstance(row, Destination) and row.revision >= change.revision):
            return row
        if change.text is None or (row is None and self._may_be_gone(change)):
            return None
        carried = read_carried(domain, change.text)
        return row if isinstance(carried, str) else carried

    def _may_be_gone(self, change: Change) -> bool:
        """Tell whether a row may have been deleted since, and nobody told of it, where a snapshot has it no more."""
        return self._pointer is not None and change.announced_at < self._pointer.taken_at

    def look_for_newer(self) -> None:
        """Look whether there is a newer snapshot, in the background, and not all the time."""
        now = self._clock()
        if not self._load_at - RETRY_SECONDS <= now < self._load_at:
            self._load_at = now + RETRY_SECONDS * (1 - SPREAD * random.random())
            self._loader.load_later()

    def _before_due(self, now: float) -> bool:
        return self._sent_at <= now < self._due_at

    def _since(self) -> str:
        """Return from when on to ask: so that the heartbeat is in the answer, wherever it was last seen."""
        return min(back(self._newest, LOOK_BACK_SECONDS), self._heartbeat_at or self._newest)

    def _send(self, now: float) -> None:
        feed = next((feed for feed in self._feeds if not feed.pause.seconds()), None)
        if feed is None or not feed.is_ready():
            return  # a request waits when it has to
        self._sent_at = now
        try:
            feed.send(self._since(), time.monotonic() + OPEN_SECONDS)
            self._asked = feed
        except OSError as error:
            _failed(feed, error)

    def _collect(self, now: float) -> Mapping[str, Change]:
        feed = self._asked
        if feed is None:
            return {}
        try:
            page = feed.collect()
        except (OSError, Refused, Unreadable) as error:
            self._asked = None
            _failed(feed, error)
            return {}
        if page is None:
            if not self._sent_at <= now < self._sent_at + GIVE_UP_SECONDS:
                self._give_up()
            return {}
        self._asked = None
        feed.pause.end()
        return self._learn(page, feed) or {}

    def _give_up(self) -> None:
        if self._asked is not None:
            self._asked.close()
            self._asked = None

    def _learn(self, page: FeedPage, feed: Feed) -> Mapping[str, Change] | None:
        """Take what an answer says. Return what it changes, None where it does not count."""
        beat, pointer = page.heartbeat, self._pointer
        assert pointer is not None
        self._due_at = self._sent_at + self._fresh / 2 * (1 - SPREAD / 2 * random.random())
        if beat is None or beat.announced_at < self._heartbeat_at:
            # Another table's, or one that is far behind: what it does not say, nobody knows.
            feed.close()
            if page.is_whole:
                _failed(feed, Unreadable("the feed does not say whose it is"))
            else:
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
        news = {}
        for domain, change in page.changes.items():
            known = self._changes.get(domain)
            if known is None or known.revision < change.revision:
                news[domain] = self._changes[domain] = change
                self._newest = max(self._newest, change.announced_at)
        self._newest = max(self._newest, beat.announced_at)
        self._good_at = self.known_at = self._sent_at
        if len(self._changes) > MOST_CHANGES:
            self._refresh_at = min(self._refresh_at, self._sent_at)
        return news

    def _distrust(self, why: str, after: str) -> None:
        """Go back to reading host by host, until there is a snapshot that was taken after a time."""
        log("WARNING", "routes are read one by one until a newer snapshot is there", reason=why, after=after)
        self._give_up()
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
                self._changes, pointer = {}, None
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
        self._changes = {}
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
        self.trusted_from = now
        before = back(pointer.taken_at, LOOK_BACK_SECONDS)
        self._changes = {domain: change for domain, change in self._changes.items() if change.announced_at >= before}
        self._refresh_at = now + REFRESH_SECONDS * (1 - SPREAD * random.random())


def _failed(feed: Feed, error: Exception) -> None:
    pause = feed.pause.begin()
    said = f"{type(error).__name__}: {error}"
    log("WARNING", "the feed did not answer", region=feed.region, error=said, pause_seconds=pause)
