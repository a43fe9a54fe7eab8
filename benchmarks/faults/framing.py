"""Answers whose HTTP is broken, slow, or does not end."""

from collections.abc import Callable, Iterator
from itertools import repeat

from benchmarks.faults.contents import another
from benchmarks.faults.fault import Fault, answering
from benchmarks.faults.server import Exchange

SURPLUS_AFTER = 0.03
HALVES = 0.58


def _surplus(exchange: Exchange) -> bytes:
    """Return an answer to a question that nobody asked: another host's row, or that a directory is there."""
    if exchange.request.method == "HEAD":
        return b"HTTP/1.1 200 OK\r\ncontent-length: 1\r\n\r\n"
    return exchange.upstream.rows(another(exchange)).raw()


def _chunked(exchange: Exchange) -> bytes:
    right = exchange.right
    body = b"%x\r\n%s\r\n0\r\n\r\n" % (len(right.body), right.body)
    return right.head(framing="transfer-encoding: chunked") + (b"" if right.head_only else body)


def _then_surplus(exchange: Exchange) -> None:
    exchange.send(exchange.right.raw(), _surplus(exchange), pause=SURPLUS_AFTER)


def _chunked_then_surplus(exchange: Exchange) -> None:
    exchange.send(_chunked(exchange), _surplus(exchange), pause=SURPLUS_AFTER)


def _surplus_with_it(exchange: Exchange) -> None:
    exchange.send(exchange.right.raw() + _surplus(exchange))


def _surplus_before(exchange: Exchange) -> None:
    """The answer before last, as a proxy gives that has lost count."""
    exchange.send(_surplus(exchange) + exchange.right.raw())


def _framed(framing: Callable[[int], str], version: str = "HTTP/1.1") -> Callable[[Exchange], None]:
    """Answer rightly, with another field for the length; and end the connection, or wait."""

    def answer(exchange: Exchange) -> None:
        right = exchange.right
        exchange.send(right.head(framing=framing(len(right.body)), version=version) + right.body)

    return answer


def _raw(data: bytes) -> Callable[[Exchange], None]:
    return lambda exchange: exchange.send(data)


def _endless(before: bytes, parts: Callable[[], Iterator[bytes]], pause: float = 0.0) -> Callable[[Exchange], None]:
    def answer(exchange: Exchange) -> None:
        exchange.send(before)
        for part in parts():
            exchange.send(part)
            if pause:
                exchange.wire.pause(pause)

    return answer


def _dripping(size: int, pause: float) -> Callable[[Exchange], None]:
    def answer(exchange: Exchange) -> None:
        raw = exchange.right.raw()
        exchange.send(*(raw[at : at + size] for at in range(0, len(raw), size)), pause=pause)

    return answer


