"""A private preview as people meet it, in Chromium: it asks, lets in, and lets in nobody else."""

import re
from collections.abc import Callable, Iterator

import pytest
from playwright.sync_api import Page, expect

from edge_handler.access.session import COOKIE
from table_admin.access import Access
from tests.local_edge.running import LocalEdge, local_edge

HOST, NEIGHBOUR = "private.localhost", "neighbour.localhost"
TITLE = "The autumn catalogue"


@pytest.fixture(scope="module")
def edge() -> Iterator[LocalEdge]:
    with local_edge() as running:
        route = running.table.get(HOST)
        running.table.put(NEIGHBOUR, route.target)
        neighbour = running.table.put(NEIGHBOUR, route.target, policy={"private": True}).after
        # So that it is the domain alone by which their tokens differ.
        assert neighbour is not None
        assert neighbour.policy == route.policy
        yield running


def at(edge: LocalEdge, host: str, path: str = "/") -> str:
    return f"http://{host}:{edge.port}{path}"


def link(edge: LocalEdge, host: str = HOST, to: str = "/") -> str:
    return Access(edge.table).link(host, to=to, edge=f"http://{{domain}}:{edge.port}").url


def status(page: Page, url: str) -> int:
    response = page.goto(url)
    assert response is not None
    return response.status


def session_of(page: Page, edge: LocalEdge, host: str = HOST) -> str:
    (value,) = (one["value"] for one in page.context.cookies(at(edge, host)) if one["name"] == COOKIE)
    return str(value)


def test_without_a_session_it_says_that_it_is_private(edge: LocalEdge, open_page: Callable[..., Page]) -> None:
    page = open_page()
    assert status(page, at(edge, HOST)) == 403
    expect(page.locator("h1")).to_have_text("This preview is private")
    assert page.evaluate("fetch('/api/primes').then(answer => answer.status)") == 403


def test_a_link_lets_in_to_pages_and_service_and_leaves_no_token_behind(
    edge: LocalEdge, open_page: Callable[..., Page]
) -> None:
    page = open_page()
    url = link(edge)
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.goto(url)
    expect(page.locator("h1")).to_have_text(TITLE)
    assert page.url == at(edge, HOST)
    expect(page.locator("#count")).to_have_text("1229")
    expect(page.locator("#cookies")).to_have_text("none")
    assert page.evaluate("document.cookie") == ""
    page.reload()
    expect(page.locator("h1")).to_have_text(TITLE)
    token = url.partition("#")[2]
    assert not [line for line in list(edge.log) if token in line or session_of(page, edge) in line]
    # The fragment is the browser's own: of what it sent only the first page's address had one to hide.
    assert [one for one in asked if token in one.partition("#")[0]] == []


def test_a_link_leads_where_it_says(edge: LocalEdge, open_page: Callable[..., Page]) -> None:
    page = open_page()
    page.goto(link(edge, to="/logo.svg?size=2"))
    page.wait_for_url(at(edge, HOST, "/logo.svg?size=2"))


@pytest.mark.parametrize("to", ["//env-123.localhost/", "/\\\\env-123.localhost/", "https://env-123.localhost/", "x"])
def test_whatever_stands_in_a_link_it_leads_to_its_own_host(
    edge: LocalEdge, open_page: Callable[..., Page], to: str
) -> None:
    page = open_page()
    page.goto(f"{link(edge)}&to={to}")
    page.wait_for_url(lambda url: "/.well-known/" not in url)
    assert page.url == at(edge, HOST)


def test_a_link_that_is_no_good_says_so_and_lets_nobody_in(edge: LocalEdge, open_page: Callable[..., Page]) -> None:
    page = open_page()
    for bad in (link(edge, NEIGHBOUR).replace(NEIGHBOUR, HOST), f"{link(edge)[:-1]}!", link(edge).partition("#")[0]):
        page.goto("about:blank")  # or only the fragment would be another
        page.goto(bad)
        expect(page.locator("h1")).to_have_text(re.compile("^This link is "))
        assert status(page, at(edge, HOST)) == 403


def test_the_neighbour_s_session_stays_the_neighbour_s(edge: LocalEdge, open_page: Callable[..., Page]) -> None:
    page = open_page()
    page.goto(link(edge, NEIGHBOUR))
    expect(page.locator("h1")).to_have_text(TITLE)
    assert status(page, at(edge, HOST)) == 403
    # Nor does it when somebody carries it over.
    carried = {"name": COOKIE, "value": session_of(page, edge, NEIGHBOUR), "url": f"https://{HOST}/", "secure": True}
    page.context.add_cookies([carried])  # type: ignore[list-item]
    assert session_of(page, edge) == carried["value"]
    assert status(page, at(edge, HOST)) == 403
    page.goto(link(edge))
    expect(page.locator("h1")).to_have_text(TITLE)


def test_an_application_s_own_authorization_reaches_it(edge: LocalEdge, open_page: Callable[..., Page]) -> None:
    page = open_page()
    page.goto(link(edge))
    expect(page.locator("h1")).to_have_text(TITLE)
    page.evaluate("document.cookie = 'basket=3; path=/'")
    told = page.evaluate(
        "fetch('/api/headers', {headers: {authorization: 'Bearer mine'}}).then(answer => answer.json())"
    )["headers"]
    assert [value for name, value in told if name == "authorization"] == ["Bearer mine"]
    assert [value for name, value in told if name == "cookie"] == ["basket=3"]


def test_a_name_and_a_password_let_in_too(edge: LocalEdge, open_page: Callable[..., Page]) -> None:
    given = Access(edge.table).password(HOST, name="friends")
    wrong = open_page(http_credentials={"username": "friends", "password": "something else"})
    wrong.goto(at(edge, HOST))
    wrong.get_by_role("link", name="Sign in").click()
    expect(wrong.locator("h1")).not_to_have_text("This preview is private")
    assert status(wrong, at(edge, HOST)) == 403
    page = open_page(http_credentials={"username": given.name, "password": given.password})
    page.goto(at(edge, HOST, "/?page=2"))
    page.get_by_role("link", name="Sign in").click()
    expect(page.locator("h1")).to_have_text(TITLE)
    assert page.url == at(edge, HOST, "/?page=2")
    expect(page.locator("#count")).to_have_text("1229")


def test_who_was_let_in_is_out_again_once_it_is_revoked(edge: LocalEdge, open_page: Callable[..., Page]) -> None:
    page = open_page()
    page.goto(link(edge))
    expect(page.locator("h1")).to_have_text(TITLE)
    Access(edge.table).revoke(HOST)
    edge.wait_fresh()
    while status(page, at(edge, HOST)) != 403:
        page.wait_for_timeout(100)
    page.goto(link(edge))
    expect(page.locator("h1")).to_have_text(TITLE)


def test_a_link_past_maintenance_shows_what_others_wait_for(edge: LocalEdge, open_page: Callable[..., Page]) -> None:
    page = open_page()
    assert status(page, at(edge, "maintenance.localhost")) == 503
    expect(page.locator("main")).to_contain_text("Orders are safe")
    past = Access(edge.table).link("maintenance.localhost", bypass=True, edge=f"http://{{domain}}:{edge.port}")
    page.goto(past.url)
    expect(page.locator("h1")).to_have_text("The mountain shop")
    assert status(open_page(), at(edge, "maintenance.localhost")) == 503
