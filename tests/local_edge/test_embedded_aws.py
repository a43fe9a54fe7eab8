"""The embedded AWS of `make run`: how much it takes, how it ends, and that no web page may ask it."""

import contextlib
import http.client
import io
import json
import os
import re
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from botocore.config import Config
from botocore.exceptions import ClientError
from playwright.sync_api import Page, expect
from yarl import URL

from local_edge.embedded_aws import EmbeddedAws
from local_edge.ministack import PYTHON, MiniStack
from local_edge.origin_access_control import signed_headers
from table_admin.bulk import import_routes
from tests.local_edge.running import LocalEdge, local_edge
from tests.support import make_tables, need, wait_until

REFUSED = [
    ({"Origin": "http://evil.example"}, "a page"),
    ({"Origin": "null"}, "a page without an origin: a sandboxed frame, a file"),
    ({"Origin": "http://env-123.localhost:8080"}, "a page of the played edge"),
    ({"Origin": "https://127.0.0.1"}, "another scheme"),
    ({"Host": "evil.example"}, "a name that was made to lead here"),
    ({"Host": "evil.example:4566", "Origin": "http://evil.example:4566"}, "such a name's own page"),
    ({"Host": "127.0.0.1.evil.example"}, "a name that begins like an address"),
    ({"Host": "amazonaws.com.evil.example"}, "a name that begins like AWS's"),
    ({"Host": ""}, "nothing"),
    ({"Sec-Fetch-Site": "cross-site"}, "an image or a link of another site's"),
    ({"Sec-Fetch-Site": "same-site"}, "an image or a link of another port's"),
]
TAKEN = [
    {},
    {"Origin": "own"},
    {"Host": "localhost:4566"},
    {"Host": "[::1]:4566"},
    {"Host": "host.docker.internal:4566"},
    {"Host": "acme-static-sites.s3.us-east-1.amazonaws.com"},
    {"Sec-Fetch-Site": "none"},
]


def answer(endpoint: str, headers: dict[str, str], method: str, path: str) -> tuple[int, dict[str, str], bytes]:
    host = endpoint.removeprefix("http://")
    connection = http.client.HTTPConnection(host)
    connection.request(method, path, headers={"Host": host, **headers})
    found = connection.getresponse()
    content = found.read()
    connection.close()
    return found.status, {name.lower(): value for name, value in found.getheaders()}, content


def ask(endpoint: str, headers: dict[str, str], method: str = "GET") -> tuple[int, dict[str, str]]:
    return answer(endpoint, headers, method, "/")[:2]


@pytest.mark.parametrize("method", ["GET", "POST", "OPTIONS"])
@pytest.mark.parametrize("headers", [headers for headers, _ in REFUSED], ids=[why for _, why in REFUSED])
def test_what_a_web_page_asks_is_refused(aws: EmbeddedAws, headers: dict[str, str], method: str) -> None:
    status, answered = ask(aws.endpoint, headers, method)
    assert status == 403
    assert not [name for name in answered if name.startswith("access-control")]


@pytest.mark.parametrize("headers", TAKEN)
def test_what_a_program_asks_is_taken(aws: EmbeddedAws, headers: dict[str, str]) -> None:
    headers = {name: aws.endpoint if value == "own" else value for name, value in headers.items()}
    assert ask(aws.endpoint, headers)[0] != 403


@pytest.mark.parametrize("method", ["GET", "HEAD"])
@pytest.mark.parametrize("more", [{}, {"Range": "bytes=0-3"}, {"If-None-Match": "*"}, {"If-Match": '"x"'}], ids=str)
def test_what_is_not_in_a_bucket_is_s3s_404_in_xml(aws: EmbeddedAws, method: str, more: dict[str, str]) -> None:
    aws.client("s3").create_bucket(Bucket="has-nothing")
    host = "has-nothing.s3.us-east-1.amazonaws.com"
    signed = signed_headers(method, URL(f"https://{host}/x.html"), host, "us-east-1")
    status, headers, content = answer(aws.endpoint, {"Host": host, **signed, **more}, method, "/x.html")
    assert (status, headers["content-type"]) == (404, "application/xml")
    assert (b"<Code>NoSuchKey</Code>" in content) is (method == "GET")


@pytest.mark.parametrize("key", ["there.json", "missing.json"])
def test_no_answer_lets_pages_of_other_origins_read_it(aws: EmbeddedAws, key: str) -> None:
    s3 = aws.client("s3")
    s3.create_bucket(Bucket="has-json")
    s3.put_object(Bucket="has-json", Key="there.json", Body=b"{}")
    host = "has-json.s3.us-east-1.amazonaws.com"
    signed = signed_headers("GET", URL(f"https://{host}/{key}"), host, "us-east-1")
    status, headers, _ = answer(aws.endpoint, {"Host": host, **signed}, "GET", f"/{key}")
    assert status == (200 if key == "there.json" else 404)
    assert not [name for name in headers if name.startswith("access-control")]


