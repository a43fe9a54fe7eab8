"""access link, password, revoke, rotate."""

import dataclasses
import sys
from typing import Any

import click

from table_admin import output
from table_admin.access import EXPIRES_IN, MOST_CHARACTERS, NAME, Access
from table_admin.cli.options import AS_JSON, DRY_RUN, IF_REVISION, NOTE
from table_admin.cli.policies import EDGE, edge_of
from table_admin.cli.session import WRITES
from table_admin.errors import InvalidInput
from table_admin.inputs import epoch_text
from table_admin.routing_table import RoutingTable
from table_admin.terminal import counted, echo


@click.group()
def access() -> None:
    """Let people in to private domains, and keep them out."""


@access.command()
@click.argument("domain")
@click.option("--expires-in", default=EXPIRES_IN, help=f"How long it is good, and a session by it; {EXPIRES_IN}.")
@click.option("--to", default="/", metavar="PATH", help="Where it leads, e.g. /docs/.")
@click.option("--bypass", is_flag=True, help="Past maintenance, for those who mend it.")
@EDGE
@AS_JSON
@click.pass_obj
def link(table: RoutingTable, /, domain: str, edge: str | None, as_json: bool, **options: Any) -> None:
    """Print a link that lets whoever has it in to DOMAIN, until it expires or is revoked. It is kept nowhere."""
    _writes()
    made = Access(table).link(domain, edge=edge_of(table, edge), **options)
    if as_json:
        output.print_json(dataclasses.asdict(made))
        return
    echo(made.url)
    what = "past maintenance" if made.kind == "bypass" else "in"
    echo(f"table-admin: whoever has the link gets {what} until {epoch_text(made.expires_at)}", err=True)


@access.command()
@click.argument("domain")
@click.option("--name", default=NAME, help=f"The name that goes with it; {NAME}.")
@click.option("--stdin", "from_stdin", is_flag=True, help="Read the password from a line of standard input.")
@EDGE
@AS_JSON
@click.pass_obj
def password(table: RoutingTable, /, domain: str, name: str, from_stdin: bool, edge: str | None, as_json: bool) -> None:
    """Let in to DOMAIN who knows a name and a password, in place of those before. Prints the password, once.

    What is kept is its hash. Nobody is told a password that came from standard input.
    """
    _writes()
    given = _line() if from_stdin else None
    made = Access(table).password(domain, name=name, password=given, edge=edge_of(table, edge))
    shown = {"domain": made.domain, "name": made.name, "password": made.password, "url": made.url}
    if from_stdin:
        del shown["password"]
    if as_json:
        output.print_json(shown)
        return
    for title, value in shown.items():
        echo(f"{title + ':':<13}{value}")


@access.command()
@click.argument("domain")
@NOTE
@IF_REVISION
@DRY_RUN
@AS_JSON
@click.pass_obj
def revoke(table: RoutingTable, /, domain: str, as_json: bool, **options: Any) -> None:
    """Make all links, sessions and the password of DOMAIN void; the history has it."""
    change = Access(table).revoke(domain, **options)
    output.print_changes([change], as_json=as_json, dry_run=options["dry_run"], single=True)


@access.command()
@click.option("--now", is_flag=True, help="End what former keys signed, of all domains, at once.")
@AS_JSON
@click.pass_obj
def rotate(table: RoutingTable, /, now: bool, as_json: bool) -> None:
    """Sign links and sessions with a new key; what the two before it signed goes on."""
    _writes()
    done = Access(table).rotate(now=now)
    if as_json:
        output.print_json(done)
        return
    went = f"; links and sessions of {counted(len(done.dropped), 'former key')} ended" if done.dropped else ""
    verifying = counted(len(done.verifying), "former key") if done.verifying else "none before it"
    echo(f"key {done.key} signs from now on, and {verifying} still counts{went}")


def _writes() -> None:
    """Say that something was done: who has closed the output has not seen what comes only once."""
    click.get_current_context().meta[WRITES] = True


def _line() -> str:
    try:
        text = sys.stdin.read(MOST_CHARACTERS * 4 + 2)
    except UnicodeDecodeError as error:
        raise InvalidInput("The password on standard input is not text.") from error
    line, *more = text.removesuffix("\n").removesuffix("\r").split("\n")
    if more:
        raise InvalidInput("Standard input has more than one line; a password is one.")
    return line


COMMANDS = [access]
