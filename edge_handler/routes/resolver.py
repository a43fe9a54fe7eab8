"""From a host to the route that answers for it: memory first, then what is known of all routes, then the routing table.

Freshness lives in the entry, the bound in the cache. Freshness, staleness and expiry go by the time of day, for rows
say when they expire, and a sandbox that was frozen has to see how long. That clock can be set: so an entry is fresh
from the time on at which it was read, and a clock that goes back makes it be read again. Waits and pauses have a clock
of their own (`edge_handler.aws.deadline`).
"""

import random
import time
from collections.abc import Callable, Mapping, Sequence
from math import ceil, inf
from typing import Protocol

from edge_handler.errors import BrokenRow, TableUnreachable
from edge_handler.log import log
from edge_handler.routes.destination import Destination
from edge_handler.routes.memory import Memory
from edge_handler.routes.remembered import Known, Refusal, Ruled, remembered_as
from edge_handler.routes.wildcards import candidates
from edge_handler.settings import Settings

TYPE_CHECKING = False  # as typing has it; a stack without snapshots has no use for the module
if TYPE_CHECKING:
    from edge_handler.feed.follower import Follower
    from edge_handler.snapshot.snapshot import Found

# Replicas that started together must not come back to the table together.
SPREAD = 0.2
# What a look-up may take, whatever is broken: a viewer gets an answer within 2.5 seconds, of a host that is known
# within one. The rest is for S3 (`edge_handler.time_left`), and for what the processor does, a fourteenth of one.
UNKNOWN_HOST_SECONDS = 2.2
KNOWN_HOST_SECONDS = 0.8
# Of hosts that are in no snapshot, an instance reads so many at once, and so many a second in the long run.
UNKNOWN_READS_AT_ONCE = 20
UNKNOWN_READS_A_SECOND = 5.0


Row = Destination | BrokenRow
"""What there is of a domain: its row, or why that is broken."""


class Table(Protocol):
    """What the resolver reads from."""

    def read(
        self, domains: Sequence[str], seconds: float, *, expected: str | None = None
    ) -> Mapping[str, Destination | BrokenRow]:
        """Return the rows that exist, within some seconds; raise TableUnreachable where that cannot be known.

        `expected`: the domain whose row was there.
        """


