"""A kept-alive HTTP/1.1 connection that survives being frozen between two invocations."""

import os
import socket
import time

from edge_handler.aws.deadline import remaining
from edge_handler.aws.dial import dial
from edge_handler.aws.names import Name
from edge_handler.aws.response import read_response

TYPE_CHECKING = False  # as typing has it; the module itself would cost milliseconds
if TYPE_CHECKING:
    from collections.abc import Callable
    from ssl import SSLContext, SSLSession
    from typing import TypeVar

    T = TypeVar("T")

# Servers and NAT gateways forget idle connections, some without a word: do not wait to find out.
IDLE_SECONDS = 45.0

# Of the whole bundle of a system nothing else certifies AWS, and loading it takes 20 ms of processor.
ROOTS = os.path.join(os.path.dirname(__file__), "amazon_trust_services.pem")

_tls_context: "SSLContext | None" = None


class Connection:
    """One connection to one server."""

    __slots__ = ("_host", "_name", "_session", "_socket", "_tls", "_used_at", "authority")

    def __init__(self, endpoint: str) -> None:
        """`endpoint` is `http(s)://host[:port]`. Raises ValueError for anything else."""
        scheme, slashes, authority = endpoint.partition("://")
        host, _, port = authority.rstrip("/").partition(":")
        if scheme not in ("http", "https") or not slashes or not host or "/" in host or (port and not port.isdecimal()):
            raise ValueError(f"not an endpoint: {endpoint!r}")
        self._tls = scheme == "https"
        number = int(port) if port else (443 if self._tls else 80)
        # As bytes: a name as text is encoded as IDNA, whose modules take milliseconds to import.
        self._host = host.encode()
        self._name = Name(self._host, number)
        self._socket: socket.socket | None = None
        self._session: SSLSession | None = None
        self._used_at = 0.0
        self.authority = host if number in (80, 443) else f"{host}:{number}"
        """What a Host header for this server says: the port only where it is not the scheme's own."""

    def kept(self) -> bool:
        """Tell whether there is an open connection that may be used. One that may not is closed."""
        if self._socket is None:
            return False
        if time.monotonic() - self._used_at <= IDLE_SECONDS and _is_quiet(self._socket):
            return True
        self.close()
        return False

    def open(self, deadline: float) -> None:
        """Open a new connection, and with TLS take up the last session where the server still knows it.

        Raises:
            OSError: there is none by the deadline.
        """
        self.close()
        found = dial(self._name, deadline)
        if self._tls:
            try:
                found = self._secured(found, deadline)
            except OSError as error:
                if "CERTIFICATE_VERIFY_FAILED" not in str(error):
                    raise
                # Another authority than Amazon's: whom this system trusts is trusted from now on.
                tls_context().load_default_certs()
                found = self._secured(dial(self._name, deadline), deadline)
        self._socket = found
        self._used_at = time.monotonic()

    def _secured(self, found: socket.socket, deadline: float) -> socket.socket:
        try:
            found.settimeout(remaining(deadline))  # which is for the handshake as a whole
            return tls_context().wrap_socket(found, server_hostname=self._host, session=self._session)
        except BaseException:
            found.close()
            raise

    def exchange(
        self,
        method: str,
        path: str,
        headers: dict[str, str],
        body: bytes,
        deadline: float,
        read: "Callable[[int, bytes], T]",
    ) -> "T":
        """Ask over the open connection; return what `read` makes of status and body.

        Raises:
            OSError: no answer by the deadline. Then, and where `read` raises, the connection is closed: half an
                exchange, or an answer to another question, would give the next request something that is not its own.
        """
        try:
            found = self.send(method, path, headers, body, deadline)
            status, content, keep = read_response(found, method, deadline)
            result = read(status, content)
        except BaseException:
            self.close()
            raise
        self.answered(keep=keep)
        return result

    def send(self, method: str, path: str, headers: dict[str, str], body: bytes, deadline: float) -> socket.socket:
        """Ask over the open connection; return what the answer will come from. Raises OSError."""
        assert self._socket is not None
        lines = "".join([f"{name}: {value}\r\n" for name, value in headers.items()])
        message = f"{method} {path} HTTP/1.1\r\n{lines}content-length: {len(body)}\r\n\r\n".encode("latin-1") + body
        self._socket.settimeout(remaining(deadline))
        self._socket.sendall(message)
        return self._socket

    def answered(self, *, keep: bool) -> None:
        """Take note that the answer was read, and whether the connection may be used again."""
        if keep:
            self._used_at = time.monotonic()
        else:
            self.close()

    def close(self) -> None:
        """Forget the connection."""
        if self._socket is not None:
            if self._tls:
                # Not after each answer: it is a copy, certificates and all, and takes longer than the answer did.
                self._session = self._socket.session  # type: ignore[attr-defined]  # of an SSLSocket
            self._socket.close()
            self._socket = None


def _is_quiet(found: socket.socket) -> bool:
    """Tell whether a connection without a question outstanding is open, and has nothing to read.

    Bytes that are there answer a question nobody asked: whoever read them would give the next host the last one's
    route. Read, not polled for: with TLS there may be a session ticket, which is no answer.
    """
    try:
        found.settimeout(0)
        found.recv(1)
    except OSError as error:
        return is_nothing_yet(error)
    return False


def is_nothing_yet(error: OSError) -> bool:
    """Tell whether this is how a socket that does not wait says that nothing has arrived."""
    # The second one is ssl's, which is not imported where there is no TLS.
    return isinstance(error, BlockingIOError) or type(error).__name__ == "SSLWantReadError"


def tls_context() -> "SSLContext":
    """Return one for all connections, which checks names and certificates."""
    global _tls_context
    if _tls_context is None:
        import ssl  # noqa: PLC0415  # only where there is TLS: under `make run` and in tests there is none

        _tls_context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        _tls_context.load_verify_locations(ROOTS)
    return _tls_context
