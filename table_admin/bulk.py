"""Import and export: streams of routes, of any length, in the formats of `files`."""

import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import CancelledError, Future, wait
from dataclasses import dataclass, field
from functools import partial
from typing import Any, TextIO

from edge_handler.routes.route import Route, decode_route
from table_admin import files
from table_admin.changes import Change, Put, is_managed, iso, keeps_host, unchanged
from table_admin.errors import InvalidInput, RevisionConflict, TableAdminError
from table_admin.files import Format
from table_admin.manifest import complaint, route_put, validator
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

    @property
    def done(self) -> int:
        """How many routes are as they shall be."""
        return self.created + self.updated + self.unchanged

    def add(self, change: Change) -> None:
        """Count a change."""
        setattr(self, change.action, getattr(self, change.action) + 1)


@dataclass(slots=True)
class _Batch:
    """Lines that are written together."""

    puts: list[tuple[int, Put]] = field(default_factory=list)
    rejected: list[Rejected] = field(default_factory=list)
    last_line: int = 0


_Outcomes = list[Change | Rejected]


def export_routes(routes: Iterable[Route], out: TextIO, form: Format) -> int:
    """Write routes as `import_routes` reads them; return how many. Holds one at a time."""
    return files.write(map(_values, routes), out, form)


def import_routes(
    table: RoutingTable,
    stream: TextIO,
    form: Format,
    *,
    from_line: int = 1,
    dry_run: bool = False,
    on_rejected: Callable[[Rejected], object] = lambda _: None,
    on_progress: Callable[[Summary], object] = lambda _: None,
) -> Summary:
    """Create and update routes, up to TRANSACTION_ROWS in a transaction and several transactions at a time.

    A second run changes nothing, so after an interruption the same import does the rest. A line that cannot be, or is
    for a domain that an earlier one is for, is rejected, and the rest goes on.

    Interrupted, it ends within a second or so, and `on_progress` is called once more with what is known then.

    Raises:
        InvalidInput: the stream is not in this format at all.
    """
    run = _Run(on_rejected, on_progress)
    try:
        for batch in _batches(read_rows(stream, form), from_line):
            if len(run.pending) == _WORKERS:
                run.settle()
            run.begin(batch, partial(_write, table, batch.puts, dry_run, run.stop))
        while run.pending:
            run.settle()
    except BaseException:
        run.give_up()
        raise
    return run.summary


class _Run:
    """An import under way: batches that are being written, in the file's order, and what came of those before."""

    def __init__(self, on_rejected: Callable[[Rejected], object], on_progress: Callable[[Summary], object]) -> None:
        self.summary = Summary()
        self.pending: deque[tuple[_Batch, Future[_Outcomes]]] = deque()
        self.stop = threading.Event()
        self._on_rejected = on_rejected
        self._on_progress = on_progress

    def begin(self, batch: _Batch, write: Callable[[], _Outcomes]) -> None:
        """Write a batch in a thread that nobody has to wait for: the process can end before DynamoDB answers."""
        future: Future[_Outcomes] = Future()
        self.pending.append((batch, future))
        threading.Thread(target=_fulfil, args=(future, write), daemon=True).start()

    def settle(self) -> None:
        """Wait for the first batch, and count it."""
        batch, future = self.pending[0]
        self._count([*batch.rejected, *future.result()])
        self.pending.popleft()
        self.summary.line = batch.last_line
        self._on_progress(self.summary)

    def give_up(self) -> None:
        """Wait a moment for what is being written, begin nothing more, and count what is known."""
        self.stop.set()
        wait([future for _, future in self.pending], timeout=_LAST_SECONDS)
        while self.pending and _is_done(self.pending[0][1]):
            self.settle()
        for batch, future in self.pending:
            if _is_done(future):
                self._count(future.result())
            else:
                self.summary.unknown += len(batch.puts)
        self._on_progress(self.summary)

    def _count(self, outcomes: Iterable[Change | Rejected]) -> None:
        for outcome in outcomes:
            if isinstance(outcome, Rejected):
                self.summary.rejected += 1
                self._on_rejected(outcome)
            else:
                self.summary.add(outcome)


