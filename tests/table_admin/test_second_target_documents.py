"""A canary and a standby in files, declarations and the HTTP API."""

import io
import json
from typing import Any

import boto3
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_handler.routes.canary import Canary
from edge_handler.routes.origin import CustomOrigin
from edge_handler.routes.route import Route, Standby, encode_route
from table_admin import InvalidInput, Put, RoutingTable
from table_admin.bulk import export_routes
from table_admin.errors import TableAdminError
from table_admin.files import FORMATS, Format
from table_admin.lines import read_rows
from table_admin.manifest import load_manifest
from table_admin.plan import make_plan
from table_admin.second_targets import second_targets_document, swapped
from tests.support import route
from tests.table_admin.documents import HOST, A, B, C, applied, cells, exported, imported

INGRESS = "keep-host:https://ingress.example.net"
TABLE = RoutingTable(
    client=lambda service, **_: boto3.client(service, region_name="us-east-1", endpoint_url="http://127.0.0.1:1")
)
"""One that is not asked."""
CANARY: dict[str, Any] = {"target": B, "weight": 10, "cookie": ""}


def fail_over(table: RoutingTable, domain: str = HOST) -> None:
    """Write what `fail-over` writes, and `fail-back`."""
    item = table.tables.read([domain])[domain]
    had = table.get(domain)
    assert had.standby is not None
    table.commit([table.write("put", domain, item, encode_route(swapped(had, had.standby)), True)])


def said(table: RoutingTable, domain: str = HOST) -> dict[str, Any]:
    return {"target": table.get(domain).target, **second_targets_document(table.get(domain))}


# ---- In files that are imported


@pytest.mark.parametrize("form", FORMATS)
@pytest.mark.parametrize(
    "asked",
    [
        {"canary": CANARY},
        {"canary": {"target": INGRESS, "weight": 0, "cookie": "session"}},
        {"standby": B},
        {"standby": INGRESS, "canary": {"target": B, "weight": 100, "cookie": "a%b"}},
    ],
)
def test_what_is_exported_is_imported_unchanged_and_restores_it(
    table: RoutingTable, asked: dict[str, Any], form: Format
) -> None:
    table.put(HOST, A, **asked)
    had, text = said(table), exported(table, form)
    assert had == {"target": A, "canary": None, "standby": None, "failed_over": False, **asked}
    assert imported(table, text, form) == (0, 0, 1, 0)
    table.put(HOST, A, canary={"target": C, "weight": 50, "cookie": "other"}, standby="https://elsewhere.example.net")
    assert imported(table, text, form) == (0, 1, 0, 0)
    now = said(table)
    assert {name: now[name] for name in asked} == asked


@pytest.mark.parametrize("form", FORMATS)
def test_an_export_of_a_failed_over_domain_imports_to_the_same_and_moves_it_back_there(
    table: RoutingTable, form: Format
) -> None:
    table.put(HOST, INGRESS.removeprefix("keep-host:"), keep_host=True, standby=B)
    well = exported(table, form)
    fail_over(table)
    assert said(table) == {"target": B, "canary": None, "standby": INGRESS, "failed_over": True}
    failed_over = exported(table, form)
    assert imported(table, failed_over, form) == (0, 0, 1, 0)
    assert imported(table, well, form) == (0, 1, 0, 0)
    assert said(table)["failed_over"] is False
    assert imported(table, failed_over, form) == (0, 1, 0, 0)
    assert said(table) == {"target": B, "canary": None, "standby": INGRESS, "failed_over": True}


ORIGINS = st.sampled_from(["one", "two", "three"]).flatmap(
    lambda name: st.builds(
        lambda port, path, host: CustomOrigin(f"{name}.example.net", "https", port, path, host, False),
        st.sampled_from([443, 8443]),
        st.sampled_from(["", "/a", "/a%20b/c"]),
        st.sampled_from(["viewer", "origin"]),
    )
)


def written(origin: CustomOrigin) -> str:
    port = "" if origin.port == 443 else f":{origin.port}"
    return f"https://{origin.domain_name}{port}{origin.path}"


