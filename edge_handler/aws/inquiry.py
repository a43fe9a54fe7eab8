"""A question that is sent now, and whose answer is collected later, without anybody waiting for it.

Between the two the sandbox may be frozen, for minutes: the answer has then arrived, or half of it, or the server has
hung up. One question is open at a time, on a connection that has no other use, so an answer belongs to its question;
one that does not come is given up together with its connection.
"""

import socket
import time

from edge_handler.aws.connection import Connection, is_nothing_yet
from edge_handler.aws.response import MAX_BODY_BYTES, MAX_HEAD_BYTES, ProtocolError, read_response

# Of an answer: chunks of one byte each take six.
_MOST_BYTES = 2 * (MAX_BODY_BYTES + MAX_HEAD_BYTES)
_AT_ONCE = 65_536


class Inquiry:
    """A connection to one endpoint, with at most one question open."""

    __slots__ = ("_arrived", "_connection", "_method", "_socket", "authority")

    def __init__(self, endpoint: str) -> None:
        """Raises ValueError where `endpoint` is not `http(s)://host[:port]`."""
        self._connection = Connection(endpoint)
        self.authority = self._connection.authority
        self._socket: socket.socket | None = None
        self._method = ""
        self._arrived = b""

    @property
    def is_open(self) -> bool:
        """Whether a question was sent whose answer has not been collected."""
        return self._socket is not None

    def is_ready(self) -> bool:
        """Tell whether `send` would have to open no connection."""
        return self._socket is None and self._connection.kept()

    def send(self, method: str, path: str, headers: dict[str, str], body: bytes, deadline: float) -> None:
        """Ask. Only where the connection is not `is_ready` does this take longer than handing bytes to the system.

        Raises:
            OSError: no connection by the deadline.
        """
        assert self._socket is None
        try:
            if not self._connection.kept():
                self._connection.open(deadline)
            self._socket = self._connection.send(method, path, headers, body, deadline)
        except BaseException:
            self.close()
            raise
        self._method, self._arrived = method, b""

    def collect(self) -> tuple[int, bytes] | None:
        """Return status and body, None where they have not arrived yet.

        Raises:
            OSError: there will be no answer; the connection is closed.
        """
        return self._read(None)

    def wait(self, deadline: float) -> tuple[int, bytes]:
        """Return status and body. Raises OSError where they do not come by the deadline; the connection is closed."""
        found = self._read(deadline)
        assert found is not None
        return found

    def close(self) -> None:
        """Give up the question, and its connection."""
        self._socket = None
        self._arrived = b""
        self._connection.close()

    def _read(self, deadline: float | None) -> tuple[int, bytes] | None:
        assert self._socket is not None
        found = _Recorded(self._socket, self._arrived, waits=deadline is not None)
        try:
            status, content, keep = read_response(found, self._method, deadline or time.monotonic() + 1)
        except OSError as error:
            if deadline is None and is_nothing_yet(error):
                self._arrived = found.data
                return None
            self.close()
            raise
        self._socket = None
        self._arrived = b""
        self._connection.answered(keep=keep)
        return status, content


class _Recorded:
    """A socket as `read_response` takes it: what had arrived before comes first, and what comes now is kept."""

    __slots__ = ("_before", "_socket", "_waits", "data")

    def __init__(self, found: socket.socket, arrived: bytes, *, waits: bool) -> None:
        self._socket = found
        self._before = arrived
        self._waits = waits
        self.data = arrived

    def settimeout(self, seconds: float) -> None:
        self._socket.settimeout(seconds if self._waits else 0)

    def recv(self, _size: int) -> bytes:
        if self._before:
            before, self._before = self._before, b""
            return before
        if len(self.data) > _MOST_BYTES:
            raise ProtocolError("an answer without end")
        found = self._socket.recv(_AT_ONCE)
        self.data += found
        return found
