"""origin-request: on a cache miss. Reads the stamp, finds out what of a site a path gets, and sets the origin."""

import os
from math import ceil
from typing import Any

from edge_handler.access.session import SIDE_COOKIE, take_cookie, take_sessions
from edge_handler.answers import LIFETIME, Handler, Request, Result, answer, missing, of_a_site, redirect, with_headers
from edge_handler.aws.connection import tls_context
from edge_handler.errors import BrokenStamp, MalformedPath, StorageUnreachable
from edge_handler.forwarding import custom_origin, set_header, to_bucket, to_storage
from edge_handler.log import log, log_exception
from edge_handler.origin_secret import DOMAINS_HEADER, is_listed
from edge_handler.origin_secret import HEADER as SECRET_HEADER
from edge_handler.paths import decode_path
from edge_handler.routes import kind
from edge_handler.routes.origin import CustomOrigin, DeploymentOrigin, S3Origin
from edge_handler.routes.path_rules import without_prefix
from edge_handler.routes.resolver import Table
from edge_handler.routes.stamp import HEADER, Stamp, decode_stamp
from edge_handler.settings import load_settings
from edge_handler.table.reader import RoutesTable
from edge_handler.time_left import HEADER as TIME_LEFT
from edge_handler.time_left import decode_time_left
from edge_handler.website.deployments import Deployments
from edge_handler.website.listing import blob_key
from edge_handler.website.lists import Lists
from edge_handler.website.paths import INDEX, MAX_KEY_BYTES, is_ours, object_uri
from edge_handler.website.prefix import look_up
from edge_handler.website.resolution import CACHE, Missing, Moved

# What frameworks believe about the address they are reached under; a viewer must not say it.
_FORGEABLE_HEADERS = (
    "forwarded",
    "x-forwarded-port",
    "x-forwarded-prefix",
    "x-forwarded-server",
    "x-forwarded-ssl",
    "x-original-host",
    "x-original-url",
    "x-rewrite-url",
    SECRET_HEADER,
    DOMAINS_HEADER,
    kind.HEADER,
)


def make_handler(s3_endpoint: str | None, table: Table | None = None) -> Handler:
    """Return a Lambda handler.

    Args:
        s3_endpoint: asked about files instead of S3's own.
        table: asked where a page names a file that only a newer deployment can have; without one nobody is.
    """
    deployments = Deployments(Lists(s3_endpoint), table)

    def go_on(request: Request, stamp: Stamp, request_id: str) -> Result:
        told, origin = request["headers"].pop(TIME_LEFT, None), stamp.origin
        if stamp.prefix:
            rest = without_prefix(request["uri"], stamp.prefix)
            if not rest and origin.website:
                return _to_directory(request, stamp)
            request["uri"] = rest or "/"
        if isinstance(origin, CustomOrigin) and not origin.website:
            return _to_application(request, stamp, origin)
        seconds = decode_time_left(told and told[0]["value"], request_id)
        if isinstance(origin, DeploymentOrigin):
            return _to_deployment(request, stamp, origin, request_id, deployments, seconds)
        return _to_website(request, stamp, origin, request_id, s3_endpoint, seconds)

    def handler(event: dict[str, Any], _context: object) -> Result:
        # Its pages say the viewer's host, never that of what is behind; and they are HTML whoever asks, for what is
        # answered here is cached, and Accept is not in the key.
        request_id, host = "unknown", ""
        try:
            cf = event["Records"][0]["cf"]
            request: Request = cf["request"]
            request_id = cf["config"]["requestId"]
            stamp = _stamped(request)
            host = stamp.host
            result = go_on(request, stamp, request_id)
            return with_headers(result, stamp.response_headers) if "status" in result else result
        except MalformedPath as error:
            return answer(400, str(error), request_id, host)
        except BrokenStamp as error:
            log("ERROR", "origin-request got no usable stamp", error=str(error), request_id=request_id)
            return answer(502, "the request came without a route that can be read", request_id)
        except Exception as error:
            log_exception("origin-request failed", error, request_id=request_id)
            return answer(502, "the request could not be handled", "unknown", host)

    return handler


def _stamped(request: Request) -> Stamp:
    """Take the stamp off a request. Raises BrokenStamp."""
    stamp = request["headers"].pop(HEADER, None)
    if not stamp:
        raise BrokenStamp(f"no {HEADER} header: is it in the cache policy?")
    return decode_stamp(stamp[0]["value"])


def _to_application(request: Request, stamp: Stamp, origin: CustomOrigin) -> Result:
    host = stamp.host
    if origin.path or stamp.prefix:
        decode_path(request["uri"])
    headers = request["headers"]
    ours = _origin_headers(request)
    listed = ours.pop(DOMAINS_HEADER, None)
    # Of a host that is not private any more, or never was itself: it is still good for others under the same wildcard.
    take_sessions(headers)
    take_cookie(headers, SIDE_COOKIE)  # likewise of a canary that has ended
    # A name in both places is refused by CloudFront, so what a viewer sent under one of ours goes.
    for name in (*_FORGEABLE_HEADERS, *ours):
        headers.pop(name, None)
    set_header(headers, "x-forwarded-host", host)
    if said := stamp.response_headers:
        set_header(headers, kind.HEADER, kind.encode_kind(kind.APPLICATION, headers=said))
    if stamp.prefix:
        set_header(headers, "x-forwarded-prefix", stamp.prefix)
    if origin.host_header == "viewer":
        set_header(headers, "host", host)
        # Whoever writes a row names the origin; who is told the secret says the deployment.
        told = listed is not None and is_listed(origin.domain_name, listed[0]["value"])
        request["origin"] = custom_origin(origin, ours if told else {})
    else:
        set_header(headers, "host", origin.domain_name)
        request["origin"] = custom_origin(origin, {})
    return request


