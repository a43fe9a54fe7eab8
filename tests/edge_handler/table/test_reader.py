"""The reader against a DynamoDB nobody here wrote, and against networks that fail in every way."""

import json
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_handler.aws.server import Pause, Server
from edge_handler.aws.sigv4 import Credentials
from edge_handler.errors import BrokenRow, TableUnreachable
from edge_handler.routes.route import encode_route
from edge_handler.table.reader import Replica, RoutesTable, Rows
from local_edge.embedded_aws import EmbeddedAws
from tests.support import Clock, destination_of, dynamodb_client, make_tables, route

TABLE = "edge-routing-routes"
CREDENTIALS = Credentials("local", "local", "")
Behaviour = Callable[[socket.socket, int], None]


# What no working machine reaches.
SECONDS = 60.0
HOST = "env-123.localhost"


def reader(*endpoints: str, clock: Callable[[], float] = time.monotonic, table: str = TABLE) -> RoutesTable:
    replicas = [Replica(table, f"us-east-{number}", at, CREDENTIALS, clock) for number, at in enumerate(endpoints, 1)]
    return RoutesTable(replicas)


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
    assert reader(dynalite_endpoint).read((HOST, "env-000.localhost"), 60) == {HOST: destination_of(route())}


def test_rows_are_read_from_moto(aws: EmbeddedAws) -> None:
    make_tables("reader", aws.client("dynamodb"))
    aws.client("dynamodb").put_item(TableName="reader-routes", Item=encode_route(route()))
    assert reader(aws.endpoint, table="reader-routes").read((HOST,), 60) == {HOST: destination_of(route())}


def test_a_connection_is_kept() -> None:
    def keep(connection: socket.socket, number: int) -> None:
        if number == 0:
            for _ in range(3):
                reply(connection)

    with server(keep) as endpoint:
        table = reader(endpoint)
        assert [len(table.read((HOST,), SECONDS)) for _ in range(3)] == [1, 1, 1]


def test_a_connection_that_died_while_frozen_is_replaced_without_a_failure() -> None:
    with server(lambda connection, _: reply(connection)) as endpoint:
        table = reader(endpoint)
        assert [len(table.read((HOST,), SECONDS)) for _ in range(5)] == [1] * 5


def _hang(connection: socket.socket, _number: int) -> None:
    while connection.recv(65536):
        pass


def _say(body: object, status: int = 200) -> Behaviour:
    return lambda connection, _: reply(connection, status, body)


