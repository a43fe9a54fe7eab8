"""The CDN's cache: what may be kept for how long, and what a request is answered with from it.

CloudFront's rules, which are not quite RFC 9111's: the policy's TTLs bound what the origin says, and the
viewer's Cache-Control is not heeded.
https://docs.aws.amazon.com/AmazonCloudFront/latest/DeveloperGuide/Expiration.html
"""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from email.utils import parsedate_to_datetime

from cachetools import LRUCache
from multidict import CIMultiDict, CIMultiDictProxy
from werkzeug.datastructures import ResponseCacheControl
from werkzeug.http import is_resource_modified, parse_cache_control_header, parse_range_header

from local_edge.template import Distribution

MAX_BYTES = 256 * 1024 * 1024
MAX_OBJECT_BYTES = 32 * 1024 * 1024
# CloudFront keeps errors of an origin for 10 seconds where neither it nor the distribution says otherwise.
ERROR_TTL = 10
_CACHEABLE = frozenset((200, 203, 300, 301, 302, 307, 308))
_CACHEABLE_ERRORS = frozenset((404, 405, 410, 414, 416, 500, 501, 502, 503, 504))
Key = tuple[object, ...]


@dataclass(frozen=True, slots=True)
class CachedObject:
    """A response as the origin gave it; times in epoch seconds."""

    status: int
    headers: CIMultiDictProxy[str]
    body: bytes
    method: str
    stored_at: float
    fresh_until: float

    def serves(self, method: str) -> bool:
        """Tell whether it answers `method`: a GET's object answers HEAD too."""
        return method == self.method or (method == "HEAD" and self.method == "GET")


class ObjectCache:
    """Objects under the keys that the cache policy makes, bounded by bytes."""

    def __init__(self, distribution: Distribution, clock: Callable[[], float] = time.time) -> None:
        self._distribution = distribution
        self._clock = clock
        self._objects: LRUCache[Key, CachedObject] = LRUCache(MAX_BYTES, getsizeof=lambda found: len(found.body) + 2048)

    def keys(self) -> list[Key]:
        """Return what is kept, fresh or not."""
        return list(self._objects)

    def find(self, key: Key, method: str) -> tuple[CachedObject | None, bool]:
        """Return the object, and whether it is fresh."""
        found = self._objects.get(key)
        if found is None or not found.serves(method):
            return None, False
        return found, self._clock() < found.fresh_until

    def store(self, key: Key, method: str, status: int, headers: CIMultiDictProxy[str], body: bytes) -> None:
        """Keep a response, if it may be kept. One that may not takes the place of what was there."""
        self._objects.pop(key, None)
        ttl = self._ttl(status, headers)
        now = self._clock()
        if ttl is not None and len(body) <= MAX_OBJECT_BYTES:
            self._objects[key] = CachedObject(status, headers, body, method, now, now + ttl)

    def refresh(self, key: Key, found: CachedObject, headers: CIMultiDictProxy[str]) -> CachedObject:
        """Keep an object that the origin said is unmodified for another while."""
        now = self._clock()
        merged = CIMultiDict(found.headers)
        for name in ("cache-control", "expires", "date", "etag", "last-modified"):
            if name in headers:
                merged[name] = headers[name]
        ttl = self._ttl(found.status, CIMultiDictProxy(merged)) or 0
        renewed = replace(found, headers=CIMultiDictProxy(merged), stored_at=now, fresh_until=now + ttl)
        self._objects[key] = renewed
        return renewed

    def age(self, found: CachedObject) -> int:
        """Return whole seconds since the origin gave it, its own Age included."""
        upstream = found.headers.get("age", "0")
        return int(self._clock() - found.stored_at) + (int(upstream) if upstream.isdigit() else 0)

    def _ttl(self, status: int, headers: CIMultiDictProxy[str]) -> float | None:
        """Return seconds to keep a response fresh, None for not keeping it."""
        limits = self._distribution
        control = parse_cache_control_header(", ".join(headers.getall("cache-control", ())), cls=ResponseCacheControl)
        if status not in _CACHEABLE | _CACHEABLE_ERRORS or headers.get("vary") == "*":
            return None
        if control.no_store or control.no_cache or control.private:
            return limits.min_ttl or None
        stated: float | None = control.s_maxage if control.s_maxage is not None else control.max_age
        if stated is None and "expires" in headers:
            stated = self._seconds_until(headers["expires"])
        if stated is None:
            stated = ERROR_TTL if status in _CACHEABLE_ERRORS else limits.default_ttl
        ttl = max(limits.min_ttl, min(stated, limits.max_ttl))
        # Kept at no freshness it can still be revalidated.
        return ttl if ttl > 0 or "etag" in headers or "last-modified" in headers else None

    def _seconds_until(self, date: str) -> float:
        try:
            return parsedate_to_datetime(date).timestamp() - self._clock()
        except (TypeError, ValueError):
            return 0


def is_unmodified(found: CachedObject, method: str, headers: Mapping[str, str]) -> bool:
    """Tell whether the viewer's conditional headers (lower-case names) hold a current copy."""
    if found.status != 200 or not headers.keys() & {"if-none-match", "if-modified-since"}:
        return False
    environ = {"REQUEST_METHOD": method}
    environ |= {f"HTTP_{name.upper().replace('-', '_')}": headers[name] for name in headers if name.startswith("if-")}
    last_modified = found.headers.get("last-modified")
    return not is_resource_modified(environ, etag=_plain_etag(found), last_modified=last_modified)


def byte_range(found: CachedObject, headers: Mapping[str, str]) -> tuple[int, int] | None:
    """Return start and stop of the part of a cached object that the viewer asks for, None for the whole.

    Raises:
        ValueError: the range lies outside the object (416).
    """
    asked = parse_range_header(headers.get("range"))
    if asked is None or found.status != 200 or asked.units != "bytes" or len(asked.ranges) != 1:
        return None
    if "if-range" in headers and headers["if-range"] not in (
        found.headers.get("etag"),
        found.headers.get("last-modified"),
    ):
        return None
    length = int(found.headers.get("content-length", len(found.body)))
    limits = asked.range_for_length(length)
    if limits is None:
        raise ValueError(f"bytes */{length}")
    return limits


def _plain_etag(found: CachedObject) -> str | None:
    etag = found.headers.get("etag")
    return etag.removeprefix("W/").strip('"') if etag else None