def _to_directory(request: Request, stamp: Stamp) -> Result:
    """Redirect from a rule's prefix to what is under it: a page's relative links would be somewhere else."""
    query = request["querystring"] and f"?{request['querystring']}"
    return redirect(308, {"location": f"{stamp.prefix}/{query}", "cache-control": CACHE["N"]})


def _origin_headers(request: Request) -> dict[str, Any]:
    """Return the custom headers of the distribution's own origin: how a deployment hands over what it knows."""
    origin = request["origin"]
    headers: dict[str, Any] = (origin.get("s3") or origin["custom"])["customHeaders"]
    return headers


def _to_deployment(
    request: Request,
    stamp: Stamp,
    origin: DeploymentOrigin,
    request_id: str,
    deployments: Deployments,
    seconds: float,
) -> Result:
    uri = request["uri"]
    try:
        found, headers = deployments.look_up(stamp, origin, uri, request["querystring"], seconds)
    except StorageUnreachable as error:
        # Never the site's 404: whoever was told that a page is gone would believe it.
        retry_after = {"retry-after": str(max(1, ceil(error.retry_after)))}
        return of_a_site(503, str(error), uri, request_id, stamp.host, retry_after)
    if isinstance(found, Moved):
        return redirect(found.status, dict(headers))
    if isinstance(found, Missing):
        return missing(uri, request_id, stamp.host, dict(headers))
    if len(kind.encode_kind(kind.SITE, found.status, headers)) > kind.MAX_SITE_BYTES:
        # Those of all files were measured when they were deployed: it is the viewer's path that is in them.
        log("ERROR", "the headers of a page are longer than S3 takes", domain=stamp.host, request_id=request_id)
        return answer(400, "the path is too long for the headers that this site sends with it", request_id, stamp.host)
    told = kind.encode_kind(kind.SITE, found.status, _with(stamp, headers, lasts=found.lasts))
    if len(told) > kind.MAX_BYTES:
        log("ERROR", "the headers of page and route are more than S3 takes", domain=stamp.host, request_id=request_id)
        return answer(502, "the headers of this page are too long", request_id, stamp.host)
    to_bucket(request, origin, f"/{blob_key(found.file.blob)}", told, request_id, whole=found.status != 200)
    return request


def _with(stamp: Stamp, headers: list[tuple[str, str]], *, lasts: bool = True) -> list[tuple[str, str]]:
    """Return what a page says and what its route does, which wins; but for how long, where that is not the page's."""
    said = stamp.response_headers
    if not lasts:
        said = [pair for pair in said if pair[0] not in LIFETIME]
    return [*{**dict(headers), **dict(said)}.items()]


def _to_website(
    request: Request,
    stamp: Stamp,
    origin: S3Origin | CustomOrigin,
    request_id: str,
    s3_endpoint: str | None,
    seconds: float,
) -> Result:
    """Send a request on to where somebody copied a site to."""
    host = stamp.host
    uri = request["uri"]
    path = decode_path(uri)
    if len(path.encode()) > MAX_KEY_BYTES:
        return missing(uri, request_id, host)  # more could grow past what CloudFront takes as a uri
    if isinstance(origin, S3Origin) and not origin.prefix and is_ours(path.lstrip("/")):
        return missing(uri, request_id, host)
    document = object_uri(path + INDEX if path.endswith("/") else path)
    told = kind.encode_kind(kind.WEBSITE, headers=stamp.response_headers or None)
    if isinstance(origin, CustomOrigin):
        to_storage(request, origin, document, told)
        return request
    found = look_up(origin, uri, request["querystring"], s3_endpoint, seconds)
    if isinstance(found, Moved):
        # Without a deployment nothing says when that changes.
        return redirect(found.status, {"location": stamp.prefix + found.location, "cache-control": CACHE["N"]})
    if isinstance(found, Missing):
        return missing(uri, request_id, host)
    status = 200
    if found is not None:
        document, status = object_uri(found.path), found.status
        if status != 200:
            ours = _with(stamp, [("cache-control", CACHE["N"])], lasts=False)
            told = kind.encode_kind(kind.WEBSITE, status, ours)
    to_bucket(request, origin, origin.prefix + document, told, request_id, whole=status != 200)
    return request


_settings = load_settings()
handler = make_handler(_settings.s3_endpoint, RoutesTable.from_settings(_settings))
if "AWS_LAMBDA_RUNTIME_API" in os.environ:
    # Started by Lambda, which lends a whole processor until this is done; what TLS needs takes longer than a list.
    tls_context()
