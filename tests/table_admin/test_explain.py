"""Why a URL shows what it shows: which row answers, which of its rules, and where a redirect leads."""

import json
from typing import Any

import pytest

from edge_handler.routes.route import encode_route
from local_edge.embedded_aws import EmbeddedAws
from table_admin import RoutingTable
from table_admin.documents import explanation_document
from table_admin.errors import InvalidInput
from table_admin.explain import explain
from tests.table_admin.conftest import Command

A, B = "s3://acme-static-sites/env-a", "s3://acme-static-sites/env-b"
WILD = "*.tenant.example.com"
HOST = "a.tenant.example.com"
RULES = {
    "/api/*": "strip:https://api.example.net/x",
    "/api/v1/*": "https://v1.example.net",
    "/api/v1/users": "redirect:301:/people",
    "/old/*": "redirect:https://old.example.net",
    "/empty/*": "s3://acme-static-sites/nothing",
}


def rewrite(table: RoutingTable, aws: EmbeddedAws, item: Any) -> None:
    """Write a row as no command would."""
    aws.client("dynamodb").put_item(TableName=table.tables.routes, Item=item)


@pytest.mark.parametrize(
    ("path", "rule", "says"),
    [
        ("/", "", "none of the row's 5 rules is for /; the row's own target answers"),
        ("/apis", "", "none of the row's 5 rules is for /apis; the row's own target answers"),
        ("/api", "/api/*", "/api/* names strip:https://api.example.net/x"),
        ("/%61pi", "/api/*", "/api/* names strip:https://api.example.net/x (/%61pi is compared as /api)"),
        ("//api/v1/x", "/api/v1/*", "; /api/* matches too, and the longest wins (//api/v1/x is compared as /api/v1/x)"),
        ("/api/v1/users", "/api/v1/users", "; /api/v1/*, /api/* match too, and a whole path wins over a prefix"),
        ("/%2e%2e/x", "", "the path has . or .. segments"),
    ],
)
def test_the_rule_is_named_and_why_it_wins(table: RoutingTable, path: str, rule: str, says: str) -> None:
    table.put(HOST, A, rules=RULES)
    found = explanation_document(explain(table, f"https://{HOST}{path}"))
    assert found.rule == rule
    assert found.rule_reason.endswith(says)
    if rule:
        assert found.rule_reason.startswith(f"{rule} names {RULES[rule]}")


def test_a_row_without_rules_says_nothing_of_rules(command: Command, table: RoutingTable) -> None:
    table.put(HOST, A)
    found = explain(table, f"https://{HOST}/api")
    assert (found.rule, found.rule_reason) == ("", "")
    assert "  rule " not in command("explain", f"https://{HOST}/api")[1]


def test_each_step_of_a_ruled_url_is_a_line(command: Command, table: RoutingTable) -> None:
    table.put(WILD, A, rules=RULES)
    lines = command("explain", f"https://{HOST}/api/x?a=1")[1].splitlines()
    assert lines == [
        f"https://{HOST}/api/x?a=1",
        f"  row             the row {WILD} at revision 1 names {A}; {HOST} has no row of its own",
        "  rule            /api/* names strip:https://api.example.net/x",
        f"  viewer-request  goes on with x-route: 2;{HOST};1;{WILD};/api;custom;api.example.net;https;443;/x;origin;"
        "application",
        "  origin-request  asks https://api.example.net/x/x as Host api.example.net, with x-forwarded-prefix /api "
        "(on a cache miss)",
    ]


def test_what_is_missing_is_missing_behind_the_rule(table: RoutingTable) -> None:
    table.put(HOST, A, rules=RULES)
    assert explain(table, f"https://{HOST}/empty/x").missing == "Nothing is under the prefix."
    assert explain(table, f"https://{HOST}/").missing == ""


