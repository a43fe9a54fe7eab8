"""Polls of the feed: at most one is open, in the nearest region that answers."""

import time
from collections.abc import Callable, Sequence

from edge_handler.errors import Refused, Unreadable
from edge_handler.feed.page import FeedPage
from edge_handler.feed.replica import FeedReplica
from edge_handler.log import log

GIVE_UP_SECONDS = 3.0
"""An answer that has not come by then is not waited for any more."""
_SEND_SECONDS = 0.05
"""For handing bytes to the system."""


class Polling:
    """Sends polls and collects their answers."""

    def __init__(self, feeds: Sequence[FeedReplica], clock: Callable[[], float]) -> None:
        """`feeds` nearest first; `clock` is of the sandbox's time of day."""
        self.sent_at = 0.0
        """When the last poll was sent, by the clock."""
        self._feeds = feeds
        self._clock = clock
        self._open: FeedReplica | None = None
        self._answered: FeedReplica | None = None

    @property
    def is_open(self) -> bool:
        """Whether a poll was sent whose answer has not been collected."""
        return self._open is not None

    def send(self, since: str) -> None:
        """Ask for what was announced since a time, where nobody has to wait for a connection."""
        feed = next((feed for feed in self._feeds if not feed.pause.seconds()), None)
        if feed is None or not feed.is_ready():
            return
        self.sent_at = self._clock()
        try:
            feed.send(since, time.monotonic() + _SEND_SECONDS)
            self._open = feed
        except OSError as error:
            _failed(feed, error)

    def collect(self) -> FeedPage | None:
        """Return the answer to what was sent, None where there is none, or none yet."""
        feed = self._open
        if feed is None:
            return None
        try:
            page = feed.collect()
        except (OSError, Refused, Unreadable) as error:
            self._open = None
            _failed(feed, error)
            return None
        if page is None:
            if not self.sent_at <= self._clock() < self.sent_at + GIVE_UP_SECONDS:
                self.give_up()
            return None
        self._open, self._answered = None, feed
        feed.pause.end()
        return page

    def ask(self, since: str, deadline: float) -> FeedPage | None:
        """Ask, and wait for the answer; None where no region gives one. `deadline` is of `time.monotonic`."""
        self.give_up()
        worth_asking = [feed for feed in self._feeds if not feed.pause.seconds()]
        for position, feed in enumerate(worth_asking, 1):
            left = deadline - time.monotonic()
            if left <= 0:
                return None
            share = deadline if position == len(worth_asking) else deadline - left / 2
            self.sent_at = self._clock()
            try:
                feed.send(since, share)
                page = feed.wait(share)
            except (OSError, Refused, Unreadable) as error:
                _failed(feed, error)
            else:
                self._answered = feed
                feed.pause.end()
                return page
        return None

    def give_up(self) -> None:
        """Wait no more for what was sent."""
        if self._open is not None:
            self._open.close()
            self._open = None

    def disbelieve(self, why: str) -> None:
        """The last answer counts for nothing: leave that region alone for a while."""
        if self._answered is not None:
            self._answered.close()
            _failed(self._answered, Unreadable(why))


def _failed(feed: FeedReplica, error: Exception) -> None:
    pause = feed.pause.begin()
    said = f"{type(error).__name__}: {error}"
    log("WARNING", "the feed did not answer", region=feed.region, error=said, pause_seconds=pause)
