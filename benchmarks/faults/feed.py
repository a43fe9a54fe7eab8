"""What the feed can say wrongly, late or not at all, while the table itself is well."""

import json
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from benchmarks.faults import moved_time
from benchmarks.faults.fault import FollowedFault
from benchmarks.faults.server import Exchange, Manners
from benchmarks.faults.tables import HOSTS, QUERY, Answer
from benchmarks.rows import row
from edge_handler.feed.page import ALL_ROUTES, FEED
from edge_handler.snapshot.records import encode_row

_HALF_A_MINUTE = 30.0
_TICK_SECONDS = 0.01
_unsent: dict[int, float] = {}
"""When, of `moved_time.now`, this process's servers send what they hold back."""
_JSON = (("content-type", "application/x-amz-json-1.0"),)
Page = dict[str, Any]


def _feed(behaviour: Callable[[Exchange], None]) -> Manners:
    """Return the manners of a server whose table is well, and whose feed answers so."""

    def answer(exchange: Exchange) -> None:
        if exchange.request.action == QUERY:
            behaviour(exchange)
        else:
            exchange.send(exchange.right.raw())

    return Manners(answer=answer)


def _says(change: Callable[[Page], Any]) -> Manners:
    """Answer with what is made of the right page, and mean it."""
    return _feed(lambda exchange: exchange.send(_changed(exchange, change).raw()))


def _changed(exchange: Exchange, change: Callable[[Page], Any]) -> Answer:
    return exchange.right.saying(json.dumps(change(json.loads(exchange.right.body))).encode())


def _heartbeat(page: Page) -> dict[str, Any]:
    """Return the right heartbeat."""
    found: dict[str, Any] = next(item for item in page["Items"] if item["action"]["S"] == "snapshot")
    return found


def _other(page: Page, **changes: str) -> dict[str, Any]:
    """Return a change that nobody made, by which a host would get another's site: whoever believes it is seen."""
    carried = encode_row(row(HOSTS[1], 99)).decode()
    said = {"domain": HOSTS[0], "action": "put", "feed": FEED, "edge": carried, **_at(page), **changes}
    return {"revision": {"N": "99"}, **{name: {"S": value} for name, value in said.items()}}


def _at(page: Page) -> dict[str, str]:
    return {"announced_at": _heartbeat(page)["announced_at"]["S"]}


def _with(page: Page, *items: dict[str, Any]) -> Page:
    return {**page, "Items": [*page["Items"], *items]}


