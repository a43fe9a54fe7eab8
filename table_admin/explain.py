"""Why a URL shows what it shows: the same resolver and handlers as the edge, run on the table's row."""

import contextlib
import copy
import functools
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from math import inf
from typing import Any, NamedTuple
from urllib.parse import urlsplit

from edge_handler.answers import Result
from edge_handler.errors import BrokenRow, StorageUnreachable
from edge_handler.routes.attributes import Item
from edge_handler.routes.canary import CANARY, STABLE
from edge_handler.routes.destination import Destination, decode_destination
from edge_handler.routes.origin import DeploymentOrigin
from edge_handler.routes.policy import Policy
from edge_handler.routes.redirect import Answering, Redirect
from edge_handler.routes.resolver import Resolver
from edge_handler.routes.route import Route
from edge_handler.routes.stamp import HEADER, decode_stamp
from edge_handler.settings import Settings, load_settings
from edge_handler.time_left import HEADER as TIME_LEFT
from edge_handler.website.deployments import Deployments
from edge_handler.website.lists import Lists
from edge_handler.website.resolution import Serve
from table_admin.changes import is_live
from table_admin.errors import InvalidInput, TableAdminError
from table_admin.inputs import parse_host
from table_admin.policy_words import explained
from table_admin.presence import why_nothing
from table_admin.routing_table import RoutingTable
from table_admin.second_target_words import canary_words, standby_words
from table_admin.snapshots.known import known_at_edge
from table_admin.viewers import Viewer, headers_of, of_side, side_words
from table_admin.which_row import Which, which_row


class _Edge(NamedTuple):
    """The edge's modules of handlers, and its settings."""

    viewer_request: Any
    origin_request: Any
    settings: Settings


@dataclass(frozen=True, slots=True)
class Way:
    """What both handlers do, see `Explanation`."""

    viewer_request: dict[str, Any]
    origin_request: dict[str, Any] | None


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
    policy: Mapping[str, str] = field(default_factory=dict)
    """What the row says of who gets an answer and what goes with it, see `policy_words.explained`; and of a canary and
    a standby."""
    let_in: Way | None = None
    """What those get whom the row lets in, where viewer-request refuses others: these are what is above."""
    of_canary: Way | None = None
    """What those get who are on the side of the row's canary, where nobody is named: what is above is for others."""


def explain(table: RoutingTable, url: str, viewer: Viewer | None = None) -> Explanation:
    """Run both handlers on a GET of `url`, against the table as it is now.

    Args:
        table: where.
        url: what a browser is given.
        viewer: who asks; by default somebody who gets the row's own target.

    Raises:
        InvalidInput: it is no URL.
    """
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
    edge = _edge()
    resolver = Resolver(_Table(table), edge.settings, table.clock)
    row = which.row if is_live(which.row, table.clock()) else None
    canary = row.canary if row is not None else None
    asks = viewer or (of_side(STABLE, canary) if canary is not None else Viewer())
    event = functools.partial(_event, domain, uri, parts.query)
    way, result = _walk(edge, resolver, table, event(asks))
    let_in, of_canary, others = None, None, resolver
    if "status" in result and row is not None and row.policy is not None and row.policy.guards:
        # Nobody's key is needed for that, and nobody who may explain is let in.
        others = Resolver(_Table(table, guarded=False), edge.settings, table.clock)
        let_in, _ = _walk(edge, others, table, event(asks))
    if canary is not None and viewer is None and which.rule is None:
        of_canary, _ = _walk(edge, others, table, event(of_side(CANARY, canary)))
    return Explanation(
        url,
        domain,
        which.row,
        _refused(which, domain, result, resolver) if "status" in result else which.reason,
        way.viewer_request,
        way.origin_request,
        missing=_missing(table, which.origin),
        known=_known(table, which.domain),
        rule=which.rule.pattern if which.rule is not None else "",
        rule_reason=which.rule_reason,
        policy={**explained(row), **_second_targets(table, row, which, viewer)} if row is not None else {},
        let_in=let_in,
        of_canary=of_canary,
    )


