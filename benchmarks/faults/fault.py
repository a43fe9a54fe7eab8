"""What an entry of the catalogue says."""

from collections.abc import Callable
from dataclasses import dataclass

from benchmarks.faults import budgets
from benchmarks.faults.dns import Lookup
from benchmarks.faults.server import WELL, Manners


@dataclass(frozen=True, slots=True)
class Clocks:
    """What the wall clock does: it starts off by `ahead`, and is corrected by `step` after the first requests."""

    ahead: float = 0.0
    step: float = 0.0
    fresh: bool = False
    """The host is asked while what is known of it is fresh: no minute passes before."""


@dataclass(frozen=True, slots=True)
class Fault:
    """One way to fail."""

    name: str
    manners: Manners = WELL
    truthful: bool = False
    """The right answer comes too, or may: a host without a row is then rightly 404."""
    connections: tuple[str, ...] = ("new", "kept")
    """Which of the axis make sense."""
    transports: tuple[str, ...] = ("plain", "TLS")
    hosts: tuple[str, ...] = ("known", "unknown")
    replicas: tuple[int, ...] = (1, 2, 3)
    statuses: tuple[str, ...] = ("503",)
    """What an unknown host may get where no replica is well."""
    clocks: Clocks = Clocks()
    lookup: Lookup | None = None
    """What the name server does; such a fault needs a namespace of its own."""
    recovery: float = budgets.WELL_SECONDS
    """How long it may take to be well again."""
    s3: bool = False
    """It is one that S3 can have too."""


@dataclass(frozen=True, slots=True)
class FollowedFault(Fault):
    """One way in which the feed or the snapshot fails, or the table beside them."""

    passes: tuple[float, ...] = (2.0, 9.0)
    """Seconds between the rounds of questions while it lasts."""
    follows: bool | None = None
    """Whether an instance goes on following at its end; None where it may be either."""
    next_helps: bool = False
    """Where only the nearest bucket has it, the next one is asked."""
    is_partial: bool = False
    """It leaves the part of the snapshot in which the last host is: that one is served without a table."""
    table_down: bool = False
    """It is the table and the feed that fail, not the buckets."""


def answering(behaviour: Callable[..., None]) -> Manners:
    """Return the manners of a server that connects as it should and answers so."""
    return Manners(answer=behaviour)
