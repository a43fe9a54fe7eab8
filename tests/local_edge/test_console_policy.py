"""Who gets an answer and what goes with it, in the console, in Chromium: shown, and changed by the command."""

from collections.abc import Callable
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from tests.local_edge.console import WCAG, Console, checkable, violations
from tests.local_edge.running import LocalEdge

A = "s3://acme-static-sites/env-123"
SAID: dict[str, Any] = {
    "private": True,
    "allow": ["203.0.113.0/24"],
    "noindex": True,
    "headers": {"x-frame-options": "DENY", "x-powered-by": ""},
    "maintenance": {"retry_after": "10m", "message": "Back at <b>noon</b>."},
}


def test_a_route_shows_badges_words_and_both_ways(console: Console, edge: LocalEdge) -> None:
    host = "closed.localhost"
    edge.table.put(host, A, policy=SAID)
    console.show(f"#/{host}", ".path")
    badges = ["private", "allow", "maintenance", "noindex", "headers"]
    expect(console.page.locator("#detail .badge")).to_have_text(badges)
    facts = console.page.locator("#detail dl")
    expect(facts).to_contain_text("privateyes: by a signed link, or the password")
    expect(facts).to_contain_text("allow203.0.113.0/24; others get 403")
    expect(facts).to_contain_text("noindexyes")
    expect(facts).to_contain_text("maintenance503, Retry-After 600: Back at <b>noon</b>.")
    expect(facts.get_by_role("list", name="Response headers").get_by_role("listitem")).to_have_text(
        ["x-frame-options: DENY", "x-powered-by: (taken away)"]
    )
    path = console.page.get_by_role("list", name="How this URL is answered")
    expect(path).to_contain_text("Who gets an answeronly those who come from 203.0.113.0/24")
    expect(path).to_contain_text("viewer-request answers others403")
    expect(path).to_contain_text("viewer-request stamps the route for who is let in")
    expect(path.locator("li").last).to_have_class("end")


def test_the_list_has_badges_and_finds_by_them(console: Console, edge: LocalEdge) -> None:
    edge.table.put("found.localhost", A, policy={"private": True, "maintenance": {}})
    console.show("", "#results tr")
    console.page.get_by_role("searchbox").fill("private found.localhost")
    row = console.page.locator("#results tr")
    expect(row).to_have_count(1)
    expect(row.locator(".badge")).to_have_text(["private", "maintenance"])


def test_what_says_nothing_has_no_badge_and_no_secret_is_anywhere(console: Console, edge: LocalEdge) -> None:
    edge.table.put("open.localhost", A)
    console.show("#/open.localhost", ".path")
    expect(console.page.locator("#detail .badge")).to_have_count(0)
    expect(console.page.locator("#detail dl")).to_contain_text("privateno")
    expect(console.page.locator("#detail dl")).not_to_contain_text("noindex")


def test_the_commands_that_change_it_are_there_to_be_copied(console: Console, edge: LocalEdge) -> None:
    host = "*.copied.localhost"
    edge.table.put(host, A)
    console.page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    console.show(f"#/{host}", ".path")
    console.page.get_by_text("Change who gets an answer").click()
    commands = console.page.locator(".command code")
    expect(commands.first).to_have_text(f"table-admin put '{host}' {A} --private")
    expect(commands.nth(1)).to_have_text(f"table-admin maintenance on '{host}' --retry-after 10m")
    console.page.locator(".command").first.get_by_role("button").click()
    expect(console.page.locator(".command [role=status]").first).to_have_text("copied")
    assert console.page.evaluate("navigator.clipboard.readText()") == commands.first.inner_text()
    edge.table.put(host, A, policy={"private": True, "maintenance": {}})
    console.page.reload()
    console.page.get_by_text("Change who gets an answer").click()
    expect(commands.first).to_have_text(f"table-admin access link '{host}'")
    expect(commands.nth(1)).to_have_text(f"table-admin put '{host}' {A} --public")
    expect(commands.nth(2)).to_have_text(f"table-admin maintenance off '{host}'")


def test_a_rollback_shows_what_it_changes_of_it(console: Console, edge: LocalEdge) -> None:
    host = "back.localhost"
    edge.table.put(host, A, policy=SAID)
    edge.table.put(host, A, policy={"private": False, "allow": [], "noindex": None, "headers": {"x-powered-by": None}})
    edge.table.put(host, A, policy={"maintenance": None})
    console.show(f"#/{host}", ".path")
    console.press("Roll back to revision 1")
    rows = console.dialog.locator(".diff tbody tr")
    expect(rows.first).to_be_visible()
    found = {row.locator("th").inner_text(): row.locator("del, ins").all_inner_texts() for row in rows.all()}
    assert found.pop("note")[1].startswith("back to revision 1")
    assert found == {
        "private": ["no", "yes: by a signed link, or the password"],
        "allow": ["everybody", "203.0.113.0/24; others get 403"],
        "noindex": ["no", "yes"],
        "header x-powered-by": ["(none)", "(taken away)"],
    }


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [390, 1400])
def test_it_reads_well_in_light_and_dark_on_phone_and_desktop(
    open_page: Callable[..., Page], edge: LocalEdge, scheme: Any, width: int
) -> None:
    edge.table.put("well.localhost", A, policy={**SAID, "allow": [f"203.0.113.{n}" for n in range(20)]})
    page = checkable(open_page, scheme, width)
    console = Console(page, edge)
    console.show("#/well.localhost", ".path")
    page.get_by_text("Change who gets an answer").click()
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    assert violations(page, WCAG) == []
