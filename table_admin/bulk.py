"""Import and export: streams of routes, of any length, in the formats of `files`."""

import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import CancelledError, Future, wait
from dataclasses import dataclass, field, replace
from functools import partial
from typing import TextIO

from edge_handler.routes.route import Route, decode_route
from table_admin import files
from table_admin.changes import Change, Put, unchanged
from table_admin.errors import InvalidInput, RevisionConflict, TableAdminError
from table_admin.files import Format
from table_admin.lines import changed_fields, read_rows, values_of
from table_admin.redirect_loops import may_redirect
from table_admin.routing_table import RoutingTable
from table_admin.tables import TRANSACTION_ROWS, Write

_WORKERS = 12
_ATTEMPTS = 3
_REJECTED_TOGETHER = 1000
_LAST_SECONDS = 1.0
"""How long an interrupted import waits for what is under way."""


@dataclass(frozen=True, slots=True)
class Rejected:
    """A line that was not imported, and why."""

    line: int
    reason: str


@dataclass(slots=True)
class Summary:
    """What an import did; `line` is the last up to which everything is done."""

    line: int = 0
    created: int = 0
    updated: int = 0
    unchanged: int = 0
    rejected: int = 0
    unknown: int = 0
    """Routes that were being written when it was interrupted: they are, or they are not."""
    changed: dict[str, int] = field(default_factory=dict)
    """In how many of the updated routes a field changed, by its name in the file; `origin` where none did."""

    @property
    def done(self) -> int:
        """How many routes are as they shall be."""
        return self.created + self.updated + self.unchanged

    def add(self, change: Change) -> None:
        """Count a change."""
        setattr(self, change.action, getattr(self, change.action) + 1)
        if change.action == "updated":
            for name in changed_fields(change):
                self.changed[name] = self.changed.get(name, 0) + 1


@dataclass(slots=True)
class _Batch:
    """Lines that are written together."""

    puts: list[tuple[int, Put]] = field(default_factory=list)
    rejected: list[Rejected] = field(default_factory=list)
    last_line: int = 0


_Outcomes = list[Change | Rejected]


def export_routes(routes: Iterable[Route], out: TextIO, form: Format) -> int:
    """Write routes as `import_routes` reads them; return how many. Holds one at a time.

    All is said but empty text, so that importing it later takes back an expiry, say, that a route was given since.
    """
    return files.write(map(values_of, routes), out, form)


def import_routes(
    table: RoutingTable,
    stream: TextIO,
    form: Format,
    *,
    from_line: int = 1,
    dry_run: bool = False,
    bucket: str = "",
    on_rejected: Callable[[Rejected], object] = lambda _: None,
    on_change: Callable[[Change], object] = lambda _: None,
    on_progress: Callable[[Summary], object] = lambda _: None,
) -> Summary:
    """Create and update routes, up to TRANSACTION_ROWS in a transaction and several transactions at a time.

    What a line does not say of a route stays as it is. A target /prefix is one of `bucket`.

    A second run changes nothing, so after an interruption the same import does the rest. A line that cannot be, or is
    for a domain that an earlier one is for, is rejected, and the rest goes on.

    Interrupted, it ends within a second or so, and `on_progress` is called once more with what is known then.

    Raises:
        InvalidInput: the stream is not in this format at all.
    """
    run = _Run(on_rejected, on_change, on_progress)
    try:
        for batch in _batches(read_rows(stream, form, bucket), from_line):
            if len(run.pending) == _WORKERS:
                run.settle()
            run.begin(batch, partial(_write, table, batch.puts, dry_run, run))
        while run.pending:
            run.settle()
    except BaseException:
        run.give_up()
        raise
    table.tables.announce_withheld(table.actor)
    return run.summary


