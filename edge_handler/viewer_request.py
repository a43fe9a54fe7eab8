"""viewer-request: on every request, before the cache. Stamps the route on the request, or refuses.

A hit is one cache look-up, one comparison of times and one header assignment; keep it so.
"""

import gc
import os
import time
from collections.abc import Callable
from typing import Any

from edge_handler.answers import NOINDEX, Handler, Request, Result, answer, header, preflight, redirect
from edge_handler.errors import MalformedHost, MalformedPath
from edge_handler.log import log_exception
from edge_handler.paths import comparable_path
from edge_handler.routes.host import normalise_host
from edge_handler.routes.origin import CORS, QUERY_OF_ALL, QUERY_OF_DIRECTORIES, QUERY_OF_PATHS, DeploymentOrigin
from edge_handler.routes.path_rules import Rule, redirected
from edge_handler.routes.redirect import CACHE, Redirect
from edge_handler.routes.remembered import Known, Refusal, Ruled
from edge_handler.routes.resolver import Resolver
from edge_handler.routes.stamp import HEADER, decode_stamp
from edge_handler.settings import Settings, load_settings
from edge_handler.table.reader import WARM_UP_SECONDS, RoutesTable
from edge_handler.time_left import HEADER as TIME_LEFT
from edge_handler.time_left import NOTICED_SECONDS, encode_time_left
from edge_handler.website.assets import has_known_extension

TYPE_CHECKING = False  # as typing has it; the module itself would cost milliseconds
if TYPE_CHECKING:
    from edge_handler.access.guard import Guard
    from edge_handler.feed.follower import Follower

LOAD_SECONDS = 0.8
"""What the start may wait for the snapshot; what it has not got by then is loaded between requests."""


def make_handler(resolver: Resolver, guard: "Guard | None" = None) -> Handler:  # noqa: C901  # in one piece: each call would cost every hit
    """Return a Lambda handler that resolves hosts with `resolver`.

    `guard` is for hosts that do not answer everybody; without one the stack's is made when the first of them is asked
    for.
    """
    known, clock, stamp_header = resolver.known, resolver.clock, HEADER

    def guarding() -> "Guard":
        nonlocal guard
        if guard is None:
            from edge_handler.access.guard import Guard  # noqa: PLC0415  # what guards nobody starts without it

            guard = Guard.from_settings(resolver.settings, clock)
        return guard

    def handler(event: dict[str, Any], _context: object) -> Result:  # noqa: C901, PLR0912  # see above
        try:
            cf = event["Records"][0]["cf"]
            request: Request = cf["request"]
            headers = request["headers"]
            if "x-route-debug" in headers:  # a name of its own would cost more
                asked = _asked(resolver, request, cf["config"], guarding)
                if isinstance(asked, dict):
                    return asked
                route = asked
            else:
                try:
                    route = known[headers["host"][0]["value"]]
                except (LookupError, TypeError):
                    route = _resolve(resolver, headers, cf["config"])
                else:
                    if not route.fresh_from <= clock() < route.fresh_until:
                        route = _resolve(resolver, headers, cf["config"])
            if route.website:  # of an application there is nothing more to do
                if route.__class__ is not Known:
                    found = _answering(route, request, cf["config"]["requestId"], guarding)
                    if not isinstance(found, Known):
                        return found
                    route = found
                    if not found.website:
                        headers[stamp_header] = route
                        return request
                if request["method"] not in ("GET", "HEAD"):
                    return _other_method(route, request, cf["config"]["requestId"])
                if request["querystring"]:
                    request["querystring"] = _kept_query(route, request)
                if "authorization" in headers:
                    del headers["authorization"]
            headers[stamp_header] = route
            return request
        except Exception as error:
            return _give_up(error)

    return handler


def _resolve(resolver: Resolver, headers: dict[str, Any], config: dict[str, Any]) -> Known | Ruled | Refusal:
    started = time.monotonic()
    try:
        values = headers.get("host", ())
        if len(values) != 1:
            raise MalformedHost(f"the request has {len(values)} Host headers")
        host = normalise_host(values[0]["value"])
    except MalformedHost as error:
        return Refusal(400, str(error), 0)
    was_known = host in resolver.known
    route = resolver.resolve(host)
    waited = time.monotonic() - started
    if waited >= NOTICED_SECONDS:
        was_known = was_known or resolver.is_in_snapshot(host)
        told = encode_time_left(config["requestId"], waited, was_known=was_known)
        headers[TIME_LEFT] = [{"key": TIME_LEFT, "value": told}]
    return route


def _asked(
    resolver: Resolver, request: Request, config: dict[str, Any], guarding: Callable[[], "Guard"]
) -> Known | Ruled | Refusal | Result:
    """Return what answers for a host; where somebody asks why, and shows the right to, the answer to that."""
    from edge_handler.debug import explained  # noqa: PLC0415  # what nobody asks starts without it

    def resolve() -> Known | Ruled | Refusal:
        return _resolve(resolver, request["headers"], config)

    def answering(route: Known | Ruled | Refusal, sample: Request) -> Known | Result:
        request_id = config["requestId"]
        found = route if isinstance(route, Known) else _answering(route, sample, request_id, guarding)
        if isinstance(found, Known) and found.website and sample["method"] not in ("GET", "HEAD"):
            return _other_method(found, sample, request_id)
        return found

    return explained(request, config["requestId"], resolver, lambda: guarding().access, resolve, answering)