ROW: dict[str, Any] = encode_route(route())
FAILURES: dict[str, Behaviour] = {
    "closes": lambda connection, _: connection.close(),
    "throttles": _say({"__type": "ProvisionedThroughputExceededException"}, 400),
    "is broken inside": _say({}, 500),
    "processed no keys": _say({"Responses": {}, "UnprocessedKeys": {TABLE: {}}}),
    "speaks no JSON": lambda connection, _: connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n{"),
    "speaks JSON that goes too deep": lambda connection, _: connection.sendall(
        b"HTTP/1.1 200 OK\r\nContent-Length: 200000\r\n\r\n" + b"[" * 200_000
    ),
    "speaks no HTTP": lambda connection, _: connection.sendall(b"\x00\x01\x02\r\n\r\n"),
    "answers with a list": _say([]),
    "answers with null": lambda connection, _: connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nnull"),
    "has no responses": _say({}),
    "has responses that are a list": _say({"Responses": []}),
    "has responses of no table": _say({"Responses": {}}),
    "has responses of another table": _say({"Responses": {"other": [ROW]}}),
    "has rows that are null": _say({"Responses": {TABLE: None}}),
    "has rows that are an object": _say({"Responses": {TABLE: {}}}),
    "has rows that are text": _say({"Responses": {TABLE: ""}}),
    "has a row that is a number": _say({"Responses": {TABLE: [5]}}),
    "has an empty row": _say({"Responses": {TABLE: [{}]}}),
    "has a row of another host": _say({"Responses": {TABLE: [encode_route(route("other.localhost"))]}}),
    "has a row more than asked": _say({"Responses": {TABLE: [ROW, encode_route(route("other.localhost"))]}}),
    "has a row twice": _say({"Responses": {TABLE: [ROW, ROW]}}),
    "has a row of no host": _say({"Responses": {TABLE: [{**ROW, "domain": {"S": ""}}]}}),
    "has a row with a line break": _say({"Responses": {TABLE: [{**ROW, "domain": {"S": f"{HOST}\r\nx: y"}}]}}),
    "has a row in capitals": _say({"Responses": {TABLE: [{**ROW, "domain": {"S": HOST.upper()}}]}}),
    "has a row whose domain is a list": _say({"Responses": {TABLE: [{**ROW, "domain": {"S": []}}]}}),
    "has an attribute that is none": _say({"Responses": {TABLE: [{**ROW, "generation": 5}]}}),
    "has an attribute of no type": _say({"Responses": {TABLE: [{**ROW, "origin": {"M": {"kind": "s3"}}}]}}),
    "has a number that is none": _say({"Responses": {TABLE: [{**ROW, "revision": {"N": "one"}}]}}),
}
# Asking again at once would be no use.
REFUSALS = {"throttles", "processed no keys"}


@pytest.mark.parametrize("failure", FAILURES)
def test_the_next_replica_is_asked_when_the_nearest(failure: str) -> None:
    with server(FAILURES[failure]) as broken, server(lambda connection, _: reply(connection)) as fine:
        assert reader(broken, fine).read((HOST,), SECONDS) == {HOST: destination_of(route())}


def test_the_next_replica_is_asked_when_the_nearest_is_silent() -> None:
    with server(_hang) as silent, server(lambda connection, _: reply(connection)) as fine:
        assert reader(silent, fine).read((HOST,), 3) == {HOST: destination_of(route())}


@pytest.mark.parametrize("failure", FAILURES)
def test_nobody_answering_is_said_and_not_tried_again_at_once(failure: str) -> None:
    asked = []

    def fail(connection: socket.socket, number: int) -> None:
        asked.append(number)
        FAILURES[failure](connection, number)

    tries = 1 if failure in REFUSALS else 2
    with server(fail) as broken:
        clock = Clock()
        table = reader(broken, clock=clock)
        for _ in range(3):
            with pytest.raises(TableUnreachable) as caught:
                table.read((HOST,), SECONDS)
        assert len(asked) == tries
        assert caught.value.retry_after == 1
        clock.now += caught.value.retry_after
        with pytest.raises(TableUnreachable):
            table.read((HOST,), SECONDS)
        assert len(asked) == 2 * tries


def test_silence_everywhere_is_said_and_paused() -> None:
    asked = []

    def hang(connection: socket.socket, number: int) -> None:
        asked.append(number)
        _hang(connection, number)

    with server(hang) as silent, server(hang) as other:
        table = reader(silent, other, clock=Clock())
        for _ in range(3):
            with pytest.raises(TableUnreachable):
                table.read((HOST,), 0.5)
        assert len(asked) == 2


def test_one_deadline_is_for_all_replicas(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each may take half of what is left, the last all of it: none can take the next one's turn."""
    table = reader(*["http://127.0.0.1:9"] * 3)
    shares = []

    def read(_self: Replica, _decode: object, _domains: object, deadline: float, **_: object) -> Rows:
        shares.append(deadline - started)
        raise TimeoutError

    monkeypatch.setattr(Replica, "read", read)
    started = time.monotonic()
    with pytest.raises(TableUnreachable):
        table.read((HOST,), 1000)
    assert [round(share, -1) for share in shares] == [500, 500, 1000]


def test_a_time_of_day_that_is_put_back_makes_no_pause_longer(monkeypatch: pytest.MonkeyPatch) -> None:
    table = reader("http://127.0.0.1:9")
    with pytest.raises(TableUnreachable):
        table.read((HOST,), SECONDS)
    past = time.time() - 3600
    monkeypatch.setattr(time, "time", lambda: past)
    with pytest.raises(TableUnreachable) as caught:
        table.read((HOST,), SECONDS)
    assert caught.value.retry_after <= 1


def test_pauses_go_by_the_clock_that_nobody_sets() -> None:
    for pause in (Pause(), Replica(TABLE, "us-east-1", "http://127.0.0.1:9", CREDENTIALS).pause):
        assert pause._clock is time.monotonic


def test_pauses_grow_but_stay_below_the_fresh_time() -> None:
    clock = Clock()
    table = reader("http://127.0.0.1:9", clock=clock)
    pauses = []
    for _ in range(8):
        with pytest.raises(TableUnreachable) as caught:
            table.read((HOST,), SECONDS)
        pauses.append(caught.value.retry_after)
        clock.now += caught.value.retry_after
    assert pauses == [1, 2, 4, 8, 8, 8, 8, 8]


def test_a_table_that_does_not_exist_is_unreachable(dynalite_endpoint: str) -> None:
    with pytest.raises(TableUnreachable):
        reader(dynalite_endpoint, table="other").read((HOST,), SECONDS)


def test_a_broken_row_is_that_rows_and_not_the_tables() -> None:
    broken = {"domain": {"S": "other.localhost"}, "note": {"S": "written by hand"}}
    with server(_say({"Responses": {TABLE: [ROW, broken]}})) as endpoint:
        rows = reader(endpoint).read((HOST, "other.localhost"), SECONDS)
    assert rows[HOST] == destination_of(route())
    assert isinstance(rows["other.localhost"], BrokenRow)


def test_an_answer_that_was_meant_for_another_question_is_asked_for_again() -> None:
    """A surplus answer that is on its way when the next question is: the row names whom it is about."""
    surplus = encode_route(route("other.localhost"))

    def answer(connection: socket.socket, number: int) -> None:
        reply(connection)
        if number == 0:
            reply(connection, 200, {"Responses": {TABLE: [surplus]}})

    with server(answer) as endpoint:
        table = reader(endpoint)
        assert [table.read((HOST,), SECONDS) for _ in range(3)] == [{HOST: destination_of(route())}] * 3


@pytest.mark.parametrize("expected", [True, False])
def test_that_a_row_is_gone_is_believed_on_a_connection_made_for_the_question(expected: bool) -> None:
    """An answer without rows names nobody: on a kept connection it may be about somebody else."""

    def answer(connection: socket.socket, number: int) -> None:
        reply(connection)
        if number == 0:
            reply(connection, 200, {"Responses": {TABLE: []}})

    with server(answer) as endpoint:
        table = reader(endpoint)
        table.read((HOST,), SECONDS)
        found = table.read((HOST,), SECONDS, expected=HOST if expected else None)
        assert found == ({HOST: destination_of(route())} if expected else {})


@given(st.text(), st.text())
def test_any_name_is_a_key_in_the_question(table: str, domain: str) -> None:
    """The question is put together by hand: whatever is in it, it is the JSON that json would have written."""
    asked = {}

    class Listening(Server):
        def ask(self, *message: Any) -> Any:
            asked.update(json.loads(message[3]))
            return {}

    replica = Replica("edge-routing-routes", "us-east-1", "http://127.0.0.1:9", CREDENTIALS)
    replica._server = Listening("http://127.0.0.1:9")
    replica.read(lambda item: item, (domain, table), 0)
    keys = [{"domain": {"S": domain}}, {"domain": {"S": table}}]
    assert asked == {"RequestItems": {"edge-routing-routes": {"Keys": keys}}}
