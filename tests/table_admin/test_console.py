import json
import threading
import urllib.request
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from local_edge.embedded_aws import EmbeddedAws
from table_admin import RoutingTable, TableAdminError
from table_admin.web.console import Answer, Console, serve
from table_admin.web.guard import CONSOLE_HEADER
from table_admin.web.snapshot import Snapshot
from tests.support import make_tables, wait_until

A, B = "s3://acme-static-sites/env-a", "s3://acme-static-sites/env-b"
OWN = {"host": "localhost:8765", CONSOLE_HEADER: "console", "content-type": "application/json"}


@pytest.fixture
def console(table: RoutingTable) -> Iterator[Console]:
    table.put("env-1.example.com", A, environment="shop", note="for QA")
    table.put("env-2.example.com", B, expires_in="1h")
    made = Console(table.as_request, hosts=frozenset(("localhost",)), actor="me", edge="https://{domain}/")
    wait_until(lambda: made.snapshot.search().complete)
    yield made
    made.snapshot.stop()


def ask(console: Console, method: str, target: str, body: Any = None, **headers: str) -> Answer:
    given_headers = {**OWN, **{name.replace("_", "-"): value for name, value in headers.items()}}
    return console.respond(method, target, given_headers, json.dumps(body).encode() if body is not None else b"")


def found(console: Console, query: str) -> list[str]:
    return [entry["domain"] for entry in json.loads(ask(console, "GET", f"/search?{query}").body)["entries"]]


def test_a_search_finds_words_in_any_attribute(console: Console) -> None:
    assert found(console, "") == ["env-1.example.com", "env-2.example.com"]
    assert found(console, "q=ENV-2") == ["env-2.example.com"]
    assert found(console, "q=acme+for+qa") == ["env-1.example.com"]
    assert found(console, "q=nothing") == []
    assert found(console, "environment=shop") == ["env-1.example.com"]
    assert found(console, "expiring=86400") == ["env-2.example.com"]
    assert found(console, "expiring=60") == []
    assert found(console, "limit=1&offset=1") == ["env-2.example.com"]


def test_what_the_console_writes_is_found_at_once(console: Console, table: RoutingTable) -> None:
    assert ask(console, "PUT", "/api/routes/new.example.com", {"target": A}, if_none_match="*").status == 201
    assert "new.example.com" in found(console, "")
    assert table.get("new.example.com").updated_by == "tester"
    assert ask(console, "DELETE", "/api/routes/env-1.example.com", if_match='"1"').status == 200
    assert "env-1.example.com" not in found(console, "")
    changes = {"base": "example.com", "services": {"web": A}}
    assert ask(console, "PUT", "/api/environments/env-9", changes, if_none_match="*").status == 200
    assert "web-env-9.example.com" in found(console, "environment=env-9")


def test_what_others_write_is_found_after_the_next_reading(table: RoutingTable) -> None:
    snapshot = Snapshot(table)
    snapshot.load()
    table.put("late.example.com", A)
    assert snapshot.search("late").total == 0
    snapshot.load()
    assert snapshot.search("late").total == 1


