"""put, get, list, delete, touch, history, diff, rollback, explain."""

from collections.abc import Mapping, Sequence
from typing import Any

import click

from table_admin import output, output_edge
from table_admin.access import Link
from table_admin.changes import Change
from table_admin.cli.options import (
    AS_JSON,
    DOMAINS,
    DRY_RUN,
    EXPIRES_IN,
    IF_REVISION,
    NOTE,
    NUMBER,
    NUMBER_OR_ZERO,
    PERMANENT,
    default_expiry,
    full_second_target,
    full_target,
    rules,
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
from table_admin.documents import explanation_document, revision_document, route_document
from table_admin.environment_rollback import rollback_environment
from table_admin.explain import explain as explain_url
from table_admin.history import diff as diff_revisions
from table_admin.policies import NONE
from table_admin.removal import delete_many
from table_admin.rollback import rollback as rollback_domains
from table_admin.routing_table import RoutingTable
from table_admin.viewers import parse_viewer

_LIMIT = click.option("--limit", type=NUMBER, help="So many at the most.")


@click.command()
@click.argument("domain")
@click.argument("target", type=full_target)
@click.option("--environment", "-e", help="What it belongs to; the domain's first label by default.")
@click.option("--service", help="Which of its environment's services it is.")
@EXPIRES_IN
@PERMANENT
@click.option(
    "--keep-host/--own-host",
    default=None,
    help="An https:// target gets the viewer's host, for an ingress that routes by it; or its own, the default.",
)
@click.option(
    "--rule",
    "given_rules",
    multiple=True,
    metavar="PATTERN=TARGET",
    help="'/api/*=https://api.example.com' for some of its paths; the longest pattern wins. Several times.",
)
@click.option("--no-rule", "gone_rules", multiple=True, metavar="PATTERN", help="Take this rule away. Several times.")
@click.option("--no-rules", is_flag=True, help="Take all rules away that are not given.")
@click.option(
    "--standby",
    type=full_second_target,
    metavar="TARGET",
    help="Where fail-over leads; keep-host: may stand before it.",
)
@click.option("--no-standby", is_flag=True, help="Take it away.")
@policy_options
@NOTE
@IF_REVISION
@DRY_RUN
@AS_JSON
@click.pass_obj
def put(
    table: RoutingTable,
    /,
    domain: str,
    target: str,
    given_rules: tuple[str, ...],
    gone_rules: tuple[str, ...],
    no_rules: bool,
    no_standby: bool,
    as_json: bool,
    **options: Any,
) -> None:
    """Send DOMAIN to TARGET: s3://bucket/prefix, a load balancer's ARN, https://host[:port][/path], or a redirect.

    A redirect is redirect:[STATUS:]https://host[/path], 308 by default. DOMAIN may be a wildcard, in quotes for the
    shell: '*.example.com'. The target of a rule may begin with strip: (it is asked without the pattern's prefix) and
    keep-host:.

    While DOMAIN is failed over, TARGET is where it leads after fail-back.

    What is not given stays as it was; where DOMAIN had expired and no expires_in is configured, say how long. Running
    it twice changes nothing but the expiry, which --expires-in counts from now.
    """
    wanted = rules(given_rules, gone_rules, all_gone=no_rules)
    if no_standby and options["standby"] is not None:
        raise click.UsageError("--standby and --no-standby do not go together.")
    if no_standby:
        options["standby"] = NONE
    policy = policy_of(options)
    why_no_link = check_links(table, policy)
    expiry = default_expiry()
    change = table.put(
        domain, target, default_expires_in=expiry, rules=wanted, only_rules=no_rules, policy=policy, **options
    )
    links = links_of(table, [change], policy, why_no_link, dry_run=options["dry_run"])
    _show([change], as_json, options["dry_run"], single=True, links=links)
    tell_several_hosts(table, [change], policy)
    tell_secret(table, [change])
    tell_missing(table, [change])


@click.command()
@click.argument("domain")
@NOTE
@IF_REVISION
@DRY_RUN
@AS_JSON
@click.pass_obj
def touch(table: RoutingTable, /, domain: str, as_json: bool, **options: Any) -> None:
    """Empty the CDN of what it cached for DOMAIN, without an invalidation."""
    _show([table.touch(domain, **options)], as_json, options["dry_run"], single=True)


@click.command()
@click.argument("domains", nargs=-1, required=True, metavar="DOMAIN...")
@click.option("--must-exist", is_flag=True, help="Fail where there is none, with status 1.")
@NOTE
@IF_REVISION
@DRY_RUN
@AS_JSON
@click.pass_obj
def delete(
    table: RoutingTable, /, domains: tuple[str, ...], if_revision: int | None, as_json: bool, **options: Any
) -> None:
    """Remove the routes of DOMAINs; their history stays. Running it twice changes nothing."""
    if len(domains) == 1:
        changes = [table.delete(domains[0], if_revision=if_revision, **options)]
    elif if_revision is None:
        changes = delete_many(table, domains, **options)
    else:
        raise click.UsageError("--if-revision goes with one domain.")
    _show(changes, as_json, options["dry_run"])


@click.command()
@click.argument("domain")
@AS_JSON
@click.pass_obj
def get(table: RoutingTable, domain: str, as_json: bool) -> None:
    """Show DOMAIN's route."""
    route = table.get(domain)
    if as_json:
        output.print_json(route_document(route))
    else:
        output.print_route(route)


@click.command("list")
@click.option("--environment", "-e", help="Only this environment's routes.")
@click.option("--name", help="Only domains with this in them, or of this pattern: 'web-*.example.com'.")
@click.option("--target", help="Only targets, rules' too, with this in them, or of this pattern: 's3://acme-*'.")
@click.option(
    "--expires-before", metavar="TIME", help="Only what expires before then, e.g. 2026-12-24, or 2d from now."
)
@_LIMIT
@AS_JSON
@click.pass_obj
def list_routes(
    table: RoutingTable, /, environment: str | None, limit: int | None, as_json: bool, **filters: Any
) -> None:
    """List routes, as they come from the table."""
    routes = table.list(environment, warn, where=table.selection(**filters), limit=limit)
    if as_json:
        output.print_json_array(map(route_document, routes))
    else:
        count = output.print_table(output.ROUTE_HEADS, output.route_rows(routes), spare=output.ROUTE_SPARE)
        output.print_count(count, "route", limit)


@click.command()
@click.argument("domain")
@_LIMIT
@AS_JSON
@click.pass_obj
def history(table: RoutingTable, domain: str, limit: int | None, as_json: bool) -> None:
    """Show who did what to DOMAIN, newest first."""
    revisions = table.history(domain, limit=limit)
    if as_json:
        output.print_json_array(map(revision_document, revisions))
    else:
        count = output.print_table(output.HISTORY_HEADS, output.history_rows(revisions))
        output.print_count(count, "revision", limit)


@click.command()
@click.argument("domain")
@click.option("--from", "old", type=NUMBER_OR_ZERO, help="A revision; the one before --to by default.")
@click.option("--to", "new", type=NUMBER, help="A revision; the newest by default.")
@AS_JSON
@click.pass_obj
def diff(table: RoutingTable, domain: str, old: int | None, new: int | None, as_json: bool) -> None:
    """Show what is different between two revisions of DOMAIN."""
    found = diff_revisions(table, domain, old, new)
    if as_json:
        output.print_json(output.plain(found))
    else:
        output.print_differences(found)
        if not found:
            click.echo("no difference for people")


@click.command()
@DOMAINS
@click.option("--to", type=NUMBER, help="To this revision; by default to before the last change.")
@click.option("--further", is_flag=True, help="Where the last change is a rollback: one step back from there.")
@click.option("--if-target", metavar="TARGET", help="Only what has this target, to before it had it; with * a pattern.")
@click.option("--environment", "-e", help="All domains of an environment, to what they were --since.")
@click.option("--since", metavar="TIME", help="A time, e.g. 2026-12-01T08:00Z, or how long ago, e.g. 10m.")
@EXPIRES_IN
@PERMANENT
@NOTE
@IF_REVISION
@DRY_RUN
@AS_JSON
@click.pass_obj
def rollback(
    table: RoutingTable,
    /,
    domains: tuple[str, ...],
    environment: str | None,
    since: str | None,
    note: str,
    dry_run: bool,
    as_json: bool,
    **options: Any,
) -> None:
    """Make DOMAINs what they were, and say what that undoes; or all of an environment, with --environment and --since.

    Running it twice changes nothing: where the last change is a rollback, only --further or --to goes on.
    """
    if bool(environment) != bool(since) or bool(environment) == bool(domains):
        raise click.UsageError("Name domains, or an environment with --environment E --since TIME.")
    if environment and since:
        if any(value not in (None, False) for value in options.values()):
            raise click.UsageError(
                "--to, --further, --if-target, --expires-in, --permanent and --if-revision go with domains."
            )
        moment = table.since(since)
        changes = rollback_environment(table, environment, moment, note=note, dry_run=dry_run, on_left=tell_left)
        _show([*changes], as_json, dry_run, none=f"nothing to do: nothing that {environment} manages was changed since")
    else:
        _show(rollback_domains(table, domains, note=note, dry_run=dry_run, **options), as_json, dry_run)


@click.command()
@click.argument("url")
@click.option("--cookie", "cookies", multiple=True, metavar="NAME=VALUE", help="Of the viewer who asks. Several times.")
@click.option("--address", metavar="IP", help="The viewer's.")
@click.option("--user-agent", metavar="TEXT", help="The viewer's.")
@AS_JSON
@click.pass_obj
def explain(
    table: RoutingTable,
    url: str,
    cookies: tuple[str, ...],
    address: str | None,
    user_agent: str | None,
    as_json: bool,
) -> None:
    """Show which row answers for URL, and what the edge does with it.

    Of a canary both sides are shown, or that of the viewer who is named.
    """
    found = explain_url(table, url, parse_viewer(cookies, address, user_agent))
    if as_json:
        output.print_json(explanation_document(found))
    else:
        output_edge.print_explanation(found)


def _show(
    changes: list[Change],
    as_json: bool,
    dry_run: bool,
    *,
    single: bool = False,
    none: str = "",
    links: Mapping[str, Sequence[Link]] | None = None,
) -> None:
    output.print_changes(changes, as_json=as_json, dry_run=dry_run, single=single, links=links)
    if not as_json:
        print_links(links)
    if none and not changes and not as_json:
        click.echo(none)


COMMANDS = [put, get, list_routes, delete, touch, history, diff, rollback, explain]
