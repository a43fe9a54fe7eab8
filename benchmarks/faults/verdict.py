"""Whether what a viewer got is right, and in time."""

from dataclasses import dataclass

from benchmarks.faults import budgets
from benchmarks.faults.seen import Seen


@dataclass(frozen=True, slots=True)
class Ask:
    """One request of a viewer, and what was due."""

    host: str
    known: bool
    """The instance has had the right answer."""
    exists: bool
    """The table has a row."""
    well: bool
    """A replica is there that answers."""
    truthful: bool
    """The right answer may come even where none is well."""
    statuses: tuple[str, ...]
    """What an unknown host may get instead."""
    seen: Seen

    @property
    def kind(self) -> str:
        """Which of the report's columns it belongs to."""
        return "known" if self.known else "helped" if self.well else "alone"


def wrong(ask: Ask) -> str:
    """Return what is wrong whatever the machine was busy with; nothing where all is well."""
    seen = ask.seen
    if seen.failure:
        return seen.failure
    if seen.status == "200":
        own = ask.host.partition(".")[0]
        return "" if ask.exists and seen.target == own else f"{ask.host} got {seen.target}"
    if ask.known:
        return f"{ask.host} was known and got {seen.status}"
    absent = not ask.exists and (ask.well or ask.truthful)
    allowed = {*ask.statuses, *(["404"] if absent else [])}
    if seen.status not in allowed:
        return f"{ask.host} got {seen.status}"
    if seen.status == "503" and not 1 <= (seen.retry_after or 0) <= budgets.RETRY_AFTER_SECONDS:
        return f"503 with Retry-After {seen.retry_after}"
    return ""


def late(ask: Ask) -> str:
    """Return what is wrong, but may be the machine's fault: a cell is tried again for it."""
    seen = ask.seen
    budget = budgets.KNOWN_SECONDS if ask.known else budgets.ANY_SECONDS
    if seen.wait > budget:
        return f"{ask.host} waited {seen.wait:.2f} s, {budget} at most"
    due = "200" if ask.exists else "404"
    if ask.well and seen.status != due:
        return f"{ask.host} got {seen.status} though another replica is well"
    return ""
