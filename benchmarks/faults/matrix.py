"""Which combinations are tried: at least every pair of values of two axes, or all of them.

Not a library's pairs: allpairspy leaves pairs out where not every value goes with every other, as here.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import astuple, dataclass
from itertools import combinations, product

from benchmarks.faults.catalogue import S3_FAULTS
from benchmarks.faults.fault import Fault
from benchmarks.faults.feed import FEED_FAULTS
from benchmarks.faults.snapshot import SNAPSHOT_FAULTS

OUTAGE = "all regions down for ten minutes, 1,000 hosts known"
"""The name of a row that is no cell of the matrix."""


@dataclass(frozen=True, slots=True)
class Cell:
    """One combination."""

    fault: str
    replicas: int
    broken: str
    """`first` or `all`."""
    connection: str
    """`new`, or `kept` from an earlier request; of a snapshot: loaded at the start, or by an instance that runs."""
    host: str
    """`known` or `unknown` when the fault begins."""
    transport: str
    """`plain` or `TLS`."""
    service: str = "table"
    """Or `S3`, whose one server is asked by origin-request; `feed`; `snapshot`, whose replicas are buckets."""

    def __str__(self) -> str:
        replicas = f"{self.broken} of {self.replicas}" if self.replicas > 1 else "the only one"
        return f"{self.service}: {self.fault} ({replicas}; {self.connection}; {self.host}; {self.transport})"


def table_cells(faults: Sequence[Fault], *, full: bool, service: str = "table") -> list[Cell]:
    """Return the cells in which viewer-request reads the table, or another service."""
    every = [list(_combinations(fault, service)) for fault in faults]
    return [cell for cells in every for cell in cells] if full else list(pairwise(every))


def pairwise(every: Iterable[Sequence[Cell]]) -> Iterator[Cell]:
    """Yield, of each fault's cells, as many as cover what any covers."""
    covered: set[tuple[object, ...]] = set()
    for cells in every:
        while True:
            best = max(cells, key=lambda cell: len(covers(cell) - covered))
            if covers(best) <= covered:
                break
            covered |= covers(best)
            yield best


def covers(cell: Cell) -> set[tuple[object, ...]]:
    """Return each two of a cell's values, with where they stand; and the three that decide what a viewer is due."""
    decides = cell.connection if cell.service == "snapshot" else cell.host
    return {*combinations(enumerate(astuple(cell)), 2), (cell.fault, cell.broken, decides)}


def s3_cells() -> list[Cell]:
    """Return the cells in which origin-request asks S3 whether a directory is there: all of them."""
    return [
        Cell(fault.name, 1, "all", connection, "unknown", transport, "S3")
        for fault in S3_FAULTS
        for connection in fault.connections
        for transport in fault.transports
    ]


def followed_cells(*, full: bool) -> list[Cell]:
    """Return the cells in which viewer-request follows the feed from a snapshot."""
    return [
        *table_cells(FEED_FAULTS, full=full, service="feed"),
        *table_cells(SNAPSHOT_FAULTS, full=full, service="snapshot"),
    ]


def _combinations(fault: Fault, service: str) -> Iterator[Cell]:
    for replicas, broken, connection, host, transport in product(
        fault.replicas, ("all", "first"), fault.connections, fault.hosts, fault.transports
    ):
        if replicas > 1 or broken == "all":
            yield Cell(fault.name, replicas, broken, connection, host, transport, service)
