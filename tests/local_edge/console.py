"""The console as a person has it before them, in Chromium."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from playwright.sync_api import Locator, Page, Request, expect

from tests.local_edge.running import LocalEdge
from tests.support import ROOT, need

AXE = ROOT / "node_modules" / "axe-core" / "axe.min.js"
WCAG = {"runOnly": ["wcag2a", "wcag2aa", "wcag21aa", "wcag22aa"]}


class Console:
    """The page, and the writes that it asked for: method, whether dry, and over what."""

    def __init__(self, page: Page, edge: LocalEdge) -> None:
        self.page, self.edge = page, edge
        self.writes: list[tuple[str, bool, str]] = []
        page.on("request", self._note)

    def _note(self, request: Request) -> None:
        if request.method != "GET":
            over = request.headers.get("if-match", request.headers.get("if-none-match", ""))
            self.writes.append((request.method, "dry_run=true" in request.url, over))

    def show(self, where: str, ready: str) -> None:
        self.page.goto(f"http://routes.localhost:{self.edge.port}/{where}")
        expect(self.page.locator(ready).first).to_be_visible()

    def press(self, name: str) -> None:
        self.page.get_by_role("button", name=name, exact=True).click()

    @property
    def dialog(self) -> Locator:
        return self.page.get_by_role("dialog")

    def confirm(self, name: str) -> None:
        self.dialog.get_by_role("button", name=name, exact=True).click()


@contextmanager
def opened(open_page: Callable[..., Page], edge: LocalEdge, width: int, height: int) -> Iterator[Console]:
    """Open the console in a window of a size; nothing in it may fail."""
    errors: list[str] = []
    page = open_page(viewport={"width": width, "height": height}, reduced_motion="reduce")
    page.on("pageerror", lambda error: errors.append(str(error)))
    yield Console(page, edge)
    assert errors == []


def checkable(open_page: Callable[..., Page], scheme: Any, width: int) -> Page:
    """Open a page in a scheme of colours and a window of a width, for `violations`."""
    need(AXE.exists(), "axe-core (npm, then make test)")
    return open_page(
        viewport={"width": width, "height": 900},
        color_scheme=scheme,
        bypass_csp=True,  # for the checker's own script
        reduced_motion="reduce",
    )


def violations(page: Page, options: dict[str, Any] | None = None) -> list[tuple[str, list[str]]]:
    """Return what axe has against a page as it is now: which rule, and where; all its rules by default."""
    page.add_script_tag(path=AXE)
    found = page.evaluate("options => axe.run(document, options)", options or {})
    return [(one["id"], [node["html"] for node in one["nodes"]]) for one in found["violations"]]
