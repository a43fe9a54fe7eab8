"""One deadline for a look-up, passed down to each wait in it.

A deadline is a time of `time.monotonic`: the clock that nobody sets. While a sandbox is frozen that clock may go on or
stand still. Either does no harm, for a freeze comes between two invocations, and no deadline outlives its own: what
does (a kept connection, a pause) is at worst thrown away too early or asked a few seconds late.
"""

import time


def remaining(deadline: float) -> float:
    """Return the seconds that are left, more than 0. Raises TimeoutError where there are none."""
    left = deadline - time.monotonic()
    if left <= 0:
        raise TimeoutError("the look-up's time is over")
    return left


def halfway(deadline: float) -> float:
    """Return the deadline of what may take half of the time that is left."""
    return deadline - remaining(deadline) / 2
