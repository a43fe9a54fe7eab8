"""doctor, ask-edge, refresh, sweep."""

import itertools
from collections.abc import Iterable, Sequence
from typing import Any

import click

from table_admin import output, output_edge, upkeep
from table_admin.changes import Change
from table_admin.cli.options import AS_JSON, DRY_RUN, NOTE, warn
from table_admin.cli.policies import EDGE, edge_of
from table_admin.deployments.retention import Swept, sweep_deployments
from table_admin.doctor import doctor as examine
from table_admin.documents import change_document
from table_admin.edge_answer import METHODS
from table_admin.edge_answer import ask_edge as ask
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


@click.command("ask-edge")
@click.argument("address", metavar="HOST[/PATH]")
@click.option("--method", type=click.Choice(METHODS, case_sensitive=False), default="GET", help="GET by default.")
@click.option("--cookie", "cookies", multiple=True, metavar="NAME=VALUE", help="Send it, a session say. Several times.")
@EDGE
@AS_JSON
@click.pass_obj
def ask_edge(table: RoutingTable, /, address: str, edge: str | None, as_json: bool, **options: Any) -> None:
    """Ask the edge itself what a request would get and why: row, rule, revision, age, stamp. A URL does, too."""
    found = ask(table, address, edge=edge_of(table, edge), **options)
    if as_json:
        output.print_json({**found.said, **found.headers})
        return
    output_edge.print_edge_answer(found)


@click.command()
@click.option("--environment", "-e", help="Only this environment's routes.")
@NOTE
@DRY_RUN
@AS_JSON
@click.pass_obj
def refresh(table: RoutingTable, environment: str | None, note: str, dry_run: bool, as_json: bool) -> None:
    """Resolve load balancers again, and write the routes of those that changed."""
    _report(upkeep.refresh(table, environment, note=note, dry_run=dry_run, on_broken=warn), as_json, dry_run)


@click.command()
@click.option("--orphans/--no-orphans", default=True, help="Report routes whose target is gone.")
@NOTE
@DRY_RUN
@AS_JSON
@click.pass_obj
def sweep(table: RoutingTable, orphans: bool, note: str, dry_run: bool, as_json: bool) -> None:
    """Remove expired rows that DynamoDB has not removed yet, then deployments; report routes whose target is gone.

    A deployment goes a week after the last row that named it, its files a day later; the last ten of a domain stay.
    """
    swept = upkeep.sweep(table, note=note, dry_run=dry_run, on_broken=warn)
    deployments = sweep_deployments(table, dry_run=dry_run)
    _report(itertools.chain(swept, deployments, upkeep.gone(table) if orphans else ()), as_json, dry_run)


def _report(outcomes: Iterable[Change | Swept | upkeep.Orphan | upkeep.Lost], as_json: bool, dry_run: bool) -> None:
    """Print what was tidied, and beside it what cannot be; as JSON one document of both, as the HTTP API's."""
    show = output.progress("route")
    changes: list[Change] = []
    orphans: list[upkeep.Orphan] = []
    lost: list[upkeep.Lost] = []
    swept: list[Swept] = []
    for number, outcome in enumerate(outcomes, 1):
        show(number)
        if isinstance(outcome, Change):
            changes.append(outcome)
        elif isinstance(outcome, Swept):
            swept.append(outcome)
        elif isinstance(outcome, upkeep.Lost):
            lost.append(outcome)
        else:
            orphans.append(outcome)
    show.done()
    if as_json:
        shown = {"changes": [*map(change_document, changes)], "orphans": orphans, "lost": lost}
        output.print_json({**shown, "deployments": swept})
        _fail_if(lost)
        return
    output.print_changes(changes, as_json=False, dry_run=dry_run)
    output.print_swept(swept, dry_run)
    if not (changes or orphans or lost or swept):
        click.echo("nothing to do")
    for orphan in orphans:
        output.echo(f"orphan: {orphan.domain} -> {orphan.target}: {orphan.reason}", err=True)
    for one in lost:
        mend = f"See table-admin history {one.domain}, then: table-admin rollback {one.domain} --to REVISION"
        output.echo(f"lost: {one.domain} -> {one.target}: {one.reason} {mend}", err=True)
    _fail_if(lost)


def _fail_if(lost: Sequence[upkeep.Lost]) -> None:
    """Fail where viewers of something promoted get errors: nobody reads what a nightly job says when it ends well."""
    if lost:
        verb = "leads" if len(lost) == 1 else "lead"
        raise TableAdminError(f"{output.counted(len(lost), 'promoted route')} {verb} nowhere; viewers get errors.")


COMMANDS = [doctor, ask_edge, refresh, sweep]
