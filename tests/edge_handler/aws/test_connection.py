"""The HTTP client against http.client, and against servers that do as servers do."""

import http.client
import re
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
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from edge_handler.aws import connection
from edge_handler.aws.connection import Connection, ProtocolError, _read_response
from tests.tls import self_signed

BODIES = st.binary(max_size=200)
NAMES = st.from_regex(rb"[A-Za-z][A-Za-z0-9-]{0,10}", fullmatch=True).filter(
    lambda name: name.lower() not in (b"content-length", b"transfer-encoding", b"connection")
)
VALUES = st.from_regex(rb"[!-~]([ -~]{0,20}[!-~])?", fullmatch=True)


@st.composite
def responses(draw: st.DrawFn) -> tuple[bytes, str]:
    """Return a well-formed response and the method of its request."""
    status = draw(st.sampled_from([200, 201, 204, 304, 400, 404, 500, 503]))
    method = draw(st.sampled_from(["GET", "POST", "HEAD"]))
    body = b"" if method == "HEAD" or status in (204, 304) else draw(BODIES)
    framing = draw(st.sampled_from(["length", "chunks", "close"]))
    fields = draw(st.lists(st.tuples(NAMES, VALUES), max_size=4))
    if draw(st.booleans()):
        fields.append((b"Connection", draw(st.sampled_from([b"close", b"keep-alive", b"Close"]))))
    if framing == "length":
        fields.append((draw(st.sampled_from([b"Content-Length", b"content-length"])), b"%d" % len(body)))
    elif framing == "chunks" and method != "HEAD" and status not in (204, 304):
        fields.append((b"Transfer-Encoding", b"chunked"))
        cuts = sorted(draw(st.lists(st.integers(0, len(body)), max_size=3)))
        parts = [body[a:b] for a, b in zip([0, *cuts], [*cuts, len(body)], strict=True)]
        body = b"".join(b"%x\r\n%s\r\n" % (len(part), part) for part in parts if part) + b"0\r\n\r\n"
    interim = b"HTTP/1.1 100 Continue\r\n\r\n" * draw(st.integers(0, 2))
    reason = draw(st.sampled_from([b" OK", b"", b" A Longer Reason"]))
    head = b"HTTP/1.1 %d%s\r\n" % (status, reason) + b"".join(b"%s: %s\r\n" % field for field in fields) + b"\r\n"
    return interim + head + body, method


@contextmanager
def sending(data: bytes, cuts: list[int]) -> Iterator[socket.socket]:
    """Yield a socket on which a response comes in pieces, and then the end."""
    ours, theirs = socket.socketpair()
    ours.settimeout(5)

    def send() -> None:
        edges = sorted(cut for cut in cuts if cut < len(data))
        with theirs:
            try:
                for start, stop in zip([0, *edges], [*edges, len(data)], strict=True):
                    theirs.sendall(data[start:stop])
                    time.sleep(0)
            except OSError:
                return

    thread = threading.Thread(target=send)
    thread.start()
    try:
        yield ours
    finally:
        ours.close()
        thread.join()


@settings(suppress_health_check=[HealthCheck.too_slow])
@given(responses(), st.lists(st.integers(1, 300), max_size=5))
def test_a_response_is_read_as_http_client_reads_it(given_response: tuple[bytes, str], cuts: list[int]) -> None:
    data, method = given_response
    with sending(data, cuts) as found:
        reference = http.client.HTTPResponse(found, method=method)
        reference.begin()
        body = reference.read()
        expected = (reference.status, body, not reference.will_close)
    with sending(data, cuts) as found:
        assert _read_response(found, method) == expected


@given(st.binary(max_size=120) | st.builds(lambda rest: b"HTTP/1.1 200 OK\r\n" + rest, st.binary(max_size=100)))
def test_whatever_comes_is_a_response_or_an_oserror(data: bytes) -> None:
    with sending(data, []) as found:
        try:
            status, _, _ = _read_response(found, "GET")
        except OSError:
            return
    assert 200 <= status <= 999


@pytest.mark.parametrize(
    "data",
    [
        b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nabc",
        b"HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: " + b"9" * 5000 + b"\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n-1\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nabc\r\n0\r\n\r\n",
        b"HTTP/1.1 20 OK\r\n\r\n",
        b"ICY 200 OK\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nno colon\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nA: " + b"a" * 70_000,
    ],
)
def test_half_and_broken_answers_are_errors(data: bytes) -> None:
    with sending(data, []) as found, pytest.raises(ProtocolError):
        _read_response(found, "GET")