def _answering(
    route: Known | Ruled | Refusal, request: Request, request_id: str, guarding: Callable[[], "Guard"]
) -> Known | Result:
    """Return the route for a path of a host that has several; or an answer, where there is none to go on by."""
    if isinstance(route, Refusal):
        extra = {"retry-after": str(route.retry_after)} if route.retry_after else None
        return _page(route.status, route.reason, request, request_id, extra)
    assert isinstance(route, Ruled)
    if route.guard is not None:
        refusal = guarding().refusal(route.domain, route.guard, request, request_id)
        if refusal is not None:
            return refusal
    if route.canary is None:
        return _of_path(route, request, request_id, on_canary=False)
    from edge_handler.canary.side import PAGE, is_on_canary  # noqa: PLC0415  # what has no canary starts without

    if request["uri"] == PAGE:
        from edge_handler.canary.page import testers_page  # noqa: PLC0415

        return testers_page(route.domain, route.canary, request, request_id)
    return _of_path(route, request, request_id, on_canary=is_on_canary(route.domain, route.canary, request))


def _of_path(route: Ruled, request: Request, request_id: str, *, on_canary: bool) -> Known | Result:
    if route.only is not None:
        return route.of_canary if on_canary else route.only
    try:
        found, rule = route.find(comparable_path(request["uri"]))
        if not isinstance(found, Known):
            return _redirect(found, rule, route, request, request_id)
        return route.of_canary if on_canary and rule is None else found
    except MalformedPath as error:
        return _page(400, str(error), request, request_id, None)


def _redirect(found: Redirect, rule: Rule | None, route: Ruled, request: Request, request_id: str) -> Result:
    uri, host = request["uri"], header(request, "host").lower()
    to = redirected(found, rule, uri, request["querystring"])
    # CloudFront sends http to https.
    if to.partition("?")[0].replace("http://", "https://", 1) in (uri, f"https://{host}{uri}"):
        return _page(502, "this address is redirected to itself", request, request_id, None)
    robots = NOINDEX if route.noindex else {}
    return redirect(found.status, {"location": to, "cache-control": CACHE, **robots})


def _kept_query(route: Any, request: Request) -> str:
    """Return the query string where the path may be redirected and has to keep it; buckets do not get it in any case.

    Elsewhere every variation would be an object of its own in the cache.
    """
    website, uri = route.website, request["uri"]
    if not website & QUERY_OF_ALL:
        matters = website & QUERY_OF_PATHS
        if matters and "//" not in uri and "%" not in uri:
            if uri.endswith("/"):
                matters = uri != "/" and website & QUERY_OF_DIRECTORIES
            else:
                matters = not has_known_extension(uri)
        if not matters:
            return ""
    return str(request["querystring"])


def _other_method(route: Any, request: Request, request_id: str) -> Result:
    method, allowed = request["method"], "GET, HEAD"
    if route.website & CORS:
        origin = decode_stamp(route.stamp).origin
        if method == "OPTIONS" and isinstance(origin, DeploymentOrigin):
            return preflight(origin.cors, header(request, "access-control-request-headers"))
        allowed = "GET, HEAD, OPTIONS"
    return _page(405, f"{method} is not answered here", request, request_id, {"allow": allowed})


def _page(status: int, reason: str, request: Request, request_id: str, extra: dict[str, str] | None) -> Result:
    return answer(status, reason, request_id, header(request, "host"), header(request, "accept"), extra)


def _give_up(error: Exception) -> Result:
    """No dead answer: whatever happened, the viewer gets a page and the log gets the reason."""
    log_exception("viewer-request failed", error)
    return answer(502, "the request could not be handled", "unknown")


def _follower(settings: Settings) -> "Follower | None":
    """Return what follows snapshot and feed, None where no snapshots are taken."""
    if not settings.snapshot_buckets:
        return None
    from edge_handler.feed.follower import Follower  # noqa: PLC0415  # a tenth of the start, for who has a use for it

    return Follower.from_settings(settings)


_settings = load_settings()
_table = RoutesTable.from_settings(_settings)
following = _follower(_settings)
resolver = Resolver(_table, _settings, following=following)
handler = make_handler(resolver)
if "AWS_LAMBDA_RUNTIME_API" in os.environ:
    # Started by Lambda, which lends a whole processor until this is done; a viewer's request has a fourteenth of one.
    _table.warm_up()
    if following is not None:
        following.start(LOAD_SECONDS, WARM_UP_SECONDS)
    # What is known is kept, and has no cycles: look for garbage in what is new only, not in 50,000 routes.
    gc.set_threshold(gc.get_threshold()[0], 1 << 30)
