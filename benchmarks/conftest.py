"""The figures: each a ratio within one run, so that it holds on a noisy machine; one table, and a JSON file."""

import json
import os
import statistics
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.support import ROOT

RECORDED = Path(__file__).parent / "recorded.json"
RESULTS = ROOT / ".benchmarks" / "results.json"
# A figure without a limit fails where it is this much worse than recorded, in three rounds of four.
FAR_OUT = 2.0
os.environ |= {"AWS_ACCESS_KEY_ID": "local", "AWS_SECRET_ACCESS_KEY": "local", "AWS_DEFAULT_REGION": "us-east-1"}
os.environ |= {"AWS_EC2_METADATA_DISABLED": "true", "NODE_NO_WARNINGS": "1"}
Call = Callable[[], object]
Clock = Callable[[], float]


@dataclass(frozen=True, slots=True)
class Figure:
    """One row of the table. `low` is the ratio that three rounds of four exceed."""

    name: str
    ours: float
    against: float
    unit: str
    ratio: float
    low: float
    limit: float | None


class Figures:
    """Collects the figures of one run."""

    def __init__(self) -> None:
        self.found: list[Figure] = []
        self.notes: list[str] = []
        self.recorded: dict[str, float] = json.loads(RECORDED.read_text()) if RECORDED.exists() else {}

    def ratio(
        self,
        name: str,
        ours: Call,
        against: Call,
        *,
        count: int = 1,
        rounds: int = 15,
        clock: Clock = time.perf_counter,
        scale: float = 1e6,
        unit: str = "us",
        limit: float | None = None,
        less: Call | None = None,
    ) -> Figure:
        """Measure `ours` and `against` in turn and add the ratio of each round's times.

        Args:
            name: of the row.
            ours: what is measured.
            against: what it is compared with.
            count: calls in a round.
            rounds: how many.
            clock: seconds.
            scale: what a second is in `unit`.
            unit: for people.
            limit: the ratio that is to be reached.
            less: what is taken off ours, a no-op say.
        """
        mine, others = [], []
        for _ in range(rounds):
            spent = _timed(ours, count, clock)
            if less is not None:
                spent -= _timed(less, count, clock)
            mine.append(spent)
            others.append(_timed(against, count, clock))
        ratios = sorted(one / other for one, other in zip(mine, others, strict=True))
        return self.add(
            name,
            statistics.median(mine) * scale,
            statistics.median(others) * scale,
            unit,
            statistics.median(ratios),
            ratios[len(ratios) // 4],
            limit,
        )

    def add(
        self, name: str, ours: float, against: float, unit: str, ratio: float, low: float, limit: float | None
    ) -> Figure:
        """Add a row, instead of an earlier one of its name, and fail where it is far out of the noise."""
        figure = Figure(name, ours, against, unit, ratio, low, limit)
        self.found = [one for one in self.found if one.name != name] + [figure]
        last = self.recorded.get(name)
        worst = limit if limit is not None else (FAR_OUT * last if last else None)
        assert worst is None or low <= worst, f"{name}: {ratio:.3f}, at most {worst:.3f}"
        return figure

    def note(self, text: str) -> None:
        """Add a line below the table."""
        self.notes.append(text)

    def table(self) -> str:
        """Return everything as Markdown, which a terminal shows well enough."""
        lines = ["| figure | ours | against | ratio | recorded | limit |", "|---|--:|--:|--:|--:|--:|"]
        for one in self.found:
            last = self.recorded.get(one.name)
            lines.append(
                f"| {one.name} | {_digits(one.ours)} {one.unit} | {_digits(one.against)} {one.unit} "
                f"| {_digits(one.ratio)} | {_digits(last)} | {_digits(one.limit)} |"
            )
        return "\n".join([*lines, "", *(f"- {note}" for note in self.notes), ""])


def _digits(number: float | None) -> str:
    """Return what is read at a glance, and shows a change of a few per cent."""
    return "" if number is None else f"{number:,.0f}" if number >= 1_000 else f"{number:.3g}"


def _timed(call: Call, count: int, clock: Clock) -> float:
    started = clock()
    for _ in range(count):
        call()
    return (clock() - started) / count


_figures = Figures()


@pytest.fixture
def figures() -> Figures:
    return _figures


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--record", action="store_true", help="Keep this run's ratios as the recorded ones.")


def pytest_sessionfinish(session: pytest.Session) -> None:
    RESULTS.parent.mkdir(exist_ok=True)
    RESULTS.write_text(json.dumps({"figures": list(map(asdict, _figures.found)), "notes": _figures.notes}, indent=2))
    if session.config.getoption("--record"):
        ratios = {**_figures.recorded, **{one.name: float(f"{one.ratio:.3g}") for one in _figures.found}}
        RECORDED.write_text(json.dumps(dict(sorted(ratios.items())), indent=2) + "\n")
    if summary := os.environ.get("GITHUB_STEP_SUMMARY"):
        with Path(summary).open("a") as out:
            out.write(_figures.table())


def pytest_terminal_summary(terminalreporter: Any) -> None:
    terminalreporter.write_line("")
    terminalreporter.write_line(_figures.table())
