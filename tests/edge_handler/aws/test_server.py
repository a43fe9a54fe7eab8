"""A server asked over kept and new connections, against servers that do as servers do."""

import re
import select
import socket
import ssl
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import certifi
import pytest

from edge_handler.aws import connection
from edge_handler.aws.connection import Connection
from edge_handler.aws.server import Server
from edge_handler.errors import Refused, Unreadable
from tests.tls import self_signed


def answer_all(one: socket.socket, answers: list[bytes], seen: list[Any]) -> bool:
    """Tell whether the connection is to be left as it is, open and silent."""
    for reply in answers:
        request = one.recv(65_536)
        if not request:
            break
        seen.append(request)
        if reply is SILENCE:
            return True
        one.sendall(reply)
    return False


@contextmanager
def server(
    replies: list[list[bytes]], context: ssl.SSLContext | None = None, surplus: threading.Event | None = None
) -> Iterator[tuple[int, list[Any]]]:
    """Serve, on each connection in turn, its replies, one a request; yield the port and what was seen.

    When `surplus` is set, the first connection's last reply is sent once more.
    """
    seen: list[Any] = []
    forgotten: list[socket.socket] = []
    listener = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        for answers in replies:
            try:
                found, _ = listener.accept()
                one = found if context is None else context.wrap_socket(found, server_side=True)
                seen.append(one.session_reused if isinstance(one, ssl.SSLSocket) else None)
                kept = answer_all(one, answers, seen)
                if surplus is not None and answers is replies[0]:
                    surplus.wait()
                    one.sendall(answers[-1])
                    kept = True
                if kept:
                    forgotten.append(one)
                else:
                    one.close()
            except OSError:
                continue

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    yield listener.getsockname()[1], seen
    listener.close()
    for one in forgotten:
        one.close()


def ask(
    found: Server, method: str = "GET", path: str = "/", body: bytes = b"", seconds: float = 60, **more: str
) -> tuple[int, bytes]:
    """Return status and body; anything but 200 is none that can be read."""

    def read(status: int, content: bytes) -> tuple[int, bytes]:
        if status != 200:
            raise Unreadable(f"status {status}")
        return status, content

    return found.ask(method, path, {"host": "h", **more}, body, time.monotonic() + seconds, read)


OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
# What a connection would answer that is not to be asked again.
OTHER = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nother"
SILENCE = b"silence"
WRONG = b"HTTP/1.1 500 Wrong\r\nContent-Length: 5\r\n\r\nwrong"


def test_a_request_is_what_a_server_expects() -> None:
    with server([[OK, OK]]) as (port, seen):
        found = Server(f"http://127.0.0.1:{port}")
        assert found.authority == f"127.0.0.1:{port}"
        assert ask(found, "POST", "/x", b"body", a="b") == (200, b"ok")
        assert ask(found, path="/y") == (200, b"ok")
    assert seen[1] == b"POST /x HTTP/1.1\r\nhost: h\r\na: b\r\ncontent-length: 4\r\n\r\nbody"
    assert seen[2] == b"GET /y HTTP/1.1\r\nhost: h\r\ncontent-length: 0\r\n\r\n"


def test_an_idle_connection_is_not_tried(monkeypatch: pytest.MonkeyPatch) -> None:
    with server([[OK, WRONG], [OK]]) as (port, seen):
        found = Server(f"http://127.0.0.1:{port}")
        ask(found)
        monkeypatch.setattr(connection, "IDLE_SECONDS", -1)
        assert ask(found) == (200, b"ok")
    assert seen.count(None) == 2


@pytest.mark.parametrize(
    "first",
    [
        b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nok",
        b"HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nok",
        OK + OK,
    ],
    ids=["said", "HTTP/1.0", "more than was asked for"],
)
def test_a_connection_is_not_used_again_that_should_not_be(first: bytes) -> None:
    """Not even where the server leaves it open."""
    with server([[first, WRONG], [OK]]) as (port, seen):
        found = Server(f"http://127.0.0.1:{port}")
        assert ask(found) == (200, b"ok")
        assert ask(found) == (200, b"ok")
    assert len([one for one in seen if isinstance(one, bytes)]) == 2