@pytest.mark.parametrize(
    ("path", "leads"),
    [
        ("/api/v1/users", (301, "/people")),
        ("/old/x?a=1", (308, "https://old.example.net/old/x?a=1")),
    ],
)
def test_a_redirect_by_a_rule_leads_where_the_edge_sends_viewers(
    table: RoutingTable, path: str, leads: tuple[int, str]
) -> None:
    table.put(HOST, A, rules=RULES)
    found = explain(table, f"https://{HOST}{path}")
    assert (found.viewer_request["status"], found.viewer_request["location"]) == leads
    assert found.origin_request is None


def test_a_host_that_is_redirected_keeps_path_and_query(command: Command, table: RoutingTable) -> None:
    table.put("old.example.com", "redirect:302:https://new.example.com")
    said = command("explain", "old.example.com/docs/?a=1")[1]
    assert "names redirect:302:https://new.example.com\n" in said
    assert "  viewer-request  answers 302, to https://new.example.com/docs/?a=1\n" in said


def test_a_redirect_to_itself_is_said_to_be_one(table: RoutingTable, aws: EmbeddedAws) -> None:
    table.put(HOST, A, rules={"/x": "redirect:/y"})
    item = encode_route(table.get(HOST))
    rewrite(table, aws, json.loads(json.dumps(item).replace('"/y"', '"/x"')))
    found = explain(table, f"https://{HOST}/x")
    assert found.viewer_request == {"status": 502}
    assert found.reason.endswith("; this address would be redirected to itself")


def test_the_most_specific_row_answers_and_is_named(table: RoutingTable) -> None:
    table.put(WILD, A)
    table.put("*.eu.tenant.example.com", B)
    table.put("x.eu.tenant.example.com", A)
    reasons = {
        "b.tenant.example.com": f"the row {WILD} at revision 1 names {A}; b.tenant.example.com has no row of its own",
        "y.eu.tenant.example.com": f"the row *.eu.tenant.example.com at revision 1 names {B}; y.eu.tenant.example.com "
        "has no row of its own, and it is the most specific wildcard",
        "x.eu.tenant.example.com": f"the row x.eu.tenant.example.com at revision 1 names {A}",
    }
    for host, reason in reasons.items():
        found = explain(table, f"https://{host}/")
        assert found.reason == reason
        assert found.row is not None
        assert found.row.domain in reason


def test_no_row_says_which_were_looked_for(table: RoutingTable) -> None:
    found = explain(table, "https://a.b.example.com/")
    assert (found.row, found.viewer_request) == (None, {"status": 404})
    assert found.reason == (
        "no route has this domain: there is no row a.b.example.com, nor *.b.example.com, nor *.example.com"
    )


def test_a_row_that_has_expired_or_is_broken_is_not_made_good_by_a_wildcard_and_that_is_said(
    table: RoutingTable, aws: EmbeddedAws
) -> None:
    table.put(WILD, A)
    table.put(HOST, B, expires_in="1h", rules={"/x": "redirect:/y"})
    now = table.clock()
    table.clock = lambda: now + 7200
    found = explain(table, f"https://{HOST}/x")
    assert (found.viewer_request, found.rule) == ({"status": 410}, "")
    assert found.reason.startswith(f"the route has expired: the row {HOST} at revision 1 names {B}, expired ")
    assert found.reason.endswith(f"; {WILD} does not answer instead while the row is there")
    rewrite(table, aws, {**encode_route(table.get(HOST)), "rules": {"S": "nonsense"}})
    found = explain(table, f"https://{HOST}/")
    assert (found.row, found.viewer_request) == (None, {"status": 502})
    assert found.reason.startswith(f"the row {HOST} cannot be read: ")
    assert found.reason.endswith(f"; {WILD} does not answer instead while the row is there")


@pytest.mark.parametrize("url", [f"https://{WILD}/", WILD, f"{WILD}/api"])
def test_nobody_can_ask_for_a_wildcard(table: RoutingTable, url: str) -> None:
    with pytest.raises(InvalidInput, match=r"no browser can ask for one; .* https://any\.tenant\.example\.com/"):
        explain(table, url)


# ---- Who gets an answer, and what goes with it

