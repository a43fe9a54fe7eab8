"""The console: a page over the HTTP API, with a search that does not wait for the table."""

import json
import mimetypes
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from http import HTTPStatus
from pathlib import Path
from socketserver import ThreadingMixIn
from typing import Any
from urllib.parse import parse_qs, quote, unquote, urlsplit
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server

from table_admin.routing_table import RoutingTable
from table_admin.web.api import make_api
from table_admin.web.guard import refusal
from table_admin.web.snapshot import Entry, Snapshot

ASSETS = Path(__file__).parent / "assets"
MAX_BODY_BYTES = 1_000_000
_SECURITY = {
    "content-security-policy": "default-src 'self'; frame-ancestors 'none'; base-uri 'none'; form-action 'self'",
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cache-control": "no-store",
}


@dataclass(frozen=True, slots=True)
class Answer:
    """An HTTP response."""

    status: int
    headers: dict[str, str]
    body: bytes


class Console:
    """Answers a browser's requests: the page, the search, and the API under /api."""

    def __init__(
        self, make_table: Callable[[str], RoutingTable], *, hosts: frozenset[str], actor: str, edge: str
    ) -> None:
        """Begin to read the table in the background.

        Args:
            make_table: returns the table, given what is kept of a request.
            hosts: the names the console may be asked by, without ports. Another's name could be made to point here.
            actor: who the history says it was.
            edge: where a domain's site is, with {domain} in it.
        """
        self._hosts = hosts
        self._actor = actor
        self._edge = edge
        self._stack = make_table("").stack
        self._api = make_api(lambda _caller, request: make_table(request))
        # Powertools' resolver keeps the request it is at in itself.
        self._turn = threading.Lock()
        self.snapshot = Snapshot(make_table(""))
        self.snapshot.start()

    def respond(self, method: str, target: str, headers: Mapping[str, str], body: bytes) -> Answer:
        """Answer one request. `headers` by lower-case name."""
        parts = urlsplit(target)
        query = {name: values[-1] for name, values in parse_qs(parts.query, keep_blank_values=True).items()}
        refused = refusal(self._hosts, method, parts.path, headers)
        if refused:
            return _text(*refused)
        if parts.path.startswith("/api/"):
            return self._ask_api(method, parts.path.removeprefix("/api"), query, headers, body)
        return self._read(parts.path, query)

    def _read(self, path: str, query: dict[str, str]) -> Answer:
        if path == "/search":
            return self._search(query)
        if path == "/config":
            return _json({"stack": self._stack, "actor": self._actor, "edge": self._edge})
        return _asset("index.html" if path == "/" else unquote(path).removeprefix("/assets/"))

    def _ask_api(
        self, method: str, path: str, query: dict[str, str], headers: Mapping[str, str], body: bytes
    ) -> Answer:
        event = {
            "version": "2.0",
            "rawPath": path,
            "queryStringParameters": query,
            "headers": dict(headers),
            "requestContext": {
                "authorizer": {"iam": {"userArn": self._actor}},
                "http": {"method": method, "path": path},
                "requestId": "console",
                "stage": "$default",
            },
            "body": body.decode("utf-8", "replace") if body else None,
            "isBase64Encoded": False,
        }
        with self._turn:
            result = self._api.resolve(event, {})  # type: ignore[arg-type]
        if method != "GET":
            self._note_changes(result["body"])
        found = {name.lower(): value for name, value in result["headers"].items()}
        return Answer(int(result["statusCode"]), {**_SECURITY, **found}, str(result["body"]).encode())

    def _note_changes(self, body: str) -> None:
        document = json.loads(body)
        changes = document.get("changes", [document] if "domain" in document else [])
        self.snapshot.update(change["domain"] for change in changes)

    def _search(self, query: dict[str, str]) -> Answer:
        def number(name: str, default: int, most: int) -> int:
            text = query.get(name, "")
            return min(int(text), most) if text.isdecimal() else default

        within = number("expiring", 0, 10**9)
        found = self.snapshot.search(
            query.get("q", ""),
            environment=query.get("environment", ""),
            expiring_before=time.time() + within if within else None,
            offset=number("offset", 0, 10**9),
            limit=number("limit", 100, 1000),
        )
        entries = [_shown(entry) for entry in found.entries]
        return _json({"entries": entries, "total": found.total, "loaded": found.loaded, "complete": found.complete})


class _Server(ThreadingMixIn, WSGIServer):
    daemon_threads = True


class _QuietHandler(WSGIRequestHandler):
    """What is done is in the history."""

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002  # as the base class calls it
        """Say nothing."""


def serve(console: Console, port: int) -> WSGIServer:
    """Return a server of the console on this machine, not yet serving. Raises OSError where the port is taken."""

    def application(environ: dict[str, Any], start_response: Callable[..., Any]) -> list[bytes]:
        headers = {
            name.removeprefix("HTTP_").lower().replace("_", "-"): value
            for name, value in environ.items()
            if name.startswith("HTTP_") or name == "CONTENT_TYPE"
        }
        query = f"?{environ['QUERY_STRING']}" if environ.get("QUERY_STRING") else ""
        length = min(int(environ.get("CONTENT_LENGTH") or 0), MAX_BODY_BYTES)
        body = environ["wsgi.input"].read(length)
        path = quote(environ["PATH_INFO"].encode("latin-1"))
        answer = console.respond(environ["REQUEST_METHOD"], path + query, headers, body)
        start_response(f"{answer.status} {HTTPStatus(answer.status).phrase}", [*answer.headers.items()])
        return [answer.body]

    return make_server("127.0.0.1", port, application, server_class=_Server, handler_class=_QuietHandler)


def _asset(name: str) -> Answer:
    file = ASSETS / name
    # One folder, no path into another.
    if "/" in name or not file.is_file():
        return _text(HTTPStatus.NOT_FOUND, "There is no such page.")
    kind = mimetypes.guess_type(name)[0] or "application/octet-stream"
    return Answer(200, {**_SECURITY, "content-type": f"{kind}; charset=utf-8"}, file.read_bytes())


def _json(document: Any) -> Answer:
    return Answer(200, {**_SECURITY, "content-type": "application/json"}, json.dumps(document).encode())


def _text(status: HTTPStatus, text: str) -> Answer:
    return Answer(status, {**_SECURITY, "content-type": "text/plain; charset=utf-8"}, f"{text}\n".encode())


def _shown(entry: Entry) -> dict[str, Any]:
    values = asdict(entry)
    del values["text"]
    return values
