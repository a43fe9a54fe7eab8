"""origin-request's questions to S3, what of a site is there: what a miss of a plain prefix waits for."""

import time
from collections.abc import Callable
from contextlib import ExitStack

from benchmarks.faults import budgets, moved_time
from benchmarks.faults.catalogue import FAULTS
from benchmarks.faults.edge import make_viewer
from benchmarks.faults.fault import Fault
from benchmarks.faults.matrix import Cell
from benchmarks.faults.result import Result
from benchmarks.faults.seen import Seen
from benchmarks.faults.server import FaultServer
from benchmarks.faults.state import State
from benchmarks.faults.tables import HOSTS
from benchmarks.faults.verdict import Ask
from benchmarks.faults.viewer import timed
from edge_handler import origin_request

DIRECTORY, NOTHING = "/docs", "/nothing"
IDLE_SECONDS = 60.0
_REDIRECT, _MISSING = "308", "404"


def sample(cell: Cell, state: State, result: Result) -> None:
    """Ask for a directory and for what is none, in turns, while the fault lasts; then until S3 is believed again."""
    fault = FAULTS[cell.fault]
    with ExitStack() as stack:
        table = FaultServer(state.plain, None)
        server = FaultServer(state.plain, state.contexts if cell.transport == "TLS" else None)
        stack.callback(table.close)
        stack.callback(server.close)
        viewer = make_viewer([f"127.0.0.1:{table.address[1]}"], "http")
        scheme = "https" if cell.transport == "TLS" else "http"
        handler = origin_request.make_handler(f"{scheme}://127.0.0.1:{server.address[1]}")

        def ask(path: str) -> Ask:
            seen = timed(handler, viewer.passed_on(HOSTS[0], path))[1]
            return Ask(path, False, path == DIRECTORY, False, fault.truthful, (), seen)

        if cell.connection == "kept":
            ask(DIRECTORY)
        server.begin(fault.manners)
        connects, reads = server.connects, server.reads
        asks = [ask(DIRECTORY)]
        time.sleep(0.05)
        asks += [ask(path) for path in (NOTHING, DIRECTORY, NOTHING)]
        result.count(asks[:1], asks, server.connects - connects, server.reads - reads)
        _judge(asks, fault, result)
        server.end()
        result.add_recovery(_recovery(ask, result), fault.recovery)


def _judge(asks: list[Ask], fault: Fault, result: Result) -> None:
    for number, ask in enumerate(asks):
        result.wrong += filter(None, [wrong(ask.host, ask.seen)])
        budget = budgets.AGAIN_SECONDS if number and not fault.truthful else budgets.ANY_SECONDS
        if ask.seen.wait > budget:
            result.late.append(f"miss {number + 1} waited {ask.seen.wait:.2f} s, {budget} at most")


def wrong(path: str, seen: Seen) -> str:
    """Return what is wrong with what became of a miss: it goes on to S3, or is told what is there, or not."""
    if seen.failure:
        return seen.failure
    allowed = ("200", _REDIRECT if path == DIRECTORY else _MISSING)
    return "" if seen.status in allowed else f"{path} got {seen.status}"


def _recovery(ask: Callable[[str], Ask], result: Result) -> float:
    started = moved_time.now()
    while True:
        nothing, directory = ask(NOTHING).seen, ask(DIRECTORY).seen
        result.wrong += filter(None, [wrong(NOTHING, nothing), wrong(DIRECTORY, directory)])
        passed = moved_time.now() - started
        if directory.status == _REDIRECT or passed > budgets.WELL_SECONDS:
            return passed
        moved_time.let_pass(0.5)