NOBODY, OWN = "203.0.113.0/24", "www.example.com"
SAID: dict[str, Any] = {
    "private": True,
    "allow": [NOBODY],
    "noindex": False,
    "headers": {"x-frame-options": "DENY", "x-powered-by": ""},
    "maintenance": {"retry_after": "10m", "message": "Back at noon."},
}


def steps(said: str) -> dict[str, str]:
    return {line[2:18].strip(): line[18:] for line in said.splitlines()[1:]}


def test_what_a_row_says_is_a_line_each(command: Command, table: RoutingTable) -> None:
    table.put(OWN, A)
    table.put(OWN, A, policy=SAID)
    found = steps(command("explain", f"https://{OWN}/x/")[1])
    assert found["who"] == (
        f"only those who come from {NOBODY} and of them those with a session, private since revision 2: "
        "by a signed link, or the password; others get 403"
    )
    assert found["maintenance"] == (
        "since revision 2: 503, Retry-After 600, 'Back at noon.'; a bypass link lets past it"
    )
    assert found["noindex"] == "no"
    assert found["headers"] == "x-frame-options: DENY; x-powered-by: (taken away)"


@pytest.mark.parametrize(
    ("said", "status"),
    [({"private": True}, 403), ({"allow": [NOBODY]}, 403), ({"maintenance": {}}, 503), (SAID, 403)],
    ids=["private", "allow", "maintenance", "all"],
)
def test_what_those_get_who_are_let_in_is_shown_beside_what_others_get(
    command: Command, table: RoutingTable, said: Any, status: int
) -> None:
    table.put(OWN, A, rules={"/api/*": "https://api.example.net"}, policy=said)
    open_to_all = "x.example.com"
    shown = {name: value for name, value in said.items() if name in ("noindex", "headers")}
    table.put(open_to_all, A, rules={"/api/*": "https://api.example.net"}, policy=shown)
    for path in ("/", "/api/x"):
        found, other = explain(table, f"https://{OWN}{path}"), explain(table, f"https://{open_to_all}{path}")
        assert (found.viewer_request, found.origin_request) == ({"status": status}, None)
        assert found.let_in is not None
        stamp = str(other.viewer_request["stamp"]).replace(open_to_all, OWN)
        assert (found.let_in.viewer_request, other.let_in) == ({"stamp": stamp}, None)
        assert found.let_in.origin_request == other.origin_request
    lines = steps(command("explain", f"https://{OWN}/")[1])
    assert lines["viewer-request"] == f"answers {status}"
    assert lines["who is let in"].startswith("goes on with x-route: ")
    assert lines["origin-request"].startswith("asks https://")
    told = json.loads(command("explain", f"https://{OWN}/", "--json")[1])
    assert told["let_in"]["origin_request"]["uri"] == "/env-a/index.html"
    assert told["viewer_request"] == {"status": status}


def test_whom_no_guard_refuses_is_shown_once(table: RoutingTable) -> None:
    table.put(OWN, A, policy={"allow": ["0.0.0.0/0", "::/0"]})
    found = explain(table, f"https://{OWN}/")
    assert (found.let_in, "stamp" in found.viewer_request) == (None, True)


def test_noindex_is_said_of_what_expires_and_of_nothing_else_by_itself(command: Command, table: RoutingTable) -> None:
    table.put(OWN, A)
    assert not {"who", "maintenance", "noindex", "headers"} & {*steps(command("explain", OWN)[1])}
    table.put(OWN, A, expires_in="1d")
    assert steps(command("explain", OWN)[1])["noindex"] == "yes, since it expires"
    table.put(OWN, A, policy={"noindex": False})
    assert steps(command("explain", OWN)[1])["noindex"] == "no"


def test_of_what_has_expired_nothing_is_said(table: RoutingTable, aws: EmbeddedAws) -> None:
    table.put(OWN, A, expires_in="1d", policy=SAID)
    later = RoutingTable(table.stack, actor="a", client=aws.client, clock=lambda: table.clock() + 90_000)
    found = explain(later, f"https://{OWN}/")
    assert (found.policy, found.let_in, found.viewer_request) == ({}, None, {"status": 410})
