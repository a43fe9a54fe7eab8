"""The reader of responses against http.client, and what it does with what is none."""

import http.client
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from edge_handler.aws.response import MAX_BODY_BYTES, ProtocolError, read_response

BODIES = st.binary(max_size=200)
NAMES = st.from_regex(rb"[A-Za-z][A-Za-z0-9-]{0,10}", fullmatch=True).filter(
    lambda name: name.lower() not in (b"content-length", b"transfer-encoding", b"connection")
)
VALUES = st.from_regex(rb"[!-~]([ -~]{0,20}[!-~])?", fullmatch=True)


def soon() -> float:
    """Return a deadline that no working machine reaches."""
    return time.monotonic() + 60


@st.composite
def responses(draw: st.DrawFn) -> tuple[bytes, str]:
    """Return a well-formed response and the method of its request."""
    status = draw(st.sampled_from([200, 201, 204, 304, 400, 404, 500, 503]))
    method = draw(st.sampled_from(["GET", "POST", "HEAD"]))
    body = b"" if method == "HEAD" or status in (204, 304) else draw(BODIES)
    framing = draw(st.sampled_from(["length", "chunks", "close"]))
    fields = draw(st.lists(st.tuples(NAMES, VALUES), max_size=4))
    if draw(st.booleans()):
        fields.append((b"Connection", draw(st.sampled_from([b"close", b"keep-alive", b"Close"]))))
    if framing == "length":
        fields.append((draw(st.sampled_from([b"Content-Length", b"content-length"])), b"%d" % len(body)))
    elif framing == "chunks" and method != "HEAD" and status not in (204, 304):
        fields.append((b"Transfer-Encoding", b"chunked"))
        cuts = sorted(draw(st.lists(st.integers(0, len(body)), max_size=3)))
        parts = [body[a:b] for a, b in zip([0, *cuts], [*cuts, len(body)], strict=True)]
        body = b"".join(b"%x\r\n%s\r\n" % (len(part), part) for part in parts if part) + b"0\r\n\r\n"
    interim = b"HTTP/1.1 100 Continue\r\n\r\n" * draw(st.integers(0, 2))
    reason = draw(st.sampled_from([b" OK", b"", b" A Longer Reason"]))
    head = b"HTTP/1.1 %d%s\r\n" % (status, reason) + b"".join(b"%s: %s\r\n" % field for field in fields) + b"\r\n"
    return interim + head + body, method


@contextmanager
def sending(data: bytes, cuts: list[int]) -> Iterator[socket.socket]:
    """Yield a socket on which a response comes in pieces, and then the end."""
    ours, theirs = socket.socketpair()
    ours.settimeout(5)

    def send() -> None:
        edges = sorted(cut for cut in cuts if cut < len(data))
        with theirs:
            try:
                for start, stop in zip([0, *edges], [*edges, len(data)], strict=True):
                    theirs.sendall(data[start:stop])
                    time.sleep(0)
            except OSError:
                return

    thread = threading.Thread(target=send)
    thread.start()
    try:
        yield ours
    finally:
        ours.close()
        thread.join()


@settings(suppress_health_check=[HealthCheck.too_slow])
@given(responses(), st.lists(st.integers(1, 300), max_size=5))
def test_a_response_is_read_as_http_client_reads_it(given_response: tuple[bytes, str], cuts: list[int]) -> None:
    data, method = given_response
    with sending(data, cuts) as found:
        reference = http.client.HTTPResponse(found, method=method)
        reference.begin()
        body = reference.read()
        expected = (reference.status, body, not reference.will_close)
    with sending(data, cuts) as found:
        assert read_response(found, method, soon()) == expected


@given(st.binary(max_size=120) | st.builds(lambda rest: b"HTTP/1.1 200 OK\r\n" + rest, st.binary(max_size=100)))
def test_whatever_comes_is_a_response_or_an_oserror(data: bytes) -> None:
    with sending(data, []) as found:
        try:
            status, _, _ = read_response(found, "GET", soon())
        except OSError:
            return
    assert 200 <= status <= 999


@pytest.mark.parametrize(
    "data",
    [
        b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nabc",
        b"HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: " + b"9" * 5000 + b"\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n-1\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nabc\r\n0\r\n\r\n",
        b"HTTP/1.1 20 OK\r\n\r\n",
        b"ICY 200 OK\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nno colon\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nA: " + b"a" * 70_000,
    ],
)
def test_half_and_broken_answers_are_errors(data: bytes) -> None:
    with sending(data, []) as found, pytest.raises(ProtocolError):
        read_response(found, "GET", soon())


@pytest.mark.parametrize(
    "data",
    [
        b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nabcdef",
        b"HTTP/1.1 200 OK\r\nContent-Length: 1048577\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n+1\r\na\r\n0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1_0\r\na\r\n0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + b"0" * 70_000,
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n" + b"a: b\r\n" * 20_000,
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
        + b"80000\r\n"
        + b"a" * 0x80000
        + b"\r\n"
        + b"80001\r\n",
        b"HTTP/1.1 200 OK\r\n\r\n" + b"a" * (MAX_BODY_BYTES + 1),
        b"HTTP/1.1 100 Continue\r\n\r\n" * 4_000,
    ],
    ids=["two lengths", "too long", "a sign", "an underscore", "a size", "trailers", "chunks", "to the end", "interim"],
)
def test_what_has_no_end_or_two_is_an_error(data: bytes) -> None:
    with sending(data, []) as found, pytest.raises(ProtocolError):
        read_response(found, "GET", soon())


@pytest.mark.parametrize(
    ("data", "method"),
    [
        (b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\naHTTP/1.1", "GET"),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\n\r\nHTTP/1.1", "GET"),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\nx: y\r\n\r\nH", "GET"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nHTTP/1.1", "HEAD"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\n\r\n", "GET"),
    ],
    ids=["length", "chunks", "trailers", "HEAD", "two ways to end"],
)
def test_a_connection_on_which_more_came_is_not_used_again(data: bytes, method: str) -> None:
    with sending(data, []) as found:
        status, body, keep = read_response(found, method, soon())
    assert (status, body, keep) == (200, b"" if method == "HEAD" else b"a", False)


def test_many_small_chunks_are_read_in_one_go() -> None:
    """A size of a byte is a hundred thousand chunks: what is copied for each would be gigabytes."""
    data = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + b"1\r\na\r\n" * 100_000 + b"0\r\n\r\n"
    with sending(data, []) as found:
        assert read_response(found, "GET", soon()) == (200, b"a" * 100_000, True)


def test_an_answer_that_drips_ends() -> None:
    ours, theirs = socket.socketpair()
    stop = threading.Event()

    def drip() -> None:
        while not stop.wait(0.02):
            try:
                theirs.sendall(b"H")
            except OSError:
                return

    threading.Thread(target=drip, daemon=True).start()
    with pytest.raises(TimeoutError):
        read_response(ours, "GET", time.monotonic() + 0.2)
    stop.set()
    ours.close()
    theirs.close()
