"""Many cells at once, each in a process that does nothing else meanwhile: they wait, they do not compute."""

import multiprocessing
import os
from collections.abc import Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor, as_completed

from benchmarks.faults.matrix import Cell
from benchmarks.faults.result import Result
from benchmarks.faults.state import State, World, prepare

ATTEMPTS = 5
"""A cell that is over a budget is tried again: a busy machine is late now and then, a fault is always."""
_A_PROCESSOR = 6
_states: list[State] = []
"""This process's only one, once it is a worker."""


def run_cells(cells: Iterable[Cell], world: World, *, workers: int | None = None) -> Iterator[Result]:
    """Yield the cells' results as they come."""
    with ProcessPoolExecutor(
        workers or _A_PROCESSOR * (os.cpu_count() or 1), multiprocessing.get_context("spawn"), _begin, (world,)
    ) as pool:
        for done in as_completed([pool.submit(_run, cell) for cell in cells]):
            yield done.result()


def run_outage(world: World) -> Result:
    """Return the result of the long outage, in a process of its own."""
    with ProcessPoolExecutor(1, multiprocessing.get_context("spawn"), _begin, (world,)) as pool:
        return pool.submit(_outage).result()


def _begin(world: World) -> None:
    _states.append(prepare(world))


def _run(cell: Cell) -> Result:
    from benchmarks.faults.cell import run_cell  # noqa: PLC0415  # imports the edge, whose clocks are ready now

    for _ in range(ATTEMPTS):
        result = run_cell(cell, _states[0])
        if result.wrong or not result.late:
            break
    return result


def _outage() -> Result:
    from benchmarks.faults.outage import outage  # noqa: PLC0415  # likewise

    return outage(_states[0])