@pytest.mark.parametrize("tls", [False, True], ids=["plain", "TLS"])
def test_what_comes_on_a_connection_between_two_questions_answers_neither(
    tls: bool, authority: tuple[ssl.SSLContext, ssl.SSLContext], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A surplus answer that comes after the right one, however late."""
    monkeypatch.setattr(connection, "_tls_context", authority[1])
    late = threading.Event()
    with server([[OK], [OTHER]], authority[0] if tls else None, surplus=late) as (port, seen):
        found = Server(f"{'https' if tls else 'http'}://127.0.0.1:{port}")
        assert ask(found) == (200, b"ok")
        assert found._connection.kept()
        late.set()
        wait_until_something_is_there(found)
        assert ask(found) == (200, b"other")
    assert len([one for one in seen if isinstance(one, bytes)]) == 2


def wait_until_something_is_there(found: Server) -> None:
    at = found._connection._socket
    assert at is not None
    assert select.select([at], [], [], 60)[0]


def test_a_session_ticket_is_no_answer(
    authority: tuple[ssl.SSLContext, ssl.SSLContext], monkeypatch: pytest.MonkeyPatch
) -> None:
    """TLS 1.3 sends one behind the handshake: a connection made at the start is there to be used."""
    monkeypatch.setattr(connection, "_tls_context", authority[1])
    with server([[OK]], authority[0]) as (port, seen):
        found = Server(f"https://127.0.0.1:{port}")
        found.connect(time.monotonic() + 60)
        wait_until_something_is_there(found)
        assert ask(found) == (200, b"ok")
    assert len(seen) == 2


@pytest.mark.parametrize(
    "reply",
    [b"", WRONG, OK[:-1], b"HTTP/1.1 408 Request Timeout\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"],
    ids=["closed", "broken inside", "half", "timed out"],
)
@pytest.mark.parametrize("kept", [False, True], ids=["new", "kept"])
def test_what_cannot_be_read_is_asked_for_once_more_on_a_new_connection(reply: bytes, kept: bool) -> None:
    first = [OK, reply] if kept else [reply]
    with server([first, [OTHER], [OK]]) as (port, seen):
        found = Server(f"http://127.0.0.1:{port}")
        if kept:
            ask(found)
        assert ask(found) == (200, b"other")
    assert seen.count(None) == 2


@pytest.mark.parametrize("kept", [False, True], ids=["new", "kept"])
def test_what_cannot_be_read_twice_is_given_up(kept: bool) -> None:
    first = [OK, WRONG] if kept else [WRONG]
    with server([first, [WRONG], [OK]]) as (port, seen):
        found = Server(f"http://127.0.0.1:{port}")
        if kept:
            ask(found)
        with pytest.raises(Unreadable):
            ask(found)
    assert seen.count(None) == 2


def test_what_is_refused_is_not_asked_again_and_the_connection_goes() -> None:
    def read(status: int, content: bytes) -> bytes:
        if content == b"other":
            raise Refused("no")
        return content

    with server([[OTHER, WRONG], [OK]]) as (port, seen):
        found = Server(f"http://127.0.0.1:{port}")
        with pytest.raises(Refused):
            found.ask("GET", "/", {"host": "h"}, b"", time.monotonic() + 60, read)
        assert seen.count(None) == 1
        assert found.ask("GET", "/", {"host": "h"}, b"", time.monotonic() + 60, read) == b"ok"


def test_an_answer_that_comes_too_late_is_nobodys() -> None:
    with server([[SILENCE], [OK]]) as (port, _):
        found = Server(f"http://127.0.0.1:{port}")
        with pytest.raises(TimeoutError):
            ask(found, seconds=0.2)
        assert not found._connection.kept()


def test_silence_on_a_kept_connection_leaves_half_of_the_time_for_a_new_one() -> None:
    with server([[OK, SILENCE], [OK]]) as (port, _):
        found = Server(f"http://127.0.0.1:{port}")
        ask(found)
        assert ask(found, seconds=3) == (200, b"ok")


def test_a_handshake_that_drips_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    """The time is for the handshake as a whole, not for each of its packets."""
    monkeypatch.setattr(connection, "_tls_context", ssl.create_default_context())
    stop = threading.Event()
    listener = socket.create_server(("127.0.0.1", 0))

    def drip() -> None:
        found, _ = listener.accept()
        with found:
            # The record of a ServerHello that never ends.
            found.sendall(b"\x16\x03\x03\x40\x00\x02\x00\x3f\xfc")
            while not stop.wait(0.02):
                try:
                    found.sendall(b"\x00")
                except OSError:
                    return

    threading.Thread(target=drip, daemon=True).start()
    with pytest.raises(TimeoutError):
        Server(f"https://127.0.0.1:{listener.getsockname()[1]}").connect(time.monotonic() + 0.3)
    stop.set()
    listener.close()


@pytest.mark.parametrize("endpoint", ["", "ftp://a", "http://", "http://a:b", "a.example.com", "https://a/b"])
def test_what_is_no_endpoint_is_refused(endpoint: str) -> None:
    with pytest.raises(ValueError, match="not an endpoint"):
        Connection(endpoint)


@pytest.mark.parametrize(
    ("endpoint", "authority"),
    [("https://a.example", "a.example"), ("http://a:8080", "a:8080"), ("https://a:443/", "a"), ("http://a", "a")],
)
def test_the_port_is_said_where_it_is_not_the_schemes(endpoint: str, authority: str) -> None:
    assert Connection(endpoint).authority == authority


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> tuple[ssl.SSLContext, ssl.SSLContext]:
    """Return a server's context with a certificate for 127.0.0.1, and a client's that trusts it."""
    pem = self_signed(tmp_path_factory.mktemp("tls"))
    serving = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    serving.load_cert_chain(pem)
    return serving, ssl.create_default_context(cafile=str(pem))


def test_a_new_connection_takes_up_the_last_tls_session(
    authority: tuple[ssl.SSLContext, ssl.SSLContext], monkeypatch: pytest.MonkeyPatch
) -> None:
    serving, trusting = authority
    monkeypatch.setattr(connection, "_tls_context", trusting)
    with server([[OK], [OK]], serving) as (port, seen):
        found = Server(f"https://127.0.0.1:{port}")
        assert ask(found) == (200, b"ok")
        found._connection.close()
        assert ask(found) == (200, b"ok")
    assert [one for one in seen if isinstance(one, bool)] == [False, True]


def test_the_roots_are_amazons_as_certifi_has_them() -> None:
    known = Path(certifi.where()).read_text()
    blocks = re.findall(r"-----BEGIN.+?END CERTIFICATE-----", Path(connection.ROOTS).read_text(), re.DOTALL)
    assert len(blocks) == 5
    assert all(block in known for block in blocks)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.load_verify_locations(connection.ROOTS)
    for certificate in context.get_ca_certs():
        assert re.search("Amazon Root CA|Starfield Services Root", str(certificate["subject"]))
        assert ssl.cert_time_to_seconds(str(certificate["notAfter"])) > time.time() + 2 * 365 * 86400


def test_another_authority_that_the_system_trusts_is_trusted_when_it_is_met(
    authority: tuple[ssl.SSLContext, ssl.SSLContext], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connection, "_tls_context", None)
    monkeypatch.setenv("SSL_CERT_FILE", trusted_file(authority[1]))
    with server([[OK], [OK]], authority[0]) as (port, _):
        found = Server(f"https://127.0.0.1:{port}")
        assert ask(found) == (200, b"ok")


def trusted_file(context: ssl.SSLContext) -> str:
    """Write down what a context trusts, as a system does."""
    (certificate,) = context.get_ca_certs(binary_form=True)
    with tempfile.NamedTemporaryFile("w", suffix=".pem", delete=False) as out:
        out.write(ssl.DER_cert_to_PEM_cert(certificate))
    return out.name


def test_a_connection_needs_no_tables_of_idna(authority: tuple[ssl.SSLContext, ssl.SSLContext]) -> None:
    """They take milliseconds to import, of a first viewer's time."""
    with server([[OK]], authority[0]) as (port, _):
        script = (
            f"from edge_handler.aws import connection; connection.ROOTS = {trusted_file(authority[1])!r}; "
            "import time; from edge_handler.aws.server import Server; "
            f"found = Server('https://127.0.0.1:{port}'); "
            "print(found.ask('GET', '/', {'host': 'h'}, b'', time.monotonic() + 60, lambda *answer: answer)); "
            "import sys; print('encodings.idna' in sys.modules)"
        )
        command = [sys.executable, "-S", "-E", "-c", f"import sys; sys.path[:0] = {sys.path!r}; {script}"]
        done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stdout.splitlines() == ["(200, b'ok')", "False"]


def test_a_server_that_nobody_vouches_for_is_not_asked(authority: tuple[ssl.SSLContext, ssl.SSLContext]) -> None:
    with server([[OK], [OK], [OK]], authority[0]) as (port, seen):
        with pytest.raises(OSError, match="certificate"):
            ask(Server(f"https://127.0.0.1:{port}"))
        assert not any(isinstance(one, bytes) for one in seen)
