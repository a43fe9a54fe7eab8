"""What can be tried without an account: the function against a local DynamoDB, stopped between its invocations."""

import json
import os
import re
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from benchmarks.freeze import handler as function
from benchmarks.freeze.measure import line, measure, prepare
from edge_handler.aws.inquiry import Inquiry
from local_edge.embedded_aws import EmbeddedAws
from tests.support import ROOT, wait_until

TABLE = "edge-freeze"
TEMPLATE = ROOT / "benchmarks" / "freeze" / "template.yaml"
INVOKED_BY_LINES = """
import json, sys
from benchmarks.freeze.handler import handler
for line in sys.stdin:
    print(json.dumps(handler(json.loads(line), None)), flush=True)
"""


@pytest.fixture(scope="module")
def environ(aws: EmbeddedAws) -> dict[str, str]:
    client = aws.client("dynamodb")
    client.create_table(
        TableName=TABLE,
        BillingMode="PAY_PER_REQUEST",
        AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
        KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
    )
    prepare(TABLE, client)
    return {"AWS_ENDPOINT_URL": aws.endpoint, "FREEZE_TABLE": TABLE}


class Sandbox:
    """A process that has the function."""

    def __init__(self, environ: dict[str, str]) -> None:
        command = (sys.executable, "-c", INVOKED_BY_LINES)
        self.process = subprocess.Popen(
            command, cwd=ROOT, env={**os.environ, **environ}, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )

    def invoke(self, event: dict[str, Any]) -> dict[str, Any]:
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write(json.dumps(event) + "\n")
        self.process.stdin.flush()
        told: dict[str, Any] = json.loads(self.process.stdout.readline())
        return told


@pytest.fixture
def sandbox(environ: dict[str, str]) -> Iterator[Sandbox]:
    found = Sandbox(environ)
    yield found
    found.process.kill()
    found.process.communicate()


def test_an_answer_that_came_while_the_process_stood_still_is_there_without_waiting(sandbox: Sandbox) -> None:
    told: list[dict[str, Any]] = []

    def stand_still() -> bool:
        assert sandbox.invoke({"send": "us-east-1"})["sent"] == 3
        os.kill(sandbox.process.pid, signal.SIGSTOP)
        threading.Event().wait(0.2)
        os.kill(sandbox.process.pid, signal.SIGCONT)
        told[:] = sandbox.invoke({})["answers"]
        return all(answer["was_there"] for answer in told)

    wait_until(stand_still)
    assert [answer["kilobytes"] for answer in told] == [2, 10, 40]
    for answer in told:
        assert (answer["status"], answer["error"]) == (200, "")
        assert answer["bytes"] > answer["kilobytes"] * 1_000
        assert answer["seconds"] > 0.19


def test_what_was_told_is_told_once(sandbox: Sandbox) -> None:
    sandbox.invoke({"send": "us-east-1"})
    assert sandbox.invoke({})["answers"]
    assert sandbox.invoke({})["answers"] == []


ANSWER = b"HTTP/1.1 200 OK\r\ncontent-length: 50000\r\n\r\n" + b"x" * 50_000


@contextmanager
def answering_once(then: Callable[[socket.socket], None]) -> Iterator[str]:
    """A server that answers the first question of a connection, and does something else at the second."""
    listener = socket.create_server(("127.0.0.1", 0))

    def answer(connection: socket.socket) -> None:
        with connection:
            connection.recv(65_536)
            connection.sendall(ANSWER)
            connection.recv(65_536)
            then(connection)
            connection.recv(1)

    def serve() -> None:
        while True:
            try:
                connection = listener.accept()[0]
            except OSError:
                return
            threading.Thread(target=answer, args=(connection,), daemon=True).start()

    threading.Thread(target=serve, daemon=True).start()
    yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    listener.shutdown(socket.SHUT_RDWR)
    listener.close()


@pytest.mark.parametrize(
    ("then", "error"),
    [(lambda _: None, "TimeoutError"), (lambda connection: connection.shutdown(socket.SHUT_RDWR), "Error")],
    ids=["withheld", "closed"],
)
def test_an_answer_that_did_not_come_was_not_there(
    then: Callable[[socket.socket], None], error: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with answering_once(then) as endpoint:
        monkeypatch.setenv("AWS_ENDPOINT_URL", endpoint)
        monkeypatch.setenv("FREEZE_TABLE", TABLE)
        function.handler({"send": "us-east-1"}, None)
        monkeypatch.setattr(function, "ANSWER_SECONDS", 0.1)
        told = function.handler({}, None)["answers"]
    assert [answer["was_there"] for answer in told] == [False] * 3
    assert all(error in answer["error"] for answer in told)


def test_an_answer_that_came_when_it_was_waited_for_was_not_there(monkeypatch: pytest.MonkeyPatch) -> None:
    waited_for = threading.Event()

    class Waiting(Inquiry):
        def wait(self, deadline: float) -> tuple[int, bytes]:
            if is_sent:
                waited_for.set()
            return super().wait(deadline)

    def late(connection: socket.socket) -> None:
        waited_for.wait()
        connection.sendall(ANSWER)

    with answering_once(late) as endpoint:
        monkeypatch.setenv("AWS_ENDPOINT_URL", endpoint)
        monkeypatch.setenv("FREEZE_TABLE", TABLE)
        monkeypatch.setattr(function, "Inquiry", Waiting)
        monkeypatch.setattr(function, "ANSWER_SECONDS", 60.0)
        is_sent = False
        function.handler({"send": "us-east-1"}, None)
        is_sent = True
        told = function.handler({}, None)["answers"]
    assert not told[0]["was_there"]
    assert [answer["status"] for answer in told] == [200] * 3


def test_each_pause_has_a_row_for_each_answer(sandbox: Sandbox) -> None:
    rows = [line(found) for found in measure(sandbox.invoke, "us-east-1", (0.1, 0.2), 2)]
    assert len(rows) == 2 * 2 * 3
    assert re.fullmatch(r"\| 0\.1 s \| 2 KB \| (yes|after \d+ ms) \| [\d.]+ / [\d.]+ s \|", rows[0]), rows[0]


def test_what_another_sandbox_tells_does_not_count(sandbox: Sandbox) -> None:
    count = 0

    def invoke(event: dict[str, Any]) -> dict[str, Any]:
        nonlocal count
        count += 1
        return {**sandbox.invoke(event), "sandbox": str(min(count, 3))}

    assert len([*measure(invoke, "us-east-1", (0.0,), 1)]) == 3
    assert count == 4


def test_the_function_is_whole_as_the_page_packs_it(tmp_path: Path) -> None:
    page = (ROOT / "docs" / "performance.md").read_text()
    (packing,) = re.findall(r"^\$ (.+ tar .+)$", page, re.MULTILINE)
    script = packing.replace("build/freeze", str(tmp_path / "freeze"))
    subprocess.run(["bash", "-euc", script], cwd=ROOT, check=True)
    code = "import sys; sys.path.insert(0, '.'); from benchmarks.freeze.handler import handler"
    subprocess.run([sys.executable, "-I", "-S", "-c", code], cwd=tmp_path / "freeze", check=True)


def test_cfn_lint_finds_nothing_in_its_template() -> None:
    command = [str(Path(sys.executable).parent / "cfn-lint"), str(TEMPLATE)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, "")
