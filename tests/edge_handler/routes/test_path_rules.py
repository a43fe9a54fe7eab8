"""Rules by path: which one is for a path, however a viewer writes it, and what is stamped for it."""

import unicodedata
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_handler.errors import BrokenRow
from edge_handler.routes.destination import decode_destination
from edge_handler.routes.origin import CustomOrigin, DeploymentOrigin
from edge_handler.routes.path_rules import MAX_RULES, Rule, RuleTable, is_pattern, without_prefix
from edge_handler.routes.redirect import Redirect
from edge_handler.routes.resolver import Resolver
from edge_handler.routes.route import encode_route
from edge_handler.routes.stamp import decode_stamp
from edge_handler.viewer_request import make_handler
from tests.support import OWN_BUCKET, SETTINGS, STATIC, Clock, Rows, header, route, run

HOST = "shop.example.com"
API = CustomOrigin("api.example.net", "https", 443, "", "origin", website=False)
CAFE = "/caf\u00e9"
RULES = (
    Rule("/api/*", API, 2, strip_prefix=True),
    Rule("/api/v1/*", API._replace(path="/first"), 3),
    Rule("/api/v1", API._replace(path="/exact"), 4),
    Rule("/about", STATIC._replace(prefix="/about"), 5),
    Rule(f"{CAFE}/*", STATIC._replace(prefix="/cafe"), 6, strip_prefix=True),
)
ROW = route(HOST, rules=RULES, generation=9, revision=9)


def asking(uri: str, query: str = "", method: str = "GET", **headers: str) -> dict[str, Any]:
    given_headers = {name: [{"key": name, "value": value}] for name, value in {"host": HOST, **headers}.items()}
    request = {"headers": given_headers, "method": method, "uri": uri, "querystring": query, "clientIp": "192.0.2.1"}
    return {"Records": [{"cf": {"config": {"requestId": "id", "eventType": "viewer-request"}, "request": request}}]}


def ask(uri: str, *args: str, row: Any = ROW, **headers: str) -> dict[str, Any]:
    return run(make_handler(Resolver(Rows(row), SETTINGS, Clock())), asking(uri, *args, **headers))


def generation(uri: str) -> int:
    """Return which rule is for a path; 9 for none; or the status."""
    result = ask(uri)
    return int(result["status"]) if "status" in result else decode_stamp(str(header(result, "x-route"))).generation


def test_the_first_page_alone_may_have_a_rule() -> None:
    table = RuleTable((Rule("/", STATIC, 1), Rule("/a/*", STATIC, 1)))
    assert [table.find(path) for path in ("/", "/a", "/b", "/a/")] == [0, 1, -1, 1]


@pytest.mark.parametrize(
    ("uri", "rule"),
    [
        ("/", 9),
        ("/api", 2),
        ("/api/", 2),
        ("/api/x", 2),
        ("/apis", 9),
        ("/API", 9),
        ("/%61pi", 2),
        ("/%61%70%69/x", 2),
        ("//api", 2),
        ("/api//v1", 4),
        ("/api%2Fv1", 4),
        ("/api%2fv1%2Fx", 3),
        ("/api/v1", 4),
        ("/api/v1/", 3),
        ("/api/v1/x", 3),
        ("/api/v10", 2),
        ("/api;x", 9),
        ("/api/;x", 2),
        ("/about", 5),
        ("/about/", 9),
        ("/about/x", 9),
        ("/about.html", 9),
        ("/caf%C3%A9/x", 6),
        ("/cafe%CC%81/x", 6),
        ("/caf%c3%a9", 6),
        ("/cafe/x", 9),
        ("/api%00", 400),
        ("/%ff", 400),
        ("/api/..%CD%BE/x", 400),
        ("/api/..", 400),
        ("/api/../x", 400),
        ("/./api", 400),
        ("/%2e%2e/api", 400),
        ("/x/.%2e", 400),
        ("/api/..;x/y", 400),
        ("/api\\..\\x", 400),
        ("/api/...", 2),
        ("/api/.well-known", 2),
        ("/%2561pi", 9),
        ("/api%", 9),
        ("/" * 8_000, 9),
        ("/api" + "/" * 8_000, 2),
        ("/a" * 4_000, 9),
        ("/%61" * 2_000, 9),
    ],
)
def test_the_longest_pattern_is_for_a_path_however_it_is_written(uri: str, rule: int) -> None:
    assert generation(uri) == rule


def test_a_path_goes_on_as_the_viewer_wrote_it() -> None:
    for uri in ("/%61pi//x", "/api%2Fv1", "/caf%c3%a9/", "//about"):
        assert ask(uri)["uri"] == uri


def test_a_host_without_rules_answers_for_any_path() -> None:
    plain = route(HOST)
    for uri in ("/..", "/%ff", "/%00"):
        assert header(ask(uri, row=plain), "x-route")


