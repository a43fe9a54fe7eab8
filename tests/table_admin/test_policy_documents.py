"""Who gets an answer and what goes with it, in files, declarations and the HTTP API."""

import io
import json
from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from edge_handler.routes.policy import Maintenance, Policy
from table_admin import InvalidInput, Put, RoutingTable
from table_admin.bulk import export_routes
from table_admin.files import FORMATS, Format
from table_admin.lines import read_rows
from table_admin.manifest import load_manifest
from table_admin.plan import apply_plan, make_plan
from table_admin.policies import parse_policy, planned_policy
from tests.support import route
from tests.table_admin.documents import HOST, A, B, applied, cells, exported, imported, manifest

SAID: dict[str, Any] = {
    "private": True,
    "allow": ["203.0.113.0/24", "2001:db8::/32"],
    "noindex": False,
    "headers": {"x-frame-options": "DENY", "x-powered-by": ""},
    "maintenance": {"retry_after": 600, "message": "Back at noon: tea, then work."},
}
EACH = [{name: value} for name, value in SAID.items()] + [{"noindex": True}, {"maintenance": {"retry_after": 1}}]


# ---- In files that are imported


@pytest.mark.parametrize("form", FORMATS)
@pytest.mark.parametrize("said", [*EACH, SAID], ids="+".join)
def test_what_is_exported_is_imported_and_planned_unchanged(
    table: RoutingTable, said: dict[str, Any], form: Format
) -> None:
    table.put(HOST, A, policy=said)
    had, text = table.get(HOST), exported(table, form)
    assert imported(table, text, form) == (0, 0, 1, 0)
    declared = {name: value for name, value in said.items() if name != "maintenance"}
    plan = make_plan(table, manifest({"target": A, **declared}), adopt=True)
    assert [(change.before, change.after and change.after.policy) for change in plan.changes] == [(had, had.policy)]

    table.put(HOST, A, policy={"allow": ["192.0.2.1"], "headers": {"x-a": "b"}, "noindex": not said.get("noindex")})
    table.put(HOST, A, policy={"private": False, "maintenance": None})
    assert imported(table, text, form) == (0, 1, 0, 0)
    now = table.get(HOST).policy
    assert now is not None
    for name in said:
        if name in ("private", "maintenance"):
            assert bool(getattr(now, name)) is True
        else:
            assert getattr(now, name) == getattr(had.policy, name)


HEADERS = st.dictionaries(
    st.from_regex(r"x-[a-z0-9-]{1,8}", fullmatch=True).filter(
        lambda name: not name.startswith(("x-edge-", "x-amz-", "x-route-"))
    ),
    st.text(st.characters(min_codepoint=32, max_codepoint=126), max_size=12).map(str.strip),
    max_size=4,
)
MESSAGES = st.text("a \u00e9'\",;:\t#-\U0001f600", max_size=12).map(str.strip).filter(lambda text: "\t" not in text)


@given(
    HEADERS, st.none() | st.builds(Maintenance, st.just(1), st.integers(1, 604_800), MESSAGES), st.sampled_from(FORMATS)
)
def test_any_headers_and_message_are_read_from_a_file_as_they_were_written_there(
    headers: dict[str, str], maintenance: Maintenance | None, form: Format
) -> None:
    policy = Policy(headers=tuple(sorted(headers.items())), maintenance=maintenance)
    assume(policy != Policy())
    try:
        parse_policy({"headers": headers})
    except InvalidInput:
        assume(False)
    out = io.StringIO()
    export_routes([route(HOST, target=A, policy=policy)], out, form)
    ((_, put),) = read_rows(io.StringIO(out.getvalue(), newline=""), form)
    assert isinstance(put, Put), put
    found = planned_policy(None, put.policy)
    assert found is not None
    assert (found.headers, found.maintenance and found.maintenance[1:]) == (
        policy.headers,
        maintenance and maintenance[1:],
    )


@pytest.mark.parametrize("form", FORMATS)
def test_a_row_that_says_nothing_is_written_as_before(table: RoutingTable, form: Format) -> None:
    table.put(HOST, A)
    text = exported(table, form)
    if form in ("csv", "tsv"):
        assert text.splitlines()[1].endswith((",,,,,", "\t\t\t\t\t"))
    else:
        assert not any(name in text for name in SAID)


@pytest.mark.parametrize("form", FORMATS)
def test_what_a_file_does_not_say_stays(table: RoutingTable, form: Format) -> None:
    table.put(HOST, A, policy=SAID)
    had = table.get(HOST).policy
    text = exported(table, form)
    nothing = dict.fromkeys(SAID)
    if form in ("csv", "tsv"):
        text = cells(target=B).replace(",", "\t" if form == "tsv" else ",")
    else:
        text = json.dumps([{"domain": HOST, "target": B, **nothing}])[1 if form == "jsonl" else 0 :].removesuffix(
            "]" if form == "jsonl" else ""
        )
    assert imported(table, text, form) == (0, 1, 0, 0)
    assert (table.get(HOST).target, table.get(HOST).policy) == (B, had)


def test_a_cell_takes_away_by_none_and_false(table: RoutingTable) -> None:
    table.put(HOST, A, policy=SAID)
    text = cells(private="FALSE", allow="none", noindex="None", headers="none", maintenance="none")
    assert imported(table, text, "csv") == (0, 1, 0, 0)
    assert table.get(HOST).policy is None
    assert imported(table, text, "csv") == (0, 0, 1, 0)