class _Run:
    """An import under way: batches that are being written, in the file's order, and what came of those before."""

    def __init__(
        self,
        on_rejected: Callable[[Rejected], object],
        on_change: Callable[[Change], object],
        on_progress: Callable[[Summary], object],
    ) -> None:
        self.summary = Summary()
        self.pending: deque[tuple[_Batch, Future[_Outcomes]]] = deque()
        self.stop = threading.Event()
        self.redirects: dict[str, Write] = {}
        """What has been planned of redirects, to be looked at with those that are planned next."""
        self._on_rejected = on_rejected
        self._on_change = on_change
        self._on_progress = on_progress

    def begin(self, batch: _Batch, write: Callable[[], _Outcomes]) -> None:
        """Write a batch in a thread that nobody has to wait for: the process can end before DynamoDB answers."""
        future: Future[_Outcomes] = Future()
        self.pending.append((batch, future))
        threading.Thread(target=_fulfil, args=(future, write), daemon=True).start()

    def settle(self) -> None:
        """Wait for the first batch, and count it.

        In one assignment: an interrupt may come between any two, and what is counted must be so once.
        """
        batch, future = self.pending[0]
        counted = self._counted([*batch.rejected, *future.result()])
        counted.line = batch.last_line
        self.summary = counted
        self.pending.popleft()
        self._on_progress(self.summary)

    def give_up(self) -> None:
        """Wait a moment for what is being written, begin nothing more, and count what is known."""
        self.stop.set()
        wait([future for _, future in self.pending], timeout=_LAST_SECONDS)
        if self.pending and self.pending[0][0].last_line <= self.summary.line:
            self.pending.popleft()
        while self.pending and _is_done(self.pending[0][1]):
            self.settle()
        for batch, future in self.pending:
            if _is_done(future):
                self.summary = self._counted(future.result())
            else:
                self.summary.unknown += len(batch.puts)
        self._on_progress(self.summary)

    def _counted(self, outcomes: Iterable[Change | Rejected]) -> Summary:
        """Return the summary with more in it."""
        summary = replace(self.summary, changed=dict(self.summary.changed))
        for outcome in outcomes:
            if isinstance(outcome, Rejected):
                summary.rejected += 1
                self._on_rejected(outcome)
            else:
                summary.add(outcome)
                self._on_change(outcome)
        return summary


def _fulfil(future: Future[_Outcomes], write: Callable[[], _Outcomes]) -> None:
    try:
        future.set_result(write())
    except BaseException as error:  # noqa: BLE001  # it is raised where the result is asked for
        future.set_exception(error)


def _is_done(future: Future[_Outcomes]) -> bool:
    return future.done() and future.exception() is None


def _batches(rows: Iterable[tuple[int, Put | str]], from_line: int) -> Iterator[_Batch]:
    batch = _Batch()
    for line, outcome in rows:
        if line < from_line:
            continue
        if isinstance(outcome, str):
            batch.rejected.append(Rejected(line, outcome))
        else:
            batch.puts.append((line, outcome))
        batch.last_line = line
        if len(batch.puts) == TRANSACTION_ROWS or len(batch.rejected) == _REJECTED_TOGETHER:
            yield batch
            batch = _Batch()
    if batch.puts or batch.rejected:
        yield batch


def _write(table: RoutingTable, puts: list[tuple[int, Put]], dry_run: bool, run: _Run) -> _Outcomes:
    for _ in range(_ATTEMPTS):
        if run.stop.is_set():
            raise CancelledError
        try:
            return _write_together(table, puts, dry_run, run.redirects)
        except RevisionConflict:
            continue  # somebody else wrote one of them: look again
        except InvalidInput as error:  # viewers would be redirected in a circle: one of them is refused, not all
            if len(puts) == 1:
                return [Rejected(puts[0][0], str(error))]
            break
    if len(puts) > 1:
        return [outcome for put in puts for outcome in _write(table, [put], dry_run, run)]
    line, put = puts[0]
    return [Rejected(line, f"{put.domain} is being changed by somebody else.")]


def _write_together(
    table: RoutingTable, puts: list[tuple[int, Put]], dry_run: bool, redirects: dict[str, Write]
) -> _Outcomes:
    items = table.tables.read(put.domain for _, put in puts)
    outcomes: _Outcomes = []
    writes: list[Write] = []
    for line, put in puts:
        try:
            write = table.plan_put(put, items.get(put.domain))
        except TableAdminError as error:
            outcomes.append(Rejected(line, str(error)))
            continue
        if write is None:
            outcomes.append(unchanged(decode_route(items[put.domain])))
        else:
            writes.append(write)
    planned = {write.domain: write for write in writes if may_redirect(write.after() or {})}
    redirects.update(planned)  # before they are checked: of two threads that close a circle one sees it
    try:
        return [*outcomes, *table.commit(writes, later=[*dict(redirects).values()], dry_run=dry_run)]
    except InvalidInput:
        for domain in planned:
            redirects.pop(domain, None)
        raise
