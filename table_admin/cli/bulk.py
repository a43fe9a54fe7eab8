"""import and export."""

import itertools
import time
from collections.abc import Iterator
from typing import BinaryIO, TextIO, cast

import click
from click.utils import LazyFile

from edge_handler.routes.route import Route
from table_admin import output
from table_admin.bulk import Rejected, Summary, export_routes, import_routes
from table_admin.changes import Change
from table_admin.cli.options import AS_JSON, DRY_RUN, NUMBER, warn
from table_admin.cli.session import setting
from table_admin.errors import InvalidInput, NotFound, TableAdminError
from table_admin.files import FORMATS, Format, format_of, text_of
from table_admin.routing_table import RoutingTable

_SHOWN = 10
"""How many updates a dry run shows in full."""
_FORMAT = click.option("--format", "form", type=click.Choice(FORMATS), help="By the file's ending, else jsonl.")


@click.command("import")
@click.argument("file", type=click.File("rb"))
@_FORMAT
@click.option("--strict", is_flag=True, help="Write nothing at all if any line would be rejected.")
@click.option("--from-line", type=NUMBER, default=1, help="Begin here, after an interruption.")
@DRY_RUN
@AS_JSON
@click.pass_obj
def import_(
    table: RoutingTable, file: BinaryIO, form: Format | None, strict: bool, from_line: int, dry_run: bool, as_json: bool
) -> None:
    """Create and update routes from FILE; - is standard input. What it does not say of a route stays as it was.

    That is a column or field that is not there, and an empty cell; an expires_at of never takes an expiry away. A
    second run changes nothing; --dry-run shows what would change. A line that cannot be, or comes second for its
    domain, is reported with its number, and the rest goes on; with --strict nothing is written.
    """
    form = form or format_of(_name(file))
    text, bucket = text_of(file), setting("bucket").value
    summary = Summary()
    updates: list[Change] = []
    if strict and not dry_run:
        _check_first(table, file, text, form, bucket)
    started = time.monotonic()

    def changed(change: Change) -> None:
        if dry_run and change.action == "updated" and len(updates) < _SHOWN:
            updates.append(change)

    def progress(now: Summary) -> None:
        nonlocal summary
        summary = now
        show(now.line)

    show = output.progress("line", source=file)
    try:
        summary = import_routes(
            table,
            text,
            form,
            from_line=from_line,
            dry_run=dry_run,
            bucket=bucket,
            on_rejected=_reject,
            on_change=changed,
            on_progress=progress,
        )
    except KeyboardInterrupt:
        raise TableAdminError(f"interrupted: {_so_far(summary)}") from None
    except InvalidInput:
        raise
    except TableAdminError as error:
        raise TableAdminError(f"{error} Until then: {_so_far(summary)}") from error
    show.done()
    _print(summary, updates, dry_run, summary.done / max(time.monotonic() - started, 0.001), as_json)
    if not summary.line:
        click.echo("table-admin: there is no route in it", err=True)


@click.command("export")
@click.argument("file", type=click.File("w", encoding="utf-8", lazy=True), default="-")
@_FORMAT
@click.option("--environment", "-e", help="Only this environment's routes.")
@click.pass_obj
def export(table: RoutingTable, file: LazyFile, form: Format | None, environment: str | None) -> None:
    """Write all routes to FILE, standard output by default, as import reads them."""
    form = form or format_of(_name(file))  # before the file is opened, and what was in it is gone
    show = output.progress("route")
    started = time.monotonic()
    # The first is read before the file is opened: what cannot be read leaves what was in it.
    routes = _begun(table.list(environment, on_broken=warn))
    if routes is None and environment is not None:
        raise NotFound(f"There is no environment {environment}: it has no route that could be read.")

    def counted() -> Iterator[Route]:
        for number, route in enumerate(routes or (), 1):
            yield route
            show(number)
        show.done()

    count = export_routes(counted(), cast("TextIO", file.open()), form)
    click.echo(f"{output.counted(count, 'route')} ({count / max(time.monotonic() - started, 0.001):,.0f}/s)", err=True)


def _begun(routes: Iterator[Route]) -> Iterator[Route] | None:
    """Return the same routes, the first of them read; None where there are none."""
    first = next(routes, None)
    return itertools.chain([first], routes) if first is not None else None


def _check_first(table: RoutingTable, file: BinaryIO, text: TextIO, form: Format, bucket: str) -> None:
    if not text.seekable():
        raise click.UsageError("--strict reads FILE twice, so it must be a file.")
    show = output.progress("line", source=file)

    def progress(now: Summary) -> None:
        show(now.line)

    found = import_routes(table, text, form, dry_run=True, bucket=bucket, on_rejected=_reject, on_progress=progress)
    show.done()
    text.seek(0)
    if found.rejected:
        raise TableAdminError(f"{output.counted(found.rejected, 'line')} would be rejected; nothing was written.")


def _print(summary: Summary, updates: list[Change], dry_run: bool, rate: float, as_json: bool) -> None:
    """Print what came of an import. Raises TableAdminError where a line was rejected."""
    if as_json:
        output.print_json(summary)
    else:
        _print_counts(summary, updates, dry_run, rate)
    if summary.rejected:
        raise TableAdminError(f"{output.counted(summary.rejected, 'line')} rejected.")


def _print_counts(summary: Summary, updates: list[Change], dry_run: bool, rate: float) -> None:
    for change in updates:
        output.print_update(change)
    if updates and summary.updated > len(updates):
        click.echo(f"... and {summary.updated - len(updates):,} more")
    would = "would be " if dry_run else ""
    kinds = ", ".join(f"{name} {count}" for name, count in summary.changed.items())
    click.echo(
        f"{summary.created} {would}created, {summary.updated} {would}updated{f' ({kinds})' if kinds else ''}, "
        f"{summary.unchanged} unchanged, {summary.rejected} rejected ({rate:,.0f}/s)"
    )


def _reject(rejected: Rejected) -> None:
    output.echo(f"line {rejected.line}: {' '.join(rejected.reason.split())}", err=True)


def _name(file: object) -> str:
    return str(getattr(file, "name", "-"))  # a stream that stands for standard input may have none


def _so_far(summary: Summary) -> str:
    unknown = f", {summary.unknown} more may be" if summary.unknown else ""
    again = f"The same command does the rest, sooner with --from-line {summary.line + 1}"
    return f"all up to line {summary.line} is done, {summary.done} routes in the table{unknown}. {again}."


COMMANDS = [import_, export]
