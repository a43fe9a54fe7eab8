"""Rules by path, wildcards and redirects in the console, in Chromium."""

import re
from collections.abc import Callable
from typing import Any

import pytest
from playwright.sync_api import Locator, Page, expect

from tests.local_edge.console import Console, checkable, violations
from tests.local_edge.running import LocalEdge

A, B = "s3://acme-static-sites/env-123", "s3://acme-static-sites/env-456"
WILD = "*.client.localhost"


def rule(console: Console, pattern: str) -> Locator:
    return console.page.get_by_role("group", name=f"Rule {pattern}", exact=True)


def write(console: Console, pattern: str, target: str) -> None:
    """Fill in the rule that was added last."""
    console.page.get_by_role("textbox", name="Pattern").last.fill(pattern)
    rule(console, pattern).get_by_role("textbox", name="Answered by").fill(target)


def changes(console: Console) -> dict[str, tuple[str, str]]:
    """Return what a review shows, by attribute: now and after."""
    rows = console.page.locator("#detail .diff tbody tr")
    expect(rows.first).to_be_visible()
    cells = ("th", "del", "ins")
    found = [tuple(row.locator(cell).inner_text() for cell in cells) for row in rows.all()]
    return {name: (now, after) for name, now, after in found}


def test_a_rule_is_added_reviewed_saved_explained_and_served(console: Console, edge: LocalEdge) -> None:
    host = "ruled.localhost"
    edge.table.put(host, A, rules={"/old": "redirect:301:/docs/"})
    console.show(f"#/{host}", ".path")
    console.press("Add a rule")
    expect(console.page.get_by_role("textbox", name="Pattern").last).to_be_focused()
    write(console, "/moon/*", f"strip:{B}")
    console.press("Review changes")
    assert changes(console) == {"rule /moon/*": ("(none)", f"strip:{B}")}
    assert edge.table.get(host).revision == 1
    console.press("Save")
    expect(console.page.locator(".history > li")).to_have_count(2)
    expect(console.page.locator(".history > li").first).to_contain_text(f"new /moon/* \u2192 strip:{B}")
    expect(console.page.locator(".history > li").last).to_contain_text("new /old \u2192 redirect 301 to /docs/")
    expect(console.page.locator("dl").get_by_role("list", name="Rules by path").get_by_role("listitem")).to_have_count(
        2
    )
    # Nobody asked for the other rule again.
    assert [found.generation for found in edge.table.get(host).rules] == [2, 1]
    console.page.get_by_role("textbox", name="URL").fill(f"http://{host}/moon/?a=1")
    console.press("Explain")
    path = console.page.get_by_role("list", name="How this URL is answered")
    expect(path).to_contain_text(f"Rule /moon/*/moon/* names strip:{B}")
    expect(path).to_contain_text("/env-456/index.html")
    edge.wait_fresh()
    assert "The moon observatory" in edge.get(host, "/moon/").text
    assert "The mountain shop" in edge.get(host).text


def test_rules_are_changed_and_removed(console: Console, edge: LocalEdge) -> None:
    host = "changed.localhost"
    edge.table.put(host, A, rules={"/a/*": B, "/b": "redirect:/a", "/c": "redirect:/a"})
    console.show(f"#/{host}", ".path")
    rule(console, "/b").get_by_role("textbox", name="Answered by").fill("redirect:302:/a")
    console.press("Review changes")
    assert changes(console) == {"rule /b": ("redirect:/a", "redirect:302:/a")}
    # What is done after a review is another question.
    console.page.get_by_role("button", name="Remove rule /c", exact=True).click()
    expect(console.page.get_by_role("button", name="Add a rule")).to_be_focused()
    expect(console.page.get_by_role("button", name="Save")).to_have_count(0)
    console.press("Review changes")
    assert changes(console) == {"rule /b": ("redirect:/a", "redirect:302:/a"), "rule /c": ("redirect:/a", "(none)")}
    console.press("Save")
    expect(console.page.locator(".history > li")).to_have_count(2)
    expect(console.page.locator(".history > li").first).to_contain_text("no more /c")
    expect(console.page.locator(".history > li").first).to_contain_text("changed /b \u2192 redirect 302 to /a")
    found = edge.table.get(host).rules
    assert [(one.pattern, one.target) for one in found] == [("/a/*", B), ("/b", "redirect:302:/a")]
    console.press("Roll back to revision 1")
    expect(console.dialog.locator(".diff")).to_contain_text("rule /c")
    console.confirm("Roll back")
    expect(console.page.locator(".history > li")).to_have_count(3)
    assert [one.pattern for one in edge.table.get(host).rules] == ["/a/*", "/b", "/c"]


MISTAKES = [
    ([("api", B)], "'api' is not a pattern"),
    ([("/api/*", "")], "has no target"),
    ([("/api/*", "nowhere")], "The rule for /api/*: 'nowhere' is not a target"),
    ([("/api/*", A), ("/api/*", B)], "/api/* is there twice"),
    ([("/x", "redirect:/y"), ("/y", "redirect:/x")], "in a circle"),
]


