"""env up, name, list, show, extend, promote, adopt, down."""

from typing import Any

import click

from table_admin import branches, environments, output, promotions
from table_admin.cli.options import (
    AS_JSON,
    DRY_RUN,
    EXPIRES_IN,
    NOTE,
    PERMANENT,
    default_expiry,
    pairs,
    tell_left,
    tell_missing,
    tell_secret,
    warn,
)
from table_admin.cli.policies import (
    check_links,
    links_of,
    policy_of,
    policy_options,
    print_links,
    tell_several_hosts,
)
from table_admin.documents import route_document
from table_admin.routing_table import RoutingTable


@click.group()
def env() -> None:
    """Work with an environment's URLs together."""


_NAME = click.argument("name", required=False)
_BRANCH = click.option("--branch", help="The environment of this branch instead of NAME, see env name.")
_SOURCE = click.option("--source", help="The branch or pull request it is of; refused where it is another's.")


@env.command()
@_NAME
@_BRANCH
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
@_SOURCE
@click.option(
    "--take-over", is_flag=True, help="Also where another source made it, or one did and there is no --source."
)
@click.option("--prune", is_flag=True, help="Remove its services that are not named.")
@click.option("--force", is_flag=True, help="Prune also what other domains are served from.")
@EXPIRES_IN
@PERMANENT
@policy_options
@NOTE
@DRY_RUN
@AS_JSON
@click.pass_obj
def up(
    table: RoutingTable,
    /,
    name: str | None,
    branch: str | None,
    services: tuple[str, ...],
    source: str | None,
    take_over: bool,
    as_json: bool,
    **options: Any,
) -> None:
    """Create NAME, or change it: a URL per service, in one transaction. Prints the URLs.

    Where it has expired, or manages no route, the configured expires_in holds; where it has expired and none is
    configured, say how long. Running it twice changes nothing but the expiry, which --expires-in counts from now.

    With --branch its name is made of the branch's, and printed first. With --private a link for each URL is printed
    last.
    """
    if branch is not None and (name is not None or source is not None or take_over):
        raise click.UsageError("--branch goes without NAME, --source and --take-over.")
    options["default_expires_in"] = default_expiry()
    policy = policy_of(options)
    wanted = {"services": pairs(services, "--service"), "on_left": tell_left, "policy": policy, **options}
    why_no_link = check_links(table, policy)
    if branch is None:
        changes = environments.up(table, _name(name, branch), source=source, take_over=take_over, **wanted)
    else:
        changes = branches.up(table, branch, **wanted)
        if not as_json:
            click.echo(f"environment {changes[0].after.environment if changes[0].after else ''}")
    # Beside a table on this machine is a local edge, on a port of its own and without TLS.
    dry_run = options["dry_run"]
    links = links_of(table, changes, policy, why_no_link, dry_run=dry_run)
    output.print_changes(changes, as_json=as_json, dry_run=dry_run, urls=not table.tables.is_here, links=links)
    if not as_json:
        print_links(links)
    tell_several_hosts(table, changes, policy)
    tell_secret(table, changes)
    tell_missing(table, changes)


@env.command("name")
@click.argument("branch")
@AS_JSON
@click.pass_obj
def name_of(table: RoutingTable, branch: str, as_json: bool) -> None:
    """Print the name of BRANCH's environment: feature/ABC_123 is feature-abc-123.

    Latin letters lose their accents: ä is a, ø is o, ß is ss. It has a hash where it had to be cut, where other letters
    were left out, or where another branch has the plain one.
    """
    name = branches.name_of(table, branch)
    if as_json:
        output.print_json({"name": name})
    else:
        click.echo(name)


@env.command("list")
@AS_JSON
@click.pass_obj
def list_environments(table: RoutingTable, as_json: bool) -> None:
    """List environments."""
    found = environments.summaries(table, warn)
    if as_json:
        output.print_json_array(found)
    else:
        output.print_table(output.ENVIRONMENT_HEADS, output.environment_rows(found), spare=output.ENVIRONMENT_SPARE)


