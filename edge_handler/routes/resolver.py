"""From a host to the route that answers for it: memory first, then the routing table.

Freshness lives in the entry, the bound in the cache. Freshness, staleness and expiry go by the time of day, for rows
say when they expire, and a sandbox that was frozen has to see how long. That clock can be set: so an entry is fresh
from the time on at which it was read, and a clock that goes back makes it be read again. Waits and pauses have a clock
of their own (`edge_handler.aws.deadline`).
"""

import random
import time
from collections.abc import Callable, Mapping, Sequence
from itertools import islice
from math import ceil
from typing import Protocol

from cachetools import LRUCache

from edge_handler.errors import BrokenRow, TableUnreachable
from edge_handler.log import log
from edge_handler.routes.destination import Destination
from edge_handler.routes.origin import website_flags
from edge_handler.routes.stamp import HEADER, encode_stamp
from edge_handler.settings import Settings

MAX_ROUTES = 50_000
# How many routes leave when there is no room: a few at once cost less than one at a time.
EVICTED = 500
MAX_REFUSALS = 2_000
# Replicas that started together must not come back to the table together.
SPREAD = 0.2
# What a look-up may take, whatever is broken: a viewer gets an answer within 2.5 seconds, of a host that is known
# within one. The rest is for S3 (`edge_handler.time_left`), and for what the processor does, a fourteenth of one.
UNKNOWN_HOST_SECONDS = 2.2
KNOWN_HOST_SECONDS = 0.8


class Table(Protocol):
    """What the resolver reads from."""

    def read(
        self, domains: Sequence[str], seconds: float, *, expected: bool = False
    ) -> Mapping[str, Destination | BrokenRow]:
        """Return the rows that exist, within some seconds; raise TableUnreachable where that cannot be known.

        `expected`: the row was there.
        """


class Known(list[dict[str, str]]):
    """A host that a route answers for. It is itself the value of the request's header: a hit assigns it.

    Shared by all requests: nobody may change it. One object for both, for with 50,000 of them a second one each
    would be megabytes, and work for the garbage collector.
    """

    __slots__ = ("expires_at", "fresh_from", "fresh_until", "read_at", "website")

    def __init__(self, host: str, route: Destination, now: float, fresh_until: float) -> None:
        former = tuple(one.deployment for one in route.former if now < one.until)
        super().__init__(({"key": HEADER, "value": encode_stamp(host, route.generation, route.origin, former)},))
        self.fresh_from = now
        self.fresh_until = fresh_until
        self.read_at: float | None = None
        """Known when it differs from `fresh_from`: from the first time on that the table did not answer."""
        self.expires_at = route.expires_at
        self.website = website_flags(route.origin)

    @property
    def stamp(self) -> str:
        """What is told to origin-request."""
        return self[0]["value"]


class Refusal:
    """A host that no route answers for: the status to say so with, and why."""

    __slots__ = ("fresh_from", "fresh_until", "reason", "retry_after", "status")

    def __init__(
        self, status: int, reason: str, now: float = 0, fresh_until: float = 0, retry_after: int | None = None
    ) -> None:
        self.status = status
        self.reason = reason
        self.fresh_from = now
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
        if known is not None:
            if known.fresh_from <= now < known.fresh_until:
                return known
        else:
            refusal: Refusal | None = self.refusals.get(host)
            if refusal is not None and refusal.fresh_from <= now < refusal.fresh_until:
                return refusal
        seconds = UNKNOWN_HOST_SECONDS if known is None else KNOWN_HOST_SECONDS
        try:
            row = self._table.read((host,), seconds, expected=known is not None).get(host)
        except TableUnreachable as error:
            return self._without_table(known, error)
        return self._learn(host, row)

    def _learn(self, host: str, row: Destination | BrokenRow | None) -> Known | Refusal:
        now = self.clock()
        if row is None:
            return self._refuse(host, 404, "no route has this domain", now)
        if isinstance(row, BrokenRow):
            # The page does not say what is wrong with it, for that would say what is behind.
            log("ERROR", "a row of the routing table is broken", domain=host, error=str(row))
            return self._refuse(host, 502, "the row of this domain cannot be read", now)
        expires_at = row.expires_at
        if expires_at is not None and now >= expires_at:
            return self._refuse(host, 410, "the route has expired", now)
        fresh_until = now + self._spread(self._settings.fresh_seconds)
        if expires_at is not None:
            fresh_until = min(fresh_until, expires_at)
        self.refusals.pop(host, None)
        return self._keep(host, Known(host, row, now, fresh_until))

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
        refusal = Refusal(status, reason, now, now + self._spread(self._settings.unknown_seconds))
        self.refusals[host] = refusal
        return refusal

    def _without_table(self, known: Known | None, error: TableUnreachable) -> Known | Refusal:
        now = self.clock()
        if known is not None:
            expires_at = known.expires_at
            if expires_at is not None and now >= expires_at:
                # Not forgotten: a clock that is ahead may be put right before the table answers again.
                return Refusal(410, "the route has expired")
            if known.read_at is None or known.read_at > now:
                # The second: the clock was put back, and nobody knows any more how long ago it was read.
                known.read_at = min(known.fresh_from, now)
            stale_until = known.read_at + self._settings.stale_seconds
            if now < stale_until:
                # A hit until the table is worth asking again: an outage costs no more than health does.
                until = min(now + error.retry_after, stale_until)
                known.fresh_from = now
                known.fresh_until = until if expires_at is None else min(until, expires_at)
                return known
        return Refusal(503, str(error), retry_after=max(1, ceil(error.retry_after)))

    def _spread(self, seconds: float) -> float:
        return seconds * (1 - SPREAD * random.random())
