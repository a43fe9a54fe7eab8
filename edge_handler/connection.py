"""A kept-alive HTTP connection that survives being frozen between two invocations."""

import contextlib
import time
from http.client import HTTPConnection, HTTPException, HTTPSConnection
from ssl import SSLContext, create_default_context
from urllib.parse import urlsplit

# At worst a dead kept connection, a new one, and silence on it: three waits a server.
CONNECT_SECONDS = 0.4
READ_SECONDS = 0.6
# Servers and NAT gateways forget idle connections, some without a word: do not wait to find out.
IDLE_SECONDS = 45.0

_tls_context: SSLContext | None = None


class Connection:
    """One connection to one server. Its requests must be safe to repeat."""

    def __init__(self, endpoint: str) -> None:
        """`endpoint` is `http(s)://host[:port]`."""
        parts = urlsplit(endpoint)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise ValueError(f"not an endpoint: {endpoint!r}")
        self._tls = parts.scheme == "https"
        self._host = parts.hostname
        self._port = parts.port or (443 if self._tls else 80)
        self._http: HTTPConnection | None = None
        self._used_at = 0.0

    @property
    def authority(self) -> str:
        """What a Host header for this server says: the port only where it is not the scheme's own."""
        return self._host if self._port in (80, 443) else f"{self._host}:{self._port}"

    def request(self, method: str, path: str, headers: dict[str, str], body: bytes | None = None) -> tuple[int, bytes]:
        """Return status and body. A kept connection that turns out dead is replaced once.

        Raises:
            OSError, HTTPException: no answer, also not on a new connection.
        """
        if self._http is not None and time.monotonic() - self._used_at > IDLE_SECONDS:
            self.close()
        if self._http is not None:
            with contextlib.suppress(OSError, HTTPException):
                return self._exchange(self._http, method, path, headers, body)
            self.close()
        self._http = self._connect()
        return self._exchange(self._http, method, path, headers, body)

    def close(self) -> None:
        """Forget the connection; the next request opens another."""
        if self._http is not None:
            self._http.close()
            self._http = None

    def _connect(self) -> HTTPConnection:
        http = (
            HTTPSConnection(self._host, self._port, timeout=CONNECT_SECONDS, context=_context())
            if self._tls
            else HTTPConnection(self._host, self._port, timeout=CONNECT_SECONDS)
        )
        http.connect()
        http.sock.settimeout(READ_SECONDS)
        return http

    def _exchange(
        self, http: HTTPConnection, method: str, path: str, headers: dict[str, str], body: bytes | None
    ) -> tuple[int, bytes]:
        try:
            http.request(method, path, body, headers)
            response = http.getresponse()
            content = response.read()
            if response.will_close:
                self.close()
            self._used_at = time.monotonic()
            return response.status, content
        except BaseException:
            # Half an exchange would give the next request this one's answer.
            self.close()
            raise


def _context() -> SSLContext:
    """One for all connections: loading the certificates takes milliseconds."""
    global _tls_context
    if _tls_context is None:
        _tls_context = create_default_context()
    return _tls_context
