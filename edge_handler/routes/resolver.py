"""From a host to the route that answers for it: memory first, then what is known of all routes, then the routing table.

Freshness lives in the entry, the bound in the cache. Freshness, staleness and expiry go by the time of day, for rows
say when they expire, and a sandbox that was frozen has to see how long. That clock can be set: so an entry is fresh
from the time on at which it was read, and a clock that goes back makes it be read again. Waits and pauses have a clock
of their own (`edge_handler.aws.deadline`).
"""

import random
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from itertools import islice
from math import ceil, inf
from typing import Protocol

from cachetools import LRUCache

from edge_handler.errors import BrokenRow, TableUnreachable
from edge_handler.log import log
from edge_handler.routes.destination import Destination
from edge_handler.routes.origin import website_flags
from edge_handler.routes.stamp import HEADER, encode_stamp, names_former
from edge_handler.settings import Settings

TYPE_CHECKING = False  # as typing has it; a stack without snapshots has no use for the module
if TYPE_CHECKING:
    from edge_handler.feed.follower import Follower

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
# Of hosts that are in no snapshot, an instance reads so many at once, and so many a second in the long run.
UNKNOWN_READS_AT_ONCE = 20
UNKNOWN_READS_A_SECOND = 5.0


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

    def since(self) -> float:
        """Return when its row was read."""
        return self.fresh_from if self.read_at is None else self.read_at

    @property
    def stamp(self) -> str:
        """What is told to origin-request."""
        return self[0]["value"]


class Refusal:
    """A host that no route answers for: the status to say so with, and why."""

    __slots__ = ("fresh_from", "fresh_until", "reason", "retry_after", "status")
    expires_at = None

    def __init__(
        self, status: int, reason: str, now: float = 0, fresh_until: float = 0, retry_after: int | None = None
    ) -> None:
        self.status = status
        self.reason = reason
        self.fresh_from = now
        self.fresh_until = fresh_until
        self.retry_after = retry_after

    def since(self) -> float:
        """Return when it was found to be so."""
        return self.fresh_from


