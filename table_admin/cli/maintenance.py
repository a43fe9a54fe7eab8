"""maintenance on, off."""

from typing import Any

import click

from table_admin import maintenance as switches
from table_admin import output
from table_admin.changes import Change
from table_admin.cli.options import AS_JSON, DOMAINS, DRY_RUN, ENVIRONMENT, NOTE, check_one_of, tell_left
from table_admin.routing_table import RoutingTable


@click.group()
def maintenance() -> None:
    """Have sites answer with a page that says so, for a while."""


@maintenance.command()
@DOMAINS
@ENVIRONMENT
@click.option("--retry-after", metavar="DURATION", help="When to ask again, e.g. 2h; 10m by default.")
@click.option("--message", help="A line for people.")
@NOTE
@DRY_RUN
@AS_JSON
@click.pass_obj
def on(
    table: RoutingTable, /, domains: tuple[str, ...], environment: str | None, as_json: bool, **options: Any
) -> None:
    """Answer with a page and 503 for DOMAINs, or an environment. Past it: access link DOMAIN --bypass.

    Running it twice changes nothing. Neither a file that is applied nor a rollback switches it off or on.
    """
    check_one_of(domains, environment)
    changes = switches.switch_on(table, domains, environment, on_left=tell_left, **options)
    _show(changes, as_json, options["dry_run"])


@maintenance.command()
@DOMAINS
@ENVIRONMENT
@NOTE
@DRY_RUN
@AS_JSON
@click.pass_obj
def off(
    table: RoutingTable, /, domains: tuple[str, ...], environment: str | None, as_json: bool, **options: Any
) -> None:
    """Let DOMAINs, or an environment, answer again. Running it twice changes nothing."""
    check_one_of(domains, environment)
    changes = switches.switch_off(table, domains, environment, on_left=tell_left, **options)
    _show(changes, as_json, options["dry_run"])


def _show(changes: list[Change], as_json: bool, dry_run: bool) -> None:
    output.print_changes(changes, as_json=as_json, dry_run=dry_run)


COMMANDS = [maintenance]
