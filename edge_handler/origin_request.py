"""origin-request: on a cache miss. Reads the stamp and sets the origin; asks no table."""

from typing import Any

from edge_handler.answers import Handler, Request, Result, answer, redirect
from edge_handler.errors import BrokenStamp, MalformedPath
from edge_handler.log import log, log_exception
from edge_handler.origin_secret import DOMAINS_HEADER, is_listed
from edge_handler.origin_secret import HEADER as SECRET_HEADER
from edge_handler.routes import kind
from edge_handler.routes.origin import CustomOrigin, DeploymentOrigin, Origin, S3Origin
from edge_handler.routes.stamp import HEADER, decode_stamp
from edge_handler.settings import load_settings
from edge_handler.website.bucket import address, exists, signed
from edge_handler.website.paths import INDEX, decode_path, directory_location, may_be_directory, object_path

# Everything else a viewer sends could steer a signed request, or is none of a bucket's business.
# Those that are read-only in origin-request have to stay.
_WEBSITE_HEADERS = frozenset(
    (
        "accept-encoding",
        "content-length",
        "host",
        "if-match",
        "if-modified-since",
        "if-none-match",
        "if-range",
        "if-unmodified-since",
        "range",
        "transfer-encoding",
        "via",
    )
)
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
_KEEPALIVE_SECONDS = 5
_READ_SECONDS = 30
_DIRECTORY_MAX_AGE = 60


def make_handler(s3_endpoint: str | None) -> Handler:
    """Return a Lambda handler; `s3_endpoint` is asked about directories instead of S3's own."""

    def handler(event: dict[str, Any], _context: object) -> Result:
        # Its pages say the viewer's host, never that of what is behind; and they are HTML whoever asks, for what is
        # answered here is cached, and Accept is not in the key.
        request_id, host = "unknown", ""
        try:
            cf = event["Records"][0]["cf"]
            request: Request = cf["request"]
            request_id = cf["config"]["requestId"]
            host, origin = _stamped(request)
            if isinstance(origin, DeploymentOrigin):
                return answer(503, "deployments are not read yet", request_id, host)
            if origin.website:
                return _to_website(request, origin, request_id, s3_endpoint)
            assert isinstance(origin, CustomOrigin)  # the only kind that is not a website
            return _to_application(request, host, origin)
        except MalformedPath as error:
            return answer(400, str(error), request_id, host)
        except BrokenStamp as error:
            log("ERROR", "origin-request got no usable stamp", error=str(error), request_id=request_id)
            return answer(502, "the request came without a route that can be read", request_id)
        except Exception as error:
            log_exception("origin-request failed", error, request_id=request_id)
            return answer(502, "the request could not be handled", "unknown", host)

    return handler


def _stamped(request: Request) -> tuple[str, Origin]:
    """Take the stamp off a request; return the viewer's host and its origin. Raises BrokenStamp."""
    stamp = request["headers"].pop(HEADER, None)
    if not stamp:
        raise BrokenStamp(f"no {HEADER} header: is it in the cache policy?")
    found = decode_stamp(stamp[0]["value"])
    return found.host, found.origin


def _to_application(request: Request, host: str, origin: CustomOrigin) -> Result:
    if origin.path:
        decode_path(request["uri"])
    headers = request["headers"]
    ours = _origin_headers(request)
    listed = ours.pop(DOMAINS_HEADER, None)
    # A name in both places is refused by CloudFront, so what a viewer sent under one of ours goes.
    for name in (*_FORGEABLE_HEADERS, *ours):
        headers.pop(name, None)
    _set_header(headers, "x-forwarded-host", host)
    if origin.host_header == "viewer":
        _set_header(headers, "host", host)
        # Whoever writes a row names the origin; who is told the secret says the deployment.
        told = listed is not None and is_listed(origin.domain_name, listed[0]["value"])
        request["origin"] = _custom(origin, ours if told else {})
    else:
        _set_header(headers, "host", origin.domain_name)
        request["origin"] = _custom(origin, {})
    return request


def _origin_headers(request: Request) -> dict[str, Any]:
    """Return the custom headers of the distribution's own origin: how a deployment hands over what it knows."""
    origin = request["origin"]
    headers: dict[str, Any] = (origin.get("s3") or origin["custom"])["customHeaders"]
    return headers


def _to_website(request: Request, origin: S3Origin | CustomOrigin, request_id: str, s3_endpoint: str | None) -> Result:
    uri = request["uri"]
    path = object_path(uri)
    request["querystring"] = ""
    headers = request["headers"] = {
        name: values for name, values in request["headers"].items() if name in _WEBSITE_HEADERS
    }
    _set_header(headers, "host", origin.domain_name)
    _set_header(headers, kind.HEADER, kind.WEBSITE)
    if isinstance(origin, CustomOrigin):
        request["uri"] = path
        request["origin"] = _custom(origin, {})
        return request
    if may_be_directory(uri) and exists(origin, f"{origin.prefix}{path}/{INDEX}", s3_endpoint):
        max_age = f"public, max-age={_DIRECTORY_MAX_AGE}"
        return redirect(301, {"location": directory_location(uri), "cache-control": max_age})
    request["uri"] = origin.prefix + path
    if request["origin"].get("s3", {}).get("domainName") != origin.domain_name:
        _to_other_bucket(request, origin, request_id)
    else:
        request["origin"]["s3"]["customHeaders"] = {}
    return request


def _to_other_bucket(request: Request, origin: S3Origin, request_id: str) -> None:
    """Sign for a bucket that is not the stack's. On an `s3` origin, access control would overwrite the signature."""
    host, before = address(origin)
    for name, value in signed(request["method"], before + request["uri"], origin, request_id).items():
        _set_header(request["headers"], name, value)
    request["origin"] = _custom(CustomOrigin(host, "https", 443, before, "origin", website=True), {})


def _custom(origin: CustomOrigin, headers: dict[str, Any]) -> dict[str, Any]:
    return {
        "custom": {
            "customHeaders": headers,
            "domainName": origin.domain_name,
            "keepaliveTimeout": _KEEPALIVE_SECONDS,
            "path": origin.path,
            "port": origin.port,
            "protocol": origin.protocol,
            "readTimeout": _READ_SECONDS,
            "sslProtocols": ["TLSv1.2"],
        }
    }


def _set_header(headers: dict[str, Any], name: str, value: str) -> None:
    headers[name] = [{"key": name, "value": value}]


handler = make_handler(load_settings().s3_endpoint)
