"""What a viewer got. Apart from `viewer`, which brings the edge along: its clocks are not to be bound too early."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Seen:
    """What became of one request."""

    status: str
    """Of the answer; 200 where the request goes on to an origin."""
    target: str
    """The environment whose files are served."""
    wait: float
    starved: float
    """How much of the wait the machine had no processor for it."""
    retry_after: int | None
    lines: int
    failure: str
    """An exception, or what CloudFront would not accept."""
