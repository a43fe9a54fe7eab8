import shutil
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect, sync_playwright

from tests.local_edge.console import Console, opened
from tests.local_edge.running import LocalEdge, local_edge
from tests.support import need

FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


# A last resort, which still says what was waited for: pytest's own timeout is longer.
PATIENCE = 400_000


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    chromium = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    need(chromium, "Chromium (apt-get install chromium)")
    with sync_playwright() as playwright:
        found = playwright.chromium.launch(executable_path=chromium, args=FLAGS, timeout=PATIENCE)
        expect.set_options(timeout=PATIENCE)
        yield found
        found.close()


@pytest.fixture
def open_page(browser: Browser) -> Iterator[Callable[..., Page]]:
    """Return what opens a page, in a browser's context with the options that it is given."""
    contexts: list[BrowserContext] = []

    def opened(**options: Any) -> Page:
        contexts.append(browser.new_context(**options))
        contexts[-1].set_default_timeout(PATIENCE)
        return contexts[-1].new_page()

    yield opened
    for context in contexts:
        context.close()


@pytest.fixture(scope="module")
def edge() -> Iterator[LocalEdge]:
    """Return a local edge of the module's own, with the demo's world."""
    with local_edge() as running:
        yield running


@pytest.fixture
def console(open_page: Callable[..., Page], edge: LocalEdge) -> Iterator[Console]:
    """Return the console in a window as wide as a desktop's."""
    with opened(open_page, edge, 1200, 900) as console:
        yield console
