"""The console in Chromium, over 100,000 routes, with the site changing behind the local edge."""

import re
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from playwright.sync_api import Page, Route, expect

from edge_handler.routes.origin import S3Origin
from edge_handler.routes.route import encode_route
from table_admin import environments
from tests.local_edge.console import checkable, violations
from tests.local_edge.running import LocalEdge, local_edge
from tests.support import OWN_BUCKET, dynamodb_client, make_tables, route

ROUTES = 100_000
SITE = S3Origin(OWN_BUCKET, "us-east-1", "/env-123")
# Writing the rows takes a busy machine many minutes.
pytestmark = pytest.mark.timeout(3600)


@pytest.fixture(scope="module")
def edge(ministack_endpoint: str) -> Iterator[LocalEdge]:
    # Before the console is there: what it reads first is all it shows, for nine times as long as that took.
    client = dynamodb_client(ministack_endpoint)
    make_tables("edge-routing", client)
    target = "s3://acme-static-sites/env-123"

    def write(start: int) -> None:
        items = [
            encode_route(route(f"r{n}.localhost", SITE, target=target, environment=f"env-{n // 10}"))
            for n in range(start, start + 25)
        ]
        requests = [{"PutRequest": {"Item": item}} for item in items]
        client.batch_write_item(RequestItems={"edge-routing-routes": requests})

    # Several at a time: on a busy machine either side of one would mostly wait for its turn.
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(write, range(0, ROUTES, 25)))
    with local_edge("--dynamodb", ministack_endpoint) as running:
        yield running


@pytest.fixture
def page(open_page: Callable[..., Page], edge: LocalEdge) -> Iterator[Page]:
    errors: list[str] = []
    made = open_page()
    made.on("pageerror", lambda error: errors.append(str(error)))
    made.goto(f"http://routes.localhost:{edge.port}/")
    expect(made.locator("#status")).to_have_text(re.compile(r"of (99|100),\d{3} in the table$"))
    yield made
    assert errors == []


def find(page: Page, words: str) -> None:
    page.get_by_role("searchbox").fill(words)
    expect(page.locator("#status")).to_contain_text(re.compile(r"^1 routes"))


def test_a_route_is_found_edited_seen_and_rolled_back(page: Page, edge: LocalEdge) -> None:
    host = "r77777.localhost"
    assert "The mountain shop" in edge.get(host).text
    find(page, "r77777")
    page.get_by_role("link", name=host).click()
    expect(page.locator(".path")).to_contain_text("origin-request sets the origin")
    page.get_by_role("textbox", name="Target").fill("s3://acme-static-sites/env-456")
    page.get_by_role("textbox", name="Note").fill("by the console")
    page.get_by_role("button", name="Review changes").click()
    expect(page.locator(".diff del").first).to_have_text("s3://acme-static-sites/env-123")
    expect(page.locator(".diff ins").first).to_have_text("s3://acme-static-sites/env-456")
    assert edge.table.get(host).revision == 1
    page.get_by_role("button", name="Save").click()
    expect(page.locator(".history li")).to_have_count(1)
    expect(page.locator("dl")).to_contain_text("s3://acme-static-sites/env-456")
    edge.until(lambda answer: "The moon observatory" in answer.text, host)
    # The rows were seeded without history; the first write of its own begins one.
    page.get_by_role("textbox", name="Target").fill("s3://acme-static-sites/env-123")
    page.get_by_role("button", name="Review changes").click()
    page.get_by_role("button", name="Save").click()
    expect(page.locator(".history li")).to_have_count(2)
    page.get_by_role("button", name="Roll back to revision 2").click()
    page.get_by_role("dialog").get_by_role("button", name="Roll back").click()
    expect(page.locator(".history li")).to_have_count(3)
    assert edge.table.get(host).target == "s3://acme-static-sites/env-456"
    edge.until(lambda answer: "The moon observatory" in answer.text, host)


def test_an_edit_over_somebody_elses_is_refused_with_a_sentence(page: Page, edge: LocalEdge) -> None:
    find(page, "r55555")
    page.get_by_role("link", name="r55555.localhost").click()
    page.get_by_role("textbox", name="Target").fill("s3://acme-static-sites/env-456")
    page.get_by_role("button", name="Review changes").click()
    expect(page.get_by_role("button", name="Save")).to_be_visible()
    edge.table.touch("r55555.localhost")
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_role("alert")).to_contain_text("changed by somebody else, to revision 2")
    assert edge.table.get("r55555.localhost").target == "s3://acme-static-sites/env-123"


