"""What a developer sees: the demo's pages in Chromium."""

import re
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from tests.local_edge.running import local_edge


@pytest.fixture(scope="module")
def port() -> Iterator[int]:
    with local_edge() as running:
        yield running.port


@pytest.fixture
def page(open_page: Callable[..., Page]) -> Page:
    return open_page()


@pytest.mark.parametrize(
    ("name", "heading", "color"),
    [
        ("env-123", "The mountain shop", "rgb(11, 122, 75)"),
        ("env-456", "The moon observatory", "rgb(91, 63, 214)"),
        ("env-789", "The prime counter", "rgb(194, 65, 12)"),
        ("market", "The number market", "rgb(14, 116, 144)"),
        ("acme.tenant", "A site for every tenant", "rgb(162, 28, 175)"),
    ],
)
def test_each_site_is_styled_and_shows_its_image(
    page: Page, port: int, name: str, heading: str, color: str, tmp_path: Path
) -> None:
    response = page.goto(f"http://{name}.localhost:{port}/")
    assert response is not None
    assert response.ok
    assert page.locator("h1").inner_text() == heading
    assert page.locator("h1").evaluate("node => getComputedStyle(node).color") == color
    image = page.locator("header img")
    assert image.evaluate("node => node.complete && node.naturalWidth > 0")
    shot = page.screenshot(path=tmp_path / f"{name}.png")
    # A styled page has more than two colours' worth of bytes; a blank one packs to far less.
    assert len(shot) > 10_000


def test_a_link_to_a_nested_page_works(page: Page, port: int) -> None:
    page.goto(f"http://env-123.localhost:{port}/")
    page.get_by_role("link", name="A nested page").click()
    expect(page.locator("h1")).to_have_text("The docs of env-123")
    assert page.goto(f"http://env-123.localhost:{port}/docs") is not None
    assert page.url.endswith("/docs/")


def test_the_container_page_shows_what_comes_over_a_websocket(page: Page, port: int) -> None:
    page.goto(f"http://env-789.localhost:{port}/")
    found = page.locator("#live")
    expect(found).to_have_text(re.compile(r"^\d+$"))
    first = found.inner_text()
    expect(found).not_to_have_text(first)
    assert int(found.inner_text()) > int(first)


def test_every_name_under_the_wildcard_is_told_its_own(page: Page, port: int) -> None:
    for name in ("acme", "another", "deeper.one"):
        page.goto(f"http://{name}.tenant.localhost:{port}/")
        expect(page.locator("#host")).to_have_text(f"{name}.tenant.localhost")


def test_the_static_page_shows_what_came_from_the_service_under_its_path(page: Page, port: int) -> None:
    page.goto(f"http://market.localhost:{port}/")
    for name, text in (("path", "/primes"), ("prefix", "/api"), ("count", "1229")):
        expect(page.locator(f"#{name}")).to_have_text(text)


def test_a_browser_ends_at_the_new_name_and_keeps_its_path(page: Page, port: int) -> None:
    page.goto(f"http://old-market.localhost:{port}/?from=old")
    assert page.url == f"http://market.localhost:{port}/?from=old"
    expect(page.locator("#count")).to_have_text("1229")


def test_an_unknown_environment_is_a_page_for_people(page: Page, port: int) -> None:
    response = page.goto(f"http://env-000.localhost:{port}/")
    assert response is not None
    assert response.status == 404
    assert page.locator("h1").inner_text() == "No environment lives here"
    assert page.locator("code").inner_text() == f"env-000.localhost:{port}"