def halves(exchange: Exchange) -> None:
    """Answer rightly in two parts, each in time for whoever waits for it alone."""
    raw = exchange.right.raw()
    exchange.send(raw[: len(raw) // 2], raw[len(raw) // 2 :], pause=HALVES)


def _cut(end: Callable[[Exchange], None]) -> Callable[[Exchange], None]:
    def answer(exchange: Exchange) -> None:
        raw = exchange.right.raw()
        exchange.send(raw[: len(raw) // 2])
        end(exchange)

    return answer


def _late(seconds: float) -> Callable[[Exchange], None]:
    def answer(exchange: Exchange) -> None:
        exchange.wire.pause(seconds)
        exchange.send(exchange.right.raw())

    return answer


_CHUNKED = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n"
_CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"

FRAMING = [
    Fault("a surplus answer 30 ms after the right one", answering(_then_surplus), truthful=True, s3=True),
    Fault("a surplus answer 30 ms after a chunked one", answering(_chunked_then_surplus), truthful=True),
    Fault("a surplus answer in one packet with the right one", answering(_surplus_with_it), truthful=True, s3=True),
    Fault("another's answer before the right one", answering(_surplus_before)),
    Fault("a length too short", answering(_framed(lambda n: f"content-length: {n - 20}"))),
    Fault("a length too long", answering(_framed(lambda n: f"content-length: {n + 20}"))),
    Fault("a length below nothing", answering(_framed(lambda n: f"content-length: -{n}"))),
    Fault("a length beyond all memory", answering(_framed(lambda _: f"content-length: {10**40}"))),
    Fault("two lengths, long then short", answering(_framed(lambda n: f"content-length: {n}\r\ncontent-length: 2"))),
    Fault(
        "two lengths, short then right",
        answering(_framed(lambda n: f"content-length: 2\r\ncontent-length: {n}")),
        truthful=True,
    ),
    Fault(
        "a length and chunks",
        answering(_framed(lambda n: f"content-length: {n}\r\ntransfer-encoding: chunked")),
        truthful=True,
    ),
    Fault("no length, and the connection stays open", answering(_framed(lambda _: "")), truthful=True),
    Fault("a broken chunk", answering(_raw(_CHUNKED + b"5\r\nabcdefgh\r\n0\r\n\r\n"))),
    Fault("a chunk of no number", answering(_raw(_CHUNKED + b"zz\r\n{}\r\n0\r\n\r\n"))),
    Fault("a huge chunk", answering(_raw(_CHUNKED + b"ffffffffffffffff\r\n{"))),
    Fault("chunks without end", answering(_endless(_CHUNKED, lambda: repeat(b"4000\r\n" + b" " * 0x4000 + b"\r\n")))),
    Fault("small chunks without end", answering(_endless(_CHUNKED, lambda: repeat(b"1\r\n \r\n" * 2000)))),
    Fault("chunks of one byte, 50 ms apart", answering(_endless(_CHUNKED, lambda: repeat(b"1\r\n \r\n"), 0.05))),
    Fault("trailers without end", answering(_endless(_CHUNKED + b"0\r\n", lambda: repeat(b"a: b\r\n" * 99), 0.01))),
    Fault(
        "a head without end", answering(_endless(b"HTTP/1.1 200 OK\r\n", lambda: repeat(b"a: b\r\n" * 500))), s3=True
    ),
    Fault("a head that drips without end", answering(_endless(b"HTTP/1.1 200", lambda: repeat(b" "), 0.05)), s3=True),
    Fault("a flood of 100 Continue", answering(_endless(b"", lambda: repeat(_CONTINUE * 500))), s3=True),
    Fault("100 Continue each 50 ms", answering(_endless(b"", lambda: repeat(_CONTINUE), 0.05)), s3=True),
    Fault("one byte each 50 ms", answering(_dripping(1, 0.05)), s3=True),
    Fault("1 KB/s", answering(_dripping(50, 0.05)), truthful=True),
    Fault("two halves 0.58 s apart", answering(halves), truthful=True, s3=True),
    Fault("the answer after 0.7 s", answering(_late(0.7)), truthful=True, s3=True),
    Fault("the answer after 3 s", answering(_late(3.0)), s3=True),
    Fault("silence", answering(lambda e: e.wire.hold()), s3=True),
    Fault("closed instead of answered", answering(lambda e: e.wire.finish()), s3=True),
    Fault("closed after half", answering(_cut(lambda e: e.wire.finish())), s3=True),
    Fault("reset after half", answering(_cut(lambda e: e.wire.reset())), s3=True),
    Fault("reset instead of answered", answering(lambda e: e.wire.reset())),
    Fault("silence after half", answering(_cut(lambda e: e.wire.hold()))),
    Fault("HTTP/1.0", answering(_framed(lambda n: f"content-length: {n}", "HTTP/1.0")), truthful=True, s3=True),
    Fault("HTTP/2", answering(_raw(b"\x00\x00\x12\x04\x00\x00\x00\x00\x00" + b"\x00" * 18)), s3=True),
    Fault("no HTTP", answering(_raw(b"\x15\x03\x01\r\n\r\n")), s3=True),
    Fault("301", answering(_raw(b"HTTP/1.1 301 Moved\r\nlocation: https://x/\r\ncontent-length: 0\r\n\r\n")), s3=True),
    Fault("204", answering(_raw(b"HTTP/1.1 204 No Content\r\n\r\n")), s3=True),
]
