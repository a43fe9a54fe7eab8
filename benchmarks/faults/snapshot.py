"""What can be wrong with the snapshot: its buckets, its pointer, its parts; and what it is good for, a dead table.

The objects that lie in the place of right ones are in the bucket too, see `stack`. Who believes one gives a host
another's site.
"""

from collections.abc import Callable
from typing import Any

from benchmarks.faults.fault import FollowedFault
from benchmarks.faults.server import Exchange, Manners
from benchmarks.faults.tables import Answer, Request

POINTER, PARTS = "/pointer.json", "/parts/"
DAMAGED, ONE_DAMAGED, ANOTHER_STACKS = "/damaged", "/one-damaged", "/another-stacks"
BOMB, FORMER = "/bomb", "/former"
"""Where the bucket has what a bucket should not have."""
_MISSING = Answer("404 Not Found", (), b"<Error><Code>NoSuchKey</Code></Error>")
_SECONDS_OF_ROUNDS = (5.0, 21.0, 9.0)
"""A snapshot is looked for again within twenty seconds."""


def _of(prefix: str, behaviour: Callable[[Exchange], None]) -> Manners:
    """Return the manners of a bucket that answers so for some objects, and rightly for others."""

    def answer(exchange: Exchange) -> None:
        if exchange.request.path.startswith(prefix):
            behaviour(exchange)
        else:
            exchange.send(exchange.right.raw())

    return Manners(answer=answer)


def _instead(folder: str) -> Callable[[Exchange], None]:
    """Answer with the object that lies in another folder."""

    def answer(exchange: Exchange) -> None:
        request = exchange.request
        exchange.send(exchange.upstream.ask(Request(request.method, folder + request.path, b"")).raw())

    return answer


def _says(answer: Answer) -> Callable[[Exchange], None]:
    return lambda exchange: exchange.send(answer.raw())


def _half(exchange: Exchange) -> None:
    """Say half, and that this is all."""
    right = exchange.right
    exchange.send(Answer(right.status, (), right.body[: len(right.body) // 2]).raw())


def _torn(then: Callable[[Exchange], None]) -> Callable[[Exchange], None]:
    def answer(exchange: Exchange) -> None:
        right = exchange.right
        exchange.send(right.head() + right.body[: len(right.body) // 2])
        then(exchange)

    return answer


def _silent(exchange: Exchange) -> None:
    exchange.wire.hold()


def _closed(exchange: Exchange) -> None:
    exchange.wire.finish()


def _fault(name: str, manners: Manners, **more: Any) -> FollowedFault:
    defaults = {"hosts": ("unknown",), "replicas": (1, 2), "passes": _SECONDS_OF_ROUNDS}
    return FollowedFault(name, manners, **{**defaults, **more})


def _none(name: str, manners: Manners, **more: Any) -> FollowedFault:
    """Return a fault with which there is no snapshot; where the nearest bucket has it, the next one gives it."""
    return _fault(name, manners, follows=False, next_helps=True, **more)


def _table(name: str, manners: Manners) -> FollowedFault:
    return _fault(name, manners, replicas=(1,), passes=(2.0, 9.0, 60.0), follows=True, table_down=True)


SNAPSHOT_FAULTS = [
    _none("no pointer: 404", _of(POINTER, _says(_MISSING))),
    _none("the bucket refuses connections", Manners(listening="no")),
    _none("the bucket is silent", _of("/", _silent)),
    _none("the bucket says 403", _of("/", _says(Answer("403 Forbidden", (), b"")))),
    _none("the bucket says 503", _of("/", _says(Answer("503 Slow Down", (), b"")))),
    _none("half a pointer, then closed", _of(POINTER, _torn(_closed))),
    _fault("half a pointer, as if whole", _of(POINTER, _half), follows=False),
    _fault("a damaged pointer", _of(POINTER, _instead(DAMAGED)), follows=False),
    _fault("another stack's pointer", _of(POINTER, _instead(ANOTHER_STACKS)), follows=False),
    _fault("the former pointer", _of(POINTER, _instead(FORMER)), follows=False, connections=("kept",)),
    _fault("a part is missing: 404", _of(PARTS, _says(_MISSING)), next_helps=True),
    _fault("half a part, then closed", _of(PARTS, _torn(_closed)), next_helps=True),
    _fault("half a part, then silence", _of(PARTS, _torn(_silent)), next_helps=True),
    _fault("half a part, as if whole", _of(PARTS, _half)),
    _fault("a damaged part", _of(PARTS, _instead(DAMAGED))),
    _fault("all parts but one are damaged", _of(PARTS, _instead(ONE_DAMAGED)), is_partial=True),
    _fault("blocks that open to 16 MB", _of(POINTER, _instead(BOMB))),
    _table("the table refuses connections", Manners(listening="no")),
    _table("the table is silent", Manners(answer=_silent)),
    _table("the table resets", Manners(answer=lambda exchange: exchange.wire.reset())),
]
