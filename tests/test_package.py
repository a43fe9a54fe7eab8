"""What would be deployed: the template, the built packages, the sample events, the real runtime."""

import json
import os
import subprocess
import sys
import threading
import zipfile
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest

from edge_handler.resolver import Resolver
from edge_handler.viewer_request import make_handler
from local_edge.contract import check_result
from tests.support import ROOT, SETTINGS, Clock, Rows, event, header, route, run

BIN = Path(sys.executable).parent
ENVIRON = {**os.environ, "PATH": f"{BIN}:{os.environ['PATH']}", "AWS_DEFAULT_REGION": "us-east-1"}
CARRY_A_REQUEST = [
    "ab-test",
    "access-request-in-response",
    "http-redirect",
    "modify-querystring",
    "multiple-remote-calls-aggregate-response",
    "normalize-querystring-to-improve-cache-hit",
    "redirect-on-viewer-country",
    "redirect-unauthenticated-users",
    "response-generation",
    "serve-object-on-viewer-device",
    "simple-remote-call",
]


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("sam")
    command = [str(BIN / "sam"), "build", "--build-dir", str(folder), "--cache-dir", str(folder / "cache")]
    done = subprocess.run(command, cwd=ROOT, env=ENVIRON, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return folder


def test_sam_accepts_the_template() -> None:
    command = [str(BIN / "sam"), "validate", "--lint"]
    done = subprocess.run(command, cwd=ROOT, env=ENVIRON, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("function", ["ViewerRequestFunction", "OriginRequestFunction"])
def test_a_package_holds_the_handlers_and_cachetools_and_nothing_else(
    built: Path, function: str, tmp_path: Path
) -> None:
    package = built / function
    assert {entry.name for entry in package.iterdir()} == {"edge_handler", "cachetools"}
    archive = tmp_path / "package.zip"
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as out:
        for file in package.rglob("*"):
            out.write(file, file.relative_to(package))
    assert archive.stat().st_size <= 64 * 1024
    script = "import edge_handler.viewer_request, edge_handler.origin_request, sys; print(edge_handler.__file__)"
    command = [sys.executable, "-S", "-E", "-c", f"import sys; sys.path.insert(0, {str(package)!r}); {script}"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=True)
    assert done.stdout.startswith(str(package))


@pytest.mark.parametrize("name", CARRY_A_REQUEST)
def test_sams_own_events_get_a_result_the_contract_accepts(name: str) -> None:
    command = [str(BIN / "sam"), "local", "generate-event", "cloudfront", name]
    given = json.loads(subprocess.run(command, env=ENVIRON, capture_output=True, text=True, check=True).stdout)
    given["Records"][0]["cf"]["config"].setdefault("eventType", "viewer-request")
    given["Records"][0]["cf"]["config"]["eventType"] = "viewer-request"
    given["Records"][0]["cf"]["request"].pop("origin", None)
    handler = make_handler(Resolver(Rows(route("d123.cf.net")), SETTINGS, Clock()))
    result = run(handler, given)
    assert header(result, "x-route") or result["status"] in ("400", "404", "405", "502")


def test_every_sample_event_is_one_that_cloudfront_could_send() -> None:
    for file in sorted((ROOT / "events").glob("*.json")):
        given = event(file.stem)
        config, request = given["Records"][0]["cf"]["config"], given["Records"][0]["cf"]["request"]
        assert file.stem.startswith(config["eventType"]), file
        # Unchanged, it must pass; only the wildcard host and the forged stamp are the viewer's own doing.
        check_result(config["eventType"], request, request)


class _RuntimeApi(BaseHTTPRequestHandler):
    """The HTTP interface between Lambda and a runtime: one event out, one result in."""

    event: dict[str, Any]
    results: list[Any]

    def do_GET(self) -> None:
        body = json.dumps(self.event).encode()
        self.send_response(200)
        self.send_header("Lambda-Runtime-Aws-Request-Id", "1")
        self.send_header("Lambda-Runtime-Deadline-Ms", "99999999999999")
        self.send_header("Lambda-Runtime-Invoked-Function-Arn", "arn:aws:lambda:us-east-1:123456789012:function:f:1")
        # Its native client crashes on an answer without these.
        for name in ("Trace-Id", "Client-Context", "Cognito-Identity"):
            self.send_header(f"Lambda-Runtime-{name}", "{}")
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_POST(self) -> None:
        self.results.append((self.path, json.loads(self.rfile.read(int(self.headers["Content-Length"])))))
        self.send_response(202)
        self.send_header("Content-Length", "0")
        self.end_headers()
        threading.Thread(target=self.server.shutdown).start()

    def log_message(self, *_: Any) -> None:
        return


def _stop_with(process: subprocess.Popen[bytes], server: HTTPServer) -> None:
    process.wait()
    server.shutdown()


@pytest.fixture
def runtime_api() -> Iterator[HTTPServer]:
    server = HTTPServer(("127.0.0.1", 0), _RuntimeApi)
    yield server
    server.server_close()


@pytest.mark.parametrize(
    ("function", "name", "expected"),
    [
        ("ViewerRequestFunction", "viewer-request-wildcard-host", ("status", "400")),
        ("OriginRequestFunction", "origin-request-static", ("uri", "/env-123/index.html")),
    ],
)
def test_the_built_package_answers_inside_lambdas_own_runtime(
    built: Path, runtime_api: HTTPServer, function: str, name: str, expected: tuple[str, str]
) -> None:
    _RuntimeApi.event, _RuntimeApi.results = event(name), []
    module = "viewer_request" if function.startswith("Viewer") else "origin_request"
    environ = {
        **ENVIRON,
        "AWS_LAMBDA_RUNTIME_API": f"127.0.0.1:{runtime_api.server_port}",
        "LAMBDA_TASK_ROOT": str(built / function),
    }
    command = [sys.executable, "-m", "awslambdaric", f"edge_handler.{module}.handler"]
    with subprocess.Popen(command, cwd=built / function, env=environ) as process:
        # A runtime that dies asks nothing any more: stop serving then, too.
        threading.Thread(target=_stop_with, args=(process, runtime_api), daemon=True).start()
        runtime_api.serve_forever()
        process.kill()
    path, result = _RuntimeApi.results[0]
    assert path.endswith("/response"), result
    assert result[expected[0]] == expected[1]
