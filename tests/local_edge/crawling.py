"""Sites as those meet them who follow every link: LinkChecker, which nobody here wrote, and Chromium."""

import csv
import http.client
import os
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import urlsplit

from playwright.sync_api import Page, expect

from tests.sites.building import SITES, TOOLS
from tests.support import need

LINKCHECKER = TOOLS / "linkchecker"
# As root it would go on as nobody, who cannot read every folder that a clone may lie in.
_RUN = "import linkcheck.command.linkchecker as it; it.drop_privileges = lambda: None; it.linkchecker()"
_OPTIONS = ("--no-status", "--verbose", "--output=csv", f"--config={SITES / 'linkcheckerrc'}")
# Each link of a page, and the content type of what it leads to.
_LINKS = """nodes => Promise.all(
  nodes.map(node => node.href).filter(url => new URL(url).origin === location.origin).map(async url => {
    const answer = await fetch(url);
    await answer.text();
    return [url, answer.headers.get("content-type")];
  }))"""


@dataclass(frozen=True, slots=True)
class Crawl:
    """What one host's links led to, by path and query."""

    broken: dict[str, str] = field(default_factory=dict)
    """What LinkChecker says of what is not right, fragments included."""
    answers: dict[str, tuple[int, str]] = field(default_factory=dict)
    """Status and content type of all that was asked for."""


def follow_links(port: int, *hosts: str) -> dict[str, Crawl]:
    """Follow all links of hosts that are served on a port of this machine, from their start pages."""
    need(LINKCHECKER.exists(), "LinkChecker, in an environment of its own (make test installs it)")
    crawls = {host: Crawl() for host in hosts}
    with _proxy(port, crawls) as proxy:
        environ = {**os.environ, "http_proxy": proxy, "no_proxy": "", "PYTHONDONTWRITEBYTECODE": "1"}
        command = [str(TOOLS / "python"), "-c", _RUN, *_OPTIONS, *(f"http://{host}/" for host in hosts)]
        ran = subprocess.run(command, env=environ, capture_output=True, text=True, check=False)
    assert ran.returncode in {0, 1}, ran.stderr  # 1: there are broken links
    lines = [line for line in ran.stdout.splitlines() if line and not line.startswith("#")]
    for row in csv.DictReader(lines, delimiter=";"):
        host = urlsplit(row["url"]).hostname
        if host in crawls and (row["result"] != "200 OK" or row["warningstring"].startswith("Anchor")):
            crawls[host].broken[path_of(row["url"])] = row["warningstring"] or row["result"]
    return crawls


def browse(page: Page, start: str) -> dict[str, int]:
    """Open each page that a link leads to; return the status of all that the browser asked for, by path and query."""
    statuses: dict[str, int] = {}
    failures: list[str] = []
    page.on("response", lambda response: statuses.update({path_of(response.url): response.status}))
    page.on("requestfailed", lambda request: failures.append(f"{request.url}: {request.failure}"))
    page.on("pageerror", lambda error: failures.append(str(error)))
    waiting, seen = [start], {start}
    while waiting:
        page.goto(waiting.pop())
        expect(page.locator("h1").first).not_to_be_empty()
        found = {url.partition("#")[0]: kind for url, kind in page.locator("a[href]").evaluate_all(_LINKS)}
        waiting += [url for url in found.keys() - seen if found[url].startswith("text/html")]
        seen |= found.keys()
    assert not failures, failures
    return statuses


def path_of(url: str) -> str:
    """Return a URL's path and query."""
    split = urlsplit(url)
    return f"{split.path}?{split.query}" if split.query else split.path


@contextmanager
def _proxy(port: int, crawls: dict[str, Crawl]) -> Iterator[str]:
    """Run a proxy for which every host is on one port here: nobody else need know names like x.localhost."""

    class Proxy(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            path, host = path_of(self.path), urlsplit(self.path).netloc
            connection = http.client.HTTPConnection("127.0.0.1", port)
            connection.request(self.command, path, headers={"Host": host})
            answer = connection.getresponse()
            body = answer.read()
            connection.close()
            crawls[host].answers[path] = (answer.status, answer.getheader("content-type", ""))
            self.send_response(answer.status)
            for name in ("content-type", "content-encoding", "location"):
                if value := answer.getheader(name):
                    self.send_header(name, value)
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        do_HEAD = do_GET  # noqa: N815

        def log_message(self, *_arguments: object) -> None:
            """Say nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Proxy) as server:
        running = threading.Thread(target=server.serve_forever, daemon=True)
        running.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
