"""Connections that do not come about, and those that end while nobody asks."""

import ssl
from collections.abc import Callable

from benchmarks.faults.certificates import EXPIRED, WRONG
from benchmarks.faults.fault import Fault
from benchmarks.faults.framing import halves
from benchmarks.faults.server import Manners, Wire

_TLS = ("TLS",)
_KEPT = ("kept",)
_408 = b"HTTP/1.1 408 Request Timeout\r\nconnection: close\r\ncontent-length: 0\r\n\r\n"


def _hold(wire: Wire) -> None:
    wire.hold()


def _reset(wire: Wire) -> None:
    wire.reset()


def _finish(wire: Wire) -> None:
    wire.finish()


def _says(data: bytes, end: Callable[[Wire], None] | None = None) -> Callable[[Wire], None]:
    def behave(wire: Wire) -> None:
        wire.send(data)
        if end:
            end(wire)

    return behave


def _after_hello(data: bytes) -> Callable[[Wire], None]:
    def behave(wire: Wire) -> None:
        wire.socket.recv(65_536)
        wire.send(data)
        wire.finish()

    return behave


def _half_handshake(wire: Wire) -> None:
    assert wire.ssl_context
    came, going = ssl.MemoryBIO(), ssl.MemoryBIO()
    server = wire.ssl_context.wrap_bio(came, going, server_side=True)
    came.write(wire.socket.recv(65_536))
    try:
        server.do_handshake()
    except ssl.SSLWantReadError:
        hello = going.read()
        wire.send(hello[: len(hello) // 2])
    wire.hold()


def _late_handshake(wire: Wire) -> None:
    wire.pause(0.35)


NETWORK = [
    Fault("connection refused", Manners(listening="no"), s3=True),
    Fault("nobody answers the SYN: the queue is full", Manners(listening="full"), s3=True),
    Fault("reset at connect", Manners(accept=_reset), s3=True),
    Fault("closed at connect", Manners(accept=_finish)),
    Fault("accepted, then silence", Manners(accept=_hold), s3=True),
    Fault("kept connection closed while idle", Manners(idle=_finish), True, connections=_KEPT, s3=True),
    Fault("kept connection reset while idle", Manners(idle=_reset), True, connections=_KEPT),
    Fault("408 and close while idle", Manners(idle=_says(_408, _finish)), True, connections=_KEPT, s3=True),
    Fault("408 while idle, and still open", Manners(idle=_says(_408)), True, connections=_KEPT, s3=True),
    Fault("bytes while idle", Manners(idle=_says(b"\r\n\r\n")), True, connections=_KEPT),
    Fault("TLS: another server's certificate", Manners(certificate=WRONG), transports=_TLS, s3=True),
    Fault("TLS: an expired certificate", Manners(certificate=EXPIRED), transports=_TLS),
    Fault(
        "TLS: plain HTTP on its port",
        Manners(accept=_after_hello(b"HTTP/1.1 400 Bad Request\r\nconnection: close\r\n\r\n")),
        transports=_TLS,
    ),
    Fault("TLS: no handshake", Manners(accept=_after_hello(b"")), transports=_TLS),
    Fault("TLS: half a handshake", Manners(accept=_half_handshake), transports=_TLS, s3=True),
    Fault(
        "TLS: handshake after 0.35 s, then two halves 0.58 s apart",
        Manners(accept=_late_handshake, answer=halves),
        truthful=True,
        transports=_TLS,
        s3=True,
    ),
]
