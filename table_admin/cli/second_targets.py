"""canary start, weight, promote, abort; fail-over, fail-back."""

from typing import Any

import click

from edge_handler.routes.canary import MAX_WEIGHT
from table_admin import canary as canaries
from table_admin import failover, output
from table_admin.changes import Change
from table_admin.cli.options import (
    AS_JSON,
    DOMAINS,
    DRY_RUN,
    ENVIRONMENT,
    IF_REVISION,
    NOTE,
    check_one_of,
    full_second_target,
    tell_left,
    tell_missing,
    tell_secret,
)
from table_admin.routing_table import RoutingTable

WEIGHT = click.IntRange(0, MAX_WEIGHT)


@click.group()
def canary() -> None:
    """Give some viewers of a domain a second target: a gradual cut-over."""


@canary.command()
@click.argument("domain")
@click.argument("target", required=False, type=full_second_target)
@click.option("--weight", type=WEIGHT, required=True, metavar="PERCENT", help="Of a hundred viewers, how many.")
@click.option("--from", "of", metavar="DOMAIN", help="What this domain leads to, a preview say, is TARGET.")
@click.option("--cookie", metavar="NAME", help="The application's, whose value says who a viewer is.")
@click.option("--keep-host", is_flag=True, help="An https:// target gets the viewer's host.")
@NOTE
@IF_REVISION
@DRY_RUN
@AS_JSON
@click.pass_obj
def start(
    table: RoutingTable, /, domain: str, target: str | None, of: str | None, as_json: bool, **options: Any
) -> None:
    """Give a share of DOMAIN's viewers TARGET: a bucket's prefix, a deployment, a load balancer or a URL.

    Who gets it follows from the cookie, where a viewer has it, and from address and user agent: it is the same with
    each request, and stays so when the share becomes larger. Rules go before, for all viewers.

    Running it twice changes nothing.
    """
    if bool(target) == bool(of):
        raise click.UsageError("Say which: TARGET, or --from DOMAIN.")
    change = canaries.start(table, domain, target or "", of=of or "", **options)
    _show(change, as_json, options["dry_run"])
    tell_secret(table, [change])
    tell_missing(table, [change])


@canary.command("weight")
@click.argument("domain")
@click.argument("weight", type=WEIGHT, metavar="PERCENT")
@NOTE
@IF_REVISION
@DRY_RUN
@AS_JSON
@click.pass_obj
def weigh(table: RoutingTable, /, domain: str, weight: int, as_json: bool, **options: Any) -> None:
    """Give DOMAIN's canary another share. Where it becomes larger, those who have it keep it."""
    _show(canaries.weigh(table, domain, weight, **options), as_json, options["dry_run"])


@canary.command()
@click.argument("domain")
@NOTE
@IF_REVISION
@DRY_RUN
@AS_JSON
@click.pass_obj
def promote(table: RoutingTable, /, domain: str, as_json: bool, **options: Any) -> None:
    """Give all of DOMAIN's viewers what the canary's get. Nothing is cached anew for it.

    Where that is the standby's target, what all got until now is the standby then.
    """
    _show(canaries.promote(table, domain, **options), as_json, options["dry_run"])


@canary.command()
@click.argument("domain")
@NOTE
@IF_REVISION
@DRY_RUN
@AS_JSON
@click.pass_obj
def abort(table: RoutingTable, /, domain: str, as_json: bool, **options: Any) -> None:
    """Give all of DOMAIN's viewers its own target again. Running it twice changes nothing."""
    _show(canaries.abort(table, domain, **options), as_json, options["dry_run"])


@click.command("fail-over")
@DOMAINS
@ENVIRONMENT
@NOTE
@DRY_RUN
@AS_JSON
@click.pass_obj
def fail_over(
    table: RoutingTable, /, domains: tuple[str, ...], environment: str | None, as_json: bool, **options: Any
) -> None:
    """Move DOMAINs, or all of an environment that have one, to their standbys. See put --standby.

    Nothing is looked up for it, and a canary ends. Running it twice changes nothing.
    """
    check_one_of(domains, environment)
    changes = failover.fail_over(table, domains, environment, on_left=tell_left, **options)
    output.print_changes(changes, as_json=as_json, dry_run=options["dry_run"])


@click.command("fail-back")
@DOMAINS
@ENVIRONMENT
@NOTE
@DRY_RUN
@AS_JSON
@click.pass_obj
def fail_back(
    table: RoutingTable, /, domains: tuple[str, ...], environment: str | None, as_json: bool, **options: Any
) -> None:
    """Move DOMAINs, or all of an environment, back to their own targets. Running it twice changes nothing."""
    check_one_of(domains, environment)
    changes = failover.fail_back(table, domains, environment, on_left=tell_left, **options)
    output.print_changes(changes, as_json=as_json, dry_run=options["dry_run"])


def _show(change: Change, as_json: bool, dry_run: bool) -> None:
    output.print_changes([change], as_json=as_json, dry_run=dry_run, single=True)


COMMANDS = [canary, fail_over, fail_back]
