"""Ask the edge: a request that shows the right to gets, in place of its answer, why viewers get what they get.

The header `x-route-debug` holds a token of the use and kind `debug`, signed for the host that is asked: who can read
the signing keys may ask, and nobody who has a link or a session. Without a good one the header is taken away, and all
goes on as if it had not been there. The answer is JSON, with these names and no others:

| name | |
|---|---|
| `host` | as the table is asked for it |
| `status` | what viewer-request answers by itself, to this very request with its cookies and from its address: a refusal's, a redirect's; null where it goes on to the cache, and on a miss to the origin |
| `reason` | why it is refused; null where it is not |
| `location` | where it is redirected to, or null |
| `domain` | the row's, perhaps a wildcard; null without a row |
| `rule` | the pattern of the rule that answers for the path; null for the row's own target |
| `revision` | the row's; null where nobody can tell |
| `generation` | of what the row or the rule says to viewers; part of the stamp |
| `side` | `stable` or `canary` where the row has a canary, this viewer's; else null. A rule's paths are the same on both |
| `side_from` | what that follows from: `choice`, `cookie` or `address` |
| `known_from` | from where this request knew the route: `memory`, `snapshot`, `feed` (announced since the snapshot) or `table`; null where nothing is known |
| `age_seconds` | how long ago that was last known to be so |
| `fresh_seconds` | how long this instance goes on without asking |
| `remembered_is_newest` | whether what answers is what the nearest replica, or else this instance's feed, now has as the row; null where neither says |
| `stamp` | the value of `x-route`, and so what of the cache key the row decides; null for a redirect, or without a route |
| `region` | where this instance runs |
| `snapshot` | `epoch` and `taken_at` of the snapshot from which changes are followed; null where hosts are read one by one |
| `feed_age_seconds` | how long ago the feed was last heard; null where it is not followed |
| `request_id` | CloudFront's |
"""  # noqa: E501  # a table's lines cannot be broken

import json
import os
import time
from collections.abc import Callable
from typing import Any

from edge_handler.access.keys import AccessTable
from edge_handler.access.session import Token, is_signed, read_token
from edge_handler.answers import NOINDEX, Request, Result, header
from edge_handler.errors import MalformedHost, MalformedPath, TableUnreachable
from edge_handler.paths import comparable_path
from edge_handler.routes.destination import Destination
from edge_handler.routes.host import normalise_host
from edge_handler.routes.known_from import KnownFrom
from edge_handler.routes.path_rules import Rule
from edge_handler.routes.redirect import Redirect
from edge_handler.routes.remembered import Known, Refusal, Ruled, remembered_as
from edge_handler.routes.resolver import KNOWN_HOST_SECONDS, Resolver, Row
from edge_handler.routes.stamp import Stamp, decode_stamp
from edge_handler.time_left import seconds_left, tell_waited

HEADER = "x-route-debug"
SINCE = 1
"""What tokens are signed for, in place of a revision: they have to do with none."""
Answers = Known | Ruled | Refusal
_OF_ROWS = (404, 410, 502)
"""Refusals that a row, or that there is none, is the reason of."""
_JSON = [{"key": "accept", "value": "application/json"}]


def explained(
    request: Request,
    request_id: str,
    resolver: Resolver,
    access: Callable[[], AccessTable],
    resolve: Callable[[], Answers],
    answering: Callable[[Answers, Request], Known | Result],
) -> Answers | Result:
    """Return the answer to who may ask; to others what `resolve` returns.

    Args:
        request: the header is taken out of it.
        request_id: CloudFront's.
        resolver: what `resolve` asks.
        access: returns the table of keys; not asked for a token that cannot be good.
        resolve: looks the host up, as for any request.
        answering: returns what a viewer gets of what `resolve` returned. It may change the request that it is given.
    """
    headers = request["headers"]
    host, token = _host(headers), _take_token(headers, resolver.clock())
    if token is None or host is None:
        return resolve()
    known_from = KnownFrom(resolver, host)
    route = resolve()
    left, started = seconds_left(headers, request_id), time.monotonic()
    deadline = started + min(KNOWN_HOST_SECONDS, left)
    may_ask = _may_ask(token, host, access(), resolver.clock, deadline)
    tell_waited(headers, request_id, left, time.monotonic() - started)
    if not may_ask:
        return route
    sample = {**request, "headers": {**headers, "accept": _JSON}}
    said = {
        "host": host,
        **_outcome(answering(route, sample)),
        **_row(resolver, host, route, request, deadline),
        **_knowledge(resolver, route, known_from),
        "request_id": request_id,
    }
    return _answer({name: said[name] for name in NAMES}, request_id)


NAMES = (
    *("host", "status", "reason", "location", "domain", "rule", "revision", "generation", "side", "side_from"),
    *(
        "known_from",
        "age_seconds",
        "fresh_seconds",
        "remembered_is_newest",
        "stamp",
        "region",
        "snapshot",
        "feed_age_seconds",
    ),
    "request_id",
)
"""In the order of the answer."""


def _host(headers: dict[str, Any]) -> str | None:
    try:
        (only,) = headers["host"]
        return normalise_host(only["value"])
    except (LookupError, TypeError, ValueError, MalformedHost):
        return None


def _take_token(headers: dict[str, Any], now: float) -> Token | None:
    """Take the header out of a request; return what it holds, None where that cannot be good."""
    try:
        (only,) = headers.pop(HEADER)
        token = read_token(only["value"])
    except (LookupError, TypeError, ValueError):
        return None
    return token if token is not None and token.kind == "debug" and now < token.expires_at else None


def _may_ask(token: Token, host: str, access: AccessTable, clock: Callable[[], float], deadline: float) -> bool:
    try:
        return is_signed(token, "debug", host, SINCE, access.keys(token.key_id, deadline), clock())
    except TableUnreachable:
        return False