@pytest.mark.parametrize("form", ["jsonl", "yaml"])
def test_a_document_takes_away_by_none_false_and_what_is_empty(table: RoutingTable, form: Format) -> None:
    table.put(HOST, A, policy=SAID)
    gone = {"private": False, "allow": [], "noindex": "none", "headers": {}, "maintenance": "none"}
    row = json.dumps({"domain": HOST, "target": A, **gone})
    assert imported(table, row if form == "jsonl" else f"[{row}]", form) == (0, 1, 0, 0)
    assert table.get(HOST).policy is None


def test_the_headers_of_a_file_are_all_that_a_route_has(table: RoutingTable) -> None:
    table.put(HOST, A, policy={"headers": {"x-a": "1", "x-b": "2"}})
    assert imported(table, cells(headers="X-B: 3\nX-C: a: b"), "csv") == (0, 1, 0, 0)
    policy = table.get(HOST).policy
    assert policy is not None
    assert policy.headers == (("x-b", "3"), ("x-c", "a: b"))


@pytest.mark.parametrize(
    ("field", "cell", "why"),
    [
        ("private", "perhaps", "private is 'perhaps'; write true, false or nothing"),
        ("noindex", "no way", "noindex is 'no way'; write true, false or nothing"),
        ("allow", "203.0.113.0/24, office", "'office' is no network"),
        ("allow", "203.0.113.7/24", "'203.0.113.7/24' is no network: 203.0.113.7/24 has host bits set"),
        ("headers", "x-frame-options DENY", "headers: 'x-frame-options DENY' is no header; write Name: value"),
        ("headers", "x-a: 1\nx-a: 2", "headers: x-a is there twice"),
        ("headers", "Set-Cookie: a=b", "headers: Set-Cookie cannot be used"),
        ("maintenance", "soon", "'soon' is not a duration"),
        ("maintenance", "8d", "maintenance: retry_after is between a second and 7 days"),
    ],
)
def test_a_cell_that_cannot_be_is_said_with_its_line(field: str, cell: str, why: str) -> None:
    ((line, found),) = read_rows(io.StringIO(cells(**{field: cell}), newline=""), "csv")
    assert isinstance(found, str)
    assert (why in found, line) == (True, 2 + cell.count("\n")), found


# ---- In a file that says it all


def test_a_declaration_says_all_but_maintenance(table: RoutingTable) -> None:
    assert applied(table, {"target": A, **SAID}) == 1
    before = table.get(HOST).policy
    assert before is not None
    assert (before.private, before.allow, before.noindex) == (1, ("2001:db8::/32", "203.0.113.0/24"), False)
    assert make_plan(table, manifest({"target": A, **SAID})).changes == []

    # Nothing is said: what a file wishes goes, what somebody on call did stays, until it is said to end.
    assert applied(table, {"target": A}) == 1
    assert table.get(HOST).policy == Policy(maintenance=before.maintenance)
    assert make_plan(table, manifest({"target": A, "maintenance": None})).changes == []
    assert applied(table, {"target": A, "maintenance": "none"}) == 1
    assert table.get(HOST).policy is None


def test_a_declaration_that_stays_private_leaves_its_links_good(table: RoutingTable) -> None:
    for headers in ({"x-a": "1"}, {"x-a": "2"}):
        assert applied(table, {"target": A, "private": True, "headers": headers}) == 1
    policy = table.get(HOST).policy
    assert policy == Policy(private=1, headers=(("x-a", "2"),))


@pytest.mark.parametrize(
    ("said", "where"),
    [
        ("private: perhaps", ":6: routes.www.example.com.private must be true or false, not text: 'perhaps'."),
        ("private:", ":6: routes.www.example.com.private must be true or false, not empty (null)."),
        ("allow: 192.0.2.0/24", ":6: routes.www.example.com.allow must be a list, not text: '192.0.2.0/24'."),
        ("allow:\n    - 192.0.2.0/24\n    - 192.0.2.1/24", ":8: '192.0.2.1/24' is no network"),
        ("allow:\n    - ::ffff:192.0.2.1", ":7: '::ffff:192.0.2.1' is an IPv4 network written as IPv6"),
        (
            "noindex: perhaps",
            ":6: routes.www.example.com.noindex is one of true, false, null, none, not text: 'perhaps'.",
        ),
        ("headers: DENY", ":6: routes.www.example.com.headers must be a mapping, not text"),
        (
            "headers:\n      x-a: b\n      x-c:",
            ":8: routes.www.example.com.headers.x-c must be text, not empty (null).",
        ),
        ("headers:\n      x-a: b\n      server: me", ":8: headers: server is said by who answers"),
        ("headers:\n      x-a: caf\u00e9", ":7: headers: the value of x-a is not ASCII text"),
        ("headers:\n      x-a: b\n      X-A: c", ":7: headers: x-a is there twice"),
        ("maintenance: on", ":6: routes.www.example.com.maintenance"),
        ("maintenance:\n      retry_after: soon", ":7: 'soon' is not a duration"),
        ("maintenance:\n      message: [a]", ":7: routes.www.example.com.maintenance.message must be text, not a list"),
        ("maintenance:\n      until: noon", ":7: 'until' is none of retry_after, message"),
    ],
)
def test_what_cannot_be_is_told_with_its_line(said: str, where: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        load_manifest(
            "routes.yaml", f"owner: shop\nroutes:\n  a.example.com: {A}\n  {HOST}:\n    target: {A}\n    {said}\n"
        )
    assert str(caught.value).startswith(f"routes.yaml{where}")


def test_yamls_seconds_are_text_that_is_read(table: RoutingTable) -> None:
    text = f"owner: shop\nroutes:\n  {HOST}:\n    target: {A}\n    maintenance: {{retry_after: 90}}\n"
    assert [*apply_plan(table, make_plan(table, load_manifest("routes.yaml", text)))]
    policy = table.get(HOST).policy
    assert policy is not None
    assert policy.maintenance == Maintenance(1, 90)
