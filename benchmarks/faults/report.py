"""What came of it, as the table in docs/reliability.md and as figures for machines."""

import json
import statistics
from collections.abc import Iterable, Sequence
from dataclasses import asdict
from pathlib import Path

from benchmarks.faults.matrix import Cell
from benchmarks.faults.result import Result
from tests.support import ROOT

DOCUMENT = ROOT / "docs" / "reliability.md"
FIGURES = ROOT / ".benchmarks" / "faults.json"
BEGIN, END = "<!-- made by make faults -->", "<!-- end -->"
_HEAD = (
    "fault",
    "cells",
    "known host: p50, max",
    "unknown, another replica well: p50, max",
    "unknown, none well: gets; p50, max",
    "connects, reads a request",
    "well again after",
    "log lines a request",
)


def failures(results: Iterable[Result]) -> list[str]:
    """Return what was wrong or late, a line each."""
    return [f"{one.cell}: {problem}" for one in results for problem in sorted({*one.wrong, *one.late})]


def cell_name(cell: Cell) -> str:
    """Return which row of the table a cell belongs to."""
    return f"{cell.service}: {cell.fault}" if cell.service != "table" else cell.fault


def row_name(result: Result) -> str:
    """Return which row of the table a result belongs to."""
    return cell_name(result.cell)


def table(results: Iterable[Result]) -> str:
    """Return a row for each fault, as Markdown."""
    rows: dict[str, list[Result]] = {}
    for result in results:
        rows.setdefault(row_name(result), []).append(result)
    lines = [_line(_HEAD), _line(["---", *["--:"] * (len(_HEAD) - 1)])]
    return "\n".join([*lines, *(_line(_row(name, found)) for name, found in rows.items())])


def write(results: Sequence[Result], summary: str, document: Path = DOCUMENT, figures: Path = FIGURES) -> None:
    """Put the table between the document's markers, and everything into a file for machines."""
    before, _, rest = document.read_text().partition(BEGIN)
    _, _, after = rest.partition(END)
    document.write_text(f"{before}{BEGIN}\n{summary}\n\n{table(results)}\n{END}{after}")
    figures.parent.mkdir(exist_ok=True)
    figures.write_text(json.dumps([asdict(one) for one in results], indent=1, default=sorted))


def _row(name: str, found: list[Result]) -> list[str]:
    waits = {kind: _spread(found, kind) for kind in ("known", "helped", "alone")}
    statuses = sorted(set().union(*(one.statuses.get("alone", set()) for one in found)))
    requests = sum(one.requests for one in found)
    recoveries = [seconds for one in found for seconds in one.recoveries]
    alone = f"{', '.join(statuses)}; {waits['alone']}" if waits["alone"] else ""
    return [
        name,
        str(len(found)),
        waits["known"],
        waits["helped"],
        alone,
        f"{sum(one.connects for one in found) / requests:.2f}, {sum(one.reads for one in found) / requests:.2f}",
        f"{max(recoveries):.1f} s" if recoveries else "",
        f"{sum(one.lines for one in found) / requests:.2f}",
    ]


def _spread(found: list[Result], kind: str) -> str:
    """Return the median of those who met the fault, and the maximum of all."""
    met = [seconds for one in found for seconds in one.met.get(kind, [])]
    waits = [seconds for one in found for seconds in one.waits.get(kind, [])]
    return f"{_seconds(statistics.median(met or waits))}, {_seconds(max(waits))}" if waits else ""


def _seconds(seconds: float) -> str:
    return f"{seconds:.2f} s" if seconds >= 0.1 else f"{seconds * 1000:.0f} ms"


def _line(cells: Iterable[str]) -> str:
    return f"| {' | '.join(cells)} |"
