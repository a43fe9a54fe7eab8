"""A canary and a standby, as the command shows them: in plain words, and which side a viewer is on."""

import json
from pathlib import Path
from typing import Any

import pytest

from edge_handler.canary.side import side_of
from table_admin import RoutingTable
from table_admin.documents import explanation_document
from table_admin.errors import InvalidInput
from table_admin.explain import explain
from table_admin.viewers import Viewer, headers_of, parse_viewer
from tests.table_admin.conftest import Command
from tests.table_admin.test_second_target_documents import fail_over

A, B, C = (f"s3://acme-static-sites/env-{name}" for name in "abc")
HOST = "www.example.com"
CANARY: dict[str, Any] = {"target": B, "weight": 10, "cookie": "session"}
DAY = 86_400


def test_get_says_it_in_plain_words(command: Command, table: RoutingTable) -> None:
    table.put(HOST, A)
    assert "canary:      no\nstandby:     none\nfailed_over: no\n" in command("get", HOST)[1]
    table.put(HOST, A, canary=CANARY, standby=C)
    assert (
        f"canary:      10 % get {B}, by cookie session, since revision 2\nstandby:     {C}\nfailed_over: no\n"
    ) in command("get", HOST)[1]
    fail_over(table)
    assert f"canary:      no\nstandby:     {A}\nfailed_over: yes\n" in command("get", HOST)[1]
    found = json.loads(command("get", HOST, "--json")[1])
    assert {name: found[name] for name in ("target", "canary", "standby", "failed_over")} == {
        "target": C,
        "canary": None,
        "standby": A,
        "failed_over": True,
    }


def test_list_history_diff_and_watch_show_it(command: Command, table: RoutingTable) -> None:
    table.put(HOST, A, standby=C)
    table.put(HOST, A, canary=CANARY, policy={"private": True})
    assert command("list")[1].splitlines()[1].endswith("  private,canary 10 %")
    assert "  private,canary 10 %" in command("history", HOST)[1].splitlines()[1]
    assert f"{HOST} -> {A} (revision 2, private, canary 10 %, by " in command("watch", "--since", "1h", "--once")[1]
    assert command("diff", HOST)[1] == f"private: no -> yes\ncanary: no -> 10 % get {B}, by cookie session\n"
    table.put(HOST, A, canary={"weight": 20, "cookie": ""})
    assert command("diff", HOST)[1] == f"canary: 10 % get {B}, by cookie session -> 20 % get {B}\n"
    fail_over(table)
    assert command("list")[1].splitlines()[1].endswith("  private,failed over")
    assert command("diff", HOST)[1].splitlines()[-3:] == [
        f"canary: 20 % get {B} -> no",
        f"standby: {C} -> {A}",
        "failed over: no -> yes",
    ]


def test_a_plan_shows_it_a_line_each(command: Command, table: RoutingTable, tmp_path: Path) -> None:
    file = tmp_path / "routes.json"
    body = {"target": A, "canary": CANARY, "standby": C}
    file.write_text(json.dumps({"owner": "shop", "routes": {HOST: body}}))
    lines = f"    canary: no -> 10 % get {B}, by cookie session\n    standby: none -> {C}\n"
    assert command("plan", str(file))[1].startswith(f"+ {HOST}  {A}\n{lines}Plan ")
    assert command("apply", str(file), "--yes")[0] == 0
    assert command("plan", str(file), "--exit-code")[0] == 0
    fail_over(table)
    assert command("plan", str(file), "--exit-code")[0] == 0, "no file moves viewers then"


# ---- explain


def test_both_sides_are_explained(command: Command, table: RoutingTable) -> None:
    old, new = "https://old.example.net", "https://new.example.net"
    table.put(HOST, old, canary={"target": new, "weight": 10}, standby=C)
    found = explanation_document(explain(table, f"https://{HOST}/x.css"))
    assert found.policy["canary"] == (
        f"10 % of viewers get {new}, since revision 1; address and user agent tell which, and a tester chooses at "
        "/.well-known/edge-canary"
    )
    assert found.policy["standby"] == f"table-admin fail-over {HOST} moves viewers to {C}"
    assert found.origin_request is not None
    assert found.of_canary is not None
    assert found.of_canary.origin_request is not None
    assert found.origin_request["origin"] == old
    assert found.of_canary.origin_request["origin"] == new
    assert found.viewer_request["stamp"] != found.of_canary.viewer_request["stamp"]
    printed = command("explain", f"https://{HOST}/x.css")[1]
    assert f"  canary          10 % of viewers get {new}" in printed
    assert f"  standby         table-admin fail-over {HOST} moves viewers to {C}\n" in printed
    assert f"  of the canary   goes on with x-route: {found.of_canary.viewer_request['stamp']}\n" in printed
    assert f"asks {new}/x.css as Host" in printed.splitlines()[-1]


