"""deploy."""

import dataclasses
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import click

from table_admin import output
from table_admin.access import Link
from table_admin.cli.options import AS_JSON, DRY_RUN, EXPIRES_IN, NOTE, PERMANENT, default_expiry
from table_admin.cli.policies import (
    check_links,
    edge_of,
    links_of,
    policy_of,
    policy_options,
    print_links,
    tell_several_hosts,
)
from table_admin.cli.session import setting
from table_admin.deployments.deploy import Deployed
from table_admin.deployments.deploy import deploy as deploy_directory
from table_admin.deployments.sending import Sent
from table_admin.documents import deployed_document
from table_admin.errors import TableAdminError
from table_admin.routing_table import RoutingTable
from table_admin.terminal import Progress, counted, echo, sized


@click.command()
@click.argument("directory", type=click.Path(path_type=Path))
@click.option("--environment", "-e", help="The environment it is of: its URL is NAME.BASE, or SERVICE-NAME.BASE.")
@click.option("--branch", help="The environment of this branch instead, see env name.")
@click.option("--domain", help="The domain it is for instead, e.g. www.example.com.")
@click.option("--base", help="The domain that the environment's URLs are under, e.g. example.com.")
@click.option("--service", "-s", default=None, help="Which of the environment's services it is, e.g. web.")
@click.option("--source", help="The branch or pull request it is of; refused where the environment is another's.")
@click.option("--take-over", is_flag=True, help="Also where another source made it.")
@EXPIRES_IN
@PERMANENT
@click.option("--bucket", help="Where the files are kept; by default as configured, else the stack's own.")
@click.option("--spa", is_flag=True, help="A single-page application: its page answers whatever path is not there.")
@click.option("--force", is_flag=True, help="Also without an index.html at the top.")
@policy_options
@click.option("--resend", is_flag=True, help="Look for every file anew: somebody removed some from the bucket.")
@click.option(
    "--edge",
    default=None,
    metavar="URL",
    help="Where a domain's site is, if not at https://{domain}/; for the last line.",
)
@NOTE
@DRY_RUN
@AS_JSON
@click.pass_obj
def deploy(
    table: RoutingTable,
    /,
    directory: Path,
    domain: str | None,
    base: str | None,
    service: str | None,
    bucket: str | None,
    edge: str | None,
    dry_run: bool,
    as_json: bool,
    **options: Any,
) -> None:
    """Make DIRECTORY, as a site's generator wrote it, what viewers get of a URL. Prints the URL last.

    Only files are sent that are not there yet, and all of them before viewers see any. Running it twice changes
    nothing but the expiry, which --expires-in counts from now, and again after an interruption does the rest. Where
    a newer deployment was made meanwhile, that one stays, with status 1.
    """
    if domain is None and base is None:
        base = setting("base").value or None
    if domain is not None and base is not None:
        raise click.UsageError("--base goes with --environment or --branch; a domain is whole.")
    policy, edge = policy_of(options), edge_of(table, edge)
    why_no_link = check_links(table, policy)
    show: Progress | None = None

    def progress(now: Sent) -> None:
        nonlocal show
        show = show or output.progress("file", total=now.of_files)
        show(now.files, f", {sized(now.size)}")

    try:
        done = deploy_directory(
            table,
            directory,
            bucket=bucket or setting("bucket").value,
            domain=domain,
            base=base,
            service=service or "",
            default_expires_in=default_expiry(),
            policy=policy,
            dry_run=dry_run,
            on_progress=progress,
            **options,
        )
    except KeyboardInterrupt:
        raise TableAdminError("interrupted; the same command does the rest.") from None
    if show is not None:
        show.done()
    links = links_of(table, [done.change], policy, why_no_link, dry_run=dry_run, edge=edge)
    _print(done, links, edge, dry_run, as_json)
    tell_several_hosts(table, [done.change], policy)


def _print(
    done: Deployed, links: Mapping[str, Sequence[Link]] | None, edge: str | None, dry_run: bool, as_json: bool
) -> None:
    url = edge.replace("{domain}", done.domain) if edge else done.url
    for note in done.notes:
        echo(f"table-admin: {note}", err=True)
    if as_json:
        told = {} if links is None else {"links": [link.url for link in links.get(done.domain, ())]}
        output.print_json({**dataclasses.asdict(deployed_document(done, url)), **told})
        return
    would = "would be " if dry_run else ""
    sent = f"{done.sent_files:,} {would}sent ({sized(done.sent_size)})" if done.sent_files else "none sent"
    echo(f"{counted(done.files, 'file')} ({sized(done.size)}), {sent}")
    output.print_changes([done.change], as_json=False, dry_run=dry_run)
    print_links(links)
    echo(url)


COMMANDS = [deploy]
