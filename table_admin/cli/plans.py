"""plan and apply: a declarative file, shown and made."""

import sys
from pathlib import Path
from typing import BinaryIO

import click

from table_admin import output
from table_admin.cli.options import AS_JSON, DRY_RUN
from table_admin.cli.session import setting
from table_admin.errors import InvalidInput
from table_admin.files import text_of
from table_admin.manifest import SCHEMA, load_manifest
from table_admin.plan import Plan, apply_plan, make_plan
from table_admin.routing_table import RoutingTable

CHANGES = 3
"""The exit status of `plan --exit-code` where there is something to do; 1 and 2 are failure and usage."""
_FILE = click.argument("file", type=click.File("rb"))
_ADOPT = click.option("--adopt", is_flag=True, help="Take over rows that no file, or another one, keeps.")


@click.command()
@_FILE
@_ADOPT
@click.option("--exit-code", is_flag=True, help=f"Exit with {CHANGES} where there is something to do.")
@AS_JSON
@click.pass_obj
def plan(table: RoutingTable, file: BinaryIO, adopt: bool, exit_code: bool, as_json: bool) -> int:
    """Show what FILE would change, and the plan's id. FILE is YAML: see `table-admin schema`."""
    found = _plan(table, file, adopt)
    if as_json:
        output.print_json(output.plan_document(found))
    else:
        output.print_plan(found)
    return CHANGES if exit_code and found.writes else 0


@click.command()
@_FILE
@_ADOPT
@click.option("--plan", "expected", metavar="ID", help="Only if the plan is the one that was shown under this id.")
@click.option("--yes", is_flag=True, help="Without asking.")
@click.option("--force", is_flag=True, help="Also where it changes or deletes more than is likely meant.")
@DRY_RUN
@AS_JSON
@click.pass_obj
def apply(
    table: RoutingTable,
    file: BinaryIO,
    adopt: bool,
    expected: str | None,
    yes: bool,
    force: bool,
    dry_run: bool,
    as_json: bool,
) -> None:
    """Make the table as FILE says: creates, updates, and deletes what FILE's owner kept and it does not name."""
    asking = not (yes or expected or dry_run)
    if asking and (as_json or not sys.stdin.isatty()):
        raise click.UsageError("Nobody can be asked here: say --yes, or --plan ID with what plan printed.")
    found = _plan(table, file, adopt)
    if not as_json:
        output.print_plan(found)
    elif dry_run:
        output.print_changes(found.changes, as_json=True, dry_run=True)
    if dry_run:
        return
    if asking and found.writes and not click.confirm("Apply?", err=True):
        click.echo("Nothing was written.")
        return
    if asking:
        expected = found.id  # that is what the answer was to
    show = output.progress("row", total=len(found.writes))
    changes = [*apply_plan(table, found, expected=expected, force=force, on_progress=show)]
    show.done()
    if as_json:
        output.print_changes(changes, as_json=True, dry_run=False)
    else:
        click.echo(f"{output.counted(len(changes), 'change')} written.")


@click.command()
def schema() -> None:
    """Print the JSON Schema of FILE, for editors."""
    click.echo(SCHEMA.read_text(encoding="utf-8"), nl=False)


def _plan(table: RoutingTable, file: BinaryIO, adopt: bool) -> Plan:
    try:
        text = text_of(file).read()
    except UnicodeDecodeError as error:
        raise InvalidInput(f"{file.name} is not UTF-8: {error.reason} at byte {error.start}.") from error
    except OSError as error:
        raise InvalidInput(f"{file.name} cannot be read: {error.strerror}.") from error
    return make_plan(table, load_manifest(Path(file.name).name, text, setting("bucket").value), adopt=adopt)


COMMANDS = [plan, apply, schema]
