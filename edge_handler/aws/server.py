"""A server of AWS's: asked twice at most, and left alone for a while when that was in vain."""

import time
from collections.abc import Callable
from typing import TypeVar

from edge_handler.aws.connection import Connection
from edge_handler.aws.deadline import halfway
from edge_handler.errors import Unreadable

FIRST_PAUSE_SECONDS = 1.0
LONGEST_PAUSE_SECONDS = 8.0

T = TypeVar("T")


class Server:
    """One endpoint. What it is asked must be safe to repeat."""

    __slots__ = ("_connection", "authority")

    def __init__(self, endpoint: str) -> None:
        """Raises ValueError where `endpoint` is not `http(s)://host[:port]`."""
        self._connection = Connection(endpoint)
        self.authority = self._connection.authority

    def connect(self, deadline: float) -> None:
        """Open the connection before it is needed. Raises OSError."""
        self._connection.open(deadline)

    def ask(
        self,
        method: str,
        path: str,
        headers: dict[str, str],
        body: bytes,
        deadline: float,
        read: Callable[[int, bytes], T],
        read_kept: Callable[[int, bytes], T] | None = None,
    ) -> T:
        """Return what `read` makes of the answer.

        A kept connection may be dead, or out of step with its questions, and a server may fail once. So what cannot
        be read is asked once more, on a new connection.

        Args:
            method: of the request, as are path, headers (all but content-length) and body.
            path: see `method`.
            headers: see `method`.
            body: see `method`.
            deadline: for all of it, of `time.monotonic`. A kept connection gets half of the time.
            read: takes status and body. Raises Unreadable for an answer to ask for once more, and Refused for one
                that would be no other.
            read_kept: the same for an answer on a kept connection, which may be to another question.

        Raises:
            OSError: no answer by the deadline.
            Unreadable: nor was the second answer of use.
            Refused: the server does not want to answer.
        """
        connection = self._connection
        tried = connection.kept()
        if tried:
            try:
                return connection.exchange(method, path, headers, body, halfway(deadline), read_kept or read)
            except (OSError, Unreadable):
                pass
        connection.open(deadline)
        try:
            return connection.exchange(method, path, headers, body, deadline, read)
        except (OSError, Unreadable):
            if tried:
                raise
        connection.open(deadline)
        return connection.exchange(method, path, headers, body, deadline, read)


class Pause:
    """Since when, and until when, a server is not worth asking.

    By a clock that nobody sets: a time of day put back by an hour would make a pause of one second last an hour.
    """

    __slots__ = ("_clock", "_failures", "_until")

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._failures = 0
        self._until = 0.0

    def seconds(self) -> float:
        """Return how long it lasts from now, 0 where there is none."""
        return max(0.0, self._until - self._clock()) if self._failures else 0.0

    def begin(self) -> float:
        """The server failed: leave it alone for longer each time. Return the seconds."""
        seconds = min(FIRST_PAUSE_SECONDS * 2.0**self._failures, LONGEST_PAUSE_SECONDS)
        self._failures = min(self._failures + 1, 10)
        self._until = self._clock() + seconds
        return seconds

    def end(self) -> None:
        """The server answered."""
        self._failures = 0