@pytest.fixture(scope="module")
def edge() -> Iterator[LocalEdge]:
    need(PYTHON.exists(), "MiniStack, in an environment of its own (make run installs it)")
    with local_edge() as running:
        yield running


@pytest.fixture(scope="module")
def foreign_page() -> Iterator[str]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Type", "text/html")
            self.end_headers()
            self.wfile.write(b"<!doctype html><title>somebody else's</title>")

        def log_message(self, *_: object) -> None:
            return

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://localhost:{server.server_port}/"
    server.shutdown()
    server.server_close()


ATTACK = """async ([endpoint, target, body]) => {
  const said = [];
  for (const [mode, type] of [["cors", "application/x-amz-json-1.0"], ["no-cors", "text/plain"]])
    for (const method of ["POST", "GET"]) {
      const headers = {"Content-Type": type, ...(mode === "cors" ? {"X-Amz-Target": target} : {})};
      const options = method === "GET" ? {mode} : {mode, method, headers, body};
      try { const got = await fetch(endpoint, options); said.push(got.type + got.status + await got.text()); }
      catch { said.push("refused"); }
    }
  return said;
}"""


def test_a_page_of_another_site_neither_reads_nor_writes(
    open_page: Callable[..., Page], edge: LocalEdge, foreign_page: str
) -> None:
    page = open_page()
    domain = {"domain": {"S": "env-123.localhost"}}
    for at in (foreign_page, f"http://env-456.localhost:{edge.port}/"):
        page.goto(at)
        for target, more in (("Scan", {}), ("DeleteItem", {"Key": domain})):
            body = json.dumps({"TableName": "edge-routing-routes", **more})
            said = page.evaluate(ATTACK, [edge.aws_endpoint, f"DynamoDB_20120810.{target}", body])
            assert said == ["refused", "refused", "opaque0", "opaque0"]
    assert edge.table.get("env-123.localhost").revision == 1
    # A bucket's listing, had it been shown, would name its objects.
    page.goto(foreign_page)
    page.evaluate("url => { location.href = url; }", f"{edge.aws_endpoint}/acme-static-sites")
    expect(page.locator("body")).to_contain_text("may not ask")
    page.goto(f"http://routes.localhost:{edge.port}/")
    expect(page.locator("body")).to_contain_text("env-123.localhost")


def children(pid: int) -> list[int]:
    found = subprocess.run(["pgrep", "-P", str(pid), "-f", "ministack"], capture_output=True, text=True, check=False)
    return [int(line) for line in found.stdout.split()]


def peak_megabytes(pid: int) -> int:
    found = re.search(r"VmHWM:\s+(\d+)", Path(f"/proc/{pid}/status").read_text())
    assert found
    return int(found[1]) // 1024


def test_what_an_import_takes_does_not_grow_with_its_square(edge: LocalEdge) -> None:
    need(sys.platform == "linux", "Linux, which says how much memory a process had")
    rows = [{"domain": f"r{number}.localhost", "target": "s3://acme-static-sites/env-123"} for number in range(3000)]
    summary = import_routes(edge.table, io.StringIO("\n".join(map(json.dumps, rows))), "jsonl")
    assert summary.created == 3000
    # moto's tables had 2 GB at 850 rows.
    assert sum(map(peak_megabytes, [edge.pid, *children(edge.pid)])) < 800


def test_the_tables_end_with_the_process_that_started_them() -> None:
    need(PYTHON.exists(), "MiniStack, in an environment of its own (make run installs it)")
    script = "import time; from local_edge.ministack import MiniStack; MiniStack(); print(flush=True); time.sleep(3600)"
    with subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE) as process:
        assert process.stdout
        process.stdout.readline()
        (tables,) = children(process.pid)
        process.kill()
    wait_until(lambda: subprocess.run(["ps", "-p", str(tables)], capture_output=True, check=False).returncode)


def test_tables_that_have_ended_are_an_error_in_words() -> None:
    need(PYTHON.exists(), "MiniStack, in an environment of its own (make run installs it)")
    before = children(os.getpid())  # another test's
    with contextlib.closing(MiniStack()) as tables, contextlib.closing(EmbeddedAws(0, tables=tables)) as aws:
        client = aws.client("dynamodb", config=Config(retries={"total_max_attempts": 1}))
        make_tables("ended", client)
        assert client.scan(TableName="ended-routes")["Items"] == []
        (process,) = {*children(os.getpid())} - {*before}
        os.kill(process, signal.SIGKILL)
        wait_until(lambda: Path(f"/proc/{process}/cmdline").read_bytes() == b"")
        with pytest.raises(ClientError, match="MiniStack, which holds the tables, has ended"):
            client.scan(TableName="ended-routes")


def test_without_ministack_the_tables_are_motos(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    # As where local-edge was installed without make run: another prefix, the same packages.
    environment = tmp_path / "environment"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", environment], check=True)
    monkeypatch.setattr(sys, "executable", str(environment / "bin" / "python"))
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(filter(None, sys.path)))
    with local_edge() as running:
        assert children(running.pid) == []
        assert "The tables are moto's" in running.banner
        assert running.table.get("env-123.localhost").revision == 1
