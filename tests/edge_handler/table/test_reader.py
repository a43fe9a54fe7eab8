"""The reader against a DynamoDB nobody here wrote, and against networks that fail in every way."""

import json
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from edge_handler.aws.sigv4 import Credentials
from edge_handler.errors import TableUnreachable
from edge_handler.routes.route import decode_route, encode_route
from edge_handler.table.reader import Replica, RoutesTable
from local_edge.embedded_aws import EmbeddedAws
from tests.support import Clock, dynamodb_client, make_tables, route

TABLE = "edge-routing-routes"
CREDENTIALS = Credentials("local", "local", "")
Behaviour = Callable[[socket.socket, int], None]


def reader(*endpoints: str, clock: Callable[[], float] = time.time, table: str = TABLE) -> RoutesTable:
    replicas = [Replica(table, f"us-east-{number}", at, CREDENTIALS) for number, at in enumerate(endpoints, 1)]
    return RoutesTable(replicas, clock)


@contextmanager
def server(behaviour: Behaviour) -> Iterator[str]:
    """A TCP server that treats its n-th connection as `behaviour(connection, n)` says."""
    listener = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        for number in range(100):
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            threading.Thread(target=_guarded, args=(behaviour, connection, number), daemon=True).start()

    threading.Thread(target=serve, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    finally:
        listener.close()


def _guarded(behaviour: Behaviour, connection: socket.socket, number: int) -> None:
    with connection:
        try:
            behaviour(connection, number)
        except OSError:
            return


def reply(connection: socket.socket, status: int = 200, body: object = None) -> None:
    request = b""
    while not request.endswith(b"}"):
        chunk = connection.recv(65536)
        if not chunk:
            return
        request += chunk
    row = {"Responses": {TABLE: [encode_route(route())]}, "UnprocessedKeys": {}}
    content = json.dumps(row if body is None else body).encode()
    connection.sendall(b"HTTP/1.1 %d X\r\nContent-Length: %d\r\n\r\n%s" % (status, len(content), content))


def test_rows_are_read_from_dynalite(dynalite_endpoint: str) -> None:
    dynamodb_client(dynalite_endpoint).put_item(TableName=TABLE, Item=encode_route(route()))
    found = reader(dynalite_endpoint).read(("env-123.localhost", "env-000.localhost"))
    assert [decode_route(item) for item in found] == [route()]


def test_rows_are_read_from_moto(aws: EmbeddedAws) -> None:
    make_tables("reader", aws.client("dynamodb"))
    aws.client("dynamodb").put_item(TableName="reader-routes", Item=encode_route(route()))
    assert [
        decode_route(item) for item in reader(aws.endpoint, table="reader-routes").read(("env-123.localhost",))
    ] == [route()]


def test_a_connection_is_kept() -> None:
    def keep(connection: socket.socket, number: int) -> None:
        if number == 0:
            for _ in range(3):
                reply(connection)

    with server(keep) as endpoint:
        table = reader(endpoint)
        assert [len(table.read(("x",))) for _ in range(3)] == [1, 1, 1]


def test_a_connection_that_died_while_frozen_is_replaced_without_a_failure() -> None:
    with server(lambda connection, _: reply(connection)) as endpoint:
        table = reader(endpoint)
        assert [len(table.read(("x",))) for _ in range(5)] == [1] * 5


def _hang(connection: socket.socket, _number: int) -> None:
    connection.recv(65536)
    time.sleep(5)


FAILURES: dict[str, Behaviour] = {
    "hangs": _hang,
    "closes": lambda connection, _: connection.close(),
    "throttles": lambda connection, _: reply(connection, 400, {"__type": "ProvisionedThroughputExceededException"}),
    "is broken inside": lambda connection, _: reply(connection, 500, {}),
    "processed no keys": lambda connection, _: reply(
        connection, 200, {"Responses": {}, "UnprocessedKeys": {TABLE: {}}}
    ),
    "speaks no JSON": lambda connection, _: connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n{"),
    "speaks other JSON": lambda connection, _: reply(connection, 200, []),
    "speaks no HTTP": lambda connection, _: connection.sendall(b"\x00\x01\x02\r\n\r\n"),
}


@pytest.mark.parametrize("failure", FAILURES)
def test_the_next_replica_is_asked_when_the_nearest(failure: str) -> None:
    with server(FAILURES[failure]) as broken, server(lambda connection, _: reply(connection)) as fine:
        assert len(reader(broken, fine).read(("x",))) == 1


@pytest.mark.parametrize("failure", FAILURES)
def test_nobody_answering_is_said_and_not_tried_again_at_once(failure: str) -> None:
    asked = []

    def fail(connection: socket.socket, number: int) -> None:
        asked.append(number)
        FAILURES[failure](connection, number)

    with server(fail) as broken:
        clock = Clock()
        table = reader(broken, clock=clock)
        for _ in range(3):
            with pytest.raises(TableUnreachable) as caught:
                table.read(("x",))
        assert len(asked) == 1
        assert caught.value.retry_at > clock.now
        clock.now = caught.value.retry_at
        with pytest.raises(TableUnreachable):
            table.read(("x",))
        assert len(asked) == 2


def test_pauses_grow_but_stay_below_the_fresh_time() -> None:
    clock = Clock()
    table = reader("http://127.0.0.1:9", clock=clock)
    pauses = []
    for _ in range(8):
        with pytest.raises(TableUnreachable) as caught:
            table.read(("x",))
        pauses.append(caught.value.retry_at - clock.now)
        clock.now = caught.value.retry_at
    assert pauses == sorted(pauses)
    assert pauses[0] == 1
    assert pauses[-1] == 8


def test_a_table_that_does_not_exist_is_unreachable(dynalite_endpoint: str) -> None:
    with pytest.raises(TableUnreachable):
        reader(dynalite_endpoint, table="other").read(("x",))
