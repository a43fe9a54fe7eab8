"""Why a URL shows what it shows: the same resolver and handlers as the edge, run on the table's row."""

import contextlib
import copy
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from math import inf
from typing import Any
from urllib.parse import urlsplit

from edge_handler.answers import Result
from edge_handler.errors import BrokenRow, StorageUnreachable
from edge_handler.routes.attributes import Item
from edge_handler.routes.destination import Destination, decode_destination
from edge_handler.routes.origin import DeploymentOrigin
from edge_handler.routes.redirect import Answering, Redirect
from edge_handler.routes.resolver import Resolver
from edge_handler.routes.route import Route
from edge_handler.routes.stamp import HEADER, decode_stamp
from edge_handler.settings import Settings, load_settings
from edge_handler.time_left import HEADER as TIME_LEFT
from edge_handler.website.deployments import Deployments
from edge_handler.website.lists import Lists
from edge_handler.website.resolution import Serve
from table_admin.errors import InvalidInput, TableAdminError
from table_admin.inputs import parse_host
from table_admin.presence import why_nothing
from table_admin.routing_table import RoutingTable
from table_admin.snapshots.known import known_at_edge
from table_admin.which_row import Which, which_row


@dataclass(frozen=True, slots=True)
class Explanation:
    """What a GET of a URL meets at the edge."""

    url: str
    domain: str
    """The URL's host; the row's domain may be a wildcard above it."""
    row: Route | None
    reason: str
    """Which row answers, and why it does, or why none does."""
    viewer_request: dict[str, Any]
    """What viewer-request does: `stamp`, or the `status` it answers with."""
    origin_request: dict[str, Any] | None
    """What origin-request does on a cache miss: `origin`, `host` and `uri`, or the `status` it answers with.

    Where a rule takes its prefix off also the `forwarded_prefix` that the origin is told.
    Of a deployment also the `file` that is behind that uri, the status that it is `sent_with`, and its `cache_control`.
    """
    missing: str = ""
    """Why nothing could be served from the row's target; empty where something could, or where nobody knows."""
    known: str = ""
    """What the edge knows of the row without asking, and of when; empty where it has to ask, or nobody can tell."""
    rule: str = ""
    """The pattern of the row's rule for the path; empty where its own target answers."""
    rule_reason: str = ""
    """Why this rule, or why none; empty for a row without rules."""


def explain(table: RoutingTable, url: str) -> Explanation:
    """Run both handlers on a GET of `url`, against the table as it is now. Raises InvalidInput."""
    try:
        parts = urlsplit(url if "://" in url else f"https://{url}")
        host = parts.hostname or ""
    except ValueError:
        host = ""
    if not host:
        raise InvalidInput(f"{url[:80]!r} is not a URL; write for example https://env-123.example.com/docs/.")
    domain, uri = _host(host), parts.path or "/"
    # First by itself: a table that cannot be read is a failure of this command, not of the URL.
    which = which_row(table, domain, uri)
    viewer_request, origin_request, settings = _edge()
    resolver = Resolver(_Table(table), settings, table.clock)
    event = _event(domain, uri, parts.query)
    # The handlers log to standard output, which here belongs to the answer.
    with contextlib.redirect_stdout(sys.stderr):
        result = viewer_request.make_handler(resolver)(event, None)
    explained = partial(
        Explanation,
        url,
        domain,
        which.row,
        missing=_missing(table, which.origin),
        known=_known(table, which.domain),
        rule=which.rule.pattern if which.rule is not None else "",
        rule_reason=which.rule_reason,
    )
    if "status" in result:
        return explained(_refused(which, domain, result, resolver), _generated(result), None)
    stamp = result["headers"][HEADER][0]["value"]
    origin_event = _event(domain, result["uri"], result["querystring"])
    request = origin_event["Records"][0]["cf"]["request"]
    request["headers"] = copy.deepcopy(result["headers"])
    request["headers"].pop(TIME_LEFT, None)  # who asks why may wait
    request["origin"] = {"s3": {"domainName": "the-distributions-own-bucket", "customHeaders": {}}}
    uri = request["uri"]
    with contextlib.redirect_stdout(sys.stderr):
        forwarded = origin_request.make_handler(settings.s3_endpoint, _Table(table))(origin_event, None)
        file = {} if "status" in forwarded else _file(stamp, uri, request["querystring"], settings, table)
    return explained(which.reason, {"stamp": stamp}, {**_forwarded(forwarded), **file})


