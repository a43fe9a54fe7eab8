"""Right answers, damaged in every way that chance finds: what is served is the host's own, or nothing.

Each example is a number, and what is wrong with it is said with it. For a soak: DAMAGED_ANSWERS=100000 pytest -n0 ...
"""

import json
import os
import random
import re
import socket
import threading
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from edge_handler.routes.origin import S3Origin
from edge_handler.routes.resolver import Resolver
from edge_handler.routes.route import encode_route
from edge_handler.routes.stamp import HEADER, encode_stamp
from edge_handler.table.reader import RoutesTable
from edge_handler.viewer_request import make_handler
from tests.support import OWN_BUCKET, SETTINGS, Clock, event, header, route, run

EXAMPLES = int(os.environ.get("DAMAGED_ANSWERS", "400"))
ASKED, OTHER, ABSENT = "asked.example", "other.example", "absent.example"
# Nothing that a flipped bit makes of one is another.
PREFIXES = {ASKED: "/a91cf03b7d5e2468", OTHER: "/0f6e82d94b1a7c35"}
ORIGINS = {host: S3Origin(OWN_BUCKET, "us-east-1", prefix) for host, prefix in PREFIXES.items()}
ROUTES = {host: route(host, origin) for host, origin in ORIGINS.items()}
STAMPS = {host: encode_stamp(host, ROUTES[host].generation, origin) for host, origin in ORIGINS.items()}
_IDLE_SECONDS = 0.01


def rows(host: str) -> dict[str, Any]:
    """Return a whole answer about a host, as JSON."""
    found = [encode_route(ROUTES[host])] if host in ROUTES else []
    return {"Responses": {SETTINGS.table: found}, "UnprocessedKeys": {}}


def framed(body: bytes, framing: str, checksum: int | None = None) -> bytes:
    """Return the bytes of an answer, its checksum as DynamoDB sends it."""
    crc = zlib.crc32(body) if checksum is None else checksum
    head = f"HTTP/1.1 200 OK\r\ncontent-type: application/x-amz-json-1.0\r\nx-amz-crc32: {crc}\r\n".encode()
    if framing == "chunks":
        half = len(body) // 2
        parts = b"".join(b"%x\r\n%s\r\n" % (len(part), part) for part in (body[:half], body[half:]) if part)
        return head + b"transfer-encoding: chunked\r\n\r\n" + parts + b"0\r\n\r\n"
    if framing == "close":
        return head + b"connection: close\r\n\r\n" + body
    return head + b"content-length: %d\r\n\r\n%s" % (len(body), body)


def flipped(rng: random.Random, data: bytes) -> bytes:
    damaged = bytearray(data)
    for _ in range(rng.choice((1, 1, 2, 8))):
        damaged[rng.randrange(len(damaged))] ^= 1 << rng.randrange(8)
    return bytes(damaged)


def cut(rng: random.Random, data: bytes) -> bytes:
    start, stop = sorted(rng.randrange(len(data) + 1) for _ in range(2))
    return rng.choice((data[:stop], data[start:], data[:start] + data[stop:]))


def repeated(rng: random.Random, data: bytes) -> bytes:
    start, stop = sorted(rng.randrange(len(data) + 1) for _ in range(2))
    return data[:stop] + data[start:stop] * rng.choice((1, 2, 5)) + data[stop:]


def spliced(rng: random.Random, data: bytes) -> bytes:
    other = framed(json.dumps(rows(rng.choice((OTHER, ABSENT)))).encode(), rng.choice(("length", "chunks")))
    at, there = rng.randrange(len(data) + 1), rng.randrange(len(other) + 1)
    return rng.choice((data[:at] + other[there:], other[:there] + data[at:], data[:at] + other[at:], data + other))


BYTES = (flipped, cut, repeated, spliced)
ODDITIES: tuple[Any, ...] = (
    None,
    True,
    0,
    -1,
    1.5,
    "",
    "x",
    [],
    {},
    [[]],
    [None],
    {"S": 1},
    {"S": OTHER},
    {"N": "x"},
    OTHER,
    "A" * 70_000,
)


def nodes(value: Any) -> Iterator[tuple[Any, Any]]:
    """Yield each place in a JSON value: what holds it, and its key there."""
    for key in value if isinstance(value, dict) else range(len(value)) if isinstance(value, list) else ():
        yield value, key
        yield from nodes(value[key])


def mutated(rng: random.Random, host: str) -> bytes:
    """Return an answer that its server means, for its checksum fits; the JSON of it is mutated."""
    answer = rows(host)
    for _ in range(rng.choice((1, 1, 2))):
        places = [*nodes(answer)]
        # Half of them near the root: where the shape of an answer is, and not yet the many attributes of a row.
        holder, key = rng.choice(places[:6] if rng.random() < 0.5 else places)
        what = rng.randrange(5)
        if what == 0:
            del holder[key]
        elif what == 1:
            holder[key] = rng.choice(ODDITIES)
        elif what == 2:
            holder[key] = [holder[key], holder[key]]
        elif what == 3 and isinstance(holder, dict):
            holder[f"{key}{rng.choice('sx ')}"] = holder.pop(key)
        else:
            answer["Responses"] = {SETTINGS.table: [*rows(OTHER)["Responses"][SETTINGS.table], rng.choice(ODDITIES)]}
    return framed(json.dumps(answer).encode(), rng.choice(("length", "chunks", "close")))


