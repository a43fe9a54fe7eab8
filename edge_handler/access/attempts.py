"""How often somebody may try a password: per domain, and all together, in one instance."""

import time
from collections.abc import Callable

from cachetools import LRUCache

AT_ONCE, EVERY_SECONDS = 5, 10.0
"""Of a domain: so many at once, and one more each time so long has passed."""
ALL_AT_ONCE, ALL_EVERY_SECONDS = 10, 1.0
"""Of all domains, whose viewers share the instance: a hash takes it for a tenth of a second."""
MAX_DOMAINS = 200


class Attempts:
    """Counts them. Who is over the limit waits, right or wrong."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._even_at: LRUCache[str, float] = LRUCache(MAX_DOMAINS)
        """When a domain has all its attempts again."""
        self._all_even_at = 0.0

    def wait(self, domain: str) -> float:
        """Take an attempt of a domain's and return 0; or return the seconds until there is one again."""
        now = self._clock()
        even_at = max(now, self._even_at.get(domain, 0.0))
        wait = even_at - now - (AT_ONCE - 1) * EVERY_SECONDS
        if wait > 0:
            return wait
        self._even_at[domain] = even_at + EVERY_SECONDS
        return 0

    def wait_for_all(self) -> float:
        """Take one of all domains' together, likewise: where there is a password to be compared with."""
        now = self._clock()
        all_even_at = max(now, self._all_even_at)
        wait = all_even_at - now - (ALL_AT_ONCE - 1) * ALL_EVERY_SECONDS
        if wait > 0:
            return wait
        self._all_even_at = all_even_at + ALL_EVERY_SECONDS
        return 0