class Resolver:
    """Answers for hosts, remembers what it learned, and outlives a table that does not answer."""

    def __init__(
        self,
        table: Table,
        settings: Settings,
        clock: Callable[[], float] = time.time,
        following: "Follower | None" = None,
    ) -> None:
        # The least recently read first. Not an LRUCache: a host that is asked for is read again after the fresh time,
        # and moves to the back then, so a hit needs to move nothing.
        self.known: dict[str, Known] = {}
        # Apart from the routes, so that a flood of made-up names cannot push out real ones.
        self.refusals: LRUCache[str, Refusal] = LRUCache(MAX_REFUSALS)
        self.clock = clock
        self.reads = 0
        """How often a host had to wait for the table."""
        self._table = table
        self._settings = settings
        self.following = following
        self._unknown_reads = float(UNKNOWN_READS_AT_ONCE)
        self._unknown_read_at = -inf

    def resolve(self, host: str) -> Known | Refusal:
        """Return what answers for a normalised host. Never raises for anything a row or a table does."""
        now = self.clock()
        known = self.known.get(host)
        remembered = known if known is not None else self.refusals.get(host)
        if remembered is not None and remembered.fresh_from <= now < remembered.fresh_until:
            return remembered
        seconds = UNKNOWN_HOST_SECONDS if known is None else KNOWN_HOST_SECONDS
        following = self.following
        if following is not None:
            started = time.monotonic()
            found = self._look_up(host, following, started + KNOWN_HOST_SECONDS / 2)
            if found is not None:
                return found
            known = self.known.get(host)
            if known is None and self.is_in_snapshot(host):
                seconds = KNOWN_HOST_SECONDS
            seconds -= time.monotonic() - started
        self.reads += 1
        try:
            row = self._table.read((host,), seconds, expected=known is not None).get(host)
        except TableUnreachable as error:
            return self._without_table(host, known, error)
        if following is None:
            return self._learn(host, row)
        # Where what is announced is heard of, no longer than until the next poll: then it is known what has changed.
        return self._learn(host, following.newest(host, row), following.fresh_until() or None)

    def is_in_snapshot(self, host: str) -> bool:
        """Tell whether there is a row of a host, as far as is known without asking."""
        return self.following is not None and isinstance(self.following.find(host), Destination)

    def _look_up(self, host: str, following: "Follower", deadline: float) -> Known | Refusal | None:
        """Return what is known of a host without reading its row, None where it has to be read."""
        self._forget(following.advance(self.known))
        until = following.fresh_until()
        if not until and (host in self.known or self.is_in_snapshot(host)):
            # One poll for all hosts, instead of a read for each.
            self._forget(following.catch_up(deadline) or ())
            until = following.fresh_until()
        if not until:
            return None
        remembered = self.known.get(host) or self.refusals.get(host)
        # A former deployment is named for a while only, and nothing announces the end of that.
        lasts = remembered is not None and (isinstance(remembered, Refusal) or not names_former(remembered.stamp))
        if remembered is not None and lasts and following.trusted_from <= remembered.since() <= self.clock():
            return self._extend(host, remembered, until)
        row = following.find(host)
        if isinstance(row, str) or (row is None and self._may_read_unknown()):
            return None
        return self._learn(host, row, until)

    def _forget(self, domains: Collection[str]) -> None:
        """What was announced is looked up again by whoever asks for it next."""
        for domain in domains:
            self.known.pop(domain, None)
            self.refusals.pop(domain, None)

    def _extend(self, host: str, remembered: Known | Refusal, until: float) -> Known | Refusal:
        """Nothing was announced of it: it is as good as read."""
        expires_at = remembered.expires_at
        if expires_at is None:
            remembered.fresh_until = until
        elif self.clock() < expires_at:
            remembered.fresh_until = min(until, expires_at)
        else:
            return self._refuse(host, 410, "the route has expired", until)
        return remembered

    def _may_read_unknown(self) -> bool:
        """Tell whether the table may be asked for a host that is in no snapshot: it may have been made a moment ago.

        A flood of such hosts gets the snapshot's word.
        """
        now = time.monotonic()
        more = (now - self._unknown_read_at) * UNKNOWN_READS_A_SECOND
        self._unknown_reads = min(UNKNOWN_READS_AT_ONCE, self._unknown_reads + more)
        self._unknown_read_at = now
        if self._unknown_reads < 1:
            return False
        self._unknown_reads -= 1
        return True

    def _learn(self, host: str, row: Destination | BrokenRow | None, until: float | None = None) -> Known | Refusal:
        """Remember what a row says; `until`: how long it is fresh, where the feed tells of changes."""
        now = self.clock()
        if row is None:
            return self._refuse(host, 404, "no route has this domain", until)
        if isinstance(row, BrokenRow):
            # The page does not say what is wrong with it, for that would say what is behind.
            log("ERROR", "a row of the routing table is broken", domain=host, error=str(row))
            return self._refuse(host, 502, "the row of this domain cannot be read", until)
        expires_at = row.expires_at
        if expires_at is not None and now >= expires_at:
            return self._refuse(host, 410, "the route has expired", until)
        fresh_until = now + self._spread(self._settings.fresh_seconds) if until is None else until
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

    def _refuse(self, host: str, status: int, reason: str, until: float | None = None) -> Refusal:
        self.known.pop(host, None)
        now = self.clock()
        fresh_until = now + self._spread(self._settings.unknown_seconds) if until is None else until
        refusal = Refusal(status, reason, now, fresh_until)
        self.refusals[host] = refusal
        return refusal

    def _without_table(self, host: str, known: Known | None, error: TableUnreachable) -> Known | Refusal:
        now = self.clock()
        known = self._last_known(host, known, now)
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
        if self.following is not None:
            # It may have been made while this sandbox was frozen.
            self.following.look_for_newer()
        return Refusal(503, str(error), retry_after=max(1, ceil(error.retry_after)))

    def _last_known(self, host: str, known: Known | None, now: float) -> Known | None:
        """Return what a host was last known as: remembered, or in a newer snapshot."""
        following = self.following
        if following is None or (known is not None and known.since() >= following.known_at):
            return known
        row = following.find(host)
        if not isinstance(row, Destination):
            return known
        known = self._keep(host, Known(host, row, now, now))
        known.read_at = min(now, following.known_at)
        return known

    def _spread(self, seconds: float) -> float:
        return seconds * (1 - SPREAD * random.random())
