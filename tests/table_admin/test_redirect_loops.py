"""Redirects that lead in a circle are refused when they are written, whoever writes which of them."""

import itertools

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from table_admin import InvalidInput, Put, RoutingTable
from table_admin.redirect_loops import MOST_HOPS
from table_admin.rollback import rollback

A = "s3://acme-static-sites/env-a"
names = itertools.count()


def commit(table: RoutingTable, rows: dict[str, str]) -> None:
    table.commit([write for write in (table.plan_put(Put(*row), None) for row in rows.items()) if write])


def test_a_wildcards_example_is_a_name_without_a_row(table: RoutingTable) -> None:
    for domain in ("a.t1.example.com", "a.t2.example.com", "aa.t1.example.com"):
        table.put(domain, A)
    with pytest.raises(InvalidInput, match="in a circle"):
        table.put("*.t1.example.com", "redirect:https://b.t1.example.com")
    table.put("*.t1.example.com", "redirect:https://b.t2.example.com")
    with pytest.raises(InvalidInput, match="in a circle"):
        table.put("*.t2.example.com", "redirect:https://b.t1.example.com")


@pytest.mark.parametrize(
    ("domain", "target", "rules"),
    [
        ("a.example.com", "redirect:https://a.example.com", {}),
        ("a.example.com", "redirect:https://A.example.com.", {}),
        ("a.example.com", "redirect:http://a.example.com", {}),
        ("a.example.com", "redirect:https://a.example.com/deeper", {}),
        ("a.example.com", "redirect:/", {}),
        ("a.example.com", A, {"/x": "redirect:/x"}),
        ("a.example.com", A, {"/x/": "redirect:/x", "/x": "redirect:/x/"}),
        ("a.example.com", A, {"/x/*": "redirect:/x/y"}),
        ("a.example.com", A, {"/x": "redirect:/y", "/y": "redirect:/x"}),
        ("a.example.com", A, {"/x": "redirect:https://a.example.com/%78"}),
        ("*.example.com", "redirect:https://other.example.com", {}),
        ("*.example.com", A, {"/x/*": "redirect:https://deep.under.example.com"}),
    ],
)
def test_a_row_that_sends_viewers_back_to_itself_is_refused(
    table: RoutingTable, domain: str, target: str, rules: dict[str, str]
) -> None:
    for dry_run in (True, False):
        with pytest.raises(InvalidInput, match=r"^\S+: viewers would be sent (in a circle|through more than 5)"):
            table.put(domain, target, rules=rules, dry_run=dry_run)
    assert list(table.list()) == []


@pytest.mark.parametrize(
    ("domain", "target", "rules"),
    [
        ("a.example.com", "redirect:https://www.example.org", {}),
        ("a.example.com", A, {"/old/*": "strip:redirect:/new"}),
        ("a.example.com", A, {"/old/*": "redirect:/new"}),
        ("a.example.com", "redirect:https://a.example.com/x", {"/x/*": A}),
        ("*.example.com", "redirect:https://example.com", {}),
    ],
)
def test_a_row_that_leads_somewhere_is_taken(
    table: RoutingTable, domain: str, target: str, rules: dict[str, str]
) -> None:
    assert table.put(domain, target, rules=rules).action == "created"


def test_whoever_closes_a_circle_is_refused(table: RoutingTable) -> None:
    table.put("a.example.com", "redirect:https://b.example.com")
    table.put("b.example.com", "redirect:https://c.example.com")
    way = "https://c.example.com/x -> https://a.example.com/x -> https://b.example.com/x -> https://c.example.com/x"
    with pytest.raises(InvalidInput, match=f"^c.example.com: viewers would be sent in a circle: {way}. Nothing"):
        table.put("c.example.com", A, rules={"/x/*": "redirect:https://a.example.com"})
    with pytest.raises(InvalidInput, match="in a circle"):
        table.put("c.example.com", "redirect:https://a.example.com")
    with pytest.raises(InvalidInput, match="in a circle"):
        table.put("*.example.com", "redirect:https://a.example.com")


def test_a_row_of_its_own_takes_a_host_out_of_its_wildcards_circle(table: RoutingTable) -> None:
    table.put("www.example.com", A)
    table.put("*.example.com", "redirect:https://www.example.com")
    table.put("www.example.com", A, expires_in="1h")
    with pytest.raises(InvalidInput, match="in a circle"):
        table.put("www.example.com", "redirect:https://any.example.com")


def test_rows_of_one_transaction_are_seen_together(table: RoutingTable) -> None:
    with pytest.raises(InvalidInput, match="in a circle"):
        commit(
            table,
            {"a.example.com": "redirect:https://b.example.com", "b.example.com": "redirect:https://a.example.com"},
        )
    assert list(table.list()) == []
    table.put("a.example.com", "redirect:https://b.example.com")
    items = table.tables.read(["a.example.com"])
    turned = [
        table.plan_put(Put("a.example.com", A), items["a.example.com"]),
        table.plan_put(Put("b.example.com", "redirect:https://a.example.com"), None),
    ]
    assert len(table.commit([write for write in turned if write])) == 2


def test_a_rollback_closes_no_circle(table: RoutingTable) -> None:
    table.put("a.example.com", "redirect:https://b.example.com")
    table.put("a.example.com", A)
    table.put("b.example.com", "redirect:https://a.example.com")
    with pytest.raises(InvalidInput, match="in a circle"):
        rollback(table, ["a.example.com"])


def test_a_long_way_round_is_refused(table: RoutingTable) -> None:
    for number in range(MOST_HOPS - 1):
        table.put(f"h{number}.example.com", f"redirect:https://h{number + 1}.example.com")
    table.put(f"h{MOST_HOPS - 1}.example.com", "redirect:https://www.example.org")
    with pytest.raises(InvalidInput, match="through more than 5 redirects"):
        table.put("start.example.com", "redirect:https://h0.example.com")


@settings(max_examples=60)
@given(st.lists(st.tuples(st.integers(0, 4), st.integers(0, 5)), min_size=1, max_size=10))
def test_no_order_of_writes_leaves_a_circle_of_hosts(table: RoutingTable, writes: list[tuple[int, int]]) -> None:
    base = f"t{next(names)}.example.com"
    leads: dict[int, int] = {}
    for at, to in writes:
        wanted, here, seen = {**leads, at: to}, at, set[int]()
        while here in wanted and here not in seen:
            seen.add(here)
            here = wanted[here]
        target = f"redirect:https://h{to}.{base}" if to < 5 else A
        circle = here in seen and here != 5
        try:
            table.put(f"h{at}.{base}", target)
            assert not circle
            leads = wanted
            if to == 5:
                del leads[at]
        except InvalidInput:
            assert circle
