"""Answers that are well-formed HTTP and say the wrong thing."""

import gzip
import json
import re
from collections.abc import Callable
from typing import Any

from benchmarks.faults.fault import Fault, answering
from benchmarks.faults.server import Exchange
from benchmarks.faults.tables import HOSTS, TABLE, Answer

_JSON = (("content-type", "application/x-amz-json-1.0"),)
Rows = list[Any]


def another(exchange: Exchange) -> str:
    """Return a host that was not asked for."""
    return next(host for host in HOSTS if host not in exchange.request.domains)


def rows_of(exchange: Exchange, host: str) -> Rows:
    """Return the real rows of a host."""
    found: Rows = json.loads(exchange.upstream.rows(host).body)["Responses"][TABLE]
    return found


def _own(exchange: Exchange) -> Rows:
    """Return what was asked for."""
    return rows_of(exchange, *exchange.request.domains)


def _some(exchange: Exchange) -> Rows:
    """Return what was asked for; another host's row where there is none, to have one to spoil."""
    return _own(exchange) or rows_of(exchange, another(exchange))


def _says(body: Callable[[Exchange], Any], status: str = "200 OK") -> Callable[[Exchange], None]:
    def answer(exchange: Exchange) -> None:
        value = body(exchange)
        content = value if isinstance(value, bytes) else json.dumps(value).encode()
        exchange.send(Answer(status, _JSON, b"").saying(content).raw())

    return answer


def _rows(change: Callable[[Exchange], Any]) -> Callable[[Exchange], None]:
    return _says(lambda exchange: {"Responses": {TABLE: change(exchange)}, "UnprocessedKeys": {}})


def _named(name: Callable[[str], str]) -> Callable[[Exchange], None]:
    """Answer with the right row under another domain."""
    return _rows(lambda e: [{**item, "domain": {"S": name(e.request.domains[0])}} for item in _some(e)])


def _text(
    change: Callable[[Exchange, bytes], bytes], rows: Callable[[Exchange], Rows] = _own
) -> Callable[[Exchange], None]:
    """Answer with the right rows' text, changed."""

    def changed(exchange: Exchange) -> bytes:
        answer = {"Responses": {TABLE: rows(exchange)}, "UnprocessedKeys": {}}
        return change(exchange, json.dumps(answer).encode())

    return _says(changed)


def _once(status: str) -> Callable[[Exchange], None]:
    refuse = _says(lambda _: {"__type": "InternalServerError"}, status)

    def answer(exchange: Exchange) -> None:
        if exchange.number == 0:
            refuse(exchange)
        else:
            exchange.send(exchange.right.raw())

    return answer


def _error(kind: str, message: str = "") -> Callable[[Exchange], Any]:
    return lambda _: {"__type": f"com.amazonaws.dynamodb.v20120810#{kind}", "message": message}


def _flipped(exchange: Exchange) -> None:
    """Let a bit of the target fall over on the way: the checksum is still the right one's."""
    right = exchange.right
    body = re.sub(rb"/env-(\d)", lambda found: b"/env-%d" % (int(found[1]) ^ 1), right.body)
    exchange.send(right.head() + (body if body != right.body else body.replace(b":", b";")))


def _twice(name: str, other: Callable[[Exchange], Any]) -> Callable[[Exchange, bytes], bytes]:
    """Repeat an attribute: which of the two a parser takes is its own affair."""
    mark = f'"{name}": '.encode()
    return lambda e, text: text.replace(mark, mark + json.dumps(other(e)).encode() + b", " + mark, 1)


def _gzipped(exchange: Exchange) -> None:
    right = exchange.right
    exchange.send(right.saying(gzip.compress(right.body)).head(content_encoding="gzip") + gzip.compress(right.body))


def _padded(exchange: Exchange) -> None:
    body = exchange.right.body
    exchange.send(exchange.right.saying(body[:-1] + b" " * (16_000_000 - len(body)) + body[-1:]).raw())


def _whole(body: Any) -> Callable[[Exchange], None]:
    return _says(lambda _: body)


