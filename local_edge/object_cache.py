"""The CDN's cache: what a request is answered with from it. The viewer's Cache-Control is not heeded."""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

from cachetools import LRUCache
from multidict import CIMultiDict, CIMultiDictProxy
from werkzeug.http import is_resource_modified, parse_range_header

from local_edge.freshness import PARTIAL, error_caching_min_ttl, may_be_shared, seconds_fresh, stale_until
from local_edge.template import Distribution

MAX_BYTES = 256 * 1024 * 1024
MAX_OBJECT_BYTES = 32 * 1024 * 1024
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
    stale_until: float
    """Until when it is served in place of an error of its origin."""

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

    def store(
        self, key: Key, method: str, status: int, headers: CIMultiDictProxy[str], body: bytes, *, bucket: bool = False
    ) -> CachedObject:
        """Return a response as an object, kept if it may be. One that may not takes the place of what was there.

        `bucket`: an S3 origin gave it.
        """
        now = self._clock()
        ttl = seconds_fresh(self._distribution, status, headers, now, bucket=bucket)
        made = self._object(status, headers, body, method, now, ttl or 0)
        if status not in PARTIAL or ttl is not None:
            self._objects.pop(key, None)
        if ttl is not None and len(body) <= MAX_OBJECT_BYTES:
            self._objects[key] = made
        return made

    def refresh(self, key: Key, found: CachedObject, headers: CIMultiDictProxy[str]) -> CachedObject:
        """Keep an object that the origin said is unmodified for another while."""
        now = self._clock()
        merged = CIMultiDict(found.headers)
        for name in ("cache-control", "expires", "date", "etag", "last-modified"):
            if name in headers:
                merged[name] = headers[name]
        proxy = CIMultiDictProxy(merged)
        ttl = seconds_fresh(self._distribution, found.status, proxy, now, bucket=False) or 0
        renewed = self._objects[key] = self._object(found.status, proxy, found.body, found.method, now, ttl)
        return renewed

    def may_be_shared(self, status: int, headers: CIMultiDictProxy[str]) -> bool:
        """Tell whether a response answers the requests for its key that came meanwhile, too."""
        return may_be_shared(self._distribution, status, headers, self._clock())

    def stands_in(self, found: CachedObject) -> bool:
        """Tell whether an object that is fresh no more is served where its origin fails."""
        return found.status < 400 and self._clock() < found.stale_until

    def stand_in(self, key: Key, found: CachedObject, status: int, *, bucket: bool) -> CachedObject:
        """Serve an object in place of an error, and ask its origin again when that error would have gone."""
        pause = error_caching_min_ttl(self._distribution, status, bucket=bucket)
        extended = replace(found, fresh_until=min(self._clock() + pause, found.stale_until))
        self._objects[key] = extended
        return extended

    def age(self, found: CachedObject) -> int:
        """Return whole seconds since the origin gave it, its own Age included."""
        upstream = found.headers.get("age", "0")
        return int(self._clock() - found.stored_at) + (int(upstream) if upstream.isdigit() else 0)

    def _object(
        self, status: int, headers: CIMultiDictProxy[str], body: bytes, method: str, now: float, ttl: float
    ) -> CachedObject:
        last = stale_until(self._distribution, headers, now, now + ttl)
        return CachedObject(status, headers, body, method, now, now + ttl, last)


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
