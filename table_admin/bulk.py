"""Import and export: streams of routes, of any length, in JSON Lines, CSV or YAML."""

import csv
import json
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any, Literal, TextIO

import yaml

from edge_handler.routes.route import Route, decode_route
from table_admin.changes import Change, Put, is_managed, iso, keeps_host, unchanged
from table_admin.errors import InvalidInput, RevisionConflict, TableAdminError
from table_admin.manifest import complaint, plain_data, route_put, validator
from table_admin.routing_table import RoutingTable
from table_admin.tables import TRANSACTION_ROWS, Write

Format = Literal["jsonl", "csv", "yaml"]
FIELDS = ("domain", "target", "environment", "service", "owner", "expires_at", "keep_host", "note", "managed", "source")
_BOOLEANS = ("keep_host", "managed")
_WORKERS = 8
_IN_FLIGHT = 2 * _WORKERS
_ATTEMPTS = 3


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

    def add(self, change: Change) -> None:
        """Count a change."""
        setattr(self, change.action, getattr(self, change.action) + 1)


@dataclass(slots=True)
class _Batch:
    """Lines that are written together: each domain once."""

    puts: list[tuple[int, Put]] = field(default_factory=list)
    rejected: list[Rejected] = field(default_factory=list)
    last_line: int = 0

    @property
    def domains(self) -> set[str]:
        return {put.domain for _, put in self.puts}


def export_routes(routes: Iterable[Route], out: TextIO, form: Format) -> int:
    """Write routes as `import_routes` reads them; return how many. Holds one at a time."""
    count = 0
    writer = csv.DictWriter(out, FIELDS) if form == "csv" else None
    if writer is not None:
        writer.writeheader()
    for route in routes:
        values = _values(route)
        if writer is not None:
            writer.writerow({**values, **{name: "true" if values.get(name) else "" for name in _BOOLEANS}})
        elif form == "yaml":
            out.write(yaml.safe_dump([values], sort_keys=False, allow_unicode=True, width=1000))
        else:
            out.write(json.dumps(values) + "\n")
        count += 1
    return count


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

    A second run changes nothing, so after an interruption the same import does the rest. Of two lines for one
    domain the later one counts. A line that cannot be is rejected, and the rest goes on.

    Raises:
        InvalidInput: the stream is not in this format at all.
    """
    summary = Summary()
    pending: deque[tuple[_Batch, Future[list[Change | Rejected]]]] = deque()

    def settle() -> None:
        batch, future = pending.popleft()
        for outcome in [*batch.rejected, *future.result()]:
            if isinstance(outcome, Rejected):
                summary.rejected += 1
                on_rejected(outcome)
            else:
                summary.add(outcome)
        summary.line = batch.last_line
        on_progress(summary)

    with ThreadPoolExecutor(_WORKERS) as workers:
        try:
            for batch in _batches(read_rows(stream, form), from_line):
                # In order for a domain that comes again: what is under way with it is waited for.
                while pending and (len(pending) >= _IN_FLIGHT or any(b.domains & batch.domains for b, _ in pending)):
                    settle()
                pending.append((batch, workers.submit(_write, table, batch.puts, dry_run)))
            while pending:
                settle()
        except BaseException:
            workers.shutdown(wait=True, cancel_futures=True)
            raise
    return summary


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
    """Yield line and route, or what is wrong with the line. Raises InvalidInput for a stream of another format."""
    try:
        rows = {"jsonl": _read_jsonl, "csv": _read_csv, "yaml": _read_yaml}[form](stream)
        for line, values in rows:
            yield line, values if isinstance(values, str) else _put(values)
    except UnicodeDecodeError as error:
        raise InvalidInput(f"The file is not UTF-8: {error.reason} at byte {error.start}.") from error


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


def _put(values: Any) -> Put | str:
    if not isinstance(values, dict):
        return "not a route: an object with domain and target is expected."
    body = {name: value for name, value in values.items() if name not in ("domain", "owner")}
    domain, owner = values.get("domain"), values.get("owner")
    if not isinstance(domain, str) or not isinstance(owner, str | None):
        return "domain is missing, or no text."
    errors = [*validator("route").iter_errors(body)]
    if errors:
        return f"{complaint(errors[0])}."
    try:
        return route_put(domain, body, owner)
    except InvalidInput as error:
        return str(error)


def _read_jsonl(stream: TextIO) -> Iterator[tuple[int, Any]]:
    for line, text in enumerate(stream, 1):
        if not text.strip():
            continue
        try:
            yield line, json.loads(text)
        except (ValueError, RecursionError) as error:
            yield line, f"not JSON: {error}."


def _read_csv(stream: TextIO) -> Iterator[tuple[int, Any]]:
    reader = csv.DictReader(stream, restkey="", strict=True)
    try:
        if reader.fieldnames is not None and not {"domain", "target"} <= set(reader.fieldnames):
            raise InvalidInput(f"A CSV file begins with a line of names: {','.join(FIELDS)}.")
        for row in reader:
            if "" in row:
                yield reader.line_num, "more columns than names in the first line."
                continue
            values: dict[str, Any] = {name: value for name, value in row.items() if value}
            for name in _BOOLEANS:
                if name in values:
                    values[name] = values[name].lower() == "true"
            yield reader.line_num, values
    except csv.Error as error:
        yield max(1, reader.line_num), f"not CSV: {error}."


def _read_yaml(stream: TextIO) -> Iterator[tuple[int, Any]]:
    """Yield the items of a list, each built when it is reached: the whole is never held."""
    try:
        loader: Any = yaml.SafeLoader(stream)
        loader.get_event()  # the stream's start
        if loader.check_event(yaml.StreamEndEvent):
            return
        loader.get_event()  # the document's
        if not loader.check_event(yaml.SequenceStartEvent):
            raise InvalidInput("A YAML file to import is a list of routes: - {domain: ..., target: ...}.")
        loader.get_event()
        while not loader.check_event(yaml.SequenceEndEvent):
            line = loader.peek_event().start_mark.line + 1
            node = loader.compose_node(None, None)
            try:
                yield line, plain_data(node, {}, "yaml")
            except InvalidInput as error:
                yield line, str(error)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        yield mark.line + 1 if mark else 1, f"not YAML: {getattr(error, 'problem', None) or error}."
    except RecursionError:
        yield 1, "not YAML: too deep."


def _batches(rows: Iterable[tuple[int, Put | str]], from_line: int) -> Iterator[_Batch]:
    batch = _Batch()
    for line, outcome in rows:
        if line < from_line:
            continue
        if isinstance(outcome, str):
            batch.rejected.append(Rejected(line, outcome))
        else:
            if len(batch.puts) == TRANSACTION_ROWS or outcome.domain in batch.domains:
                yield batch
                batch = _Batch()
            batch.puts.append((line, outcome))
        batch.last_line = line
    if batch.puts or batch.rejected:
        yield batch


def _write(table: RoutingTable, puts: list[tuple[int, Put]], dry_run: bool) -> list[Change | Rejected]:
    for _ in range(_ATTEMPTS):
        try:
            return _write_together(table, puts, dry_run)
        except RevisionConflict:
            continue  # somebody else wrote one of them: look again
    if len(puts) > 1:
        return [outcome for put in puts for outcome in _write(table, [put], dry_run)]
    line, put = puts[0]
    return [Rejected(line, f"{put.domain} is being changed by somebody else.")]


def _write_together(table: RoutingTable, puts: list[tuple[int, Put]], dry_run: bool) -> list[Change | Rejected]:
    items = table.tables.read(put.domain for _, put in puts)
    outcomes: list[Change | Rejected] = []
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