@env.command()
@_NAME
@_BRANCH
@AS_JSON
@click.pass_obj
def show(table: RoutingTable, name: str | None, branch: str | None, as_json: bool) -> None:
    """Show NAME's routes."""
    routes = environments.show(table, _name_of(table, name, branch), warn)
    if as_json:
        output.print_json_array(map(route_document, routes))
    else:
        output.print_table(output.ROUTE_HEADS, output.route_rows(routes), spare=output.ROUTE_SPARE)


@env.command()
@_NAME
@_BRANCH
@EXPIRES_IN
@PERMANENT
@NOTE
@DRY_RUN
@AS_JSON
@click.pass_obj
def extend(table: RoutingTable, /, name: str | None, branch: str | None, as_json: bool, **options: Any) -> None:
    """Give all routes that NAME manages a new expiry, which --expires-in counts from now."""
    changes = environments.extend(table, _name_of(table, name, branch), on_left=tell_left, **options)
    output.print_changes(changes, as_json=as_json, dry_run=options["dry_run"])


@env.command()
@click.argument("name")
@click.argument("domains", nargs=-1, metavar="DOMAIN[=SERVICE]...")
@_BRANCH
@NOTE
@DRY_RUN
@AS_JSON
@click.pass_obj
def promote(
    table: RoutingTable, /, name: str, domains: tuple[str, ...], branch: str | None, as_json: bool, **options: Any
) -> None:
    """Send DOMAINs to where NAME's services are, in one transaction. Back again: rollback DOMAIN...

    With --branch there is no NAME: all arguments are DOMAINs.
    """
    if branch is not None:
        name, domains = branches.name_of(table, branch), (name, *domains)
    if not domains:
        raise click.UsageError("Say which domains to send there: env promote NAME DOMAIN...")
    wanted: dict[str, str] = {}
    for text in domains:
        domain, equals, service = text.partition("=")
        if equals and not service:
            raise click.UsageError(f"{text} names no service after its =.")
        if domain in wanted:
            raise click.UsageError(f"{domain} is given twice.")
        wanted[domain] = service
    changes = promotions.promote(table, name, wanted, **options)
    output.print_changes(changes, as_json=as_json, dry_run=options["dry_run"])


@env.command()
@_NAME
@_BRANCH
@NOTE
@DRY_RUN
@AS_JSON
@click.pass_obj
def adopt(table: RoutingTable, /, name: str | None, branch: str | None, as_json: bool, **options: Any) -> None:
    """Let NAME manage all routes that list shows under its name: extend and down change them then too."""
    changes = environments.adopt(table, _name_of(table, name, branch), on_left=tell_left, **options)
    output.print_changes(changes, as_json=as_json, dry_run=options["dry_run"])


@env.command()
@_NAME
@_BRANCH
@_SOURCE
@click.option("--force", is_flag=True, help="Also where other domains are served from its targets: keep those then.")
@NOTE
@DRY_RUN
@AS_JSON
@click.pass_obj
def down(
    table: RoutingTable,
    /,
    name: str | None,
    branch: str | None,
    source: str | None,
    as_json: bool,
    **options: Any,
) -> None:
    """Remove all routes that NAME manages; their history stays. A second run removes nothing."""
    if branch is not None and source is not None:
        raise click.UsageError("--branch goes without --source.")
    name = _name_of(table, name, branch)
    changes = environments.down(table, name, source=branch or source, on_left=tell_left, **options)
    if not changes and not as_json:
        click.echo(f"nothing to remove: the environment {name} manages no route")
    output.print_changes(changes, as_json=as_json, dry_run=options["dry_run"])


def _name(name: str | None, branch: str | None) -> str:
    if name is None or branch is not None:
        raise click.UsageError("Name an environment, or say --branch.")
    return name


def _name_of(table: RoutingTable, name: str | None, branch: str | None) -> str:
    if branch is not None and name is None:
        return branches.name_of(table, branch)
    return _name(name, branch)


COMMANDS = [env]