def test_a_route_is_created_and_a_mistake_is_a_sentence(page: Page, edge: LocalEdge) -> None:
    page.get_by_role("button", name="New route").click()
    page.get_by_role("textbox", name="Domain").fill("made.localhost")
    page.get_by_role("textbox", name="Target").fill("nowhere")
    page.get_by_role("button", name="Review changes").click()
    expect(page.get_by_role("alert")).to_contain_text("is not a target")
    page.get_by_role("textbox", name="Target").fill("s3://acme-static-sites/env-456")
    page.get_by_role("textbox", name="Expires in").fill("12h")
    page.get_by_role("button", name="Review changes").click()
    page.get_by_role("button", name="Save").click()
    expect(page.locator("#detail-title")).to_have_text("made.localhost")
    assert edge.table.get("made.localhost").lifetime == "ephemeral"
    page.goto(f"http://routes.localhost:{edge.port}/#")
    page.get_by_role("combobox", name="Expiry").select_option(label="Expiring within a day")
    expect(page.locator("#results tr")).to_have_count(1)


def test_an_environments_urls_are_shown_extended_and_taken_down(page: Page, edge: LocalEdge) -> None:
    page.goto(f"http://routes.localhost:{edge.port}/#env/env-4242")
    expect(page.get_by_role("list", name="URLs of env-4242").get_by_role("link")).to_have_count(10)
    expect(page.locator("#results tr")).to_have_count(10)
    expect(page.get_by_role("button", name="Extend")).to_have_count(0)
    environments.extend(edge.table, "env-4242", expires_in="7d")
    page.reload()
    page.get_by_role("button", name="Extend").click()
    page.get_by_role("dialog").get_by_role("textbox", name="Add to what is left").fill("7d")
    page.get_by_role("button", name="Review changes").click()
    page.get_by_role("dialog").get_by_role("button", name="Extend").click()
    expect(page.get_by_role("dialog")).to_be_hidden()
    in_two_weeks = time.strftime("%Y-%m-%d", time.gmtime(edge.table.get("r42420.localhost").expires_at))
    expect(page.locator("#results tr").first).to_contain_text(in_two_weeks)
    page.get_by_role("button", name="Take down").click()
    page.get_by_role("dialog").get_by_role("button", name="Cancel").click()
    expect(page.locator("#results tr")).to_have_count(10)
    page.get_by_role("button", name="Take down").click()
    page.get_by_role("dialog").get_by_role("button", name="Remove").click()
    expect(page.locator("#results tr")).to_have_count(0)
    assert list(edge.table.list("env-4242")) == []


def test_it_can_be_used_with_the_keyboard_alone(page: Page) -> None:
    page.keyboard.press("/")
    page.keyboard.type("r31337")
    expect(page.locator("#status")).to_contain_text(re.compile(r"^1 routes"))
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    expect(page.locator("#detail-title")).to_have_text("r31337.localhost")
    expect(page.locator("#detail")).to_be_focused()
    page.keyboard.press("Escape")
    expect(page.locator("#detail")).to_be_hidden()
    expect(page.get_by_role("link", name="r31337.localhost")).to_be_focused()


def test_a_list_that_is_read_meanwhile_does_not_take_the_focus_away(page: Page) -> None:
    find(page, "r31337")
    held: list[Route] = []

    def hold(route: Route) -> None:
        held.append(route)

    page.route("**/search?*", hold)
    with page.expect_request("**/search?*"):
        pass  # the page asks again by itself
    page.get_by_role("searchbox").press("ArrowDown")
    link = page.get_by_role("link", name="r31337.localhost")
    expect(link).to_be_focused()
    with page.expect_request_finished(lambda request: request == held[0].request):
        held[0].continue_()
    page.evaluate("fetch('/config').then((answer) => answer.text())")  # by then the page has done with the first answer
    assert link.evaluate("node => node === document.activeElement")


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [390, 1400])
def test_it_reads_well_in_light_and_dark_on_phone_and_desktop(
    open_page: Callable[..., Page], edge: LocalEdge, scheme: str, width: int, tmp_path: Path
) -> None:
    page = checkable(open_page, scheme, width)
    for hash_, ready, opens in (
        ("", "#results tr", ""),
        ("#env/env-7", "#environment h2:text-is('Environment env-7')", ""),
        ("#/env-123.localhost", ".path", ""),
        ("#/env-456.localhost", ".path", "Remove"),
        ("#env/env-8", "#environment h2:text-is('Environment env-8')", "Take down"),
    ):
        page.goto(f"http://routes.localhost:{edge.port}/{hash_}")
        expect(page.locator(ready).first).to_be_visible()
        if opens:
            page.get_by_role("button", name=opens).click()
            expect(page.get_by_role("dialog").locator(".diff")).to_be_visible()
        assert violations(page) == []
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), "it scrolls sideways"
        shot = page.screenshot(path=tmp_path / f"{scheme}-{width}{hash_[:5].strip('#/')}{opens}.png", full_page=True)
        assert len(shot) > 10_000
    ground = page.evaluate("getComputedStyle(document.body).backgroundColor")
    assert ground == ("rgb(20, 23, 28)" if scheme == "dark" else "rgb(245, 246, 248)")