def test_an_application_by_a_rule_keeps_query_method_and_credentials_and_a_site_does_not() -> None:
    sent = ask("/api/x", "a=1", "POST", authorization="Basic x")
    assert (sent["querystring"], sent["method"], header(sent, "authorization")) == ("a=1", "POST", "Basic x")
    assert ask("/x.js", "a=1")["querystring"] == ""
    assert header(ask("/x", authorization="Basic x"), "authorization") is None
    assert ask("/about", "", "POST")["status"] == "405"
    assert ask("/x", "", "DELETE")["status"] == "405"
    ruled_app = route(HOST, API, rules=(Rule("/static/*", STATIC, 2),))
    assert ask("/static/x", "", "POST", row=ruled_app)["status"] == "405"
    assert ask("/x", "b=1", "POST", row=ruled_app)["querystring"] == "b=1"


def stamps(row: Any) -> dict[str, str | None]:
    return {uri: header(ask(uri, row=row), "x-route") for uri in ("/", "/api/x", "/api/v1", "/api/v1/x", "/about")}


def test_a_change_of_one_rule_changes_no_other_stamp() -> None:
    before = stamps(ROW)
    moved = ROW._replace(revision=10, rules=(RULES[0]._replace(generation=10), *RULES[1:]))
    assert {uri for uri, stamp in stamps(moved).items() if stamp != before[uri]} == {"/api/x"}
    more = ROW._replace(revision=10, rules=(*RULES, Rule("/more/*", API, 10)))
    assert stamps(more) == before
    elsewhere = ROW._replace(revision=10, generation=10)
    assert {uri for uri, stamp in stamps(elsewhere).items() if stamp != before[uri]} == {"/"}


def test_a_rule_of_a_deployments_row_names_no_former_deployment() -> None:
    deployed = DeploymentOrigin(OWN_BUCKET, "us-east-1", "a" * 32, "files", "")
    row = route(HOST, deployed, rules=RULES)
    assert decode_stamp(str(header(ask("/api/x", row=row), "x-route"))).former == ()
    assert decode_stamp(str(header(ask("/", row=row), "x-route"))).origin == deployed


@pytest.mark.parametrize(
    "change",
    [
        {"rules": {"L": []}},
        {"rules": {"S": "x"}},
        {"rules": {"L": [{"M": {"pattern": {"S": "/a"}}}]}},
    ],
)
def test_rules_that_cannot_be_read_are_a_broken_row(change: Any) -> None:
    with pytest.raises(BrokenRow):
        decode_destination({**encode_route(ROW), **change})


@pytest.mark.parametrize(
    "rules",
    [
        (Rule("/a", API, 1), Rule("/a", API, 1)),
        (Rule("/a", API, 1, strip_prefix=True),),
        (Rule("/a", API, 0),),
        (Rule("/a/*", DeploymentOrigin(OWN_BUCKET, "us-east-1", "a" * 32, "files", ""), 1),),
        (Rule("/a/*", Redirect("javascript:alert(1)", 308), 1),),
        (Rule("/a/*", Redirect("https://a.example", 200), 1),),
        tuple(Rule(f"/{number}", API, 1) for number in range(MAX_RULES + 1)),
        *((Rule(pattern, API, 1),) for pattern in ("a", "/*", "/a*", "/a//b", "/../a", "/a/*/b", "/cafe\u0301", "/\0")),
    ],
)
def test_rules_that_nobody_may_write_are_a_broken_row(rules: tuple[Rule, ...]) -> None:
    with pytest.raises(BrokenRow):
        decode_destination(encode_route(route(HOST, rules=rules)))
    assert ask("/", row=route(HOST, rules=rules))["status"] == "502"


def test_as_many_rules_as_there_may_be_are_all_found() -> None:
    rules = tuple(Rule(f"/p{number}/*", API, number + 1) for number in range(MAX_RULES))
    row = route(HOST, rules=rules)
    assert decode_destination(encode_route(row)).rules == rules
    table = RuleTable(rules)
    assert [table.find(f"/p{number}/x") for number in range(MAX_RULES)] == [*range(MAX_RULES)]


@pytest.mark.parametrize(
    ("uri", "rest"),
    [
        ("/api", ""),
        ("/api/", "/"),
        ("/api/x%2Fy//z", "/x%2Fy//z"),
        ("/api//x", "/x"),
        ("/api////evil.example", "/evil.example"),
        ("/%61pi/x", "/x"),
        ("//api//x", "/x"),
        ("/api%2Fx", "/x"),
        ("/%61pi", ""),
        ("/%61pi/caf%c3%a9", "/caf%C3%A9"),
    ],
)
def test_a_prefix_is_taken_off_however_it_is_written(uri: str, rest: str) -> None:
    assert without_prefix(uri, "/api") == rest


@given(st.text(st.sampled_from("/ap\u00e9 %;~"), max_size=12))
def test_a_pattern_is_for_the_path_that_it_is(text: str) -> None:
    path = unicodedata.normalize("NFC", f"/{text}")
    if is_pattern(path):
        assert RuleTable((Rule(path, API, 1),)).find(path) == 0
    if is_pattern(path) and path != "/":
        assert RuleTable((Rule(path.rstrip("/") + "/*", API, 1),)).find(path.rstrip("/")) == 0