@pytest.mark.parametrize(("rules", "says"), MISTAKES)
def test_a_mistake_in_a_rule_is_a_sentence(
    console: Console, edge: LocalEdge, rules: list[tuple[str, str]], says: str
) -> None:
    edge.table.put("mistake.localhost", A)
    console.show("#/mistake.localhost", ".path")
    for pattern, target in rules:
        console.press("Add a rule")
        console.page.get_by_role("textbox", name="Pattern").last.fill(pattern)
        console.page.get_by_role("textbox", name="Answered by").last.fill(target)
    console.press("Review changes")
    expect(console.page.get_by_role("alert")).to_contain_text(says)
    assert edge.table.get("mistake.localhost").rules == ()


def test_a_wildcard_is_made_explained_by_a_name_under_it_and_nowhere_a_link(console: Console, edge: LocalEdge) -> None:
    console.show("#new", "#detail form")
    console.page.get_by_role("textbox", name="Domain").fill(WILD)
    console.page.get_by_role("textbox", name="Target").fill(A)
    console.page.get_by_role("textbox", name="Environment").fill("tenants")
    console.press("Review changes")
    console.press("Save")
    expect(console.page.locator("#detail-title")).to_have_text(WILD)
    expect(console.page.locator("#detail")).to_contain_text("answers for all names under client.localhost")
    expect(console.page.locator(".path")).to_contain_text(f"the row {WILD} at revision 1")
    expect(console.page.locator(".path")).to_contain_text("any.client.localhost has no row of its own")
    console.page.get_by_role("textbox", name="URL").fill(f"https://{WILD}/")
    console.press("Explain")
    expect(console.page.get_by_role("alert")).to_contain_text("no browser can ask for one")
    edge.until(lambda answer: "The mountain shop" in answer.text, "who.ever.client.localhost")
    console.show("#env/tenants", "#environment li")
    expect(console.page.locator("#environment li")).to_have_text(WILD)
    # Also in its encoded spelling, as a browser may have it in its history.
    console.show(f"#/{WILD.replace('*', '%2A')}", ".path")
    expect(console.page.locator("#detail-title")).to_have_text(WILD)
    asterisks = console.page.locator("a[target=_blank]").evaluate_all(
        "links => links.filter((one) => /[*]|%2A/i.test(one.href))"
    )
    assert asterisks == []


def test_a_redirect_is_read_as_one_and_leads_where_it_says(console: Console, edge: LocalEdge) -> None:
    host = "moved.localhost"
    edge.table.put(host, "redirect:301:https://env-123.example.com")
    console.show(f"#/{host}", ".path")
    row = console.page.locator(f'#results tr[data-domain="{host}"]')
    expect(row).to_contain_text("redirect 301 to https://env-123.example.com")
    expect(console.page.locator("dl")).to_contain_text("redirect 301 to https://env-123.example.com")
    end = console.page.locator(".path li").last
    expect(end).to_have_text("viewer-request redirects301, to https://env-123.example.com/")
    expect(end).to_have_class("end")


def test_a_row_is_found_by_its_rules_and_the_list_counts_them(console: Console, edge: LocalEdge) -> None:
    edge.table.put("counted.localhost", A, rules={"/needle/*": B, "/b": "redirect:/haystack"})
    edge.table.put("one.localhost", A, rules={"/b": "redirect:/straw"})
    console.show("", "#results tr")
    for words, host, hint in (
        ("NEEDLE", "counted.localhost", "+2 rules"),
        ("haystack", "counted.localhost", "+2 rules"),
        ("straw", "one.localhost", "+1 rule"),
    ):
        console.page.get_by_role("searchbox").fill(words)
        # The console hears of what others write in seconds.
        rows = console.page.locator("#results tr")
        expect(rows.locator("a").first).to_have_text(host)
        expect(rows).to_have_count(1)
        expect(rows.locator("td").nth(1)).to_have_text(re.compile(re.escape(hint) + "$"))


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [390, 1400])
def test_it_reads_well_in_light_and_dark_on_phone_and_desktop(
    open_page: Callable[..., Page], edge: LocalEdge, scheme: Any, width: int
) -> None:
    edge.table.put("*.well.localhost", A, rules={f"/{'long' * 12}-{n}/*": f"strip:{B}" for n in range(12)})
    page = checkable(open_page, scheme, width)
    console = Console(page, edge)
    for where, title in (("#/*.well.localhost", "*.well.localhost"), ("#new", "New route")):
        console.show(where, f"#detail-title:text-is('{title}')")
        console.press("Add a rule")
        if where != "#new":
            write(console, "/b", "redirect:302:/c")
            console.press("Review changes")
            expect(page.locator("#detail .diff")).to_be_visible()
        assert violations(page) == []
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), "it scrolls sideways"
