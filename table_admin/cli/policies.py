"""The options of who gets an answer and what goes with it, and the links that are printed where it is not everybody."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import click

from edge_handler.routes.wildcards import is_wildcard
from table_admin.access import Access, Link
from table_admin.access_table import NoAccessTable
from table_admin.changes import Change, is_live, is_managed
from table_admin.cli.session import setting
from table_admin.config import check_edge
from table_admin.errors import InvalidInput, TableAdminError
from table_admin.inputs import epoch_text
from table_admin.routing_table import RoutingTable
from table_admin.terminal import echo

LOCAL_EDGE = "http://{domain}:8080/"
"""Beside tables on this machine, where `make run` serves by default."""
EDGE = click.option("--edge", metavar="URL", help="Where the site is, if not at https://{domain}/.")
_OPTIONS = (
    click.option("--private", is_flag=True, help="Let in only who has a link, or name and password. Prints a link."),
    click.option("--public", is_flag=True, help="Let everybody in again."),
    click.option(
        "--allow",
        multiple=True,
        metavar="CIDR",
        help="Answer these networks only, e.g. 203.0.113.0/24, in place of those before. Several times.",
    ),
    click.option("--allow-all", is_flag=True, help="Answer all networks again."),
    click.option("--noindex", is_flag=True, help="Tell search engines to keep away, as of what expires by default."),
    click.option("--index", is_flag=True, help="Let search engines in, also where it expires."),
    click.option(
        "--header",
        "headers",
        multiple=True,
        metavar="'NAME: VALUE'",
        help="Set a header of the response; 'NAME:' takes it away. Several times.",
    ),
    click.option(
        "--no-header", "gone_headers", multiple=True, metavar="NAME", help="Forget a --header. Several times."
    ),
)


def policy_options(verb: Callable[..., Any]) -> Callable[..., Any]:
    """Give a verb the options that `policy_of` reads."""
    for option in reversed(_OPTIONS):
        verb = option(verb)
    return verb


def policy_of(options: dict[str, Any]) -> dict[str, Any] | None:
    """Take the options out; return what they say as `RoutingTable.put` takes it, None where nothing. Raises UsageError.

    What they say of a network or a header is looked at there.
    """
    private, public, allow, allow_all, noindex, index, headers, gone = (
        options.pop(name)
        for name in ("private", "public", "allow", "allow_all", "noindex", "index", "headers", "gone_headers")
    )
    for given, other, names in (
        (private, public, "--private and --public"),
        (allow, allow_all, "--allow and --allow-all"),
        (noindex, index, "--noindex and --index"),
    ):
        if given and other:
            raise click.UsageError(f"{names} do not go together.")
    said: dict[str, Any] = {}
    if private or public:
        said["private"] = private
    if allow or allow_all:
        said["allow"] = [*allow]
    if noindex or index:
        said["noindex"] = noindex
    if headers or gone:
        said["headers"] = _headers(headers, gone)
    return said or None


def _headers(given: Sequence[str], gone: Sequence[str]) -> dict[str, str | None]:
    found: dict[str, str | None] = {}
    for text in given:
        name, colon, value = text.partition(":")
        if not colon or not name.strip():
            raise click.UsageError(f"--header {text[:80]} is not 'NAME: VALUE', as 'X-Frame-Options: DENY' is.")
        _add(found, name, value.strip())
    for name in gone:
        if ":" in name:
            raise click.UsageError(f"--no-header {name[:80]}: a name alone says which shall be forgotten.")
        _add(found, name, None)
    return found


def _add(found: dict[str, str | None], name: str, value: str | None) -> None:
    name = name.strip().lower()
    if name in found:
        raise click.UsageError(f"The header {name[:80]} is given twice.")
    found[name] = value


def edge_of(table: RoutingTable, edge: str | None = None) -> str | None:
    """Return where a site is, if not at https://{domain}/. Raises InvalidInput for a wrong setting."""
    found = setting("edge")
    if edge is None and found.value:
        try:
            check_edge(found.value)
        except InvalidInput as error:
            raise InvalidInput(f"{found.source}: {error}") from error
    return edge or found.value or (LOCAL_EDGE if table.tables.is_here else None)


def check_links(table: RoutingTable, policy: Mapping[str, Any] | None) -> str:
    """Return why no link can be printed of what is made private, empty where one can.

    Raises NoAccessTable before anything is written: nobody could get in. InvalidInput: see `edge_of`.
    """
    if not (policy or {}).get("private"):
        return ""
    edge_of(table)
    try:
        Access(table).check()
    except NoAccessTable:
        raise
    except TableAdminError as error:
        return str(error)
    return ""


def links_of(
    table: RoutingTable,
    changes: Iterable[Change],
    policy: Mapping[str, Any] | None,
    why_none: str,
    *,
    dry_run: bool,
    edge: str | None = None,
) -> dict[str, list[Link]] | None:
    """Return by domain the links to what was made private; None where nobody asked for that, or nothing was written."""
    if not (policy or {}).get("private") or dry_run:
        return None
    access, found = Access(table), {}
    for change in changes:
        if change.after is not None and change.after.policy is not None and change.after.policy.private:
            found[change.domain] = [] if why_none else _links(access, change, edge_of(table, edge))
    if why_none:
        echo(f"table-admin: no link could be made: {why_none}", err=True)
    return found


def _links(access: Access, change: Change, edge: str | None) -> list[Link]:
    if change.after is None or is_wildcard(change.domain):
        echo(f"table-admin: {change.domain} has no link; make one for a host: table-admin access link HOST", err=True)
        return []
    return [access.link_to(change.after, edge=edge)]


def print_links(links: Mapping[str, Sequence[Link]] | None) -> None:
    """Print a link a line, and beside them until when they are good."""
    found = [link for some in (links or {}).values() for link in some]
    for link in found:
        echo(f"link {link.url}")
    if found:
        echo(f"table-admin: whoever has a link gets in until {epoch_text(found[0].expires_at)}", err=True)


def tell_several_hosts(table: RoutingTable, changes: Sequence[Change], policy: Mapping[str, Any] | None) -> None:
    """Say where pages of what was made private cannot ask the other services of their environment."""
    if not (policy or {}).get("private"):
        return
    routes = [change.after for change in changes if change.after is not None and is_managed(change.after)]
    for environment in dict.fromkeys(route.environment for route in routes):
        now = table.clock()
        found = {route.domain for route in table.list(environment) if is_managed(route) and is_live(route, now)}
        found |= {route.domain for route in routes if route.environment == environment}
        if len(found) > 1:
            echo(
                f"table-admin: a session is one host's, and {environment} has {len(found)}: what a page asks of "
                "another one is refused. A rule has one host answer for both: --rule '/api/*=TARGET'",
                err=True,
            )
