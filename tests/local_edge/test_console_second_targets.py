"""A canary and a standby in the console, in Chromium: shown, weighed, promoted, failed over."""

from collections.abc import Callable
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from tests.local_edge.console import WCAG, Console, checkable, violations
from tests.local_edge.running import LocalEdge

A, B = "s3://acme-static-sites/env-123", "s3://acme-static-sites/env-7"
STANDBY = "https://standby.example.net"
CANARY: dict[str, Any] = {"target": B, "weight": 10, "cookie": "session"}


def test_a_route_shows_both_sides_and_its_standby(console: Console, edge: LocalEdge) -> None:
    edge.table.put("sides.localhost", A, canary=CANARY, standby=STANDBY)
    console.show("#/sides.localhost", ".path")
    expect(console.page.locator("#detail .badge")).to_have_text(["canary 10 %"])
    sides = console.page.get_by_role("list", name="Sides of the canary").get_by_role("listitem")
    expect(sides).to_have_text([f"canary, 10 %: {B}", f"stable, 90 %: {A}"])
    facts = console.page.locator("#detail dl")
    expect(facts).to_contain_text("by cookie session, else by address and user agent")
    expect(facts).to_contain_text(f"standby{STANDBY}, which viewers do not get")
    path = console.page.get_by_role("list", name="How this URL is answered")
    expect(path).to_contain_text(f"Canary10 % of viewers get {B}")
    expect(path).to_contain_text("On the canary\u2019s side viewer-request stamps")


def test_the_list_has_its_badges_and_finds_by_them(console: Console, edge: LocalEdge) -> None:
    edge.table.put("listed.localhost", A, canary=CANARY)
    console.show("", "#results tr")
    console.page.get_by_role("searchbox").fill("canary listed.localhost")
    row = console.page.locator("#results tr")
    expect(row).to_have_count(1)
    expect(row.locator(".badge")).to_have_text(["canary 10 %"])


def test_a_canary_is_weighed_and_promoted_after_a_look(console: Console, edge: LocalEdge) -> None:
    host = "weighed.localhost"
    edge.table.put(host, A, canary=CANARY)
    console.show(f"#/{host}", ".path")
    console.press("Change the weight")
    console.dialog.get_by_label("Weight in per cent").fill("50")
    console.confirm("Review changes")
    expect(console.dialog.locator(".diff tbody tr")).to_have_text(
        [f"canary10 % get {B}, by cookie session50 % get {B}, by cookie session"]
    )
    assert edge.table.get(host).revision == 1
    console.confirm("Change the weight")
    expect(console.page.locator("#detail .badge")).to_have_text(["canary 50 %"])
    console.press("Promote the canary")
    expect(console.dialog.locator(".diff tbody")).to_contain_text(f"target{A}{B}")
    console.confirm("Promote")
    expect(console.page.locator("#detail .badge")).to_have_count(0)
    found = edge.table.get(host)
    assert (found.target, found.canary, found.revision) == (B, None, 3)
    assert [write[2] for write in console.writes] == ['"1"', '"1"', '"2"', '"2"']


def test_a_canary_is_aborted_after_a_look(console: Console, edge: LocalEdge) -> None:
    host = "aborted.localhost"
    edge.table.put(host, A, canary=CANARY)
    console.show(f"#/{host}", ".path")
    console.press("Abort the canary")
    rows = console.dialog.locator(".diff tbody tr")
    expect(rows).to_have_text([f"canary10 % get {B}, by cookie sessionno"])
    console.confirm("Abort the canary")
    expect(console.page.locator("#detail .badge")).to_have_count(0)
    found = edge.table.get(host)
    assert (found.target, found.canary, found.revision) == (A, None, 2)


def test_a_domain_fails_over_and_back_after_a_look(console: Console, edge: LocalEdge) -> None:
    host = "over.localhost"
    edge.table.put(host, A, canary=CANARY, standby=STANDBY)
    console.show(f"#/{host}", ".path")
    console.press("Fail over")
    expect(console.dialog).to_contain_text("The canary ends.")
    rows = console.dialog.locator(".diff tbody tr")
    expect(rows.filter(has_text="failed over")).to_have_text("failed overnoyes")
    expect(rows.filter(has_text="canary")).to_have_text(f"canary10 % get {B}, by cookie sessionno")
    console.confirm("Fail over")
    expect(console.page.locator("#detail .badge")).to_have_text(["failed over"])
    expect(console.page.locator("#detail dl")).to_contain_text(f"the standby stands in for {A}")
    assert edge.table.get(host).target == STANDBY
    console.press("Fail back")
    expect(console.dialog.locator(".diff tbody")).to_contain_text("failed overyesno")
    console.confirm("Fail back")
    expect(console.page.locator("#detail .badge")).to_have_count(0)
    assert edge.table.get(host).target == A


def test_what_has_neither_has_no_such_button(console: Console, edge: LocalEdge) -> None:
    edge.table.put("plain.localhost", A)
    console.show("#/plain.localhost", ".path")
    for name in ("Change the weight", "Promote the canary", "Abort the canary", "Fail over", "Fail back"):
        expect(console.page.get_by_role("button", name=name)).to_have_count(0)


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [390, 1400])
def test_it_reads_well_in_light_and_dark_on_phone_and_desktop(
    open_page: Callable[..., Page], edge: LocalEdge, scheme: Any, width: int
) -> None:
    edge.table.put("legible.localhost", A, canary=CANARY, standby=f"{STANDBY}/{'long/' * 20}")
    page = checkable(open_page, scheme, width)
    console = Console(page, edge)
    console.show("#/legible.localhost", ".path")
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    assert violations(page, WCAG) == []


def test_of_a_row_that_cannot_be_read_the_console_says_so_and_shows_no_other(console: Console, edge: LocalEdge) -> None:
    edge.table.put("whole.localhost", A)
    edge.table.put("broken.localhost", A, canary=CANARY)
    tables = edge.table.tables
    item = tables.read(["broken.localhost"])["broken.localhost"]
    item = {**item, "canary": {"M": {**item["canary"]["M"], "weight": {"N": "1000"}}}}
    tables.dynamodb.put_item(TableName=tables.routes, Item=item)
    console.show("#/whole.localhost", ".path")
    console.page.evaluate("location.hash = '#/broken.localhost'")
    expect(console.page.locator("#detail-title")).to_have_text("broken.localhost")
    expect(console.page.locator("#detail").get_by_role("alert")).to_contain_text("is broken")
    expect(console.page.locator("#detail")).not_to_contain_text("whole.localhost")