@st.composite
def routes(draw: st.DrawFn) -> Route:
    own, canary, standby = draw(st.lists(ORIGINS, min_size=3, max_size=3, unique_by=lambda one: one.domain_name))
    second = [("keep-host:" if one.host_header == "viewer" else "") + written(one) for one in (canary, standby)]
    cookie = draw(st.just("") | st.from_regex(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]{1,100}", fullmatch=True))
    return route(
        HOST,
        target=written(own),
        origin=own,
        environment="www",
        expires_at=None,
        lifetime="permanent",
        managed=False,
        canary=draw(st.none() | st.just(Canary(canary, draw(st.integers(0, 100)), 3, 4, cookie, second[0]))),
        standby=draw(st.none() | st.just(Standby(second[1], standby, draw(st.booleans())))),
    )


@given(routes(), st.sampled_from(FORMATS))
def test_any_route_is_written_to_a_file_and_read_from_it_unchanged(found: Route, form: Format) -> None:
    out = io.StringIO()
    export_routes([found], out, form)
    ((_, put),) = read_rows(io.StringIO(out.getvalue(), newline=""), form)
    assert isinstance(put, Put), put
    write = TABLE.plan_put(put, encode_route(found))
    assert write is None


@pytest.mark.parametrize("form", FORMATS)
def test_a_row_without_them_is_written_as_before(table: RoutingTable, form: Format) -> None:
    table.put(HOST, A)
    text = exported(table, form)
    if form in ("csv", "tsv"):
        assert text.splitlines()[1].endswith((",,,", "\t\t\t"))
    else:
        assert not any(name in text for name in ("canary", "standby", "failed_over"))


@pytest.mark.parametrize("form", ["csv", "jsonl", "yaml"])
def test_what_a_file_does_not_say_stays_and_none_takes_away(table: RoutingTable, form: Format) -> None:
    table.put(HOST, A, canary={**CANARY, "cookie": "session"}, standby=C)
    had = said(table)

    def line(**values: Any) -> str:
        if form == "csv":
            return cells(**{name: "" if value is None else value for name, value in values.items()})
        text = json.dumps({"domain": HOST, "target": A, **values})
        return text if form == "jsonl" else f"[{text}]"

    assert imported(table, line(canary=None, standby=None), form) == (0, 0, 1, 0)
    assert imported(table, line(canary="20%" if form == "csv" else {"weight": 20}), form) == (0, 1, 0, 0)
    assert said(table) == {**had, "canary": {"target": B, "weight": 20, "cookie": "session"}}
    assert imported(table, line(canary="none", standby="none"), form) == (0, 1, 0, 0)
    assert said(table) == {"target": A, "canary": None, "standby": None, "failed_over": False}


def test_a_cell_with_a_target_is_the_whole_canary(table: RoutingTable) -> None:
    assert imported(table, cells(canary=f"5% cookie=session {B}", standby="None"), "csv") == (1, 0, 0, 0)
    assert said(table)["canary"] == {"target": B, "weight": 5, "cookie": "session"}
    assert imported(table, cells(canary=f"7 {B}"), "csv") == (0, 1, 0, 0)
    assert said(table)["canary"] == {"target": B, "weight": 7, "cookie": ""}


@pytest.mark.parametrize(
    ("values", "why"),
    [
        ({"canary": f"{B} 10%"}, "canary: 's3://acme-static-sites/env-b 10%' is no canary; write 10% s3://"),
        ({"canary": f"101% {B}"}, "The weight of a canary is a whole number of per cent, 0 to 100."),
        ({"canary": f"10% cookie=a;b {B}"}, "'a;b' is no name of a cookie"),
        ({"canary": "10% cookie=a"}, "canary.target is empty"),
        ({"standby": "strip:https://a.example.net"}, "strip: is for a rule"),
        ({"failed_over": "true"}, "failed_over: what it stands in for is missing; say it as standby."),
        (
            {"standby": "none", "failed_over": "true"},
            "failed_over: what it stands in for is missing; say it as standby.",
        ),
        ({"failed_over": "perhaps"}, "failed_over is 'perhaps'; write true, false or nothing."),
    ],
)
def test_a_cell_that_cannot_be_is_said(values: dict[str, str], why: str) -> None:
    ((_, found),) = read_rows(io.StringIO(cells(**values), newline=""), "csv")
    assert isinstance(found, str)
    assert found.startswith(why)


# ---- In a file that says it all


def test_a_declaration_says_a_canary_or_leaves_it_alone(table: RoutingTable) -> None:
    assert applied(table, {"target": A}) == 1
    table.put(HOST, A, canary=CANARY)
    assert applied(table, {"target": A}) == 0
    assert applied(table, {"target": A, "canary": {"target": B, "weight": 10}}) == 0
    assert applied(table, {"target": A, "canary": {"weight": "20"}}) == 1
    assert applied(table, {"target": A, "canary": None}) == 0
    assert said(table)["canary"] == {**CANARY, "weight": 20}
    assert applied(table, {"target": A, "canary": "none"}) == 1
    assert said(table)["canary"] is None


def test_a_declaration_says_the_whole_standby(table: RoutingTable) -> None:
    assert applied(table, {"target": A, "standby": B}) == 1
    assert applied(table, {"target": A, "standby": B}) == 0
    assert said(table)["standby"] == B
    assert applied(table, {"target": A}) == 1
    assert said(table)["standby"] is None


@pytest.mark.parametrize("standby", [B, INGRESS])
def test_no_declaration_moves_viewers_while_a_domain_is_failed_over(table: RoutingTable, standby: str) -> None:
    body = {"target": A, "standby": standby}
    assert applied(table, body) == 1
    fail_over(table)
    had = said(table)
    for more in ({}, {"standby": C}, {"standby": "none"}, {"canary": {"target": C, "weight": 50}}):
        assert applied(table, {**body, **more}) == 0
    assert applied(table, {"target": A}) == 0
    assert said(table) == had
    # What is not about that is made, and the target is where it leads once it is well.
    assert applied(table, {**body, "private": True, "target": "https://new.example.net"}) == 1
    assert said(table) == {**had, "standby": "https://new.example.net"}
    assert table.get(HOST).policy is not None
    fail_over(table)
    assert said(table) == {
        "target": "https://new.example.net",
        "canary": None,
        "standby": standby,
        "failed_over": False,
    }
    assert applied(table, {**body, "private": True, "target": "https://new.example.net"}) == 0


@pytest.mark.parametrize("standby", [None, A])
def test_a_declaration_says_that_a_domain_stays_where_it_was_failed_over_to(
    table: RoutingTable, standby: str | None
) -> None:
    assert applied(table, {"target": A, "standby": B}) == 1
    fail_over(table)
    generation = table.get(HOST).generation
    body = {"target": B} | ({"standby": standby} if standby else {})
    assert (applied(table, body), applied(table, body)) == (1, 0)
    assert said(table) == {"target": B, "canary": None, "standby": standby, "failed_over": False}
    assert table.get(HOST).generation == generation


def test_a_standby_that_does_not_keep_the_host_is_said_so_while_it_serves(table: RoutingTable) -> None:
    table.put(HOST, A, standby=INGRESS)
    fail_over(table)
    table.put(HOST, A, standby=INGRESS.removeprefix("keep-host:"))
    found = table.get(HOST)
    assert (found.target, found.origin.host_header) == ("https://ingress.example.net", "origin")  # type: ignore[union-attr]


@pytest.mark.parametrize(
    ("text", "where"),
    [
        (
            "canary: B",
            ":6: routes.www.example.com.canary",
        ),
        ("canary:\n      weight: 10\n      target:", ":8: routes.www.example.com.canary.target must be text"),
        ("canary:\n      weight: [1]", ":7: routes.www.example.com.canary.weight must be text or a number"),
        ("canary:\n      weight:", ":7: routes.www.example.com.canary.weight must be text or a number"),
        ("canary:\n      weight: true", ":7: routes.www.example.com.canary.weight must be text or a number, not true"),
        (f"canary:\n      target: {B}\n      weight: 101", ":8: The weight of a canary is a whole number"),
        (f"canary:\n      target: {B}\n      weight: 1.5", ":8: The weight of a canary is a whole number"),
        (f"canary:\n      target: {B}\n      cookie: a b", ":8: 'a b' is no name of a cookie"),
        ("canary:\n      weight: 1\n      target: strip:https://a.example.net", ":8: strip: is for a rule"),
        ("canary:\n      share: 1", ":7: 'share' is none of target, weight, cookie"),
        ("standby: [a]", ":6: routes.www.example.com.standby"),
        ("standby: strip:https://a.example.net", ":6: strip: is for a rule"),
        ("failed_over: true", ":5: 'failed_over' is none of target, environment"),
    ],
)
def test_what_cannot_be_is_told_with_its_line(text: str, where: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        load_manifest(
            "routes.yaml", f"owner: shop\nroutes:\n  a.example.com: {A}\n  {HOST}:\n    target: {A}\n    {text}\n"
        )
    assert str(caught.value).startswith(f"routes.yaml{where}")


@pytest.mark.parametrize(
    ("text", "where"),
    [
        ("canary:\n      weight: 1\n      target: s3://no-such-bucket/a", ":7: The canary: "),
        (f"canary:\n      weight: 1\n      target: {A}", ":7: That is what all viewers get already"),
        ("canary:\n      weight: 1", ":6: A canary begins with a target and a weight"),
        ("canary:\n      weight: 1\n      target: redirect:/a", ":7: A canary is a site or a service"),
        ("note: a\n    standby: s3://no-such-bucket/a", ":6: The standby: "),
        (f"note: a\n    standby: {A}", f":6: {HOST} leads to its standby already"),
    ],
)
def test_a_second_target_that_is_none_is_told_with_its_line(table: RoutingTable, text: str, where: str) -> None:
    found = load_manifest("routes.yaml", f"owner: shop\nroutes:\n  {HOST}:\n    target: {A}\n    {text}\n")
    with pytest.raises(TableAdminError) as caught:
        make_plan(table, found)
    assert str(caught.value).startswith(f"routes.yaml{where}")
