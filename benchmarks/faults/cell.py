"""One cell: five samples of what viewers get before, during and after a fault."""

import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, field

from benchmarks.faults import following, moved_time, s3
from benchmarks.faults.catalogue import FAULTS, FOLLOWED
from benchmarks.faults.edge import make_viewer
from benchmarks.faults.fault import Fault
from benchmarks.faults.matrix import Cell
from benchmarks.faults.result import Result
from benchmarks.faults.server import FaultServer, dead_address
from benchmarks.faults.state import State
from benchmarks.faults.tables import ABSENT, HOSTS
from benchmarks.faults.verdict import Ask, wrong
from benchmarks.faults.viewer import Viewer

SAMPLES = 5
FIRST, SECOND, WARM, _ = HOSTS
# Longer than an idle connection is used, and than a route is fresh.
IDLE_SECONDS = 60.0
STALE_SECONDS = 11.0
PAUSE_SECONDS = 2.0
_STEP_SECONDS = 0.5


def run_cell(cell: Cell, state: State) -> Result:
    """Return what five samples of a cell show."""
    sample = _SAMPLE_OF[cell.service]
    result = Result(cell)
    for _ in range(1 if cell.service in FOLLOWED else SAMPLES):  # each of these has tables and a bucket of its own
        sample(cell, state, result)
        if result.late or result.wrong:
            break
    return result


@dataclass(slots=True)
class _Edge:
    """An instance of viewer-request before its replicas."""

    servers: list[FaultServer]
    broken: list[FaultServer]
    viewer: Viewer
    known: set[str] = field(default_factory=set)

    def count(self, what: str) -> int:
        return sum(getattr(server, what) for server in self.servers)

    def served(self) -> dict[str, int]:
        return {host: sum(server.served[host] for server in self.servers) for host in (FIRST, SECOND)}


def table_sample(cell: Cell, state: State, result: Result) -> None:
    """Ask two hosts and one that does not exist, in turns, while the fault lasts; then until all is well again."""
    fault = FAULTS[cell.fault]
    with ExitStack() as stack:
        edge = _start(cell, fault, state, stack)
        _before(cell, fault, edge)
        _begin(fault, edge, state, stack)
        served, connects, reads = edge.served(), edge.count("connects"), edge.count("reads")
        asks = [_ask(cell, fault, edge, FIRST)]
        # What a server sends late finds its way into the next answer, if anything does.
        time.sleep(0.05)
        asks += [_ask(cell, fault, edge, host) for host in (SECOND, ABSENT)]
        moved_time.let_pass(PAUSE_SECONDS)
        asks += [_ask(cell, fault, edge, host) for host in (SECOND, FIRST)]
        result.count([asks[0], asks[3]], asks, edge.count("connects") - connects, edge.count("reads") - reads)
        result.judge(asks)
        if fault.clocks.step:
            moved_time.step(fault.clocks.step)
            served = edge.served()
        _end(edge, state)
        result.add_recovery(_recovery(cell, fault, edge, served, result), fault.recovery)


def _start(cell: Cell, fault: Fault, state: State, stack: ExitStack) -> _Edge:
    contexts = state.contexts if cell.transport == "TLS" else None
    servers = [FaultServer(state.upstream(cell.transport), contexts) for _ in range(cell.replicas)]
    for server in servers:
        stack.callback(server.close)
    names = [f"r{number}.table.test" if fault.lookup else "127.0.0.1" for number in range(cell.replicas)]
    moved_time.step(fault.clocks.ahead)
    replicas = [f"{name}:{server.address[1]}" for name, server in zip(names, servers, strict=True)]
    viewer = make_viewer(replicas, "https" if contexts else "http")
    return _Edge(servers, servers if cell.broken == "all" else servers[:1], viewer)


def _before(cell: Cell, fault: Fault, edge: _Edge) -> None:
    """Let the instance learn what it is to know, and the connection be what it is to be."""
    hosts = {"known": [FIRST], "unknown": [WARM] if cell.connection == "kept" else []}[cell.host]
    for host in hosts:
        seen = edge.viewer.ask(host)
        if seen.status != "200":
            raise RuntimeError(f"{cell}: not well before the fault: {seen}")
        edge.known.add(host)
    if hosts and not fault.clocks.fresh:
        moved_time.let_pass(STALE_SECONDS if cell.connection == "kept" else IDLE_SECONDS)


def _begin(fault: Fault, edge: _Edge, state: State, stack: ExitStack) -> None:
    for number, server in enumerate(edge.broken):
        server.begin(fault.manners)
        if fault.lookup:
            state.lookups[f"r{number}.table.test"] = fault.lookup
            for address in fault.lookup.addresses:
                if address != server.address[0]:
                    stack.enter_context(dead_address((address, server.address[1])))


def _end(edge: _Edge, state: State) -> None:
    for server in edge.broken:
        server.end()
    state.lookups.clear()


def _ask(cell: Cell, fault: Fault, edge: _Edge, host: str) -> Ask:
    known = host in edge.known
    seen = edge.viewer.ask(host)
    if seen.status == "200":
        edge.known.add(host)
    well = cell.broken == "first" and cell.replicas > 1
    return Ask(host, known, host != ABSENT, well, fault.truthful, fault.statuses, seen)


def _recovery(cell: Cell, fault: Fault, edge: _Edge, before: dict[str, int], result: Result) -> float:
    """Return how long it takes until both hosts have been read anew; more than the budget where it takes longer."""
    started = moved_time.now()
    while True:
        asks = [_ask(cell, fault, edge, host) for host in (FIRST, SECOND)]
        result.wrong += filter(None, map(wrong, asks))
        after = edge.served()
        passed = moved_time.now() - started
        if all(ask.seen.status == "200" and after[ask.host] > before[ask.host] for ask in asks):
            return passed
        if passed > fault.recovery:
            return passed
        moved_time.let_pass(_STEP_SECONDS)


_SAMPLE_OF: dict[str, Callable[[Cell, State, Result], None]] = {
    "table": table_sample,
    "S3": s3.sample,
    "feed": following.feed_sample,
    "snapshot": following.snapshot_sample,
}
