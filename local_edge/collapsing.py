"""Request collapsing: of concurrent requests for one key, one goes to the origin and the others get its answer.

https://docs.aws.amazon.com/AmazonCloudFront/latest/DeveloperGuide/RequestAndResponseBehaviorCustomOrigin.html#request-custom-traffic-spikes
"""

import asyncio
from collections.abc import Awaitable, Callable, Hashable
from dataclasses import dataclass, field
from typing import TypeVar

from local_edge.object_cache import CachedObject
from local_edge.template import Distribution

Response = TypeVar("Response")
Share = Callable[[CachedObject | None], None]
"""Gives the waiting requests their answer; None: each has to go to the origin itself."""


@dataclass(slots=True)
class _Flight:
    """One request on its way, and what those that wait for it are to do."""

    over: asyncio.Event = field(default_factory=asyncio.Event)
    answer: CachedObject | None = None
    alone: bool = False


class Collapser:
    """The requests that are on their way to an origin, by key."""

    def __init__(self) -> None:
        self._flights: dict[Hashable, _Flight] = {}

    async def answer(self, key: Hashable, ask: Callable[[Share], Awaitable[Response]]) -> Response | CachedObject:
        """Return what `ask` does, or the answer that another request for the key shared meanwhile.

        Where that request ends without a word - its viewer has gone, a function failed - one that waits takes over.
        """
        while (ahead := self._flights.get(key)) is not None:
            await ahead.over.wait()
            if ahead.answer is not None:
                return ahead.answer
            if ahead.alone:
                return await ask(share_with_nobody)
        flight = self._flights[key] = _Flight()

        def share(answer: CachedObject | None) -> None:
            if not flight.over.is_set():
                flight.answer, flight.alone = answer, answer is None
                self._end(key, flight)

        try:
            return await ask(share)
        finally:
            self._end(key, flight)

    def _end(self, key: Hashable, flight: _Flight) -> None:
        # Whoever comes from now on is not concurrent any more.
        if self._flights.get(key) is flight:
            del self._flights[key]
        flight.over.set()


def share_with_nobody(_: CachedObject | None) -> None:
    """Share nothing."""


def may_collapse(distribution: Distribution) -> bool:
    """Tell whether a distribution collapses requests at all.

    "Currently, CloudFront doesn't support request collapsing if you enable cookie forwarding in the cache policy, the
    origin request policy"; and the managed policy CachingDisabled, which is a maximum TTL of 0, prevents it.
    """
    forwards_cookies = {distribution.cache_key.cookies.behavior, distribution.forwarded.cookies.behavior} != {"none"}
    return distribution.max_ttl > 0 and not forwards_cookies
