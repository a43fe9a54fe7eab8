"""doctor, refresh, sweep."""

import click

from table_admin import output, upkeep
from table_admin.changes import Change
from table_admin.cli.options import AS_JSON, DRY_RUN, warn
from table_admin.doctor import doctor as examine
from table_admin.errors import TableAdminError
from table_admin.routing_table import RoutingTable


@click.command()
@click.argument("domain")
@click.option("--edge", metavar="URL", help="Ask this edge, e.g. http://127.0.0.1:8080, instead of https://DOMAIN/.")
@AS_JSON
@click.pass_obj
def doctor(table: RoutingTable, domain: str, edge: str | None, as_json: bool) -> None:
    """Walk the way a request for DOMAIN walks, and say at each step what is wrong and how to mend it."""
    wrong = 0
    findings = []
    for finding in examine(table, domain, edge=edge):
        wrong += finding.status == "wrong"
        findings.append(finding)
        if not as_json:
            output.print_finding(finding)
    if as_json:
        output.print_json_array(findings)
    if wrong:
        raise TableAdminError(
            f"{wrong} of {output.counted(len(findings), 'step')} {'is' if wrong == 1 else 'are'} wrong."
        )


@click.command()
@click.option("--environment", "-e", help="Only this environment's routes.")
@DRY_RUN
@AS_JSON
@click.pass_obj
def refresh(table: RoutingTable, environment: str | None, dry_run: bool, as_json: bool) -> None:
    """Resolve load balancers again, and write the routes of those that changed."""
    outcomes = [*upkeep.refresh(table, environment, dry_run=dry_run, on_broken=warn)]
    changes = [outcome for outcome in outcomes if isinstance(outcome, Change)]
    output.print_changes(changes, as_json=as_json, dry_run=dry_run)
    _report([outcome for outcome in outcomes if not isinstance(outcome, Change)])


@click.command()
@click.option("--orphans/--no-orphans", default=True, help="Report routes whose target is gone.")
@DRY_RUN
@AS_JSON
@click.pass_obj
def sweep(table: RoutingTable, orphans: bool, dry_run: bool, as_json: bool) -> None:
    """Remove expired rows that DynamoDB has not removed yet, and report routes whose target is gone."""
    changes = [*upkeep.sweep(table, dry_run=dry_run, on_broken=warn)]
    output.print_changes(changes, as_json=as_json, dry_run=dry_run)
    if orphans:
        _report([*upkeep.gone(table)])


def _report(found: list[upkeep.Orphan | upkeep.Lost]) -> None:
    for one in found:
        lost = isinstance(one, upkeep.Lost)
        mend = f" Mend it with: table-admin rollback {one.domain}" if lost else ""
        click.echo(f"{'lost' if lost else 'orphan'}: {one.domain} -> {one.target}: {one.reason}{mend}", err=True)


COMMANDS = [doctor, refresh, sweep]
