"""env up, list, show, extend, promote, down."""

from typing import Any

import click

from table_admin import environments, output
from table_admin.cli.options import AS_JSON, DRY_RUN, EXPIRES_IN, NOTE, PERMANENT, pairs, warn
from table_admin.documents import route_document
from table_admin.routing_table import RoutingTable


@click.group()
def env() -> None:
    """Work with an environment's URLs together."""


@env.command()
@click.argument("name")
@click.option("--base", required=True, help="The domain its URLs are under, e.g. example.com.")
@click.option(
    "--service",
    "-s",
    "services",
    multiple=True,
    required=True,
    metavar="[NAME=]TARGET",
    help="web=s3://bucket/prefix gets web-NAME.BASE; without a name it gets NAME.BASE. Several times.",
)
@EXPIRES_IN
@PERMANENT
@NOTE
@DRY_RUN
@AS_JSON
@click.pass_obj
def up(table: RoutingTable, /, name: str, services: tuple[str, ...], as_json: bool, **options: Any) -> None:
    """Create NAME, or change it: a URL per service, in one transaction. Prints the URLs."""
    changes = environments.up(table, name, services=pairs(services, "--service"), **options)
    output.print_changes(changes, as_json=as_json, dry_run=options["dry_run"], urls=True)


@env.command("list")
@AS_JSON
@click.pass_obj
def list_environments(table: RoutingTable, as_json: bool) -> None:
    """List environments."""
    found = environments.summaries(table, warn)
    if as_json:
        output.print_json_array(found)
    else:
        output.print_table(output.ENVIRONMENT_HEADS, output.environment_rows(found))


@env.command()
@click.argument("name")
@AS_JSON
@click.pass_obj
def show(table: RoutingTable, name: str, as_json: bool) -> None:
    """Show NAME's routes."""
    routes = environments.show(table, name, warn)
    if as_json:
        output.print_json_array(map(route_document, routes))
    else:
        output.print_table(output.ROUTE_HEADS, output.route_rows(routes))


@env.command()
@click.argument("name")
@EXPIRES_IN
@PERMANENT
@NOTE
@DRY_RUN
@AS_JSON
@click.pass_obj
def extend(table: RoutingTable, /, name: str, as_json: bool, **options: Any) -> None:
    """Give all of NAME's routes a new expiry."""
    changes = environments.extend(table, name, **options)
    output.print_changes(changes, as_json=as_json, dry_run=options["dry_run"])


@env.command()
@click.argument("name")
@click.argument("domains", nargs=-1, required=True, metavar="DOMAIN[=SERVICE]...")
@NOTE
@DRY_RUN
@AS_JSON
@click.pass_obj
def promote(table: RoutingTable, /, name: str, domains: tuple[str, ...], as_json: bool, **options: Any) -> None:
    """Send DOMAINs to where NAME's services are, in one transaction. Back again: rollback DOMAIN..."""
    wanted = {}
    for text in domains:
        domain, _, service = text.partition("=")
        wanted[domain] = service
    changes = environments.promote(table, name, wanted, **options)
    output.print_changes(changes, as_json=as_json, dry_run=options["dry_run"])


@env.command()
@click.argument("name")
@NOTE
@DRY_RUN
@AS_JSON
@click.pass_obj
def down(table: RoutingTable, /, name: str, as_json: bool, **options: Any) -> None:
    """Remove all of NAME's routes; their history stays."""
    changes = environments.down(table, name, **options)
    output.print_changes(changes, as_json=as_json, dry_run=options["dry_run"])


COMMANDS = [env]
