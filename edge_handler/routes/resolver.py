"""From a host to the route that answers for it: memory first, then the routing table.

Freshness lives in the entry (fresh until, stale until), the bound in the cache.
"""

import random
import time
from collections.abc import Callable, Sequence
from itertools import islice
from typing import Protocol

from cachetools import LRUCache

from edge_handler.errors import BrokenRow, TableUnreachable
from edge_handler.log import log
from edge_handler.routes.route import Item, Route, decode_route
from edge_handler.routes.stamp import HEADER, encode_stamp
from edge_handler.settings import Settings

MAX_ROUTES = 50_000
# How many routes leave when there is no room: a few at once cost less than one at a time.
EVICTED = 500
MAX_REFUSALS = 2_000
# Replicas that started together must not come back to the table together.
SPREAD = 0.2


class Table(Protocol):
    """What the resolver reads from."""

    def read(self, domains: Sequence[str]) -> Sequence[Item]:
        """Return the rows that exist; raise TableUnreachable where that cannot be known."""


class Known(list[dict[str, str]]):
    """A host that a route answers for. It is itself the value of the request's header: a hit assigns it.

    Shared by all requests: nobody may change it. One object for both, for with 50,000 of them a second one each
    would be megabytes, and work for the garbage collector.
    """

    __slots__ = ("expires_at", "fresh_until", "stale_until", "website")

    def __init__(self, host: str, route: Route, fresh_until: float) -> None:
        super().__init__(({"key": HEADER, "value": encode_stamp(host, route.generation, route.origin)},))
        self.fresh_until = fresh_until
        self.stale_until: float | None = None
        """Known when it is needed: from the first time on that the table did not answer."""
        self.expires_at = route.expires_at
        self.website = route.origin.website

    @property
    def stamp(self) -> str:
        """What is told to origin-request."""
        return self[0]["value"]


class Refusal:
    """A host that no route answers for: the status to say so with, and why."""

    __slots__ = ("fresh_until", "reason", "retry_after", "status")

    def __init__(self, status: int, reason: str, fresh_until: float, retry_after: int | None = None) -> None:
        self.status = status
        self.reason = reason
        self.fresh_until = fresh_until
        self.retry_after = retry_after


class Resolver:
    """Answers for hosts, remembers what it learned, and outlives a table that does not answer."""

    def __init__(self, table: Table, settings: Settings, clock: Callable[[], float] = time.time) -> None:
        # The least recently read first. Not an LRUCache: a host that is asked for is read again after the fresh time,
        # and moves to the back then, so a hit needs to move nothing.
        self.known: dict[str, Known] = {}
        # Apart from the routes, so that a flood of made-up names cannot push out real ones.
        self.refusals: LRUCache[str, Refusal] = LRUCache(MAX_REFUSALS)
        self.clock = clock
        self._table = table
        self._settings = settings

    def resolve(self, host: str) -> Known | Refusal:
        """Return what answers for a normalised host. Never raises for anything a row or a table does."""
        now = self.clock()
        known = self.known.get(host)
        if known is not None and now < known.fresh_until:
            return known
        refusal: Refusal | None = self.refusals.get(host)
        if known is None and refusal is not None and now < refusal.fresh_until:
            return refusal
        try:
            rows = self._table.read((host,))
        except TableUnreachable as error:
            return self._without_table(host, known, error)
        return self._learn(host, rows)

    def _learn(self, host: str, rows: Sequence[Item]) -> Known | Refusal:
        now = self.clock()
        if not rows:
            return self._refuse(host, 404, "no route has this domain", now)
        try:
            route = decode_route(rows[0])
        except BrokenRow as error:
            log("ERROR", "a row of the routing table is broken", domain=host, error=str(error))
            return self._refuse(host, 502, str(error), now)
        if route.expires_at is not None and now >= route.expires_at:
            return self._refuse(host, 410, "the route has expired", now)
        fresh_until = now + self._spread(self._settings.fresh_seconds)
        if route.expires_at is not None:
            fresh_until = min(fresh_until, route.expires_at)
        self.refusals.pop(host, None)
        return self._keep(host, Known(host, route, fresh_until))

    def _keep(self, host: str, route: Known) -> Known:
        known = self.known
        known.pop(host, None)
        if len(known) >= MAX_ROUTES:
            for oldest in [*islice(known, EVICTED)]:
                del known[oldest]
        known[host] = route
        return route

    def _refuse(self, host: str, status: int, reason: str, now: float) -> Refusal:
        self.known.pop(host, None)
        refusal = Refusal(status, reason, now + self._spread(self._settings.unknown_seconds))
        self.refusals[host] = refusal
        return refusal

    def _without_table(self, host: str, known: Known | None, error: TableUnreachable) -> Known | Refusal:
        now = self.clock()
        if known is not None:
            expires_at = known.expires_at
            if expires_at is not None and now >= expires_at:
                return self._refuse(host, 410, "the route has expired", now)
            if known.stale_until is None:
                # Counted from the reading, or a little earlier: by how much its freshness was cut short.
                known.stale_until = known.fresh_until - self._settings.fresh_seconds + self._settings.stale_seconds
            if now < known.stale_until:
                # A hit until the table is worth asking again: an outage costs no more than health does.
                until = min(error.retry_at, known.stale_until)
                known.fresh_until = until if expires_at is None else min(until, expires_at)
                return known
        return Refusal(503, str(error), now, retry_after=max(1, round(error.retry_at - now)))

    def _spread(self, seconds: float) -> float:
        return seconds * (1 - SPREAD * random.random())
