"""What the console writes, in Chromium: shown before it is made, and made over what was shown."""

import re
import time
from collections.abc import Callable, Iterator

import pytest
from playwright.sync_api import Page, Route, expect

from tests.local_edge.console import Console, opened
from tests.local_edge.running import LocalEdge

A, B = "s3://acme-static-sites/env-123", "s3://acme-static-sites/env-456"
DAY = 86400


@pytest.fixture
def console(open_page: Callable[..., Page], edge: LocalEdge) -> Iterator[Console]:
    with opened(open_page, edge, 380, 800) as console:
        yield console


WRITES = [
    ("Remove", "Remove", "target", f"{A} (none)"),
    ("Roll back to revision 1", "Roll back", "target", f"{A} {B}"),
    ("Empty the CDN of it", "Empty the CDN", "generation", "2 3"),
]


@pytest.mark.parametrize(("opens", "confirms", "attribute", "diff"), WRITES)
def test_what_is_done_to_a_route_is_shown_first_and_made_over_what_was_shown(
    console: Console, edge: LocalEdge, opens: str, confirms: str, attribute: str, diff: str
) -> None:
    host = f"{confirms.split(maxsplit=1)[0].lower()}.localhost"
    for target in (B, A):
        edge.table.put(host, target, note="of another revision")
    console.show(f"#/{host}", ".path")
    console.press(opens)
    row = console.dialog.locator(".diff tr", has=console.page.get_by_role("rowheader", name=attribute, exact=True))
    expect(row).to_have_text(re.compile(f"^{attribute}\\s*{re.escape(diff).replace(chr(92) + ' ', chr(92) + 's*')}$"))
    assert edge.table.get(host).revision == 2
    console.dialog.get_by_role("textbox", name="Note").fill("by the console")
    console.confirm(confirms)
    expect(console.page.locator(".history li")).to_have_count(3)
    expect(console.page.locator(".history li").first).to_contain_text("by the console")
    assert [(dry, over) for _, dry, over in console.writes] == [(True, '"2"'), (False, '"2"')]


@pytest.mark.parametrize(("opens", "confirms", "attribute", "_diff"), WRITES)
def test_what_somebody_else_just_did_is_not_undone(
    console: Console, edge: LocalEdge, opens: str, confirms: str, attribute: str, _diff: str
) -> None:
    host = f"meanwhile-{attribute}-{len(opens)}.localhost"
    for target in (B, A):
        edge.table.put(host, target)
    console.show(f"#/{host}", ".path")
    console.press(opens)
    expect(console.dialog.get_by_role("button", name=confirms, exact=True)).to_be_visible()
    edge.table.put(host, A, expires_in="30d", note="somebody else's")
    console.confirm(confirms)
    expect(console.dialog.get_by_role("alert")).to_contain_text("changed by somebody else, to revision 3")
    assert edge.table.get(host).note == "somebody else's"
    # Nor what was done before the button was pressed, as long as the page does not show it.
    console.press("Cancel")
    console.press(opens)
    expect(console.dialog.get_by_role("alert")).to_contain_text("changed by somebody else, to revision 3")
    console.confirm("Show it as it is now")
    expect(console.page.locator("dl")).to_contain_text("somebody else's")


def test_what_was_removed_comes_back_once_unless_somebody_made_it_again(console: Console, edge: LocalEdge) -> None:
    host = "removed.localhost"
    edge.table.put(host, A)
    edge.table.delete(host)
    console.show(f"#/{host}", ".history li")
    console.press("Roll back to revision 1")
    expect(console.dialog.locator(".diff")).to_contain_text(A)
    edge.table.put(host, B)
    console.confirm("Roll back")
    expect(console.dialog.get_by_role("alert")).to_contain_text("changed by somebody else, to revision 3")
    assert edge.table.get(host).target == B
    assert {over for _, _, over in console.writes} == {"*"}


def test_extending_an_environment_asks_how_long_and_adds_to_what_is_left(console: Console, edge: LocalEdge) -> None:
    hosts = [f"{service}-long.localhost" for service in ("api", "web")]
    for host in hosts:
        edge.table.put(host, A, environment="long", expires_in="30d")
    before = edge.table.get(hosts[0]).expires_at or 0
    console.show("#env/long", "#environment li")
    console.press("Extend")
    duration = console.dialog.get_by_role("textbox", name="Add to what is left")
    expect(duration).to_be_focused()
    assert console.writes == []
    duration.fill("a week")
    console.press("Review changes")
    expect(console.dialog.get_by_role("alert")).to_contain_text("is not a duration")
    duration.fill("7d")
    console.page.keyboard.press("Enter")
    for host in hosts:
        row = console.dialog.locator(".diff tr", has_text=host)
        for cell, moment in (("del", before), ("ins", before + 7 * DAY)):
            expect(row.locator(cell)).to_have_text(re.compile(time.strftime("%Y-%m-%d", time.gmtime(moment))))
    # What is typed after that is another question.
    duration.fill("8d")
    expect(console.dialog.get_by_role("button", name="Extend", exact=True)).to_be_hidden()
    duration.fill("7d")
    console.press("Review changes")
    assert edge.table.get(hosts[0]).expires_at == before
    console.confirm("Extend")
    expect(console.dialog).to_be_hidden()
    expect(console.page.locator("#environment")).to_be_focused()
    assert edge.table.get(hosts[0]).expires_at == before + 7 * DAY
    assert len({over for _, _, over in console.writes}) == 1


def test_a_permanent_environment_is_not_extended(console: Console, edge: LocalEdge) -> None:
    edge.table.put("web-ever.localhost", A, environment="ever")
    console.show("#env/ever", "#environment li")
    expect(console.page.locator("#environment")).to_contain_text("It is permanent")
    expect(console.page.get_by_role("button", name="Extend")).to_have_count(0)