def test_a_path_that_a_rule_is_for_has_no_sides(table: RoutingTable) -> None:
    table.put(HOST, A, canary=CANARY, rules={"/api/*": "https://api.example.net"})
    found = explain(table, f"https://{HOST}/api/x")
    assert found.of_canary is None
    assert found.policy["canary"].endswith("; this path goes by its rule on both sides")
    assert explain(table, f"https://{HOST}/x.css").of_canary is not None


def test_the_canary_of_a_private_row_is_explained_for_who_is_let_in(table: RoutingTable) -> None:
    table.put(HOST, A, canary=CANARY, policy={"private": True})
    found = explain(table, f"https://{HOST}/x.css")
    assert found.viewer_request == {"status": 403}
    assert found.let_in is not None
    assert found.of_canary is not None
    assert "env-a" in str(found.let_in.origin_request)
    assert "env-b" in str(found.of_canary.origin_request)


@pytest.mark.parametrize(
    "cookie", ["session=ann", "session=bob", "session=eve", "other=ann", "__Host-edge-side=canary.1"]
)
def test_the_side_of_a_viewer_is_the_edges(command: Command, table: RoutingTable, cookie: str) -> None:
    canary = table.put(HOST, A, canary={**CANARY, "weight": 50}).after
    assert canary is not None
    assert canary.canary is not None
    request = {
        "clientIp": "192.0.2.7",
        "headers": {"cookie": [{"value": cookie}], "user-agent": [{"value": "Firefox"}]},
    }
    side, why = side_of(HOST, canary.canary, request)
    options = ["--cookie", cookie, "--address", "192.0.2.7", "--user-agent", "Firefox"]
    found = json.loads(command("explain", HOST, *options, "--json")[1])
    words = {"choice": "it chose so", "cookie": "by its cookie session", "address": "by its address and user agent"}
    target = "it" if side == "canary" else A
    assert found["policy"]["canary"].endswith(f"; this viewer gets {target}, {words[why]}")
    assert ("env-b" if side == "canary" else "env-a") in str(found["origin_request"])
    assert found["of_canary"] is None


def test_an_address_is_let_in_or_not(table: RoutingTable) -> None:
    table.put(HOST, A, policy={"allow": ["192.0.2.0/24"]})
    assert "stamp" in explain(table, HOST, Viewer(address="192.0.2.7")).viewer_request
    assert explain(table, HOST, Viewer(address="203.0.113.7")).viewer_request == {"status": 403}


@pytest.mark.parametrize(("cookies", "address"), [(["session"], None), (["a=b\r\nx: y"], None), ([], "office")])
def test_what_is_no_viewer_is_refused(cookies: list[str], address: str | None) -> None:
    with pytest.raises(InvalidInput, match=r"is no (cookie|address)"):
        parse_viewer(cookies, address, None)


def test_a_session_of_the_command_lets_nobody_in(table: RoutingTable) -> None:
    table.put(HOST, A, policy={"private": True})
    viewer = Viewer(("__Host-edge-access=1.2.3",))
    assert headers_of(viewer) == {}
    assert explain(table, HOST, viewer).viewer_request == {"status": 403}


# ---- doctor


def findings(command: Command, step: str) -> list[tuple[str, str, str]]:
    found = json.loads(command("doctor", HOST, "--edge", "http://127.0.0.1:1", "--json")[1])
    return [(one["status"], one["text"], one["mend"]) for one in found if one["step"] == step]


def test_doctor_looks_at_all_targets(command: Command, table: RoutingTable) -> None:
    table.put(HOST, A, canary=CANARY, standby=C)
    texts = [text for _, text, _ in findings(command, "prefix")]
    assert [text.partition(":")[0] for text in texts[1:]] == ["canary", "standby"]


@pytest.mark.parametrize(
    ("weight", "age", "status", "says"),
    [
        (10, 0, "ok", "."),
        (10, 8, "unknown", ": for 8.0 days. Is it forgotten?"),
        (0, 0, "unknown", ": nobody but testers."),
        (100, 0, "unknown", ": all do."),
    ],
)
def test_doctor_warns_of_a_canary_that_is_over(
    command: Command, table: RoutingTable, weight: int, age: int, status: str, says: str
) -> None:
    now = table.clock()
    table.clock = lambda: now - age * DAY
    table.put(HOST, A, canary={**CANARY, "weight": weight})
    ((found, text, mend),) = findings(command, "canary")
    assert (found, bool(mend)) == (status, status != "ok")
    assert text.startswith(f"{weight} % get {B}, since revision 1, ")
    assert text.endswith(says)


def test_doctor_warns_of_a_domain_that_is_failed_over(command: Command, table: RoutingTable) -> None:
    table.put(HOST, A, standby=C)
    assert findings(command, "standby") == [("ok", f"table-admin fail-over {HOST} leads to {C}.", "")]
    fail_over(table)
    ((status, text, mend),) = findings(command, "standby")
    assert (status, text) == ("unknown", f"Failed over: {C} stands in for {A}.")
    assert mend.startswith(f"table-admin fail-back {HOST}")
    assert [text.partition(":")[0] for _, text, _ in findings(command, "prefix")][1:] == ["stood in for"]