class Resolver:
    """Answers for hosts, remembers what it learned, and outlives a table that does not answer."""

    def __init__(
        self,
        table: Table,
        settings: Settings,
        clock: Callable[[], float] = time.time,
        following: "Follower | None" = None,
    ) -> None:
        self.memory = Memory()
        self.known = self.memory.known
        self.clock = clock
        self.reads = 0
        """How often a host had to wait for the table."""
        self._table = table
        self.settings = settings
        self.following = following
        self._unknown_reads = float(UNKNOWN_READS_AT_ONCE)
        self._unknown_read_at = -inf

    def resolve(self, host: str) -> Known | Ruled | Refusal:
        """Return what answers for a normalised host. Never raises for anything a row or a table does."""
        now = self.clock()
        remembered = self.memory.get(host)
        if remembered is not None and remembered.fresh_from <= now < remembered.fresh_until:
            return remembered
        seconds = UNKNOWN_HOST_SECONDS if isinstance(remembered, Refusal | None) else KNOWN_HOST_SECONDS
        following = self.following
        if following is not None:
            started = time.monotonic()
            found = self._look_up(host, following, started + KNOWN_HOST_SECONDS / 2)
            if found is not None:
                return found
            if host not in self.known and self.is_in_snapshot(host):
                seconds = KNOWN_HOST_SECONDS
            seconds -= time.monotonic() - started
        self.reads += 1
        known = self.known.get(host)
        try:
            row = self._read(host, time.monotonic() + seconds)
        except TableUnreachable as error:
            return self._without_table(host, known, error)
        # Where what is announced is heard of, no longer than until the next poll: then it is known what has changed.
        return self._learn(host, row, following.fresh_until() or None if following is not None else None)

    def _read(self, host: str, deadline: float) -> Destination | BrokenRow | None:
        """Return the row that answers for a host, of the table's. Raises TableUnreachable."""
        domains, expected = candidates(host), self.memory.domain_of(host)
        if expected == host:
            # Not its wildcards beside it: those are every host's, and would be what DynamoDB is asked for most.
            row = self._newest((host,), deadline, expected)
            if row is not None:
                return row
            domains, expected = domains[1:], None
        return self._newest(domains, deadline, expected) if domains else None

    def _newest(self, domains: Sequence[str], deadline: float, expected: str | None) -> Destination | BrokenRow | None:
        """Return the first row that there is, in one round trip."""
        rows = self._table.read(domains, deadline - time.monotonic(), expected=expected)
        for domain in domains:
            row = rows.get(domain)
            if self.following is not None:
                row = self.following.newest(domain, row)
            if row is not None:
                return row
        return None

    def followed_row(self, host: str) -> tuple[str, Row | None] | None:
        """Return the row that answers for a host, and its domain, as the feed has it now; None where it has to be read.

        Nothing of it is remembered.
        """
        if self.following is None or not self.following.fresh_until():
            return None
        domain, row = _found(host, self.following)
        return None if isinstance(row, str) else (domain, row)

    def read_row(self, host: str, deadline: float) -> tuple[str, Row | None]:
        """Return the same of the table's. Raises TableUnreachable."""
        domains = candidates(host)
        rows = self._table.read(domains, deadline - time.monotonic())
        for domain in domains:
            row = rows.get(domain)
            if self.following is not None:
                row = self.following.newest(domain, row)
            if row is not None:
                return domain, row
        return host, None

    def is_in_snapshot(self, host: str) -> bool:
        """Tell whether there is a row for a host, as far as is known without asking."""
        return self.following is not None and isinstance(_found(host, self.following)[1], Destination)

    def _look_up(self, host: str, following: "Follower", deadline: float) -> Known | Ruled | Refusal | None:
        """Return what is known of a host without reading its row, None where it has to be read."""
        self.memory.forget(following.advance(self.known, self.memory.wildcards))
        until = following.fresh_until()
        if not until and (host in self.known or self.is_in_snapshot(host)):
            # One poll for all hosts, instead of a read for each.
            self.memory.forget(following.catch_up(deadline) or ())
            until = following.fresh_until()
        if not until:
            return None
        remembered = self.memory.get(host)
        # What does not last ends, and nothing announces that.
        if remembered is not None and remembered.lasts and following.trusted_from <= remembered.since() <= self.clock():
            return self._extend(host, remembered, until)
        domain, row = _found(host, following)
        if isinstance(row, str):
            # Of a wildcard, whose names anybody can make up, it is as good as read for another of them.
            row = self.memory.row_since(domain, following.trusted_from, self.clock())
            if row is None:
                return None
        elif row is None and self._may_read_unknown():
            return None
        return self._learn(host, row, until)

    def _extend(self, host: str, remembered: Known | Ruled | Refusal, until: float) -> Known | Ruled | Refusal:
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

    def _learn(
        self, host: str, row: Destination | BrokenRow | None, until: float | None = None
    ) -> Known | Ruled | Refusal:
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
        fresh_until = now + self._spread(self.settings.fresh_seconds) if until is None else until
        if expires_at is not None:
            fresh_until = min(fresh_until, expires_at)
        route = remembered_as(host, row, now, fresh_until)
        self.memory.keep(host, route, row.domain)
        if row.domain != host and self.following is not None:
            self.memory.keep_row(row, now)
        return route

    def _refuse(self, host: str, status: int, reason: str, until: float | None = None) -> Refusal:
        now = self.clock()
        fresh_until = now + self._spread(self.settings.unknown_seconds) if until is None else until
        refusal = Refusal(status, reason, now, fresh_until)
        self.memory.refuse(host, refusal)
        return refusal

    def _without_table(
        self, host: str, known: Known | Ruled | None, error: TableUnreachable
    ) -> Known | Ruled | Refusal:
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
            stale_until = known.read_at + self.settings.stale_seconds
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

    def _last_known(self, host: str, known: Known | Ruled | None, now: float) -> Known | Ruled | None:
        """Return what a host was last known as: remembered, or in a newer snapshot."""
        following = self.following
        if following is None or (known is not None and known.since() >= following.known_at):
            return known
        row = _found(host, following)[1]
        if not isinstance(row, Destination):
            return known
        known = remembered_as(host, row, now, now)
        self.memory.keep(host, known, row.domain)
        known.read_at = min(now, following.known_at)
        return known

    def _spread(self, seconds: float) -> float:
        return seconds * (1 - SPREAD * random.random())


def _found(host: str, following: "Follower") -> tuple[str, "Found"]:
    """Return what is known of the row that answers for a host, the most specific there is, and its domain."""
    for domain in candidates(host):
        found = following.find(domain)
        if found is not None:
            return domain, found
    return host, None
