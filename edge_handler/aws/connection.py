"""A kept-alive HTTP/1.1 connection that survives being frozen between two invocations.

Not http.client: it takes a quarter of this package's start to import (it parses headers with the email package),
and twice the CPU of this per read (`make bench`). Tests hold it against http.client.
"""

import contextlib
import os
import socket
import time

TYPE_CHECKING = False  # as typing has it; the module itself would cost milliseconds
if TYPE_CHECKING:
    from ssl import SSLContext, SSLSession

# At worst a dead kept connection, a new one, and silence on it: three waits a server.
CONNECT_SECONDS = 0.4
READ_SECONDS = 0.6
# Servers and NAT gateways forget idle connections, some without a word: do not wait to find out.
IDLE_SECONDS = 45.0
MAX_HEAD_BYTES = 65_536
MAX_BODY_BYTES = 16_777_216

# Of the whole bundle of a system nothing else certifies AWS, and loading it takes 20 ms of processor.
ROOTS = os.path.join(os.path.dirname(__file__), "amazon_trust_services.pem")

_tls_context: "SSLContext | None" = None


class ProtocolError(OSError):
    """What came is not an HTTP response."""


class Connection:
    """One connection to one server. Its requests must be safe to repeat."""

    __slots__ = ("_host", "_port", "_session", "_socket", "_tls", "_used_at", "authority")

    def __init__(self, endpoint: str) -> None:
        """`endpoint` is `http(s)://host[:port]`. Raises ValueError for anything else."""
        scheme, slashes, authority = endpoint.partition("://")
        host, _, port = authority.rstrip("/").partition(":")
        if scheme not in ("http", "https") or not slashes or not host or "/" in host or (port and not port.isdecimal()):
            raise ValueError(f"not an endpoint: {endpoint!r}")
        self._tls = scheme == "https"
        # As bytes: a name as text is encoded as IDNA, whose modules take milliseconds to import.
        self._host = host.encode()
        self._port = int(port) if port else (443 if self._tls else 80)
        self._socket: socket.socket | None = None
        self._session: SSLSession | None = None
        self._used_at = 0.0
        self.authority = host if self._port in (80, 443) else f"{host}:{self._port}"
        """What a Host header for this server says: the port only where it is not the scheme's own."""

    def request(self, method: str, path: str, headers: dict[str, str], body: bytes = b"") -> tuple[int, bytes]:
        """Return status and body. A kept connection that turns out dead is replaced once.

        Raises:
            OSError: no answer, also not on a new connection.
        """
        lines = "".join([f"{name}: {value}\r\n" for name, value in headers.items()])
        message = f"{method} {path} HTTP/1.1\r\n{lines}content-length: {len(body)}\r\n\r\n".encode("latin-1") + body
        if self._socket is not None:
            if time.monotonic() - self._used_at <= IDLE_SECONDS:
                with contextlib.suppress(OSError):
                    return self._exchange(self._socket, message, method)
            self.close()
        return self._exchange(self.connect(), message, method)

    def connect(self) -> socket.socket:
        """Open the connection, and with TLS take up the last session where the server still knows it."""
        found = self._connected()
        if self._tls:
            try:
                found = self._secured(found)
            except OSError as error:
                if "CERTIFICATE_VERIFY_FAILED" not in str(error):
                    raise
                # Another authority than Amazon's: whom this system trusts is trusted from now on.
                tls_context().load_default_certs()
                found = self._secured(self._connected())
        found.settimeout(READ_SECONDS)
        self._socket = found
        self._used_at = time.monotonic()
        return found

    def _connected(self) -> socket.socket:
        found = socket.create_connection((self._host, self._port), CONNECT_SECONDS)  # type: ignore[arg-type]
        found.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return found

    def _secured(self, found: socket.socket) -> socket.socket:
        try:
            return tls_context().wrap_socket(found, server_hostname=self._host, session=self._session)
        except BaseException:
            found.close()
            raise

    def close(self) -> None:
        """Forget the connection; the next request opens another."""
        if self._socket is not None:
            if self._tls:
                # Not after each answer: it is a copy, certificates and all, and takes longer than the answer did.
                self._session = self._socket.session  # type: ignore[attr-defined]  # of an SSLSocket
            self._socket.close()
            self._socket = None

    def _exchange(self, found: socket.socket, message: bytes, method: str) -> tuple[int, bytes]:
        try:
            found.sendall(message)
            status, body, keep = _read_response(found, method)
        except BaseException:
            # Half an exchange would give the next request this one's answer.
            self.close()
            raise
        if keep:
            self._used_at = time.monotonic()
        else:
            self.close()
        return status, body


