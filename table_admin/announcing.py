"""How a write announces itself in the feed: with DynamoDB's own time, and not more often than an index takes."""

import time
from collections.abc import Callable, Mapping
from email.utils import parsedate_to_datetime
from functools import cache
from math import inf
from typing import Any

from table_admin.inputs import iso

_TOGETHER = 500
_A_SECOND = 50.0
"""What one process announces: so many at once, so many a second in the long run."""
_RELOAD_SECONDS = 10.0


class ServerClock:
    """DynamoDB's time, from the Date of its answers: writers' clocks may be wrong by hours."""

    def __init__(self, monotonic: Callable[[], float] = time.monotonic, clock: Callable[[], float] = time.time) -> None:
        self._monotonic, self._clock = monotonic, clock
        self._least, self._most = -inf, inf
        """Between which its clock is ahead of the monotonic one: each answer, of whole seconds, says it better."""

    def begin(self) -> float:
        """Return what `learn` is told of the moment before a question."""
        return self._monotonic()

    def learn(self, answer: Mapping[str, Any], asked: float) -> None:
        """Take the time from an answer of boto3's to what was asked then."""
        date = answer.get("ResponseMetadata", {}).get("HTTPHeaders", {}).get("date", "")
        try:
            seconds = parsedate_to_datetime(date).timestamp()
        except ValueError:
            return
        # It was written in between, in a second of which nobody knows how much had passed.
        least, most = seconds - self._monotonic(), seconds + 1 - asked
        if max(least, self._least) <= min(most, self._most):
            least, most = max(least, self._least), min(most, self._most)
        # Else a clock was set, or this machine slept: what was known is over.
        self._least, self._most = least, most

    def now(self) -> float:
        """Return epoch seconds, right to half a second; this machine's where DynamoDB has not answered yet."""
        if self._least == -inf:
            return self._clock()
        return self._monotonic() + (self._least + self._most) / 2


@cache
def clock_of(_endpoint: str) -> ServerClock:
    """Return the clock of the DynamoDB at an endpoint: all that this process does there makes it more exact."""
    return ServerClock()


class Announcements:
    """What a process announces. More than an index takes is announced as one: everything may be another."""

    def __init__(self, clock: ServerClock, monotonic: Callable[[], float] = time.monotonic) -> None:
        self.clock = clock
        self._monotonic = monotonic
        self._room, self._at = float(_TOGETHER), monotonic()
        self._withheld_since: float | None = None
        self._last = 0.0

    def stamp(self, count: int) -> str:
        """Return the time that `count` writes are announced with; empty where they are not."""
        now = self._monotonic()
        self._room = min(_TOGETHER, self._room + (now - self._at) * _A_SECOND)
        self._at = now
        if self._room < count:
            if self._withheld_since is None:
                self._withheld_since = now
            return ""
        self._room -= count
        self._last = max(self.clock.now(), self._last + 1e-6)  # what one process does stays in its order
        return iso(self._last)

    @property
    def withheld(self) -> bool:
        """Whether something was written that nobody was told of."""
        return self._withheld_since is not None

    @property
    def is_overdue(self) -> bool:
        """Whether that is a while ago."""
        return self._withheld_since is not None and self._monotonic() - self._withheld_since >= _RELOAD_SECONDS

    def reload_announced(self) -> None:
        """Note that everybody was told."""
        self._withheld_since = None
