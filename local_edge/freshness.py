"""How long the CDN serves a response: CloudFront's rules, which are not quite RFC 9111's.

The cache policy's TTLs bound what the origin says of an object. An error has a minimum of its own, and most errors are
kept whatever the origin says.
https://docs.aws.amazon.com/AmazonCloudFront/latest/DeveloperGuide/Expiration.html
https://docs.aws.amazon.com/AmazonCloudFront/latest/DeveloperGuide/HTTPStatusCodes.html
https://docs.aws.amazon.com/AmazonCloudFront/latest/DeveloperGuide/custom-error-pages-expiration.html
"""

from email.utils import parsedate_to_datetime

from multidict import CIMultiDictProxy
from werkzeug.datastructures import ResponseCacheControl
from werkzeug.http import parse_cache_control_header

from local_edge.template import Distribution

Headers = CIMultiDictProxy[str]
ERROR_TTL = 10
# "If you configure 0 seconds, you will still see 1 second for S3 origin errors."
_BUCKET_ERROR_TTL = 1
_OBJECTS = frozenset((200, 203, 300, 301, 302, 307, 308))
_ERRORS = frozenset((404, 410, 414, 500, 501, 502, 503, 504))
_ERRORS_WITH_MAX_AGE = frozenset((400, 403, 405, 412, 415))
_HEEDING_NO_STORE = frozenset((404, 410, 414, 501))
# Answers to a part or to a condition: they say nothing about the object.
PARTIAL = frozenset((206, 304, 412, 416))


def seconds_fresh(limits: Distribution, status: int, headers: Headers, now: float, *, bucket: bool) -> float | None:
    """Return how long a response is fresh, None where it is not kept at all. `bucket`: an S3 origin gave it."""
    if limits.max_ttl == 0 or headers.get("vary") == "*":
        return None
    if status in _OBJECTS:
        return _seconds_of_object(limits, headers, now)
    ttl = _seconds_of_error(limits, status, headers, now, bucket=bucket)
    return ttl if ttl > 0 else None


def error_caching_min_ttl(limits: Distribution, status: int, *, bucket: bool) -> int:
    """Return how long an error is kept, and with it the origin not asked again, where the origin says nothing."""
    ttl = limits.error_caching_min_ttls.get(status, ERROR_TTL)
    return max(ttl, _BUCKET_ERROR_TTL) if bucket else ttl


def stale_until(limits: Distribution, headers: Headers, stored_at: float, fresh_until: float) -> float:
    """Return until when an object is served in place of an error of its origin."""
    last = stored_at + limits.max_ttl
    stale_if_error = _control(headers).stale_if_error
    return last if stale_if_error is None else min(last, fresh_until + stale_if_error)


def may_be_shared(limits: Distribution, status: int, headers: Headers, now: float) -> bool:
    """Tell whether a response answers the requests for its key that came meanwhile, too.

    "To prevent request collapsing for specific objects, set the minimum TTL to 0 and configure the origin to send
    private, no-store, no-cache, max-age=0 or s-maxage=0." What is kept is not asked for twice either way.
    https://docs.aws.amazon.com/AmazonCloudFront/latest/DeveloperGuide/RequestAndResponseBehaviorCustomOrigin.html#request-custom-traffic-spikes
    """
    if status in PARTIAL:
        return False
    control = _control(headers)
    kept_to_itself = _is_private(control) or 0 in (control.max_age, control.s_maxage)
    return limits.min_ttl > 0 or not kept_to_itself or bool(seconds_fresh(limits, status, headers, now, bucket=False))


def _seconds_of_object(limits: Distribution, headers: Headers, now: float) -> float | None:
    if _is_private(_control(headers)):
        return limits.min_ttl or None
    stated = _stated(headers, now)
    ttl = max(limits.min_ttl, min(limits.default_ttl if stated is None else stated, limits.max_ttl))
    # Kept at no freshness it can still be revalidated.
    return ttl if ttl > 0 or "etag" in headers or "last-modified" in headers else None


def _seconds_of_error(limits: Distribution, status: int, headers: Headers, now: float, *, bucket: bool) -> float:
    control = _control(headers)
    has_max_age = control.max_age is not None or control.s_maxage is not None
    if status not in _ERRORS and not (status in _ERRORS_WITH_MAX_AGE and has_max_age):
        return 0
    if status in _HEEDING_NO_STORE and _is_private(control):
        return 0
    stated = _stated(headers, now) or 0
    return max(error_caching_min_ttl(limits, status, bucket=bucket), min(stated, limits.max_ttl))


def _control(headers: Headers) -> ResponseCacheControl:
    return parse_cache_control_header(", ".join(headers.getall("cache-control", ())), cls=ResponseCacheControl)


def _is_private(control: ResponseCacheControl) -> bool:
    return bool(control.no_store or control.no_cache or control.private)


def _stated(headers: Headers, now: float) -> float | None:
    control = _control(headers)
    stated = control.s_maxage if control.s_maxage is not None else control.max_age
    if stated is not None or "expires" not in headers:
        return stated
    try:
        return parsedate_to_datetime(headers["expires"]).timestamp() - now
    except (TypeError, ValueError):
        return 0
