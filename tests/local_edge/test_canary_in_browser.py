"""A gradual cut-over as people meet it, in Chromium: everybody stays on a side, and a tester chooses one."""

import os
import shlex
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from table_admin import canary
from tests.local_edge.running import LocalEdge

HOST = "canary.localhost"
PAGE, CHOICE = "/.well-known/edge-canary", "__Host-edge-side"
STABLE, CANARY = "The bakery, as it was", "The bakery, as it will be"
CHOOSE = {"canary": "Get the canary", "stable": "Get the stable side", "none": "Be as any viewer"}


def at(edge: LocalEdge, path: str = "/", host: str = HOST) -> str:
    return f"http://{host}:{edge.port}{path}"


def title(page: Page) -> str:
    return page.locator("h1").inner_text()


def visitor(page: Page, edge: LocalEdge, name: int) -> None:
    page.context.add_cookies([{"name": "visitor", "value": str(name), "url": at(edge)}])


def colour(page: Page) -> str:
    return str(page.locator("h1").evaluate("one => getComputedStyle(one).color"))


def test_everybody_stays_on_a_side_over_reloads_and_all_that_is_loaded_is_of_it(
    edge: LocalEdge, open_page: Callable[..., Page]
) -> None:
    looks: dict[str, set[tuple[str, str]]] = {}
    for name in (1000, 1002):
        page = open_page()
        visitor(page, edge, name)
        for _ in range(3):
            page.goto(at(edge))
            icon = page.evaluate("fetch('/logo.svg').then(answer => answer.text())")
            looks.setdefault(title(page), set()).add((colour(page), icon))
        assert [one["name"] for one in page.context.cookies()] == ["visitor"]  # nothing is added to what somebody gets
    assert looks.keys() == {STABLE, CANARY}
    assert [len(look) for look in looks.values()] == [1, 1]
    assert looks[STABLE].isdisjoint(looks[CANARY])


def test_without_any_cookie_a_browser_stays_where_it_is(edge: LocalEdge, open_page: Callable[..., Page]) -> None:
    seen = set()
    for _ in range(2):
        page = open_page()
        for _ in range(2):
            page.goto(at(edge))
            seen.add(title(page))
    assert len(seen) == 1


def test_a_button_of_the_demo_makes_somebody_else_of_a_visitor(edge: LocalEdge, open_page: Callable[..., Page]) -> None:
    page = open_page()
    page.goto(at(edge))
    first = title(page)
    while title(page) == first:
        with page.expect_navigation():
            page.get_by_role("button").click()
    assert {first, title(page)} == {STABLE, CANARY}


@pytest.mark.parametrize("name", [1000, 1002])
def test_a_tester_chooses_a_side_and_then_the_other_and_then_none(
    edge: LocalEdge, open_page: Callable[..., Page], name: int
) -> None:
    page = open_page()
    visitor(page, edge, name)
    page.goto(at(edge))
    without = title(page)
    page.get_by_role("link", name="Which side").click()
    expect(page.locator("main")).to_contain_text("50")
    expect(page.locator("main")).to_contain_text("visitor")
    for side, wanted in (("canary", CANARY), ("stable", STABLE), ("canary", CANARY), ("none", without)):
        page.get_by_role("link", name=CHOOSE[side]).click()
        page.wait_for_url(at(edge, PAGE))
        for _ in range(2):
            page.goto(at(edge))
            expect(page.locator("h1")).to_have_text(wanted)
        assert page.evaluate("document.cookie") == f"visitor={name}"  # no script reads a choice
        page.goto(at(edge, PAGE))
    assert [one["name"] for one in page.context.cookies()] == ["visitor"]


def test_a_link_chooses_a_side_and_leads_on_to_its_own_host_only(
    edge: LocalEdge, open_page: Callable[..., Page]
) -> None:
    page = open_page()
    page.goto(at(edge, f"{PAGE}?side=canary&to=/%3Fpage=2"))
    assert page.url == at(edge, "/?page=2")
    expect(page.locator("h1")).to_have_text(CANARY)
    for to in ("//env-123.localhost/", "/\\env-123.localhost/", "https://env-123.localhost/", "x"):
        page.goto(at(edge, f"{PAGE}?side=stable&to={to}"))
        assert page.url == at(edge, PAGE)


def test_a_choice_is_of_one_canary_and_the_next_begins_without(edge: LocalEdge, open_page: Callable[..., Page]) -> None:
    host = "next.localhost"
    # Deployments, whose pages a browser asks for anew each time.
    target, other = (edge.table.get(domain).target for domain in (HOST, "canary-next.localhost"))
    edge.table.put(host, target)
    canary.start(edge.table, host, other, weight=0)
    page = open_page()
    page.goto(at(edge, f"{PAGE}?side=canary&to=/", host))
    expect(page.locator("h1")).to_have_text(CANARY)
    canary.abort(edge.table, host)
    edge.wait_fresh()
    page.goto(at(edge, "/", host))
    expect(page.locator("h1")).to_have_text(STABLE)
    response = page.goto(at(edge, PAGE, host))
    assert response is not None
    assert response.status == 404
    canary.start(edge.table, host, other, weight=0)
    edge.wait_fresh()
    assert [one["name"] for one in page.context.cookies()] == [CHOICE]
    page.goto(at(edge, "/", host))
    expect(page.locator("h1")).to_have_text(STABLE)


def test_who_is_failed_over_sees_the_standby_and_is_back_again(edge: LocalEdge, open_page: Callable[..., Page]) -> None:
    page = open_page()
    for command, wanted in (("", "primary"), ("fail-over", "standby"), ("fail-back", "primary")):
        if command:
            # As the page says, to be copied.
            said = page.locator("pre").inner_text()
            assert said.startswith(f"table-admin {command} failover.localhost ")
            command_line = [str(Path(sys.executable).parent / "table-admin"), *shlex.split(said)[1:]]
            subprocess.run(command_line, env={**os.environ, "AWS_ENDPOINT_URL": edge.aws_endpoint}, check=True)
        while page.goto(at(edge, host="failover.localhost")) and page.locator("p strong").inner_text() != wanted:
            page.wait_for_timeout(100)
        expect(page.locator("p strong")).to_have_text(wanted)