@pytest.mark.parametrize(("opens", "confirms"), [("Extend", "Extend"), ("Take down", "Remove")])
def test_an_environment_that_somebody_else_just_changed_stays_as_it_is(
    console: Console, edge: LocalEdge, opens: str, confirms: str
) -> None:
    name = f"moved-{confirms.lower()}"
    for service in ("api", "web"):
        edge.table.put(f"{service}-{name}.localhost", A, environment=name, expires_in="1d")
    console.show(f"#env/{name}", "#environment li")
    console.press(opens)
    if opens == "Extend":
        console.dialog.get_by_role("textbox", name="Add to what is left").fill("7d")
        console.press("Review changes")
    expect(console.dialog.locator(".diff tbody tr")).to_have_count(2)
    edge.table.put(f"web-{name}.localhost", B, permanent=True)
    console.confirm(confirms)
    expect(console.dialog.get_by_role("alert")).to_contain_text(f"{name} was changed by somebody else")
    console.confirm("Show it as it is now")
    expect(console.dialog).to_be_hidden()
    assert [found.revision for found in sorted(edge.table.list(name))] == [1, 2]
    console.press("Take down")
    expect(console.dialog.locator(".diff ins").first).to_have_text("(none)")
    console.confirm("Remove")
    expect(console.page.locator("#environment li")).to_have_count(0)
    assert list(edge.table.list(name)) == []


def test_a_dialog_is_left_with_escape_and_goes_back_to_where_it_was_opened(console: Console, edge: LocalEdge) -> None:
    edge.table.put("escape.localhost", A)
    console.show("#/escape.localhost", ".path")
    opener = console.page.get_by_role("button", name="Remove", exact=True)
    opener.focus()
    console.page.keyboard.press("Enter")
    expect(console.dialog.locator(".result")).to_be_focused()
    assert console.page.evaluate("document.documentElement.scrollWidth <= innerWidth"), "it scrolls sideways"
    assert console.dialog.evaluate("box => box.scrollWidth <= box.clientWidth"), "the dialog scrolls sideways"
    console.page.keyboard.press("Escape")
    expect(console.dialog).to_be_hidden()
    expect(opener).to_be_focused()
    expect(console.page.locator("#detail")).to_be_visible()
    assert [dry for _, dry, _ in console.writes] == [True]
    assert edge.table.get("escape.localhost").revision == 1


def test_what_is_shown_is_what_was_asked_for_last_and_rests_until_then(console: Console, edge: LocalEdge) -> None:
    for host in ("first.localhost", "slow.localhost"):
        edge.table.put(host, A)
    held: list[Route] = []

    def hold(route: Route) -> None:
        held.append(route)

    console.page.route("**/api/routes/slow.localhost", hold)
    console.show("#/first.localhost", ".path")
    title, panel = console.page.locator("#detail-title"), console.page.locator("#detail")
    with console.page.expect_request("**/api/routes/slow.localhost"):
        console.page.evaluate("location.hash = '#/slow.localhost'")
    expect(title).to_have_text("first.localhost")
    assert panel.evaluate("panel => panel.inert")
    with console.page.expect_response("**/api/explain?*"):
        console.page.evaluate("location.hash = '#/first.localhost'")
    expect(panel).to_be_focused()
    with console.page.expect_request_finished(lambda request: request == held[0].request):
        held[0].continue_()
    console.page.evaluate("fetch('/config').then((answer) => answer.text())")  # by then the page has done with it
    expect(title).to_have_text("first.localhost")
    assert not panel.evaluate("panel => panel.inert")
    console.press("Remove")
    expect(console.dialog.locator(".diff")).to_be_visible()
    console.page.evaluate("location.hash = '#'")
    expect(console.dialog).to_be_hidden()


def test_an_environment_rests_until_the_one_that_is_asked_for_is_shown(console: Console, edge: LocalEdge) -> None:
    for name in ("rests", "slow"):
        edge.table.put(f"{name}.localhost", A, environment=name)
    held: list[Route] = []

    def hold(route: Route) -> None:
        held.append(route)

    console.page.route("**/api/environments/slow", hold)
    card = console.page.locator("#environment")
    console.show("#env/rests", "#environment h2")
    with console.page.expect_request("**/api/environments/slow"):
        console.page.evaluate("location.hash = '#env/slow'")
    expect(card).to_contain_text("Environment rests")
    assert card.evaluate("card => card.inert")
    with console.page.expect_request_finished(lambda request: request == held[0].request):
        held[0].continue_()
    expect(card).to_contain_text("Environment slow")
    console.press("Take down")
    expect(console.dialog).to_contain_text("Take down slow?")


def test_an_environment_rests_until_it_is_shown_as_it_is_now(console: Console, edge: LocalEdge) -> None:
    edge.table.put("again.localhost", A, environment="again")
    console.show("#env/again", "#environment h2")
    console.press("Take down")
    expect(console.dialog.locator(".diff tbody tr")).to_have_count(1)
    edge.table.put("again.localhost", B)
    console.confirm("Remove")
    expect(console.dialog.get_by_role("alert")).to_contain_text("was changed by somebody else")
    held: list[Route] = []

    def hold(route: Route) -> None:
        held.append(route)

    console.page.route("**/api/environments/again", hold)
    card = console.page.locator("#environment")
    with console.page.expect_request("**/api/environments/again"):
        console.confirm("Show it as it is now")
    assert card.evaluate("card => card.inert")
    with console.page.expect_request_finished(lambda request: request == held[0].request):
        held[0].continue_()
    console.page.unroute("**/api/environments/again")
    console.press("Take down")
    console.confirm("Remove")
    expect(console.page.locator("#environment li")).to_have_count(0)
    assert list(edge.table.list("again")) == []