def _second_targets(table: RoutingTable, row: Route, which: Which, viewer: Viewer | None) -> dict[str, str]:
    """Return a line for a canary, and one for a standby, where the row has them."""
    found = {}
    if row.canary is not None:
        of_path = "this path goes by its rule on both sides"
        if which.rule is None:
            of_path = side_words(row, row.canary, viewer) if viewer is not None else ""
        nothing = _missing(table, row.canary.origin)
        found["canary"] = "; ".join(filter(None, (canary_words(row.canary), of_path, nothing)))
    if row.standby is not None:
        found["standby"] = standby_words(row.standby, row.domain)
    return found


def _walk(edge: _Edge, resolver: Resolver, table: RoutingTable, event: dict[str, Any]) -> tuple[Way, Result]:
    """Return what the handlers do, and what viewer-request returned."""
    # The handlers log to standard output, which here belongs to the answer.
    with contextlib.redirect_stdout(sys.stderr):
        result = edge.viewer_request.make_handler(resolver)(event, None)
    if "status" in result:
        return Way(_generated(result), None), result
    stamp = result["headers"][HEADER][0]["value"]
    origin_event = _event(result["headers"]["host"][0]["value"], result["uri"], result["querystring"])
    request = origin_event["Records"][0]["cf"]["request"]
    request["headers"] = copy.deepcopy(result["headers"])
    request["headers"].pop(TIME_LEFT, None)  # who asks why may wait
    request["origin"] = {"s3": {"domainName": "the-distributions-own-bucket", "customHeaders": {}}}
    uri = request["uri"]
    with contextlib.redirect_stdout(sys.stderr):
        forwarded = edge.origin_request.make_handler(edge.settings.s3_endpoint, _Table(table))(origin_event, None)
        file = {} if "status" in forwarded else _file(stamp, uri, request["querystring"], edge.settings, table)
    return Way({"stamp": stamp}, {**_forwarded(forwarded), **file}), result


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


def _edge() -> _Edge:
    """Return the handlers and their settings. They read the environment while they are imported, and may refuse it."""
    try:
        from edge_handler import origin_request, viewer_request  # noqa: PLC0415

        return _Edge(viewer_request, origin_request, load_settings())
    except ValueError as error:
        raise InvalidInput(f"The edge cannot start with AWS_ENDPOINT_URL or EDGE_... as they are: {error}.") from error


class _Table:
    """The routing table as the resolver asks for it. boto3 has time limits of its own."""

    def __init__(self, table: RoutingTable, *, guarded: bool = True) -> None:
        """Not `guarded` is as for those who are let in."""
        self._table = table
        self._guarded = guarded

    def read(
        self,
        domains: Sequence[str],
        _seconds: float,
        *,
        expected: str | None = None,  # noqa: ARG002
    ) -> Mapping[str, Destination | BrokenRow]:
        found = {item["domain"]["S"]: _read(item) for item in self._table.read(domains)}
        return found if self._guarded else {domain: _unguarded(one) for domain, one in found.items()}


def _read(item: Item) -> Destination | BrokenRow:
    try:
        return decode_destination(item)
    except BrokenRow as error:
        return BrokenRow(str(error))


def _unguarded(found: Destination | BrokenRow) -> Destination | BrokenRow:
    if isinstance(found, BrokenRow) or found.policy is None:
        return found
    policy = found.policy._replace(private=0, allow=(), maintenance=None)
    return found._replace(policy=policy if policy != Policy() else None)


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


def _event(host: str, uri: str, querystring: str, viewer: Viewer = Viewer()) -> dict[str, Any]:  # noqa: B008  # frozen
    request = {
        "clientIp": viewer.address,
        "method": "GET",
        "uri": uri,
        "querystring": querystring,
        "headers": {"host": [{"key": "Host", "value": host}], **headers_of(viewer)},
    }
    return {"Records": [{"cf": {"config": {"requestId": "explain"}, "request": request}}]}
