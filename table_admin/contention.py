"""Several writers at once: who finds a row changed by somebody else plans again, over what it is now."""

import functools
import random
import time
from collections.abc import Callable
from typing import Concatenate, ParamSpec, Protocol, TypeVar

from table_admin.errors import RevisionConflict

_ATTEMPTS = 20
"""Of writers who all want something else, one gets through each time."""
_PAUSE_SECONDS = 0.02
_MOST_SECONDS = 0.5


class _Requested(Protocol):
    @property
    def request(self) -> str: ...


P = ParamSpec("P")
T = TypeVar("T")
Table = TypeVar("Table", bound=_Requested)


def settled(attempt: Callable[[], T]) -> T:
    """Return what `attempt` does: it reads, plans and writes, and is run again where another writer was faster.

    So who wanted what the other made finds it made; who wanted something else writes over it.

    Raises:
        RevisionConflict: the caller gave a revision, and it is another now; or others were faster every time.
    """
    seen = set()
    for number in range(_ATTEMPTS - 1):
        try:
            return attempt()
        except RevisionConflict as error:
            # The same once more: nobody wrote meanwhile, so it is a damaged row that nothing can be compared with.
            if error.given or (error.domain, error.revision) in seen:
                raise
            seen.add((error.domain, error.revision))
        time.sleep(random.uniform(0, pause(_PAUSE_SECONDS, number, _MOST_SECONDS)))
    return attempt()


def pause(first: float, number: int, most: float) -> float:
    """Return the seconds of a pause that doubles each time."""
    return float(min(first * 2**number, most))


def replanned(function: Callable[Concatenate[Table, P], T]) -> Callable[Concatenate[Table, P], T]:
    """Make a function that reads, plans and writes in one transaction run as `settled`.

    Not where the table writes for an idempotency key: there `once` does, which first looks whether it was made.
    """

    @functools.wraps(function)
    def again(table: Table, /, *args: P.args, **kwargs: P.kwargs) -> T:
        if table.request:
            return function(table, *args, **kwargs)
        return settled(lambda: function(table, *args, **kwargs))

    return again
