"""The hosts that an instance remembers, and how many of which kind: what one kind needs takes nothing from another."""

from collections.abc import Collection
from itertools import islice

from cachetools import LRUCache

from edge_handler.routes.destination import Destination
from edge_handler.routes.remembered import Known, Refusal, Ruled
from edge_handler.routes.wildcards import is_under, is_wildcard

MAX_ROUTES = 50_000
"""Hosts with a row of their own."""
EVICTED = 500
"""How many of them leave when there is no room: a few at once cost less than one at a time."""
MAX_UNDER_WILDCARDS = 5_000
"""Hosts that a wildcard answers for: anybody can make them up."""
MAX_RULES_OF_ALL = 20_000
"""Of all hosts with a row of their own together, what guards them counted in; those under a wildcard share its."""
MAX_REFUSALS = 2_000
MAX_WILDCARD_ROWS = 50
"""The rows of wildcards themselves, for names that are yet to be asked for."""


class Memory:
    """Hosts by name. What is in `known` is a hit; whoever asks there moves nothing."""

    def __init__(self) -> None:
        # The least recently read first. Not an LRUCache: a host that is asked for is read again after the fresh time,
        # and moves to the back then, so a hit needs to move nothing.
        self.known: dict[str, Known | Ruled] = {}
        self.refusals: LRUCache[str, Refusal] = LRUCache(MAX_REFUSALS)
        self.wildcards: dict[str, str] = {}
        """The wildcard that answers for a host, of those in `known` that have no row of their own."""
        self._rows: LRUCache[str, tuple[Destination, float]] = LRUCache(MAX_WILDCARD_ROWS)
        self._rules: dict[str, int] = {}
        self._rule_count = 0

    def get(self, host: str) -> Known | Ruled | Refusal | None:
        """Return what is remembered of a host, however old."""
        known = self.known.get(host)
        return known if known is not None else self.refusals.get(host)

    def domain_of(self, host: str) -> str | None:
        """Return the domain of the row that answers for a host that is known."""
        return self.wildcards.get(host, host) if host in self.known else None

    def keep(self, host: str, route: Known | Ruled, domain: str) -> None:
        """Remember a host; `domain` is its row's."""
        self.drop(host)
        if domain != host:
            if len(self.wildcards) >= MAX_UNDER_WILDCARDS:
                self.drop(next(iter(self.wildcards)))
            self.wildcards[host] = domain
        elif len(self.known) - len(self.wildcards) >= MAX_ROUTES:
            own = (one for one in self.known if one not in self.wildcards)
            for oldest in [*islice(own, EVICTED)]:
                self.drop(oldest)
        if isinstance(route, Ruled) and domain == host:
            weight = route.weight
            self._make_room(weight)
            self._rules[host] = weight
            self._rule_count += weight
        self.known[host] = route

    def keep_row(self, row: Destination, now: float) -> None:
        """Remember a wildcard's row as it was found at a time, where what changes is announced."""
        self._rows[row.domain] = row, now

    def row_since(self, domain: str, since: float, now: float) -> Destination | None:
        """Return a wildcard's row if it was found between two times, and nothing was announced of it."""
        row, found_at = self._rows.get(domain, (None, 0.0))
        return row if since <= found_at <= now else None

    def refuse(self, host: str, refusal: Refusal) -> None:
        """Remember that no route answers for a host."""
        self.drop(host)
        self.refusals[host] = refusal

    def drop(self, host: str) -> None:
        """Forget a host."""
        self.known.pop(host, None)
        self.refusals.pop(host, None)
        if self.wildcards:
            self.wildcards.pop(host, None)
        if self._rules:
            self._rule_count -= self._rules.pop(host, 0)

    def forget(self, domains: Collection[str]) -> None:
        """Forget what was learned of rows that are others now: of all names under a wildcard, too."""
        for domain in domains:
            self.drop(domain)
            if is_wildcard(domain):
                self._rows.pop(domain, None)
                # Also those that another wildcard answered for: this one may be more specific.
                for host in [one for one in (*self.wildcards, *self.refusals) if is_under(one, domain)]:
                    self.drop(host)

    def _make_room(self, weight: int) -> None:
        while self._rules and self._rule_count + weight > MAX_RULES_OF_ALL:
            self.drop(next(iter(self._rules)))
