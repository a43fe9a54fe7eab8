"""Reading an HTTP/1.1 response within a deadline.

Not http.client: it takes a quarter of this package's start to import (it parses headers with the email package),
and twice the CPU of this per read (`make bench`). Tests hold it against http.client.
"""

import binascii

from edge_handler.aws.deadline import remaining

TYPE_CHECKING = False  # as typing has it; the module itself would cost milliseconds
if TYPE_CHECKING:
    from typing import Protocol

    class Source(Protocol):
        """What of a socket is used here."""

        def settimeout(self, seconds: float, /) -> None:
            """Wait no longer than that for what is received next."""

        def recv(self, size: int, /) -> bytes:
            """Return some bytes, none at the end."""
            ...


MAX_HEAD_BYTES = 65_536
# Parsed, JSON takes thirty times its bytes, and a function has 128 MB in all.
MAX_BODY_BYTES = 1_048_576
_FRAMING = frozenset((b"connection", b"content-length", b"transfer-encoding", b"x-amz-crc32"))


class ProtocolError(OSError):
    """What came is not an HTTP response."""


def read_response(found: "Source", method: str, deadline: float) -> tuple[int, bytes, bool]:
    """Return status, body, and whether the connection may be used again.

    Raises:
        OSError: there is no whole response by the deadline.
    """
    status, fields, data = _read_head(found, deadline)
    body, keep = _read_body(found, method, status, fields, data, deadline)
    checksum = fields.get(b"x-amz-crc32")
    if checksum is not None and method != "HEAD" and checksum != b"%d" % binascii.crc32(body):
        # DynamoDB sends it with every answer. Halves of two answers can be a whole row: one's host, another's site.
        raise ProtocolError("the answer is not what its checksum says")
    return status, body, keep


def _read_body(
    found: "Source", method: str, status: int, fields: dict[bytes, bytes], data: bytes, deadline: float
) -> tuple[bytes, bool]:
    """Return the body, and whether the connection may be used again."""
    keep = b"close" not in fields.get(b"connection", b"")
    length = fields.get(b"content-length")
    if method == "HEAD" or status in (204, 304):
        return b"", keep and not data
    if fields.get(b"transfer-encoding") == b"chunked":
        # With a length beside it, somebody on the way may have gone by that.
        body, more = _read_chunks(found, data, deadline)
        return body, keep and not more and length is None
    if length is None:
        return _read_to_end(found, data, deadline), False
    if not length.isdigit() or len(length) > 12 or int(length) > MAX_BODY_BYTES:
        raise ProtocolError(f"a response of {length[:20]!r} bytes")
    missing = int(length) - len(data)
    parts = [data]
    while missing > 0:
        parts.append(_receive(found, deadline))
        missing -= len(parts[-1])
    # More than was said is another answer, to a question nobody asked.
    return b"".join(parts)[: int(length)], keep and missing == 0


def _read_head(found: "Source", deadline: float) -> tuple[int, dict[bytes, bytes], bytes]:
    """Return status, the fields that frame the response, and what of the body came along."""
    data = _receive(found, deadline)
    room = MAX_HEAD_BYTES
    while True:
        end = data.find(b"\r\n\r\n")
        if end < 0:
            if len(data) > room:
                raise ProtocolError("the head of a response does not end")
            data += _receive(found, deadline)
            continue
        status, fields = _parse_head(data[:end])
        data = data[end + 4 :]
        if status >= 200:
            return status, fields, data
        # An interim response, 100 Continue say: the real one follows.
        room -= end + 4
        if room < 0:
            raise ProtocolError("nothing but interim responses")


def _receive(found: "Source", deadline: float) -> bytes:
    found.settimeout(remaining(deadline))
    data = found.recv(65_536)
    if not data:
        raise ProtocolError("the server closed the connection before it answered")
    return data


def _parse_head(head: bytes) -> tuple[int, dict[bytes, bytes]]:
    """Return the status and, of the fields, those that say where the response ends and what it sums up to."""
    line, *rest = head.lower().split(b"\r\n")
    version, _, status = line.partition(b" ")
    if not version.startswith(b"http/1.") or not status[:3].isdigit() or status[3:4] not in (b"", b" "):
        raise ProtocolError(f"not a response: {line[:40]!r}")
    fields: dict[bytes, bytes] = {}
    for field in rest:
        name, colon, value = field.partition(b":")
        if not colon or not name or name[0] in b" \t":
            raise ProtocolError(f"not a header: {field[:40]!r}")
        if name in _FRAMING:
            value = value.strip()
            if name == b"content-length" and fields.get(name, value) != value:
                raise ProtocolError("two lengths")
            fields[name] = value
    if version == b"http/1.0":
        fields.setdefault(b"connection", b"close")
    return int(status[:3]), fields


def _read_chunks(found: "Source", data: bytes, deadline: float) -> tuple[bytes, bool]:
    """Return the body, and whether something came behind it."""
    parts: list[bytes] = []
    length = start = 0
    while True:
        end = data.find(b"\r\n", start)
        if end < 0:
            if len(data) - start > MAX_HEAD_BYTES:
                raise ProtocolError("the size of a chunk does not end")
            data, start = data[start:] + _receive(found, deadline), 0
            continue
        size = _chunk_size(data[start:end])
        start = end + 2
        if size == 0:
            return b"".join(parts), _read_trailers(found, data[end:], deadline)
        length += size
        if length > MAX_BODY_BYTES:
            raise ProtocolError("a response without end")
        while len(data) - start < size + 2:
            data, start = data[start:] + _receive(found, deadline), 0
        if data[start + size : start + size + 2] != b"\r\n":
            raise ProtocolError("a chunk longer than it says")
        parts.append(data[start : start + size])
        start += size + 2


def _chunk_size(line: bytes) -> int:
    digits = line.partition(b";")[0].strip()
    # int() takes signs and underscores, which are not HTTP's.
    if not 0 < len(digits) <= 8 or not all(digit in b"0123456789abcdefABCDEF" for digit in digits):
        raise ProtocolError(f"a chunk of {line[:20]!r}")
    return int(digits, 16)


def _read_trailers(found: "Source", data: bytes, deadline: float) -> bool:
    """Read up to an empty line. `data` begins with the line break before it. Tell whether something came behind."""
    while (end := data.find(b"\r\n\r\n")) < 0:
        if len(data) > MAX_HEAD_BYTES:
            raise ProtocolError("the trailers do not end")
        data += _receive(found, deadline)
    return len(data) > end + 4


def _read_to_end(found: "Source", data: bytes, deadline: float) -> bytes:
    parts, length = [data], len(data)
    while length <= MAX_BODY_BYTES:
        found.settimeout(remaining(deadline))
        more = found.recv(65_536)
        if not more:
            return b"".join(parts)
        parts.append(more)
        length += len(more)
    raise ProtocolError("a response without end")
