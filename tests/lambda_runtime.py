"""Lambda's own runtime for Python, invoked once through a runtime API."""

import json
import os
import subprocess
import sys
import threading
from collections.abc import Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any


class RuntimeApi(BaseHTTPRequestHandler):
    """The HTTP interface between Lambda and a runtime: one event out, one result in."""

    protocol_version = "HTTP/1.1"
    wbufsize = 65_536  # head and body in one packet: between two, TCP would wait for 40 ms
    event: Any

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
        self.wfile.flush()

    def do_POST(self) -> None:
        result = self.rfile.read(int(self.headers["Content-Length"]))
        enough = self.answered(self.path, result)
        self.send_response(202)
        self.send_header("Content-Length", "0")
        self.end_headers()
        self.wfile.flush()
        if enough:
            threading.Thread(target=self.server.shutdown).start()

    def answered(self, path: str, result: bytes) -> bool:
        """Take what the function answered, and tell whether that is enough."""
        raise NotImplementedError

    def log_message(self, *_: Any) -> None:
        return


class _Once(RuntimeApi):
    result: tuple[str, Any] | None = None

    def answered(self, path: str, result: bytes) -> bool:
        # The runtime goes on asking until it is stopped; the first answer is the one that was asked for.
        type(self).result = type(self).result or (path, json.loads(result))
        return True


def invoke(handler: str, event: Any, folder: Path, environ: Mapping[str, str]) -> tuple[Any, str]:
    """Return what `handler` of the code in `folder` answers to `event`, and what it logged."""
    api: Any = type("Api", (_Once,), {"event": event})
    with ThreadingHTTPServer(("127.0.0.1", 0), api) as server:
        whole = {
            **os.environ,
            **environ,
            "AWS_LAMBDA_RUNTIME_API": f"127.0.0.1:{server.server_port}",
            "LAMBDA_TASK_ROOT": str(folder),
            "PYTHONUNBUFFERED": "1",  # it is killed when it has answered
        }
        command = [sys.executable, "-m", "awslambdaric", handler]
        with subprocess.Popen(command, cwd=folder, env=whole, stdout=subprocess.PIPE, text=True) as process:
            # A runtime that dies asks nothing any more: stop serving then, too.
            threading.Thread(target=_stop_with, args=(process, server), daemon=True).start()
            server.serve_forever()
            process.kill()
            log = process.stdout.read() if process.stdout else ""
    assert api.result is not None, log
    path, result = api.result
    assert path.endswith("/response"), result
    return result, log


def _stop_with(process: subprocess.Popen[str], server: ThreadingHTTPServer) -> None:
    process.wait()
    server.shutdown()