CONTENTS = [
    Fault("another host's row", answering(_rows(lambda e: rows_of(e, another(e))))),
    Fault("the host's row and another's", answering(_rows(lambda e: [*_own(e), *rows_of(e, another(e))]))),
    Fault("another's row and the host's", answering(_rows(lambda e: [*rows_of(e, another(e)), *_own(e)]))),
    Fault("the row twice", answering(_rows(lambda e: _own(e) * 2)), truthful=True),
    Fault("a row whose domain is empty", answering(_named(lambda _: ""))),
    Fault("a row whose domain ends in CR LF", answering(_named(lambda name: f"{name}\r\nx-injected: 1"))),
    Fault("a row whose domain differs by case", answering(_named(str.upper))),
    Fault("a row without a domain", answering(_rows(lambda e: [{**_some(e)[0], "domain": {"N": "1"}}]))),
    Fault("no Responses", answering(_whole({"UnprocessedKeys": {}}))),
    Fault("Responses a list", answering(_whole({"Responses": [1]}))),
    Fault("Responses a string", answering(_whole({"Responses": TABLE}))),
    Fault("Responses null", answering(_whole({"Responses": None}))),
    Fault("Responses empty", answering(_whole({"Responses": {}, "UnprocessedKeys": {}}))),
    Fault("rows null", answering(_rows(lambda _: None))),
    Fault("rows an object", answering(_rows(lambda e: {"0": _some(e)[0]}))),
    Fault("rows a string", answering(_rows(lambda _: "rows"))),
    Fault("rows [5]", answering(_rows(lambda _: [5]))),
    Fault("rows [null]", answering(_rows(lambda _: [None]))),
    Fault("rows [{}]", answering(_rows(lambda _: [{}]))),
    Fault("another table's rows", answering(_says(lambda e: {"Responses": {"other": _some(e)}}))),
    Fault("the whole answer a list", answering(_whole([]))),
    Fault("the whole answer null", answering(_whole(None))),
    Fault("JSON 100,000 levels deep", answering(_whole(b"[" * 100_000))),
    Fault("objects 100,000 levels deep", answering(_whole(b'{"Responses":' * 100_000))),
    Fault(
        "NaN in the row",
        answering(_text(lambda _, text: text.replace(b'{"N": "1"}', b'{"N": NaN}'), _some)),
        statuses=("502", "503"),
    ),
    Fault("a number of 5,000 digits", answering(_whole(b'{"Responses": ' + b"9" * 5000 + b"}"))),
    Fault("Infinity", answering(_whole(b'{"Responses": Infinity}'))),
    Fault("the domain said twice", answering(_text(_twice("domain", lambda e: {"S": another(e)}))), truthful=True),
    Fault(
        "Responses said twice",
        answering(_text(_twice("Responses", lambda e: {TABLE: rows_of(e, another(e))}))),
        truthful=True,
    ),
    Fault("invalid UTF-8", answering(_text(lambda _, text: text.replace(b"bench", b"\xff\xfe\xc0"), _some))),
    Fault("UTF-16", answering(_text(lambda _, text: text.decode().encode("utf-16"))), truthful=True),
    Fault("a byte order mark", answering(_text(lambda _, text: b"\xef\xbb\xbf" + text)), truthful=True),
    Fault("half the JSON, whole by its length", answering(_text(lambda _, text: text[: len(text) // 2]))),
    Fault("two answers in one body", answering(_text(lambda _, text: text * 2))),
    Fault("a bit of the row flipped, its checksum not", answering(_flipped)),
    Fault("an empty body", answering(_whole(b""))),
    Fault("a page of HTML", answering(_whole(b"<html><body>captive portal</body></html>"))),
    Fault("a body of 16 MB", answering(_padded), truthful=True),
    Fault("a gzipped body", answering(_gzipped)),
    Fault("400 throttled", answering(_says(_error("ProvisionedThroughputExceededException"), "400 Bad Request"))),
    Fault("400 credentials expired", answering(_says(_error("ExpiredTokenException"), "400 Bad Request"))),
    Fault("400 no such table", answering(_says(_error("ResourceNotFoundException"), "400 Bad Request"))),
    Fault("403", answering(_says(_error("AccessDeniedException"), "403 Forbidden")), s3=True),
    Fault("404", answering(_says(_error("UnknownOperationException"), "404 Not Found"))),
    Fault("500 always", answering(_says(_error("InternalServerError"), "500 Internal Server Error")), s3=True),
    Fault("503 always", answering(_says(lambda _: b"Slow down", "503 Slow Down")), s3=True),
    Fault("500 once", answering(_once("500 Internal Server Error")), truthful=True, s3=True),
    Fault("503 once", answering(_once("503 Service Unavailable")), truthful=True, s3=True),
    Fault(
        "no key processed",
        answering(
            _says(
                lambda e: {
                    "Responses": {},
                    "UnprocessedKeys": {TABLE: {"Keys": [{"domain": {"S": host}} for host in e.request.domains]}},
                }
            )
        ),
    ),
    Fault("UnprocessedKeys a string", answering(_says(lambda _: {"Responses": {TABLE: []}, "UnprocessedKeys": "x"}))),
]
