"""watch."""

import time
from collections.abc import Iterator

import click

from table_admin import output
from table_admin.cli.options import AS_JSON
from table_admin.errors import TableAdminError
from table_admin.feed import Feed, News
from table_admin.routing_table import RoutingTable
from table_admin.selection import matches
from table_admin.terminal import echo

_EVERY_SECONDS = 2.0
_LONGEST_PAUSE_SECONDS = 30.0


@click.command()
@click.option("--since", metavar="TIME", help="From then on, e.g. 2026-12-01T08:00Z, or 10m for the last ten minutes.")
@click.option("--environment", "-e", help="Only this environment's routes.")
@click.option("--name", help="Only domains with this in them, or of this pattern: 'web-*.example.com'.")
@click.option("--once", is_flag=True, help="What there is since then, and no waiting for more.")
@AS_JSON
@click.pass_obj
def watch(
    table: RoutingTable, since: str | None, environment: str | None, name: str | None, once: bool, as_json: bool
) -> None:
    """Show changes as they are made: when, what, by whom and why. Ctrl-C, or SIGTERM, ends it with status 0.

    With --json a line is a document. Of an import of many thousand rows only that it was is shown.
    """
    feed = Feed(table, table.since(since) if since is not None else None)
    table.selection(name)  # refuses what is none
    try:
        for news in _news(feed, once=once):
            for revision in news.revisions:
                of = revision.route.environment if revision.route else None
                if environment in (None, of) and matches(name, revision.domain):
                    output.print_revision(revision, as_json)
            for who in news.reload:
                echo(f"table-admin: {who} changed so many routes that only some are shown.", err=True)
    except KeyboardInterrupt:
        return


def _news(feed: Feed, *, once: bool) -> Iterator[News]:
    yield feed.poll()  # who cannot be asked at all is not asked for ever
    pause = _EVERY_SECONDS
    while not once:
        time.sleep(pause)
        try:
            yield feed.poll()
            pause = _EVERY_SECONDS
        except TableAdminError as error:
            if pause == _EVERY_SECONDS:
                echo(f"table-admin: {error} It is asked again.", err=True)
            pause = min(pause * 2, _LONGEST_PAUSE_SECONDS)


COMMANDS = [watch]
