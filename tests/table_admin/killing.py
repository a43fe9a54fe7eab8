"""Commands that are killed in the middle of what they do."""

import signal
import subprocess
import threading
from collections.abc import Mapping, Sequence
from contextlib import closing
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import urlsplit

_OF_THE_CONNECTION = ("connection", "content-length", "date", "server", "transfer-encoding")


class Line(ThreadingHTTPServer):
    """Between a command and its AWS. It kills the command at one of its requests, which was made or was not."""

    process: subprocess.Popen[bytes]

    def __init__(self, endpoint: str, at: int, made: bool) -> None:
        super().__init__(("127.0.0.1", 0), _Request)
        self.aws = urlsplit(endpoint).netloc
        self.left = at
        self.made = made
        self.turn = threading.Lock()

    def run(self, command: Sequence[str], environ: Mapping[str, str], *services: str) -> bool:
        """Run a command, some of whose services are on this line; tell whether it came to its end."""
        threading.Thread(target=self.serve_forever, daemon=True).start()
        endpoint = f"http://127.0.0.1:{self.server_port}"
        with self.turn:  # no request before it is known whose
            self.process = subprocess.Popen(
                command,
                env={**environ, **{f"AWS_ENDPOINT_URL_{service}": endpoint for service in services}},
                stdout=subprocess.DEVNULL,
                stderr=subprocess.PIPE,
            )
        errors = self.process.communicate()[1]
        self.shutdown()
        self.server_close()
        assert self.process.returncode in (0, -signal.SIGKILL), errors
        return self.process.returncode == 0


class _Request(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Line

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("content-length") or 0))
        with self.server.turn:
            self.server.left -= 1
            if self.server.left > 0 or (self.server.left == 0 and self.server.made):
                status, headers, answer = self._made(body)
            if self.server.left <= 0:
                self.server.process.kill()
                self.close_connection = True
                return
        self.send_response(status)
        for name, value in headers:
            if name.lower() not in _OF_THE_CONNECTION:
                self.send_header(name, value)
        self.send_header("content-length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    do_GET = do_HEAD = do_PUT = do_POST  # noqa: N815  # as the base class wants it

    def _made(self, body: bytes) -> tuple[int, list[tuple[str, str]], bytes]:
        with closing(HTTPConnection(self.server.aws)) as connection:
            connection.request(self.command, self.path, body, dict(self.headers))
            answer = connection.getresponse()
            return answer.status, answer.getheaders(), answer.read()

    def log_message(self, *_: Any) -> None:
        return
