"""ask-edge, against an edge that runs, and against what is none."""

import json
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

import pytest

from edge_handler.debug import HEADER, NAMES
from table_admin import Access, EdgeAnswer, InvalidInput, RoutingTable, TableAdminError, ask_edge
from table_admin.access_table import AccessTable
from table_admin.cli.program import run
from tests.local_edge.running import LocalEdge, local_edge
from tests.table_admin.conftest import Command

HOST = "env-123.localhost"


@pytest.fixture(scope="module")
def edge() -> Iterator[LocalEdge]:
    with local_edge() as running:
        yield running


def asked(edge: LocalEdge, host: str, path: str = "/", **options: object) -> EdgeAnswer:
    """Ask the edge that runs, as long as its machine needs to read what it has to."""
    while True:
        found = ask_edge(edge.table, f"http://{host}:{edge.port}{path}", **options)  # type: ignore[arg-type]
        if found.said["known_from"] is not None:
            return found


def test_what_the_edge_says_is_what_the_table_has(edge: LocalEdge) -> None:
    edge.get(HOST)
    found, row = asked(edge, HOST), edge.table.get(HOST)
    said = found.said
    assert (said["host"], said["domain"], said["status"]) == (HOST, HOST, None)
    assert (said["revision"], said["generation"], said["remembered_is_newest"]) == (row.revision, row.generation, True)
    assert said["known_from"] in ("memory", "snapshot", "feed", "table")
    assert said["snapshot"]["epoch"]
    assert said["stamp"].startswith(f"1;{HOST};{row.generation};")
    assert found.headers["x-cache"] == "LambdaGeneratedResponse from cloudfront"


def test_a_write_is_seen_where_it_is_known_from(edge: LocalEdge) -> None:
    host = "asked.localhost"
    edge.table.put(host, "s3://acme-static-sites/env-123")
    asked(edge, host)
    edge.table.put(host, "s3://acme-static-sites/env-456")
    while (said := asked(edge, host).said)["revision"] != 2:
        assert said["revision"] in (1, None)
    assert (said["remembered_is_newest"], said["generation"]) == (True, 2)


def test_rules_redirects_and_refusals_are_told(edge: LocalEdge) -> None:
    assert asked(edge, "market.localhost", "/api/primes").said["rule"] == "/api/*"
    said = asked(edge, "old-market.localhost", "/a?b=1").said
    assert (said["status"], said["location"]) == (308, f"http://market.localhost:{edge.port}/a?b=1")
    said = asked(edge, "a.tenant.localhost").said
    assert (said["domain"], said["status"]) == ("*.tenant.localhost", None)
    assert asked(edge, "maintenance.localhost").said["status"] == 503
    assert asked(edge, HOST, method="POST").said["status"] == 405
    found = ask_edge(edge.table, f"http://none-{HOST}:{edge.port}/")
    assert found.said["status"] == 404


def test_a_cookie_is_sent_along(edge: LocalEdge) -> None:
    link = Access(edge.table).link("private.localhost").url
    session = edge.ask(
        "private.localhost", "/.well-known/edge-access/link", authorization=f"Bearer {link.partition('#')[2]}"
    ).headers["set-cookie"]
    cookie = session.partition(";")[0]
    assert asked(edge, "private.localhost").said["status"] == 403
    assert asked(edge, "private.localhost", cookies=["a=b", cookie]).said["status"] is None


def test_nobody_else_is_told_anything(edge: LocalEdge) -> None:
    answer = edge.get(HOST, **{HEADER: "x"})
    assert answer.status == 200
    assert "known_from" not in answer.text


@pytest.mark.parametrize("as_json", [False, True])
def test_the_verb_says_the_same(edge: LocalEdge, as_json: bool, run_verb: Callable[..., tuple[int, str, str]]) -> None:
    options = ["--json"] if as_json else []
    status, out, err = run_verb(edge, "ask-edge", f"{HOST}/docs/", *options)
    assert (status, err) == (0, "")
    if as_json:
        assert {*NAMES, "x-cache"} <= {*json.loads(out)}
    else:
        assert re.search(rf"^domain +{HOST}$", out, re.MULTILINE)
        assert re.search(r"^x-cache +LambdaGeneratedResponse", out, re.MULTILINE)


