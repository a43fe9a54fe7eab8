"""How long a viewer has waited in viewer-request, told to origin-request: the two have one deadline together.

In a header that is not in the cache key. It names the request, which no viewer can: who could say that there is no time
left would have pages of a site be missing for everybody.
"""

from math import inf
from typing import Any

HEADER = "x-route-time-left"
KNOWN_HOST_SECONDS = 0.95
UNKNOWN_HOST_SECONDS = 2.4
"""For both functions, whatever is broken. The rest, up to one second and to 2.5, is for what the processor does."""
NOTICED_SECONDS = 0.05
"""Who waited less has nothing to tell."""
_LEAST_SECONDS = 0.15
"""What origin-request has in any case."""


def encode_time_left(request_id: str, waited: float, *, was_known: bool) -> str:
    """Return the header's value, for a request that waited long enough to be noticed.

    Args:
        request_id: CloudFront's, the same in both functions.
        waited: seconds.
        was_known: the host was.
    """
    left = (KNOWN_HOST_SECONDS if was_known else UNKNOWN_HOST_SECONDS) - waited
    return f"{request_id} {max(left, _LEAST_SECONDS):.2f}"


def seconds_left(headers: dict[str, Any], request_id: str) -> float:
    """Return how long what has to be read for a request's host, which is known, may still take both functions."""
    told = headers.get(HEADER)
    # Who waited for the row already has what is left of the time for both.
    return min(KNOWN_HOST_SECONDS, decode_time_left(told and told[0]["value"], request_id))


def tell_waited(headers: dict[str, Any], request_id: str, left: float, waited: float) -> None:
    """Tell origin-request of a wait since `seconds_left` was `left`, where it is long enough to be noticed."""
    if waited >= NOTICED_SECONDS:
        told = encode_time_left(request_id, KNOWN_HOST_SECONDS - left + waited, was_known=True)
        headers[HEADER] = [{"key": HEADER, "value": told}]


def decode_time_left(value: str | None, request_id: str) -> float:
    """Return how many seconds there are, infinitely many where viewer-request has said nothing about this request."""
    name, space, seconds = (value or "").rpartition(" ")
    if not space or name != request_id:
        return inf
    try:
        return float(seconds)
    except ValueError:
        return inf
