"""One sample of an instance that follows the feed from a snapshot, while feed, snapshot or table fail.

Routes change meanwhile: whoever believes what should not be believed is seen by a site that is old, or another host's.
"""

import io
import time
from contextlib import ExitStack, redirect_stdout
from dataclasses import dataclass, field, replace
from unittest.mock import patch

from benchmarks.faults import budgets, moved_time
from benchmarks.faults.catalogue import FOLLOWED
from benchmarks.faults.edge import settings_of, start_following, viewer_of
from benchmarks.faults.fault import FollowedFault
from benchmarks.faults.feed import await_what_is_due
from benchmarks.faults.matrix import Cell
from benchmarks.faults.result import Result
from benchmarks.faults.seen import Seen
from benchmarks.faults.server import FaultServer, Manners
from benchmarks.faults.stack import CHANGED, NEW, Stack
from benchmarks.faults.state import State
from benchmarks.faults.tables import ABSENT, HOSTS
from benchmarks.faults.verdict import Ask
from benchmarks.faults.viewer import TRACEBACK, Viewer
from edge_handler import viewer_request
from edge_handler.feed.follower import Follower
from edge_handler.snapshot import loader
from edge_handler.table.reader import WARM_UP_SECONDS

FIRST, SECOND, WARM, FOURTH = HOSTS
DUE_SECONDS = 5.0
"""After which a poll is sent and nobody has to wait for its answer."""
IDLE_SECONDS = 60.0
OBJECT_SECONDS = 1.5
"""Instead of ten: who waits for an object in the background waits in real time."""
_ARRIVAL_SECONDS = 0.05
_STEP_SECONDS = 1.0
_MOST_BUSY_SECONDS = 5.0
_MOST_TRIES = 30


@dataclass(slots=True)
class _Edge:
    """An instance before its replicas and its buckets."""

    cell: Cell
    fault: FollowedFault
    result: Result
    stack: Stack
    tables: list[FaultServer]
    buckets: list[FaultServer]
    viewer: Viewer
    follower: Follower
    known: set[str] = field(default_factory=set)
    table_well_at: float = 0.0
    """From when on (of `moved_time.now`) answers are due that only the table has."""

    @property
    def broken(self) -> list[FaultServer]:
        """The servers that the fault befalls."""
        servers = self.buckets if self.cell.service == "snapshot" and not self.fault.table_down else self.tables
        return servers[:1] if self.cell.broken == "first" else servers

    @property
    def is_well(self) -> bool:
        return moved_time.now() >= self.table_well_at

    def count(self, what: str) -> int:
        return sum(getattr(server, what) for server in [*self.tables, *self.buckets])

    def ask(self, host: str) -> Ask:
        """Ask for a page of a host. A change that should be seen by now and is not is late."""
        was_known, well = host in self.known, self.is_well
        seen = self._told(host, self.viewer.ask(host))
        if seen.status == "200":
            self.known.add(host)
        return Ask(host, was_known, host != ABSENT, well, False, ("503",), seen)

    def let_pass(self, seconds: float) -> None:
        """Let time pass, in which what is on its way arrives; but not while something is loaded, which has a limit."""
        self.settle()
        moved_time.let_pass(seconds)
        await_what_is_due()
        time.sleep(_ARRIVAL_SECONDS)

    def settle(self) -> None:
        """Wait for what is being loaded in the background."""
        until = time.perf_counter() + _MOST_BUSY_SECONDS
        while self.follower._loader.is_busy and time.perf_counter() < until:
            time.sleep(0.01)

    def _told(self, host: str, seen: Seen) -> Seen:
        """Return what was seen, with the target of before the change."""
        changed_at = self.stack.changed_at.get(host)
        if seen.status != "200" or changed_at is None:
            return seen
        if seen.target.endswith(CHANGED):
            return replace(seen, target=seen.target.removesuffix(CHANGED))
        since = moved_time.now() - max(changed_at, self.table_well_at)
        if since > budgets.CHANGE_SECONDS:
            self.result.late.append(f"{host} was changed {since:.0f} s ago, and is what it was")
        return seen


def feed_sample(cell: Cell, state: State, result: Result) -> None:
    """Let the feed of an instance fail that follows it."""
    with ExitStack() as exits:
        edge = _start(cell, state, result, exits)
        _await_following(edge)
        if cell.host == "known":
            edge.ask(FIRST)
        edge.known |= {*HOSTS}
        edge.let_pass(DUE_SECONDS if cell.connection == "kept" else IDLE_SECONDS)
        _begin(edge)
        _meet(edge)
        _expect_following(edge, following=edge.fault.follows)
        _recover(edge)


def snapshot_sample(cell: Cell, state: State, result: Result) -> None:
    """Let the snapshot fail at the start of an instance, or when a running one needs a newer; or let the table fail."""
    with ExitStack() as exits:
        edge = _start(cell, state, result, exits)
        table_down = edge.fault.table_down
        helped = edge.fault.next_helps and cell.broken == "first"
        if cell.connection == "kept" or table_down or helped:
            _await_following(edge)
            edge.known |= {*HOSTS}
        if cell.connection == "kept":
            edge.ask(FIRST)
            if not table_down:
                edge.stack.announce_reload()
                edge.stack.change(WARM)
                edge.stack.take_snapshot()
            edge.let_pass(DUE_SECONDS)
            _begin(edge)
        _meet(edge)
        _expect_following(edge, following=True if helped else edge.fault.follows)
        if not table_down:
            _lose_the_table(edge, in_snapshot=helped or edge.fault.is_partial)
        _recover(edge)