def _read_response(found: socket.socket, method: str) -> tuple[int, bytes, bool]:
    """Return status, body, and whether the connection may be used again."""
    deadline = time.monotonic() + READ_SECONDS
    status, fields, data = _read_head(found, deadline)
    keep = b"close" not in fields.get(b"connection", b"").lower()
    if method == "HEAD" or status in (204, 304):
        return status, b"", keep and not data
    if fields.get(b"transfer-encoding", b"").lower() == b"chunked":
        return status, _read_chunks(found, data, deadline), keep
    length = fields.get(b"content-length")
    if length is None:
        return status, _read_to_end(found, data, deadline), False
    if not length.isdigit() or len(length) > 12 or int(length) > MAX_BODY_BYTES:
        raise ProtocolError(f"a response of {length[:20]!r} bytes")
    missing = int(length) - len(data)
    while missing > 0:
        chunk = _receive(found, deadline)
        data += chunk
        missing -= len(chunk)
    # More than was said is another answer, to a question nobody asked.
    return status, data[: int(length)], keep and missing == 0


def _read_head(found: socket.socket, deadline: float) -> tuple[int, dict[bytes, bytes], bytes]:
    """Return status, header fields by lower-case name, and what of the body came along."""
    data = _receive(found, deadline)
    while True:
        end = data.find(b"\r\n\r\n")
        if end < 0:
            if len(data) > MAX_HEAD_BYTES:
                raise ProtocolError("the head of a response does not end")
            data += _receive(found, deadline)
            continue
        status, fields = _parse_head(data[:end])
        data = data[end + 4 :]
        if status >= 200:
            return status, fields, data
        # An interim response, 100 Continue say: the real one follows.


def _receive(found: socket.socket, deadline: float) -> bytes:
    data = found.recv(65_536)
    if not data:
        raise ProtocolError("the server closed the connection before it answered")
    if time.monotonic() > deadline:
        raise TimeoutError("the answer does not end")
    return data


def _parse_head(head: bytes) -> tuple[int, dict[bytes, bytes]]:
    line, *rest = head.split(b"\r\n")
    version, _, status = line.partition(b" ")
    if not version.startswith(b"HTTP/1.") or not status[:3].isdigit() or status[3:4] not in (b"", b" "):
        raise ProtocolError(f"not a response: {line[:40]!r}")
    fields = {}
    for field in rest:
        name, colon, value = field.partition(b":")
        if not colon or not name or name[0] in b" \t":
            raise ProtocolError(f"not a header: {field[:40]!r}")
        fields[name.lower()] = value.strip()
    if version == b"HTTP/1.0":
        fields.setdefault(b"connection", b"close")
    return int(status[:3]), fields


def _read_chunks(found: socket.socket, data: bytes, deadline: float) -> bytes:
    body = b""
    while True:
        while b"\r\n" not in data:
            data += _receive(found, deadline)
        line, _, data = data.partition(b"\r\n")
        digits = line.partition(b";")[0].strip()
        try:
            size = int(digits, 16)
        except ValueError:
            size = -1
        if size < 0 or len(body) + size > MAX_BODY_BYTES or digits[:1] in b"+-":
            raise ProtocolError(f"a chunk of {line[:20]!r}")
        while len(data) < size + 2:
            data += _receive(found, deadline)
        if size == 0:
            # Trailers, up to an empty line.
            while not data.startswith(b"\r\n") and b"\r\n\r\n" not in data:
                data += _receive(found, deadline)
            return body
        if data[size : size + 2] != b"\r\n":
            raise ProtocolError("a chunk longer than it says")
        body += data[:size]
        data = data[size + 2 :]


def _read_to_end(found: socket.socket, data: bytes, deadline: float) -> bytes:
    while chunk := found.recv(65_536):
        data += chunk
        if len(data) > MAX_BODY_BYTES or time.monotonic() > deadline:
            raise TimeoutError("the answer does not end")
    return data


def tls_context() -> "SSLContext":
    """Return one for all connections, which checks names and certificates."""
    global _tls_context
    if _tls_context is None:
        import ssl  # noqa: PLC0415  # only where there is TLS: under `make run` and in tests there is none

        _tls_context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        _tls_context.load_verify_locations(ROOTS)
    return _tls_context
