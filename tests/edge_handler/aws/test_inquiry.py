"""A question whose answer is collected later: whole, in pieces, late, never, or somebody else's."""

import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_handler.aws.inquiry import Inquiry
from tests.support import wait_until

ANSWER = b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhello"
CHUNKED = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n3\r\nhel\r\n2\r\nlo\r\n0\r\n\r\n"
FAR = time.monotonic() + 1e6


class Peer:
    """A server whose every byte the test sends itself."""

    def __init__(self) -> None:
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.endpoint = f"http://127.0.0.1:{self.listener.getsockname()[1]}"
        self.connection: socket.socket | None = None

    def question(self) -> bytes:
        if self.connection is None:
            self.connection = self.listener.accept()[0]
        return self.connection.recv(65_536)

    def send(self, data: bytes) -> None:
        assert self.connection is not None
        self.connection.sendall(data)

    def close(self) -> None:
        for found in (self.listener, self.connection):
            if found is not None:
                found.close()


@pytest.fixture
def peer() -> Iterator[Peer]:
    found = Peer()
    yield found
    found.close()


@contextmanager
def asked(peer: Peer) -> Iterator[Inquiry]:
    inquiry = Inquiry(peer.endpoint)
    inquiry.send("GET", "/", {"host": "x"}, b"", FAR)
    peer.question()
    yield inquiry
    inquiry.close()


def collected(inquiry: Inquiry) -> tuple[int, bytes]:
    found: list[tuple[int, bytes]] = []

    def look() -> bool:
        answer = inquiry.collect()
        if answer is not None:
            found.append(answer)
        return bool(found)

    wait_until(look)
    return found[0]


def test_what_has_not_arrived_is_waited_for_by_nobody(peer: Peer) -> None:
    with asked(peer) as inquiry:
        assert inquiry.is_open
        assert inquiry.collect() is None
        peer.send(ANSWER)
        assert collected(inquiry) == (200, b"hello")
        assert not inquiry.is_open


@pytest.mark.parametrize("answer", [ANSWER, CHUNKED], ids=["a length", "chunks"])
def test_an_answer_may_come_in_any_pieces(peer: Peer, answer: bytes) -> None:
    with asked(peer) as inquiry:
        for position in range(len(answer) - 1):
            peer.send(answer[position : position + 1])
            assert inquiry.collect() is None
        peer.send(answer[-1:])
        assert collected(inquiry) == (200, b"hello")


@given(st.lists(st.integers(0, len(CHUNKED)), max_size=6).map(sorted), st.booleans())
def test_where_an_answer_is_cut_changes_nothing(cuts: list[int], chunked: bool) -> None:
    peer, answer = Peer(), CHUNKED if chunked else ANSWER
    try:
        with asked(peer) as inquiry:
            for start, stop in zip([0, *cuts], [*cuts, len(answer)], strict=True):
                peer.send(answer[start:stop])
                if stop < len(answer):
                    assert inquiry.collect() is None
            assert collected(inquiry) == (200, b"hello")
    finally:
        peer.close()


def test_a_connection_is_kept_and_used_again(peer: Peer) -> None:
    with asked(peer) as inquiry:
        peer.send(ANSWER)
        collected(inquiry)
        assert inquiry.is_ready()
        inquiry.send("GET", "/2", {"host": "x"}, b"", FAR)
        assert peer.question().startswith(b"GET /2 ")
        peer.send(ANSWER)
        assert collected(inquiry) == (200, b"hello")


def test_bytes_that_answer_no_question_end_the_connection(peer: Peer) -> None:
    with asked(peer) as inquiry:
        peer.send(ANSWER)
        collected(inquiry)
        peer.send(ANSWER)
        wait_until(lambda: not inquiry.is_ready())


def test_an_answer_with_more_behind_it_ends_the_connection(peer: Peer) -> None:
    with asked(peer) as inquiry:
        peer.send(ANSWER + ANSWER)
        assert collected(inquiry) == (200, b"hello")
        assert not inquiry.is_ready()


def _send_half(peer: Peer) -> None:
    peer.send(ANSWER[:-2])
    peer.close()


ENDS: dict[str, Callable[[Peer], None]] = {
    "closes": lambda peer: peer.close(),
    "closes in the middle": _send_half,
    "sends no HTTP": lambda peer: peer.send(b"\x00\xff" * 50 + b"\r\n\r\n"),
    "promises too much": lambda peer: peer.send(b"HTTP/1.1 200 OK\r\ncontent-length: 99999999\r\n\r\n"),
    "has another checksum": lambda peer: peer.send(ANSWER.replace(b"\r\n\r\n", b"\r\nx-amz-crc32: 5\r\n\r\n")),
}


@pytest.mark.parametrize("end", ENDS.values(), ids=ENDS)
def test_a_peer_that_fails_is_said_and_left(peer: Peer, end: Callable[[Peer], None]) -> None:
    with asked(peer) as inquiry:
        end(peer)
        with pytest.raises(OSError, match=r"."):
            collected(inquiry)
        assert not inquiry.is_open
        assert not inquiry.is_ready()


def test_an_answer_can_be_waited_for(peer: Peer) -> None:
    with asked(peer) as inquiry:
        peer.send(ANSWER[:20])
        assert inquiry.collect() is None
        threading.Timer(0.05, peer.send, (ANSWER[20:],)).start()
        assert inquiry.wait(time.monotonic() + 60) == (200, b"hello")


def test_waiting_ends_with_the_deadline(peer: Peer) -> None:
    with asked(peer) as inquiry:
        with pytest.raises(OSError, match=r"."):
            inquiry.wait(time.monotonic() + 0.05)
        assert not inquiry.is_open


def test_nobody_there_is_said() -> None:
    inquiry = Inquiry("http://127.0.0.1:9")
    with pytest.raises(OSError, match=r"."):
        inquiry.send("GET", "/", {}, b"", time.monotonic() + 5)
    assert not inquiry.is_open