@pytest.fixture
def run_verb(monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Callable[..., tuple[int, str, str]]:
    """Return what runs a verb beside an edge that runs, by the setting of where its sites are."""

    def verb(edge: LocalEdge, *words: str) -> tuple[int, str, str]:
        monkeypatch.setenv("AWS_ENDPOINT_URL", edge.aws_endpoint)
        monkeypatch.setenv("TABLE_ADMIN_EDGE", f"http://{{domain}}:{edge.port}/")
        capfd.readouterr()
        status = run([*words])
        return status, *capfd.readouterr()

    return verb


# What is no edge.


@contextmanager
def answering(status: int, content: bytes, seen: list[dict[str, str]]) -> Iterator[str]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:  # http.server's
            seen.append({name.lower(): value for name, value in self.headers.items()})
            self.send_response(status)
            self.send_header("location", "http://127.0.0.1:9/")
            self.send_header("content-length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


@pytest.mark.parametrize(
    ("status", "content"),
    [
        (200, b"<!doctype html>"),
        (200, b"{}"),
        (200, b"[" * 100_000),
        (200, b"\xff"),
        (302, b""),
        (404, b'{"status": 404}'),
    ],
)
def test_what_does_not_say_it_is_no_edge_of_ours(
    table: RoutingTable, command: Command, status: int, content: bytes
) -> None:
    Access(table).rotate()
    seen: list[dict[str, str]] = []
    with answering(status, content, seen) as url:
        found, out, err = command("ask-edge", f"{HOST}/a", "--edge", url)
    assert (found, out) == (1, "")
    assert err.count("\n") == 1
    assert f"answers {status}, not what it was asked" in err
    assert [one["host"] for one in seen] == [HOST]
    assert seen[0][HEADER].startswith("debug.")


def test_an_answer_about_another_host_is_none(table: RoutingTable) -> None:
    Access(table).rotate()
    other = json.dumps(dict.fromkeys(NAMES)).encode()
    with answering(200, other, []) as url, pytest.raises(TableAdminError, match="not what it was asked"):
        ask_edge(table, HOST, edge=url)


def test_it_is_signed_with_the_newest_key_and_the_edge_is_told_the_urls_port(table: RoutingTable) -> None:
    Access(table).rotate()
    Access(table).rotate()
    newest, _ = AccessTable(table.stack, table.tables.dynamodb).keys().keys
    seen: list[dict[str, str]] = []
    with answering(200, b"{}", seen) as url, pytest.raises(TableAdminError):
        ask_edge(table, url.replace("127.0.0.1", HOST))
    assert seen[0]["host"] == url.replace("http://127.0.0.1", HOST)
    assert seen[0][HEADER].split(".")[2] == newest.key.id


def test_where_nobody_answers_a_line_says_so(table: RoutingTable, command: Command) -> None:
    Access(table).rotate()
    status, _, err = command("ask-edge", HOST, "--edge", "http://127.0.0.1:9")
    assert (status, err.count("\n")) == (1, 1)
    assert "does not answer (" in err
    assert "--edge" in err
    assert "debug." not in err


def test_without_a_key_a_line_says_how_to_make_one(command: Command) -> None:
    status, _, err = command("ask-edge", HOST, "--edge", "http://127.0.0.1:9")
    assert (status, err.count("\n")) == (1, 1)
    assert "table-admin access rotate" in err


@pytest.mark.parametrize(
    "address",
    ["", "*.example.com", "https://", "ftp://a.b/", "http://[", "a b", "u:p@a.example.com", "/x", "a.example.com/\nb"],
)
def test_what_is_no_host_is_refused_before_anything_is_read(table: RoutingTable, address: str) -> None:
    with pytest.raises(InvalidInput):
        ask_edge(table, address)


@pytest.mark.parametrize("cookie", ["a", "=b", "a=b;c=d", "a=b\r\nx: y", "a=\u00e9", "a b=c"])
def test_what_is_no_cookie_is_refused(table: RoutingTable, cookie: str) -> None:
    with pytest.raises(InvalidInput):
        ask_edge(table, HOST, cookies=[cookie])


def test_another_method_is_refused(table: RoutingTable) -> None:
    with pytest.raises(InvalidInput, match="HEAD"):
        ask_edge(table, HOST, method="HEAD")
