"""A server in front of another, which fails as it is told to: refuses, hangs, or answers garbage."""

import contextlib
import http.client
import json
import random
import socket
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Literal

from edge_handler.routes.route import encode_route
from tests.support import route

Fault = Literal["refuses", "hangs", "garbage"]
NO_HTTP = (b"\x00\xff" * 50, b"<html>", b"HTTP/1.1 ok\r\n\r\n", b"HTTP/1.1 500 Internal\r\ncontent-length: 0\r\n\r\n")
_HEAD = b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n%s"
_SOMEBODY_ELSES = {"Responses": {"edge-routing-routes": [encode_route(route("somebody-elses.localhost"))]}}
# HTTP that is well formed, and no answer to what was asked.
NO_ROWS = tuple(
    _HEAD % (len(body), body)
    for body in (
        *(b"", b"hello", b"[]", b"{}", b"\xff\xfe", b'{"Responses": 5}', b'{"Responses": {}}'),
        b'{"Responses": {"edge-routing-routes": [{}]}}',
        json.dumps(_SOMEBODY_ELSES).encode(),
    )
)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    wbufsize = 65_536
    server: "_Server"

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("content-length", 0)))
        fault = self.server.fault
        credential = self.headers["authorization"].partition("Credential=")[2]
        self.server.regions[credential.split("/")[2]] += 1
        if fault == "hangs":
            self.server.well.wait()
            self.close_connection = True
        elif fault == "garbage":
            self.wfile.write(random.choice(NO_HTTP if self.command == "HEAD" else (*NO_HTTP, *NO_ROWS)))
            self.close_connection = True
        else:
            self._forward(body)

    do_HEAD = do_POST  # noqa: N815  # likewise

    def _forward(self, body: bytes) -> None:
        upstream = http.client.HTTPConnection(self.server.upstream, timeout=60)
        with contextlib.closing(upstream):
            upstream.request(self.command, self.path, body, dict(self.headers))
            answer = upstream.getresponse()
            content = answer.read()
        self.send_response(answer.status)
        for name, value in answer.getheaders():
            if name.lower() not in ("connection", "content-length", "transfer-encoding", "date", "server"):
                self.send_header(name, value)
        self.send_header("content-length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_: Any) -> None:
        return


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, port: int, upstream: str, regions: Counter[str]) -> None:
        super().__init__(("127.0.0.1", port), _Handler)
        self.upstream = upstream
        self.regions = regions
        self.fault: Fault | None = None
        self.well = threading.Event()
        self.open: set[socket.socket] = set()

    def process_request(self, request: Any, client_address: Any) -> None:
        self.open.add(request)
        super().process_request(request, client_address)

    def shutdown_request(self, request: Any) -> None:
        self.open.discard(request)
        super().shutdown_request(request)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Somebody went away while a fault was on: that is what faults are for."""


class FailingServer:
    """In front of `upstream` (host:port), on a port of its own."""

    def __init__(self, upstream: str) -> None:
        self._upstream = upstream
        self.regions: Counter[str] = Counter()
        """How often each region was asked, by the credentials' scope."""
        self._server = self._start(0)
        self.port: int = self._server.server_port

    @contextmanager
    def failing(self, fault: Fault | None) -> Iterator[None]:
        """Fail so, until this is left."""
        server = self._server
        server.fault = fault
        if fault == "refuses":
            self.close()
        try:
            yield
        finally:
            server.fault = None
            server.well.set()
            if fault == "refuses":
                self._server = self._start(self.port)
            server.well = threading.Event()

    def close(self) -> None:
        """Listen no more, and hang up on everybody."""
        self._server.shutdown()
        self._server.server_close()
        for found in [*self._server.open]:
            with contextlib.suppress(OSError):
                found.shutdown(socket.SHUT_RDWR)

    def _start(self, port: int) -> _Server:
        server = _Server(port, self._upstream, self.regions)
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        return server
