"""What origin-request makes of a request that goes on: its origin, and the headers that one gets."""

from typing import Any

from edge_handler.answers import Request
from edge_handler.routes import kind
from edge_handler.routes.origin import CustomOrigin
from edge_handler.website.bucket import Bucket, address, signed

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
# Of a page that says that there is none nobody may have a part; the other conditions are read-only here.
_CONDITIONS = frozenset(("if-match", "range"))
_KEEPALIVE_SECONDS = 5
_READ_SECONDS = 30


def to_bucket(request: Request, bucket: Bucket, uri: str, told: str, request_id: str, *, whole: bool = False) -> None:
    """Send a request on to a bucket.

    Args:
        request: changed in place.
        bucket: names it.
        uri: of the object, percent-encoded as S3 signs it.
        told: what origin-response is told, see `kind`.
        request_id: CloudFront's.
        whole: whatever part of the object the viewer asks for.
    """
    _take_from_viewer(request, bucket.domain_name, told)
    if whole:
        for name in _CONDITIONS & request["headers"].keys():
            del request["headers"][name]
    request["uri"] = uri
    if request["origin"].get("s3", {}).get("domainName") == bucket.domain_name:
        request["origin"]["s3"]["customHeaders"] = {}
        return
    # Signed for here; and not on an `s3` origin, where access control would overwrite the signature.
    host, before = address(bucket)
    for name, value in signed(request["method"], before + uri, bucket, request_id).items():
        set_header(request["headers"], name, value)
    request["origin"] = custom_origin(CustomOrigin(host, "https", 443, before, "origin", website=True), {})


def to_storage(request: Request, origin: CustomOrigin, uri: str, told: str) -> None:
    """Send a request on to a storage service that is not S3; see `to_bucket`."""
    _take_from_viewer(request, origin.domain_name, told)
    request["uri"] = uri
    request["origin"] = custom_origin(origin, {})


def _take_from_viewer(request: Request, domain_name: str, told: str) -> None:
    request["querystring"] = ""
    headers = request["headers"] = {
        name: values for name, values in request["headers"].items() if name in _WEBSITE_HEADERS
    }
    set_header(headers, "host", domain_name)
    set_header(headers, kind.HEADER, told)


def custom_origin(origin: CustomOrigin, headers: dict[str, Any]) -> dict[str, Any]:
    """Return an event's `origin`; `headers` are those that the origin is told beside the request's."""
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


def set_header(headers: dict[str, Any], name: str, value: str) -> None:
    """Give a header one value."""
    headers[name] = [{"key": name, "value": value}]