def damaged(rng: random.Random, host: str) -> bytes:
    """Return an answer about a host that something happened to."""
    if rng.random() < 0.4:
        return mutated(rng, host)
    body = json.dumps(rows(host)).encode()
    framing = rng.choice(("length", "chunks", "close"))
    if rng.random() < 0.5:
        return rng.choice(BYTES)(rng, framed(body, framing))
    # The framing survives, so that the damage comes to the parser of the JSON.
    return framed(rng.choice(BYTES)(rng, body), framing, zlib.crc32(body))


@dataclass(slots=True)
class Replica:
    """Answers as the table would, but of the asked host what is spoilt, where something is."""

    listener: socket.socket
    spoilt: bytes | None = None

    @property
    def endpoint(self) -> str:
        return f"http://127.0.0.1:{self.listener.getsockname()[1]}"

    def serve(self) -> None:
        while True:
            try:
                connection, _ = self.listener.accept()
            except OSError:
                return
            threading.Thread(target=self._converse, args=(connection,), daemon=True).start()

    def _converse(self, connection: socket.socket) -> None:
        connection.settimeout(5)
        with connection:
            try:
                while asked := re.search(rb'"domain": ?{"S": ?"([^"]+)"', connection.recv(65_536)):
                    host = asked[1].decode()
                    right = framed(json.dumps(rows(host)).encode(), "length")
                    connection.sendall(self.spoilt if self.spoilt is not None and host == ASKED else right)
                    # What was cut would be waited for: who has no more to ask by now waits.
                    connection.settimeout(_IDLE_SECONDS)
            except OSError:
                return


@pytest.fixture
def replica() -> Iterator[Replica]:
    with socket.create_server(("127.0.0.1", 0), backlog=128) as listener:
        found = Replica(listener)
        threading.Thread(target=found.serve, daemon=True).start()
        yield found
        listener.shutdown(socket.SHUT_RDWR)


def body_of(data: bytes) -> bytes:
    """Return an answer's body, out of its chunks."""
    head, _, body = data.partition(b"\r\n\r\n")
    if b"chunked" not in head:
        return body
    return b"".join(re.split(rb"(?:^|\r\n)[0-9a-f]+\r\n", body)).removesuffix(b"\r\n")


def says_absent(data: bytes) -> bool:
    """Tell whether an answer says, in so many words, that there is no such row."""
    return b'"%b": []' % SETTINGS.table.encode() in body_of(data)


def meant(data: bytes, stamp: str) -> bool:
    """Tell whether a server said this of the asked host, with a checksum that fits what it said, or with none.

    Not every DynamoDB sends one; where two damages take the header and change the row, it reads as such a one's.
    """
    checksum = re.search(rb"x-amz-crc32: (\d+)", data)
    fits = checksum is None or int(checksum[1]) == zlib.crc32(body_of(data))
    return fits and stamp.split(";")[1] == ASKED and PREFIXES[OTHER] not in stamp


def ask(handler: Callable[[Any, Any], Any], host: str) -> tuple[str, str | None]:
    """Return status and stamp."""
    given = event("viewer-request-static")
    given["Records"][0]["cf"]["request"]["headers"]["host"][0]["value"] = host
    result = run(handler, given)
    return result.get("status", "200"), None if "status" in result else header(result, HEADER)


@dataclass(frozen=True, slots=True)
class Outcome:
    """What viewers got of an answer, and what was logged."""

    spoilt: bytes
    known: bool
    status: str
    stamp: str | None
    after: tuple[str, str | None]
    """Status and stamp of the other host, asked next."""
    output: str


def outcome(number: int, replica: Replica, capsys: pytest.CaptureFixture[str]) -> Outcome:
    """Return what comes of an example."""
    rng = random.Random(number)
    clock = Clock()
    settings = SETTINGS._replace(endpoint=replica.endpoint)
    handler = make_handler(Resolver(RoutesTable.from_settings(settings), settings, clock=clock))
    replica.spoilt = None
    known = rng.random() < 0.5
    if known:
        assert ask(handler, ASKED) == ("200", STAMPS[ASKED])
        clock.now += SETTINGS.fresh_seconds + 1
    replica.spoilt = damaged(rng, ASKED)
    status, stamp = ask(handler, ASKED)
    return Outcome(replica.spoilt, known, status, stamp, ask(handler, OTHER), capsys.readouterr().out)


def test_a_damaged_answer_is_never_another_hosts(replica: Replica, capsys: pytest.CaptureFixture[str]) -> None:
    served = 0
    for number in range(EXAMPLES):
        found = outcome(number, replica, capsys)
        what = f"example {number}: {found}"
        assert "traceback" not in found.output, what
        if found.status == "200":
            served += 1
            assert found.stamp == STAMPS[ASKED] or meant(found.spoilt, str(found.stamp)), what
        else:
            absent = ["404", "410"] if says_absent(found.spoilt) else []
            assert found.status in {"502", *absent, *([] if found.known else ["503"])}, what
        # Nothing of it is left for who comes next.
        assert found.after in (("200", STAMPS[OTHER]), ("503", None)), what
    assert served > EXAMPLES / 4
