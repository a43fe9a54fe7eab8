"""What generators build, deployed and met through the local edge: by LinkChecker, by Chromium, by open tabs."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from table_admin.deployments.deploy import deploy
from tests.local_edge.crawling import browse, follow_links
from tests.local_edge.running import LocalEdge, local_edge
from tests.sites.building import BUILDS, THEMED, need_tool
from tests.support import wait_until

SITES = ("docs", "blog", "clean", "app")
# The one link of each site that leads nowhere.
DEAD = {"docs": {"/guide/old-table.html"}, "blog": {"/photos/steel.jpg"}, "clean": {"/cellar"}, "app": set[str]()}
MISSING = {"docs": "This page is not in the manual", "blog": "No such note", "clean": "The fog is thick"}
GOOD = {200, 304, 308}  # what browsers ask again about has not changed
COLOR = "rgb(20, 60, 90)"
TYPES = {
    ".css": "text/css; charset=utf-8",
    ".csv": "text/csv; charset=utf-8",
    ".gz": "application/gzip",
    ".html": "text/html; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".json": "application/json",
    ".svg": "image/svg+xml",
    ".txt": "text/plain; charset=utf-8",
    ".webmanifest": "application/manifest+json",
    ".xml": "application/xml",
}


def publish(edge: LocalEdge, directory: Path, host: str) -> None:
    deploy(edge.table, directory, bucket="acme-static-sites", domain=host)


def publish_and_wait(edge: LocalEdge, directory: Path, host: str) -> None:
    """Publish, and wait until the edge knows."""
    publish(edge, directory, host)
    wait_until(lambda: edge.get(host).body == (directory / "index.html").read_bytes())


@pytest.fixture(scope="module")
def edge() -> Iterator[LocalEdge]:
    with local_edge() as running:
        for name in SITES:
            publish(running, BUILDS[name].vendored, f"{name}.localhost")
        yield running


@pytest.fixture
def page(open_page: Callable[..., Page]) -> Page:
    return open_page()


def test_no_link_is_broken_but_the_one_that_is(edge: LocalEdge) -> None:
    crawls = follow_links(edge.port, *(f"{name}.localhost" for name in SITES))
    for name in SITES:
        crawl = crawls[f"{name}.localhost"]
        assert crawl.broken == dict.fromkeys(DEAD[name], "404 Not Found")
        for path, (status, content_type) in crawl.answers.items():
            assert status in {200, 308} or path in DEAD[name] | {"/robots.txt"}, path
            kind = Path(path.partition("?")[0]).suffix
            assert status == 308 or content_type == TYPES.get(kind if status == 200 else ".html", TYPES[".html"]), path


@pytest.mark.parametrize("name", SITES)
def test_every_file_is_served_as_it_was_built(edge: LocalEdge, name: str) -> None:
    built = BUILDS[name].vendored
    files = [path for path in built.rglob("*") if path.is_file()]
    assert files
    for file in files:
        path = "/" + file.relative_to(built).as_posix().replace(" ", "%20")
        answer = edge.get(f"{name}.localhost", path)
        if answer.status == 308:
            assert path.endswith(".html")
            answer = edge.get(f"{name}.localhost", answer.headers["location"])
        assert (answer.status, answer.headers["content-type"]) == (200, TYPES[file.suffix]), path
        assert answer.body == file.read_bytes(), path
        assert "content-encoding" not in answer.headers


@pytest.mark.parametrize(
    ("name", "path", "location"),
    [
        ("docs", "/guide/mooring?from=mail", "/guide/mooring/?from=mail"),
        ("docs", "/guide/mooring/index.html", "/guide/mooring/"),
        ("blog", "/the-first-boat.html", "/the-first-boat"),
        ("blog", "/the-first-boat/", "/the-first-boat"),
        ("blog", "/index.html", "/"),
        ("clean", "/about.html?a=1&b=%20", "/about?a=1&b=%20"),
        ("clean", "/about/", "/about"),
        ("clean", "/docs", "/docs/"),
        ("clean", "/docs//lamp", "/docs/lamp"),
        ("clean", "/docs/v2.x.html", "/docs/v2.x"),
        ("app", "/index.html", "/"),
    ],
)
def test_other_ways_to_write_a_page_lead_to_the_one_that_it_has(
    edge: LocalEdge, name: str, path: str, location: str
) -> None:
    answer = edge.get(f"{name}.localhost", path)
    assert (answer.status, answer.headers.get("location")) == (308, location)
    assert edge.get(f"{name}.localhost", location).status == 200


@pytest.mark.parametrize(
    ("name", "path"),
    [
        ("docs", "/nothing"),
        ("docs", "/guide/"),
        ("docs", "/guide/nothing/else.html"),
        ("blog", "/Pages/about"),
        ("blog", "/pages"),
        ("clean", "/about/nothing"),
        ("clean", "/docs/v3.x"),
    ],
)
def test_a_page_that_is_not_there_is_404_and_the_sites_own_page(edge: LocalEdge, name: str, path: str) -> None:
    answer = edge.get(f"{name}.localhost", path)
    assert (answer.status, answer.headers["content-type"]) == (404, TYPES[".html"])
    assert MISSING[name] in answer.text


@pytest.mark.parametrize("path", ["/assets/signal-AAAAAAAA.js", "/signals/7.css", "/nothing.webmanifest", "/a.svg?x=1"])
def test_a_file_that_is_not_there_is_never_the_applications_page(edge: LocalEdge, path: str) -> None:
    answer = edge.get("app.localhost", path)
    assert answer.status == 404
    assert "<title>Signals" not in answer.text


def test_only_what_is_named_by_its_content_may_be_kept_by_browsers_for_good(edge: LocalEdge) -> None:
    named = [path.name for path in BUILDS["app"].vendored.glob("assets/index-*")]
    assert len(named) == 2
    for name in named:
        assert "immutable" in edge.get("app.localhost", f"/assets/{name}").headers["cache-control"]
    for host, path in (("app", "/"), ("app", "/signals/7"), ("app", "/buoy.svg"), ("clean", "/assets/site.css")):
        kept = edge.get(f"{host}.localhost", path).headers["cache-control"]
        assert kept.startswith("public, max-age=0, must-revalidate"), path


@pytest.mark.parametrize("name", SITES)
def test_in_chromium_every_page_loads_all_it_names(page: Page, edge: LocalEdge, name: str) -> None:
    statuses = browse(page, f"http://{name}.localhost:{edge.port}/")
    assert {path for path, status in statuses.items() if status not in GOOD} == DEAD[name]
    assert len(statuses) > 5
    page.goto(f"http://{name}.localhost:{edge.port}/")
    assert page.locator("h1").first.locator(":scope, a").last.evaluate("node => getComputedStyle(node).color") == COLOR


def test_a_deep_link_of_the_application_is_reloaded(page: Page, edge: LocalEdge) -> None:
    page.goto(f"http://app.localhost:{edge.port}/")
    page.get_by_role("link", name="Signal 7").click()
    for _ in range(2):
        expect(page.locator("h1")).to_have_text("Signal 7")
        assert page.url.endswith("/signals/7")
        expect(page.locator("img")).to_have_js_property("naturalWidth", 30)
        answer = page.reload()
        assert answer is not None
        assert answer.status == 200


def test_a_tab_from_before_a_deployment_still_finds_what_it_loads_late(
    open_page: Callable[..., Page], edge: LocalEdge
) -> None:
    host = "old-tab.localhost"
    publish_and_wait(edge, BUILDS["app"].vendored, host)
    tab = open_page()
    tab.goto(f"http://{host}:{edge.port}/")
    expect(tab.locator("p")).to_have_text("Release 1")
    publish_and_wait(edge, BUILDS["app-next"].vendored, host)
    with tab.expect_response("**/assets/signal-*.js") as loaded:
        tab.get_by_role("link", name="Signal 7").click()
    assert loaded.value.status == 200
    expect(tab.locator("h1")).to_have_text("Signal 7")
    expect(tab.locator("p")).to_have_text("Release 1")
    tab.reload()
    expect(tab.locator("p")).to_have_text("Release 2")


def test_a_new_page_finds_its_files_where_the_edge_has_not_heard_of_the_deployment(
    open_page: Callable[..., Page],
) -> None:
    host, following = "new-page.localhost", BUILDS["app-next"].vendored
    with local_edge(fresh_seconds=3600) as late:
        publish_and_wait(late, BUILDS["app"].vendored, host)
        publish(late, following, host)
        tab = open_page()
        # The page is what another of the edge's instances served.
        tab.route(f"http://{host}:{late.port}/", lambda route: route.fulfill(path=following / "index.html"))
        statuses: dict[str, int] = {}
        tab.on("response", lambda response: statuses.update({Path(response.url).name: response.status}))
        tab.goto(f"http://{host}:{late.port}/")
        expect(tab.locator("p")).to_have_text("Release 2")
        tab.get_by_role("link", name="Signal 7").click()
        expect(tab.locator("h1")).to_have_text("Signal 7")
        expect(tab.locator("p")).to_have_text("Release 2")
        assert late.get(host).body == (BUILDS["app"].vendored / "index.html").read_bytes()
        assert {path.name for path in following.glob("assets/[is]*.js")} <= statuses.keys()
        assert set(statuses.values()) == {200}


def test_a_page_becomes_a_directory_and_back_in_one_browser(page: Page, edge: LocalEdge, tmp_path: Path) -> None:
    host = "moving.localhost"
    for name, file in (("directory", "docs/index.html"), ("page", "docs.html")):
        (tmp_path / name / file).parent.mkdir(parents=True)
        (tmp_path / name / file).write_text(f"<!doctype html><title>{name}</title><h1>{name}</h1>")
        start = f'<!doctype html><title>{name}</title><a href="/docs">a</a> <a href="/docs/">b</a> {name}'
        (tmp_path / name / "index.html").write_text(start)
    for name, ends in (("directory", "/docs/"), ("page", "/docs"), ("directory", "/docs/"), ("page", "/docs")):
        publish_and_wait(edge, tmp_path / name, host)
        for link in ("/docs", "/docs/", "/docs.html", "/docs/index.html"):
            page.goto(f"http://{host}:{edge.port}{link}")
            expect(page.locator("h1")).to_have_text(name)
            assert page.url.endswith(ends)
        for link in ("a", "b"):
            page.goto(f"http://{host}:{edge.port}/")
            page.get_by_role("link", name=link, exact=True).click()
            expect(page.locator("h1")).to_have_text(name)
            assert page.url.endswith(ends)


def test_a_theme_with_fonts_scripts_and_search_is_whole(page: Page, edge: LocalEdge, tmp_path: Path) -> None:
    need_tool(THEMED)
    THEMED.run(tmp_path / "built")
    publish(edge, tmp_path / "built", "themed.localhost")
    crawl = follow_links(edge.port, "themed.localhost")["themed.localhost"]
    assert crawl.broken == dict.fromkeys(DEAD["docs"], "404 Not Found")
    fonts = {answer for path, answer in crawl.answers.items() if ".woff2?" in path}
    assert fonts == {(200, "font/woff2")}
    statuses = browse(page, f"http://themed.localhost:{edge.port}/")
    assert {path for path, status in statuses.items() if status not in GOOD} == DEAD["docs"]
    page.goto(f"http://themed.localhost:{edge.port}/search.html?q=lights")
    expect(page.locator("#mkdocs-search-results article").first).to_contain_text("green enter")