def _fulfil(future: Future[_Outcomes], write: Callable[[], _Outcomes]) -> None:
    try:
        future.set_result(write())
    except BaseException as error:  # noqa: BLE001  # it is raised where the result is asked for
        future.set_exception(error)


def _is_done(future: Future[_Outcomes]) -> bool:
    return future.done() and future.exception() is None


def check_rows(table: RoutingTable, stream: TextIO, form: Format) -> Iterator[Rejected]:
    """Yield the lines that an import would reject, without writing any."""
    for line, outcome in read_rows(stream, form):
        if isinstance(outcome, str):
            yield Rejected(line, outcome)
            continue
        try:
            table.plan_put(outcome, None)
        except TableAdminError as error:
            yield Rejected(line, str(error))


def read_rows(stream: TextIO, form: Format) -> Iterator[tuple[int, Put | str]]:
    """Yield line and route, or what is wrong with the line. Raises InvalidInput for a stream of another format.

    Holds the domains: the second line for one is wrong, whatever it says.
    """
    line_of: dict[str, int] = {}
    for line, values in files.read(stream, form):
        outcome = str(values) if isinstance(values, InvalidInput) else _put(values, form)
        if isinstance(outcome, Put):
            first = line_of.setdefault(outcome.domain, line)
            if first != line:
                outcome = f"{outcome.domain} is in line {first} already."
        yield line, outcome


def _values(route: Route) -> dict[str, Any]:
    values = {
        "domain": route.domain,
        "target": route.target,
        "environment": route.environment,
        "service": route.service,
        "owner": route.owner,
        "expires_at": iso(route.expires_at) if route.expires_at is not None else "",
        "keep_host": keeps_host(route),
        "note": route.note,
        "managed": is_managed(route),
        "source": route.source,
    }
    return {name: value for name, value in values.items() if value}


def _put(values: Any, form: Format) -> Put | str:
    if not isinstance(values, dict):
        return f"not a route: {'a mapping' if form == 'yaml' else 'an object'} with domain and target is expected."
    # Programs write null for what is not there.
    given = {name: value for name, value in values.items() if value is not None}
    domain, owner = given.get("domain"), given.get("owner")
    for name, value, needed in (("domain", domain, True), ("owner", owner, False)):
        if not isinstance(value, str) and (needed or value is not None):
            return f"{name} is missing, or no text."
    body = {name: value for name, value in given.items() if name not in ("domain", "owner")}
    errors = [*validator("route").iter_errors(body)]
    if errors:
        return f"{complaint(errors[0], form)}."
    try:
        return route_put(str(domain), body, owner)
    except InvalidInput as error:
        return str(error)


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


def _write(table: RoutingTable, puts: list[tuple[int, Put]], dry_run: bool, stop: threading.Event) -> _Outcomes:
    for _ in range(_ATTEMPTS):
        if stop.is_set():
            raise CancelledError
        try:
            return _write_together(table, puts, dry_run)
        except RevisionConflict:
            continue  # somebody else wrote one of them: look again
    if len(puts) > 1:
        return [outcome for put in puts for outcome in _write(table, [put], dry_run, stop)]
    line, put = puts[0]
    return [Rejected(line, f"{put.domain} is being changed by somebody else.")]


def _write_together(table: RoutingTable, puts: list[tuple[int, Put]], dry_run: bool) -> _Outcomes:
    items = table.tables.read(put.domain for _, put in puts)
    outcomes: _Outcomes = []
    writes: list[Write] = []
    for line, put in puts:
        item = items.get(put.domain)
        try:
            write = table.plan_put(put, item)
        except TableAdminError as error:
            outcomes.append(Rejected(line, str(error)))
            continue
        if write is None:
            outcomes.append(unchanged(decode_route(items[put.domain])))
        else:
            writes.append(write)
    return [*outcomes, *table.commit(writes, dry_run=dry_run)]