def test_what_others_write_is_found_in_seconds_by_the_feed(
    table: RoutingTable, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("table_admin.web.snapshot.POLL_SECONDS", 0.05)
    table.put("gone.example.com", A)
    snapshot = Snapshot(table)
    snapshot.start()
    wait_until(lambda: snapshot.search().complete)
    monkeypatch.setattr(snapshot, "load", pytest.fail)
    table.put("late.example.com", A)
    table.delete("gone.example.com")
    wait_until(lambda: [entry.domain for entry in snapshot.search().entries] == ["late.example.com"])
    snapshot.stop()


def test_where_all_rows_could_not_be_read_they_are_soon_read_again_feed_or_not(
    table: RoutingTable, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("table_admin.web.snapshot.LEAST_PAUSE_SECONDS", 0.05)
    monkeypatch.setattr("table_admin.web.snapshot.PAUSE_PER_READING", 0.0)
    snapshot, load, loads = Snapshot(table), Snapshot.load, 0

    def refused_once(self: Snapshot) -> None:
        nonlocal loads
        loads += 1
        if loads == 1:
            raise TableAdminError("DynamoDB refused: throttled")
        load(self)

    monkeypatch.setattr(Snapshot, "load", refused_once)
    snapshot.start()
    wait_until(lambda: snapshot.search().complete)
    snapshot.stop()


def test_after_an_import_all_is_read_again(table: RoutingTable, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("table_admin.web.snapshot.POLL_SECONDS", 0.05)
    snapshot = Snapshot(table)
    snapshot.start()
    wait_until(lambda: snapshot.search().complete)
    table.tables._announcements._room = -1_000_000
    table.put("late.example.com", A)
    table.tables.announce_withheld("tester")
    wait_until(lambda: snapshot.search("late").total == 1)
    snapshot.stop()


def test_what_is_written_while_the_table_is_read_is_found_afterwards(
    table: RoutingTable, monkeypatch: pytest.MonkeyPatch
) -> None:
    names = [f"{name}.example.com" for name in ("gone", "moved", "new")]
    for name in names[:2]:
        table.put(name, A)
    snapshot, reading = Snapshot(table), table.list

    def list_(*arguments: Any) -> Any:
        before = list(reading(*arguments))
        table.delete(names[0])
        for name in names[1:]:
            table.put(name, B)
        snapshot.update(names)
        yield from before

    monkeypatch.setattr(table, "list", list_)
    snapshot.load()
    assert [(entry.domain, entry.target) for entry in snapshot.search().entries] == [(name, B) for name in names[1:]]


def test_a_table_that_does_not_answer_is_read_when_it_does(aws: EmbeddedAws, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("table_admin.web.snapshot.LEAST_PAUSE_SECONDS", 0.01)
    stack = "stack-not-yet-there"
    table, answered = RoutingTable(stack, actor="tester", client=aws.client), threading.Event()
    reading = table.list

    def list_(*arguments: Any) -> Any:
        try:
            yield from reading(*arguments)
        finally:
            answered.set()

    monkeypatch.setattr(table, "list", list_)
    snapshot = Snapshot(table)
    snapshot.start()
    answered.wait()
    assert not snapshot.search().complete
    make_tables(stack, aws.client("dynamodb"))
    wait_until(lambda: snapshot.search().complete)
    snapshot.stop()


@pytest.mark.parametrize("path", ["/", "/assets/app.js", "/assets/style.css", "/assets/icon.svg"])
def test_the_page_needs_nothing_from_elsewhere(console: Console, path: str) -> None:
    answer = ask(console, "GET", path)
    assert answer.status == 200
    assert "default-src 'self'" in answer.headers["content-security-policy"]
    assert b"://" not in answer.body.replace(b"http://www.w3.org/2000/svg", b"").replace(b"https://host", b"").replace(
        b"s3://bucket", b""
    )


@pytest.mark.parametrize("path", ["/assets/../console.py", "/assets/%2e%2e/console.py", "/assets/", "/etc/passwd"])
def test_no_other_file_is_served(console: Console, path: str) -> None:
    assert ask(console, "GET", path).status == 404


def test_other_pages_cannot_use_the_console(console: Console, table: RoutingTable) -> None:
    body = b'{"target": "s3://acme-static-sites/evil"}'
    without = {name: value for name, value in OWN.items() if name != CONSOLE_HEADER}
    assert console.respond("PUT", "/api/routes/env-1.example.com", without, body).status == 403
    rebound = {**OWN, "host": "evil.example:8765"}
    assert console.respond("PUT", "/api/routes/env-1.example.com", rebound, body).status == 421
    assert console.respond("GET", "/search", rebound, b"").status == 421
    assert console.respond("POST", "/", OWN, b"").status == 405
    assert table.get("env-1.example.com").target == A


@pytest.mark.parametrize(
    "headers",
    [
        {"origin": "http://evil.example"},
        {"origin": "http://localhost:8080"},
        {"origin": "https://localhost:8765"},
        {"origin": "null"},
        {"origin": ""},
        {"sec-fetch-site": "cross-site"},
        {"sec-fetch-site": "same-site"},
    ],
)
def test_a_page_of_another_origin_is_refused_whatever_it_sends(
    console: Console, table: RoutingTable, headers: dict[str, str]
) -> None:
    asked = {**OWN, "if-match": '"1"', **headers}
    body = json.dumps({"target": B}).encode()
    assert console.respond("PUT", "/api/routes/env-1.example.com", asked, body).status == 403
    for path in ("/api/routes/env-1.example.com", "/search", "/config"):
        assert console.respond("GET", path, asked, b"").status == 403
    assert table.get("env-1.example.com").revision == 1
    # Who follows a link gets the page.
    assert console.respond("GET", "/", asked, b"").status == 200


def test_the_consoles_own_page_may_ask(console: Console) -> None:
    own = {"origin": "http://localhost:8765", "sec-fetch-site": "same-origin"}
    asked = {**OWN, "if-match": '"1"', **own}
    body = json.dumps({"target": B}).encode()
    assert console.respond("PUT", "/api/routes/env-1.example.com", asked, body).status == 200


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("PUT", "/api/routes/env-1.example.com", {"target": B}),
        ("DELETE", "/api/routes/env-1.example.com", None),
        ("POST", "/api/routes/env-1.example.com/touch", {}),
        ("POST", "/api/routes/env-1.example.com/rollback", {"to": 1}),
        ("POST", "/api/environments/shop/extend", {"expires_in": "7d"}),
        ("DELETE", "/api/environments/shop", None),
    ],
)
def test_a_write_that_does_not_say_over_what_is_refused(
    console: Console, table: RoutingTable, method: str, path: str, body: Any
) -> None:
    assert ask(console, method, path, body).status == 428
    assert table.get("env-1.example.com").revision == 1


def test_it_is_served_on_this_machine(console: Console) -> None:
    server = serve(console, 0)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    url = f"http://localhost:{server.server_port}"
    with urllib.request.urlopen(f"{url}/search?q=env-2") as answer:
        assert json.load(answer)["total"] == 1
    request = urllib.request.Request(
        f"{url}/api/routes/env-1.example.com",
        json.dumps({"target": B}).encode(),
        {"x-table-admin": "console", "content-type": "application/json", "If-Match": '"1"'},
        method="PUT",
    )
    with urllib.request.urlopen(request) as answer:
        assert json.load(answer)["action"] == "updated"
    server.shutdown()
    server.server_close()


@settings(max_examples=100)
@given(
    st.sampled_from(["GET", "HEAD", "PUT", "POST", "DELETE", "PATCH"]),
    st.sampled_from(["/search?", "/api/routes?", "/api/", "/assets/", "/config"]),
    st.text(max_size=20),
    st.binary(max_size=40),
)
def test_whatever_is_asked_is_answered(console: Console, method: str, path: str, rest: str, body: bytes) -> None:
    assert console.respond(method, path + rest, OWN, body).status < 500
