"""The command `table-admin`: thin over RoutingTable, every verb one of its methods."""

import contextlib
import getpass
import os
import sys
from typing import Any

import boto3
import click
from botocore.config import Config
from botocore.exceptions import BotoCoreError

from table_admin import output
from table_admin.documents import change_document, explanation_document, revision_document, route_document
from table_admin.errors import InvalidInput, TableAdminError
from table_admin.explain import explain as explain_url
from table_admin.routing_table import Change, RoutingTable

# botocore's own would keep a person waiting for half a minute before it says that nobody answers.
_PATIENCE = Config(connect_timeout=5, retries={"mode": "standard", "total_max_attempts": 4})
_JSON = click.option("--json", "as_json", is_flag=True, help="Print JSON.")
_NOTE = click.option("--note", default="", help="Why, for people; goes into the history.")
_IF_REVISION = click.option("--if-revision", type=click.IntRange(0), help="Write only over this revision; 0: only new.")


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.option("--stack", default="edge-routing", envvar="TABLE_ADMIN_STACK", show_default=True, help="Whose tables.")
@click.option("--actor", default=None, envvar="TABLE_ADMIN_ACTOR", help="Who does this; the user's name by default.")
@click.option("--profile", default=None, help="The AWS profile.")
@click.option("--region", default=None, help="The tables' AWS region.")
@click.option("--endpoint-url", default=None, help="Instead of AWS, e.g. http://127.0.0.1:4566.")
@click.version_option(package_name="edge-routing")
@click.pass_context
def cli(
    context: click.Context,
    stack: str,
    actor: str | None,
    profile: str | None,
    region: str | None,
    endpoint_url: str | None,
) -> None:
    """Manage which URL goes where. Changes are seen at the edge within seconds."""
    session = boto3.Session(profile_name=profile, region_name=region)

    def client(service: str, **options: Any) -> Any:
        options.setdefault("region_name", session.region_name or "us-east-1")
        try:
            return session.client(service, endpoint_url=endpoint_url, config=_PATIENCE, **options)  # type: ignore[call-overload]
        except ValueError as error:
            raise InvalidInput(f"The region or the endpoint cannot be used: {error}.") from error

    context.obj = RoutingTable(stack, actor=actor or _user(), client=client)


def _user() -> str:
    try:
        return getpass.getuser()
    except (OSError, KeyError):
        return "unknown"


@cli.command()
@click.argument("domain")
@click.argument("target")
@click.option("--environment", "-e", help="What it belongs to; the domain's first label by default.")
@click.option("--expires-in", help="Make it ephemeral, e.g. 12h or 7d.")
@click.option("--permanent", is_flag=True, help="Take its expiry away.")
@click.option("--keep-host", is_flag=True, help="An https:// target is an ingress that routes by the viewer's host.")
@_NOTE
@_IF_REVISION
@_JSON
@click.pass_obj
def put(table: RoutingTable, /, domain: str, target: str, as_json: bool, **options: Any) -> None:
    """Send DOMAIN to TARGET: s3://bucket/prefix, a load balancer's ARN, or https://host[:port][/path].

    What is not given stays as it was. Running it twice changes nothing.
    """
    change = table.put(domain, target, **options)
    _show_change(change, as_json)


@cli.command()
@click.argument("domain")
@_NOTE
@_IF_REVISION
@_JSON
@click.pass_obj
def touch(table: RoutingTable, /, domain: str, as_json: bool, **options: Any) -> None:
    """Empty the CDN of what it cached for DOMAIN, without an invalidation."""
    change = table.touch(domain, **options)
    _show_change(change, as_json)


@cli.command()
@click.argument("domain")
@_NOTE
@_IF_REVISION
@_JSON
@click.pass_obj
def delete(table: RoutingTable, /, domain: str, as_json: bool, **options: Any) -> None:
    """Remove DOMAIN's route; its history stays."""
    change = table.delete(domain, **options)
    _show_change(change, as_json)


@cli.command()
@click.argument("domain")
@_JSON
@click.pass_obj
def get(table: RoutingTable, domain: str, as_json: bool) -> None:
    """Show DOMAIN's route."""
    route = table.get(domain)
    if as_json:
        output.print_json(route_document(route))
    else:
        output.print_route(route)


@cli.command("list")
@click.option("--environment", "-e", help="Only this environment's routes.")
@_JSON
@click.pass_obj
def list_routes(table: RoutingTable, environment: str | None, as_json: bool) -> None:
    """List routes, as they come from the table."""
    routes = table.list(environment, on_broken=_warn)
    if as_json:
        output.print_json_array(map(route_document, routes))
        return
    heads = ("DOMAIN", "TARGET", "ENVIRONMENT", "REVISION", "EXPIRES", "BY")
    count = output.print_table(heads, output.route_rows(routes))
    click.echo(f"{count} routes", err=True)


@cli.command()
@click.argument("domain")
@_JSON
@click.pass_obj
def history(table: RoutingTable, domain: str, as_json: bool) -> None:
    """Show who did what to DOMAIN, newest first."""
    revisions = table.history(domain)
    if as_json:
        output.print_json_array(map(revision_document, revisions))
        return
    heads = ("REVISION", "ACTION", "TARGET", "WHEN", "BY", "NOTE")
    output.print_table(heads, output.history_rows(revisions))


@cli.command()
@click.argument("url")
@_JSON
@click.pass_obj
def explain(table: RoutingTable, url: str, as_json: bool) -> None:
    """Show which row answers for URL, and what the edge does with it."""
    found = explain_url(table, url)
    if as_json:
        output.print_json(explanation_document(found))
    else:
        output.print_explanation(found)


def _show_change(change: Change, as_json: bool) -> None:
    if as_json:
        output.print_json(change_document(change))
    else:
        output.print_change(change)


def _warn(domain: str, why: str) -> None:
    click.echo(f"table-admin: the row of {domain} is left out: {why}", err=True)


def main(arguments: list[str] | None = None) -> None:
    """Run the command: exit status 0, 1 for a failure or 2 for wrong usage, with one line that says why."""
    try:
        sys.exit(cli.main(arguments, prog_name="table-admin", standalone_mode=False) or 0)
    except click.ClickException as error:
        _fail(error.format_message(), error.exit_code)
    except click.Abort:
        _fail("interrupted.", 130)
    except InvalidInput as error:
        _fail(str(error), 2)
    except TableAdminError as error:
        _fail(str(error), 1)
    except BotoCoreError as error:
        _fail(f"AWS cannot be asked: {error}", 1)
    except BrokenPipeError:
        # The reader, say `head`, has seen enough. Python would complain once more when it flushes.
        with contextlib.suppress(OSError):
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(0)


def _fail(message: str, status: int) -> None:
    line = " ".join(message.split())
    click.echo(f"table-admin: {line}", err=True)
    sys.exit(status)


if __name__ == "__main__":
    main()