def _outcome(found: Known | Result) -> dict[str, Any]:
    """Return what viewer-request does with the request."""
    if isinstance(found, Known):
        return {"status": None, "reason": None, "location": None}
    of = {"headers": found["headers"]}
    is_told = header(of, "content-type") == "application/json"
    return {
        "status": int(found["status"]),
        "reason": json.loads(found["body"])["detail"] if is_told else None,
        "location": header(of, "location") or None,
    }


def _row(resolver: Resolver, host: str, route: Answers, request: Request, deadline: float) -> dict[str, Any]:
    """Return what is known of the row that answers, and of its rule for a path."""
    side, side_from = _side(route, request)
    answers, rule = _answer_for(route, request["uri"], side)
    stamp = decode_stamp(answers.stamp) if isinstance(answers, Known) else None
    is_newest, found = _newest(resolver, host, route, deadline)
    domain, row = found if is_newest and found else (None, None)
    revision, generation = (row.revision, row.generation) if isinstance(row, Destination) else (None, None)
    if isinstance(route, Ruled):
        domain, revision = route.domain, route.revision
    elif stamp is not None:
        domain = stamp.wildcard or host
    elif row is None:
        domain = None
    if rule is not None:
        generation = rule.generation
    return {
        "domain": domain,
        "rule": rule.pattern if rule is not None else None,
        "revision": revision,
        "generation": stamp.generation if stamp is not None else generation,
        "side": side,
        "side_from": side_from,
        "remembered_is_newest": is_newest,
        "stamp": answers.stamp if isinstance(answers, Known) else None,
    }


def _side(route: Answers, request: Request) -> tuple[str | None, str | None]:
    """Return on which side of a canary a viewer is, and what that follows from."""
    if not isinstance(route, Ruled) or route.canary is None:
        return None, None
    from edge_handler.canary.side import side_of  # noqa: PLC0415  # what has no canary does without it

    return side_of(route.domain, route.canary, {**request, "headers": {**request["headers"]}})


def _answer_for(route: Answers, uri: str, side: str | None) -> tuple[Known | Redirect | None, Rule | None]:
    """Return what answers for a path, whoever may see it, and the rule that says so."""
    if not isinstance(route, Ruled):
        return (route if isinstance(route, Known) else None), None
    try:
        found, rule = (route.only, None) if route.only is not None else route.find(comparable_path(uri))
    except MalformedPath:
        return None, None
    return (route.of_canary if side == "canary" and rule is None else found), rule


def _newest(
    resolver: Resolver, host: str, route: Answers, deadline: float
) -> tuple[bool | None, tuple[str, Row | None] | None]:
    """Return whether what answers is what the row says now; and that row, with its domain.

    What is remembered of a route holds no revision, for there are 50,000 of them: so it is held against the row.
    """
    if isinstance(route, Refusal) and route.status not in _OF_ROWS:
        return None, None
    now = resolver.clock()
    # Read first: what was written a moment ago has not been announced here yet.
    try:
        found = resolver.read_row(host, deadline)
    except TableUnreachable:
        followed = resolver.followed_row(host)
        if followed is None:
            return None, None
        found = followed
    return _says(found[1], host, route, now), found


def _says(row: Row | None, host: str, route: Answers, now: float) -> bool:
    """Tell whether a row is what a host is remembered by."""
    if not isinstance(row, Destination):
        return isinstance(route, Refusal) and route.status == (404 if row is None else 502)
    if row.expires_at is not None and now >= row.expires_at:
        return isinstance(route, Refusal) and route.status == 410
    if isinstance(route, Ruled):
        return row.domain == route.domain and row.revision <= route.revision
    again = remembered_as(host, row, now, now)
    return isinstance(route, Known) and isinstance(again, Known) and _lasting(route) == _lasting(again)


def _lasting(route: Known) -> Stamp:
    """Return a stamp without what is in it for a while only."""
    return decode_stamp(route.stamp)._replace(former=())


def _knowledge(resolver: Resolver, route: Answers, known_from: KnownFrom) -> dict[str, Any]:
    """Return from where this instance knows the route, and how well it is informed."""
    now, following, source = resolver.clock(), resolver.following, known_from.source(route)
    pointer = following.pointer if following is not None else None
    since = route.since()
    if following is not None and source != "table" and following.trusted_from <= since:
        # With the feed a route is as good as its last news; while it is silent, as what was read meanwhile.
        since = following.known_at if following.fresh_until() else max(since, following.known_at)
    good_at = following.good_at if following is not None and pointer is not None else None
    return {
        "known_from": source,
        "age_seconds": _seconds(now, since),
        "fresh_seconds": _seconds(route.fresh_until, now) if route.fresh_until else 0.0,
        "region": os.environ.get("AWS_REGION"),
        "snapshot": {"epoch": pointer.epoch, "taken_at": pointer.taken_at} if pointer is not None else None,
        "feed_age_seconds": _seconds(now, good_at),
    }


def _seconds(until: float, since: float | None) -> float | None:
    """Return how long it is, None where it never began."""
    return round(max(0.0, until - since), 1) if since is not None and since > 0 else None


def _answer(said: dict[str, Any], request_id: str) -> Result:
    headers = {
        "content-type": "application/json",
        "cache-control": "no-store",
        "x-content-type-options": "nosniff",
        "x-request-id": request_id,
        **NOINDEX,
    }
    return {
        "status": "200",
        "statusDescription": "OK",
        "headers": {name: [{"key": name, "value": value}] for name, value in headers.items()},
        "body": json.dumps(said),
        "bodyEncoding": "text",
    }
