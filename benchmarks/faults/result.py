"""What was found out about a cell."""

from dataclasses import dataclass, field

from benchmarks.faults.matrix import Cell
from benchmarks.faults.verdict import Ask, late, wrong


@dataclass(slots=True)
class Result:
    """The samples of one cell."""

    cell: Cell
    waits: dict[str, list[float]] = field(default_factory=dict)
    """By kind of request: `known`, `helped` by another replica, `alone`."""
    met: dict[str, list[float]] = field(default_factory=dict)
    """The same of the requests that meet the fault; the others find what these left behind."""
    statuses: dict[str, set[str]] = field(default_factory=dict)
    """The same; of hosts that have a row."""
    requests: int = 0
    connects: int = 0
    reads: int = 0
    lines: int = 0
    recoveries: list[float] = field(default_factory=list)
    starved: float = 0.0
    """The longest that a request had no processor."""
    wrong: list[str] = field(default_factory=list)
    late: list[str] = field(default_factory=list)

    def count(self, met: list[Ask], asks: list[Ask], connects: int, reads: int) -> None:
        """Add what viewers got while the fault lasted, and what it took; `met` are those of them that met it."""
        for ask in met:
            self.met.setdefault(ask.kind, []).append(ask.seen.wait)
        for ask in asks:
            self.waits.setdefault(ask.kind, []).append(ask.seen.wait)
            if ask.exists:
                self.statuses.setdefault(ask.kind, set()).add(ask.seen.status)
            self.lines += ask.seen.lines
            self.starved = max(self.starved, ask.seen.starved)
        self.requests += len(asks)
        self.connects += connects
        self.reads += reads

    def add_recovery(self, seconds: float, most: float) -> None:
        """Add how long it took to be well again."""
        self.recoveries.append(seconds)
        if seconds > most:
            self.late.append(f"not well again after {seconds:.1f} s, {most} at most")

    def judge(self, asks: list[Ask]) -> None:
        """Note what is wrong with what viewers got."""
        self.wrong += filter(None, map(wrong, asks))
        self.late += filter(None, map(late, asks))
