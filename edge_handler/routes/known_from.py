"""From where a route was known that answered a request: for the local edge's log, and for who asks the edge."""

from typing import Literal

from edge_handler.routes.remembered import Known, Refusal, Ruled
from edge_handler.routes.resolver import Resolver

Source = Literal["memory", "snapshot", "feed", "table"]
"""`memory`, `snapshot`, `feed` (announced since the snapshot), or `table`, for which the viewer waited."""


class KnownFrom:
    """Made before a host is looked up, asked after it was."""

    def __init__(self, resolver: Resolver, host: str) -> None:
        self._resolver = resolver
        self._host = host
        self._before = resolver.memory.get(host)
        self._reads = resolver.reads

    def source(self, route: Known | Ruled | Refusal | None) -> Source | None:
        """Return it; None where nothing was known. `route`: what answers for the host."""
        resolver = self._resolver
        if route is None or (isinstance(route, Refusal) and route.status in (400, 503)):
            return None
        if route is self._before:
            return "memory"
        # The other kind is what is made of it where the table does not answer.
        is_read = resolver.memory.get(self._host) is route and getattr(route, "read_at", None) is None
        if resolver.reads > self._reads and is_read:
            return "table"
        following = resolver.following
        if following is None or (isinstance(route, Refusal) and not route.fresh_until and self._before is not None):
            return "memory"
        domain = resolver.memory.domain_of(self._host) or self._host
        return "feed" if following.was_announced(domain) else "snapshot"