def _halved(then: Callable[[Exchange], None]) -> Manners:
    def answer(exchange: Exchange) -> None:
        right = exchange.right.raw()
        exchange.send(right[: len(right) // 2])
        then(exchange)

    return _feed(answer)


def _later(exchange: Exchange) -> None:
    right = exchange.right.raw()
    with _after(_HALF_A_MINUTE, exchange):
        exchange.send(right)


def _half_later(exchange: Exchange) -> None:
    right = exchange.right.raw()
    exchange.send(right[: len(right) // 2])
    with _after(_HALF_A_MINUTE, exchange):
        exchange.send(right[len(right) // 2 :])


def _then_surplus(exchange: Exchange) -> None:
    surplus = _changed(exchange, lambda page: _with(page, _other(page))).raw()
    exchange.send(exchange.right.raw())
    with _after(1.0, exchange):
        exchange.send(surplus)


@contextmanager
def _after(seconds: float, exchange: Exchange) -> Iterator[None]:
    """Let time pass; by the moved clock, which does not pass while requests are slow."""
    until = _unsent[id(exchange)] = moved_time.now() + seconds
    try:
        while moved_time.now() < until:
            exchange.wire.pause(_TICK_SECONDS)
        yield
    finally:
        del _unsent[id(exchange)]


def await_what_is_due() -> None:
    """Wait until what was to be sent by now is: a busy machine must not turn a second into another one."""
    while any(until <= moved_time.now() for until in [*_unsent.values()]):
        time.sleep(_TICK_SECONDS)


def _refusal(kind: str) -> Manners:
    body = json.dumps({"__type": f"com.amazonaws.dynamodb.v20120810#{kind}", "message": "no"}).encode()
    return _feed(lambda exchange: exchange.send(Answer("400 Bad Request", _JSON, b"").saying(body).raw()))


def _another_checksum(exchange: Exchange) -> None:
    right = exchange.right
    exchange.send(replace(right.saying(right.body), body=right.body.replace(b"/env-1", b"/env-2")).raw())


def _far_behind(page: Page) -> Page:
    beat = _heartbeat(page)
    before = datetime.fromisoformat(beat["announced_at"]["S"]) - timedelta(seconds=_HALF_A_MINUTE)
    return {**page, "Items": [{**beat, "announced_at": {"S": f"{before:%Y-%m-%dT%H:%M:%S.%fZ}"}}]}


def _anothers(**changes: str) -> Callable[[Page], Page]:
    def change(page: Page) -> Page:
        beat = _heartbeat(page)
        said = json.dumps({**json.loads(beat["edge"]["S"]), **changes})
        return {**page, "Items": [{**beat, "edge": {"S": said}}, _other(page)]}

    return change


def _reload(page: Page) -> Page:
    beat = _heartbeat(page)
    return {**page, "Items": [beat, {**beat, "domain": {"S": ALL_ROUTES}, "action": {"S": "reload"}}]}


def _more(page: Page) -> Page:
    beat = _heartbeat(page)
    key = {name: beat[name] for name in ("domain", "revision", "feed", "announced_at")}
    return {**page, "Items": [beat], "LastEvaluatedKey": key}


def _fault(name: str, manners: Manners, **more: Any) -> FollowedFault:
    return FollowedFault(name, manners, **{"follows": True, **more})


_SOON = {"passes": (60.0, 11.0), "connections": ("kept",)}
FEED_FAULTS = [
    _fault("silence", _feed(lambda exchange: exchange.wire.hold())),
    _fault("closed instead of answered", _feed(lambda exchange: exchange.wire.finish())),
    _fault("throttled", _refusal("ProvisionedThroughputExceededException")),
    _fault("no such index", _refusal("ValidationException")),
    _fault("500", _feed(lambda exchange: exchange.send(Answer("500 Oops", _JSON, b"{}").raw()))),
    _fault("half, then closed", _halved(lambda exchange: exchange.wire.finish())),
    _fault("half, then silence", _halved(lambda exchange: exchange.wire.hold())),
    _fault("no JSON", _feed(lambda exchange: exchange.send(exchange.right.saying(b"{").raw()))),
    _fault("another checksum", _feed(_another_checksum)),
    _fault("an answer to another question", _says(lambda _: {"Responses": {}, "UnprocessedKeys": {}})),
    _fault("an item of another index", _says(lambda page: _with(page, _other(page, feed="another")))),
    _fault(
        "an item of before what was asked",
        _says(lambda page: _with(page, _other(page, announced_at="2020-01-01T00:00:00.000000Z"))),
    ),
    _fault("a replica that is half a minute behind", _says(_far_behind)),
    _fault("no heartbeat", _says(lambda page: {**page, "Items": []})),
    _fault("another table's", _says(_anothers(table="another-routes")), follows=False),
    _fault("of another life of the table", _says(_anothers(epoch="1" * 16)), follows=False),
    _fault("an import, announced as one", _says(_reload), follows=False),
    _fault("more than a page", _says(_more), follows=False),
    _fault("the answer collected a minute later", _feed(_later), **_SOON),
    _fault("half at once, half collected a minute later", _feed(_half_later), **_SOON),
    _fault("a surplus answer a second after the right one", _feed(_then_surplus), passes=(2.0, 4.5, 9.0)),
]