def _host(text: str) -> str:
    """Return the host of a URL, as the table is keyed by it. Raises InvalidInput."""
    if text.startswith("*."):
        raise InvalidInput(
            f"{text[:80]} is a wildcard, and no browser can ask for one; write a name under it, for example "
            f"https://any{text[1:80]}/."
        )
    return parse_host(text)


def _refused(which: Which, host: str, result: Result, resolver: Resolver) -> str:
    """Return why viewer-request answered by itself."""
    refusal, status = resolver.memory.refusals.get(host), int(result["status"])
    if refusal is not None and refusal.status != 502:
        return f"{refusal.reason}: {which.reason}"
    if status == 502 and host in resolver.known and isinstance(which.origin, Redirect):
        return f"{which.reason}; this address would be redirected to itself"
    return which.reason


def _edge() -> tuple[Any, Any, Settings]:
    """Return the handlers and their settings. They read the environment while they are imported, and may refuse it."""
    try:
        from edge_handler import origin_request, viewer_request  # noqa: PLC0415

        return viewer_request, origin_request, load_settings()
    except ValueError as error:
        raise InvalidInput(f"The edge cannot start with AWS_ENDPOINT_URL or EDGE_... as they are: {error}.") from error


class _Table:
    """The routing table as the resolver asks for it. boto3 has time limits of its own."""

    def __init__(self, table: RoutingTable) -> None:
        self._table = table

    def read(
        self,
        domains: Sequence[str],
        _seconds: float,
        *,
        expected: str | None = None,  # noqa: ARG002
    ) -> Mapping[str, Destination | BrokenRow]:
        return {item["domain"]["S"]: _read(item) for item in self._table.read(domains)}


def _read(item: Item) -> Destination | BrokenRow:
    try:
        return decode_destination(item)
    except BrokenRow as error:
        return BrokenRow(str(error))


def _missing(table: RoutingTable, origin: Answering | None) -> str:
    try:
        return why_nothing(table, origin) if origin is not None else ""
    except TableAdminError:
        return ""  # who may not list the bucket is told the rest


def _known(table: RoutingTable, domain: str) -> str:
    try:
        return str(known_at_edge(table, domain) or "")
    except TableAdminError:
        return ""


def _generated(result: Result) -> dict[str, Any]:
    location = result["headers"].get("location")
    return {"status": int(result["status"]), **({"location": location[0]["value"]} if location else {})}


def _forwarded(result: Result) -> dict[str, Any]:
    if "status" in result:
        return _generated(result)
    custom = result["origin"].get("custom")
    name = result["origin"].get("s3", custom)["domainName"]
    port = f":{custom['port']}" if custom and (custom["protocol"], custom["port"]) != ("https", 443) else ""
    origin = f"{custom['protocol'] if custom else 'https'}://{name}{port}{custom['path'] if custom else ''}"
    asked = {"origin": origin, "host": result["headers"]["host"][0]["value"], "uri": result["uri"]}
    prefix = result["headers"].get("x-forwarded-prefix")
    return asked | ({"forwarded_prefix": prefix[0]["value"]} if prefix else {})


def _file(stamp: str, uri: str, query: str, settings: Settings, table: RoutingTable) -> dict[str, Any]:
    """Return what the blob of a deployment is that origin-request asks for; nothing of another origin."""
    decoded = decode_stamp(stamp)
    if not isinstance(decoded.origin, DeploymentOrigin):
        return {}
    deployments = Deployments(Lists(settings.s3_endpoint), _Table(table))
    try:
        found, headers = deployments.look_up(decoded, decoded.origin, uri, query, inf)
    except StorageUnreachable:
        return {}
    if not isinstance(found, Serve):
        return {}
    return {"file": found.path, "sent_with": found.status, "cache_control": dict(headers).get("cache-control", "")}


def _event(host: str, uri: str, querystring: str) -> dict[str, Any]:
    request = {
        "clientIp": "127.0.0.1",
        "method": "GET",
        "uri": uri,
        "querystring": querystring,
        "headers": {"host": [{"key": "Host", "value": host}]},
    }
    return {"Records": [{"cf": {"config": {"requestId": "explain"}, "request": request}}]}