def _start(cell: Cell, state: State, result: Result, exits: ExitStack) -> _Edge:
    """Start an instance; with a snapshot that fails where that is to be known as a start."""
    fault = FOLLOWED[cell.service][cell.fault]
    lines = exits.enter_context(redirect_stdout(io.StringIO()))  # of what is loaded in the background
    exits.callback(lambda: result.wrong.extend(["an exception in the background"] * (TRACEBACK in lines.getvalue())))
    exits.enter_context(patch.object(loader, "OBJECT_SECONDS", OBJECT_SECONDS))
    stack = Stack(state.plain.endpoint, with_wrong_objects=cell.service == "snapshot")
    exits.callback(stack.close)
    contexts = state.contexts if cell.transport == "TLS" else None
    of_tables, of_buckets = (1, cell.replicas) if cell.service == "snapshot" else (cell.replicas, 1)
    servers = [FaultServer(stack.upstream, contexts) for _ in range(of_tables + of_buckets)]
    for server in servers:
        exits.callback(server.close)
    tables, buckets = servers[:of_tables], servers[of_tables:]
    scheme = "https" if contexts else "http"
    settings = settings_of([f"127.0.0.1:{server.address[1]}" for server in tables], scheme, stack.table)
    addresses = [f"{scheme}://127.0.0.1:{server.address[1]}" for server in buckets]
    if cell.service == "snapshot" and cell.connection == "new":
        _begin_at(fault, cell, tables if fault.table_down else buckets)
    started = time.perf_counter()
    follower = start_following(settings, addresses)
    took = time.perf_counter() - started
    most = viewer_request.LOAD_SECONDS + WARM_UP_SECONDS + budgets.START_SLACK_SECONDS
    if took > most:
        result.late.append(f"the start took {took:.2f} s, {most} at most")
    edge = _Edge(cell, fault, result, stack, tables, buckets, viewer_of(settings, follower), follower)
    if fault.table_down and cell.connection == "new":
        edge.table_well_at = float("inf")
    return edge


def _begin(edge: _Edge) -> None:
    _begin_at(edge.fault, edge.cell, edge.broken)
    if edge.fault.table_down:
        edge.table_well_at = float("inf")


def _begin_at(fault: FollowedFault, cell: Cell, servers: list[FaultServer]) -> None:
    for server in servers[:1] if cell.broken == "first" else servers:
        server.begin(fault.manners)


def _meet(edge: _Edge) -> None:
    """Ask while the fault lasts, and change routes."""
    connects, reads = edge.count("connects"), edge.count("reads")
    asks = [edge.ask(FIRST)]
    edge.stack.change(FIRST, SECOND)
    edge.stack.add(NEW)
    time.sleep(_ARRIVAL_SECONDS)
    asks += [edge.ask(host) for host in (SECOND, ABSENT, NEW)]
    for seconds in edge.fault.passes:
        edge.let_pass(seconds)
        asks += [edge.ask(host) for host in (SECOND, FIRST, NEW, ABSENT)]
    edge.settle()
    asks += [edge.ask(FIRST)]
    edge.result.count(asks[:1], asks, edge.count("connects") - connects, edge.count("reads") - reads)
    edge.result.judge(asks)


def _await_following(edge: _Edge) -> None:
    """Note where the start has not got the snapshot, and let it be loaded."""
    snapshot = edge.follower._loader.snapshot
    if edge.follower.pointer is None or snapshot is None or snapshot.missing is not None:
        edge.result.late.append("the start did not get the snapshot")
        for _ in range(_MOST_TRIES):
            edge.ask(ABSENT)
            edge.let_pass(_STEP_SECONDS)


def _expect_following(edge: _Edge, *, following: bool | None) -> None:
    if following is not None and (edge.follower.pointer is not None) != following:
        edge.result.wrong.append(f"the feed is {'not ' if following else ''}followed")


def _lose_the_table(edge: _Edge, *, in_snapshot: bool) -> None:
    """Ask for a host that nobody has asked for before, of which only the snapshot can tell."""
    edge.table_well_at = float("inf")
    for server in edge.tables:
        server.begin(Manners(answer=lambda exchange: exchange.wire.reset()))
    edge.let_pass(IDLE_SECONDS)
    edge.known -= {FOURTH}
    if in_snapshot:
        edge.known |= {FOURTH}
    edge.result.judge([edge.ask(host) for host in (FOURTH, FIRST)])


def _recover(edge: _Edge) -> None:
    """End the fault, and ask until the feed is followed again and all is as it should be."""
    edge.settle()
    for server in {*edge.broken, *edge.tables}:
        server.end()
    edge.stack.take_snapshot()
    ended, ended_at = moved_time.now(), time.time()
    if edge.table_well_at:
        edge.table_well_at = ended + budgets.WELL_SECONDS
    while True:
        asks = [edge.ask(host) for host in (FIRST, SECOND, FOURTH, NEW)]
        edge.result.judge(asks)
        passed = moved_time.now() - ended
        follower = edge.follower
        followed = follower.pointer is not None and follower.good_at > ended_at
        if passed > budgets.FOLLOWING_SECONDS or (followed and all(ask.seen.status == "200" for ask in asks)):
            edge.result.add_recovery(passed, budgets.FOLLOWING_SECONDS)
            return
        edge.let_pass(_STEP_SECONDS)