@contextmanager
def server(replies: list[list[bytes]], context: ssl.SSLContext | None = None) -> Iterator[tuple[int, list[Any]]]:
    """Serve, on each connection in turn, its replies, one a request; yield the port and what was seen."""
    seen: list[Any] = []
    listener = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        for answers in replies:
            try:
                found, _ = listener.accept()
                with found if context is None else context.wrap_socket(found, server_side=True) as one:
                    seen.append(one.session_reused if isinstance(one, ssl.SSLSocket) else None)
                    for reply in answers:
                        request = one.recv(65_536)
                        if not request:
                            break
                        seen.append(request)
                        one.sendall(reply)
            except OSError:
                continue

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    yield listener.getsockname()[1], seen
    listener.close()


OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
# What a connection would answer that is not to be asked again.
WRONG = b"HTTP/1.1 500 Wrong\r\nContent-Length: 5\r\n\r\nwrong"


def test_a_request_is_what_a_server_expects() -> None:
    with server([[OK, OK]]) as (port, seen):
        found = Connection(f"http://127.0.0.1:{port}")
        assert found.authority == f"127.0.0.1:{port}"
        assert found.request("POST", "/x", {"host": "h", "a": "b"}, b"body") == (200, b"ok")
        assert found.request("GET", "/y", {"host": "h"}) == (200, b"ok")
        found.close()
    assert seen[1] == b"POST /x HTTP/1.1\r\nhost: h\r\na: b\r\ncontent-length: 4\r\n\r\nbody"
    assert seen[2] == b"GET /y HTTP/1.1\r\nhost: h\r\ncontent-length: 0\r\n\r\n"


def test_an_idle_connection_is_not_tried(monkeypatch: pytest.MonkeyPatch) -> None:
    with server([[OK, WRONG], [OK]]) as (port, _):
        found = Connection(f"http://127.0.0.1:{port}")
        found.request("GET", "/", {"host": "h"})
        monkeypatch.setattr(connection, "IDLE_SECONDS", -1)
        assert found.request("GET", "/", {"host": "h"}) == (200, b"ok")
        found.close()


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
    with server([[first, WRONG], [OK]]) as (port, _):
        found = Connection(f"http://127.0.0.1:{port}")
        assert found.request("GET", "/", {"host": "h"}) == (200, b"ok")
        assert found.request("GET", "/", {"host": "h"}) == (200, b"ok")
        found.close()


def test_an_answer_that_comes_too_late_is_nobodys(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connection, "READ_SECONDS", 0.2)
    with server([[b"", WRONG], [OK]]) as (port, _):
        found = Connection(f"http://127.0.0.1:{port}")
        with pytest.raises(TimeoutError):
            found.request("GET", "/", {"host": "h"})
        assert found.request("GET", "/", {"host": "h"}) == (200, b"ok")
        found.close()


def test_an_answer_that_drips_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connection, "READ_SECONDS", 0.2)
    ours, theirs = socket.socketpair()
    stop = threading.Event()

    def drip() -> None:
        while not stop.wait(0.02):
            try:
                theirs.sendall(b"H")
            except OSError:
                return

    threading.Thread(target=drip, daemon=True).start()
    ours.settimeout(1)
    with pytest.raises(TimeoutError):
        _read_response(ours, "GET")
    stop.set()
    ours.close()
    theirs.close()


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
        found = Connection(f"https://127.0.0.1:{port}")
        assert found.request("GET", "/", {"host": "h"}) == (200, b"ok")
        found.close()
        assert found.request("GET", "/", {"host": "h"}) == (200, b"ok")
        found.close()
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
        found = Connection(f"https://127.0.0.1:{port}")
        assert found.request("GET", "/", {"host": "h"}) == (200, b"ok")
        found.close()


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
            f"print(connection.Connection('https://127.0.0.1:{port}').request('GET', '/', {{'host': 'h'}})); "
            "import sys; print('encodings.idna' in sys.modules)"
        )
        command = [sys.executable, "-S", "-E", "-c", f"import sys; sys.path[:0] = {sys.path!r}; {script}"]
        done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stdout.splitlines() == ["(200, b'ok')", "False"]


def test_a_server_that_nobody_vouches_for_is_not_asked(authority: tuple[ssl.SSLContext, ssl.SSLContext]) -> None:
    with server([[OK], [OK], [OK]], authority[0]) as (port, seen):
        with pytest.raises(OSError, match="certificate"):
            Connection(f"https://127.0.0.1:{port}").request("GET", "/", {"host": "h"})
        assert not any(isinstance(one, bytes) for one in seen)
