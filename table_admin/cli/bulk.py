"""import and export."""

import time
from typing import Any, BinaryIO, TextIO, cast

import click
from click.utils import LazyFile

from table_admin import output
from table_admin.bulk import Rejected, Summary, check_rows, export_routes, import_routes
from table_admin.cli.options import AS_JSON, DRY_RUN, NUMBER, warn
from table_admin.errors import InvalidInput, TableAdminError
from table_admin.files import FORMATS, Format, format_of, text_of
from table_admin.routing_table import RoutingTable

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
    """Create and update routes from FILE; - is standard input. A second run changes nothing.

    A line that cannot be, or comes second for its domain, is reported with its number, and the rest goes on; with
    --strict nothing is written.
    """
    form = form or format_of(_name(file))
    text = text_of(file)
    summary = Summary()
    if strict:
        _check_first(table, text, form)
    started = time.monotonic()

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
            on_rejected=_reject,
            on_progress=progress,
        )
    except KeyboardInterrupt:
        raise TableAdminError(f"interrupted: {_so_far(summary)}") from None
    except InvalidInput:
        raise
    except TableAdminError as error:
        raise TableAdminError(f"{error} Until then: {_so_far(summary)}") from error
    show.done()
    rate = summary.done / max(time.monotonic() - started, 0.001)
    would = "would be " if dry_run else ""
    if as_json:
        output.print_json(summary)
    else:
        click.echo(
            f"{summary.created} {would}created, {summary.updated} {would}updated, {summary.unchanged} unchanged, "
            f"{summary.rejected} rejected ({rate:,.0f}/s)"
        )
    if summary.rejected:
        raise TableAdminError(f"{output.counted(summary.rejected, 'line')} rejected.")


@click.command("export")
@click.argument("file", type=click.File("w", encoding="utf-8", lazy=True), default="-")
@_FORMAT
@click.option("--environment", "-e", help="Only this environment's routes.")
@click.pass_obj
def export(table: RoutingTable, file: LazyFile, form: Format | None, environment: str | None) -> None:
    """Write all routes to FILE, standard output by default, as import reads them."""
    form = form or format_of(_name(file))  # before the file is opened, and what was in it is gone
    show = output.progress("route")

    def counted() -> Any:
        for number, route in enumerate(table.list(environment, on_broken=warn), 1):
            yield route
            show(number)
        show.done()

    started = time.monotonic()
    count = export_routes(counted(), cast("TextIO", file.open()), form)
    click.echo(f"{output.counted(count, 'route')} ({count / max(time.monotonic() - started, 0.001):,.0f}/s)", err=True)


def _check_first(table: RoutingTable, file: TextIO, form: Format) -> None:
    if not file.seekable():
        raise click.UsageError("--strict reads FILE twice, so it must be a file.")
    count = 0
    for rejected in check_rows(table, file, form):
        _reject(rejected)
        count += 1
    file.seek(0)
    if count:
        raise TableAdminError(f"{output.counted(count, 'line')} would be rejected; nothing was written.")


def _reject(rejected: Rejected) -> None:
    click.echo(f"line {rejected.line}: {' '.join(rejected.reason.split())}".encode("utf-8", "replace"), err=True)


def _name(file: object) -> str:
    return str(getattr(file, "name", "-"))  # a stream that stands for standard input may have none


def _so_far(summary: Summary) -> str:
    unknown = f", {summary.unknown} more may be" if summary.unknown else ""
    again = f"The same command does the rest, sooner with --from-line {summary.line + 1}"
    return f"all up to line {summary.line} is done, {summary.done} routes in the table{unknown}. {again}."


COMMANDS = [import_, export]
