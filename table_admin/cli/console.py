"""ui: the console in a browser."""

import contextlib
import webbrowser

import click

from table_admin.errors import TableAdminError
from table_admin.routing_table import RoutingTable


@click.command()
@click.option("--port", type=click.IntRange(0, 65535), default=8765, show_default=True, help="On this machine; 0: any.")
@click.option("--edge", default="https://{domain}/", show_default=True, help="Where a domain's site is.")
@click.option("--open", "open_browser", is_flag=True, help="Open it.")
@click.pass_obj
def ui(table: RoutingTable, port: int, edge: str, open_browser: bool) -> None:
    """Serve the console: search, edit with a diff, history with rollback, a drawn path of a URL."""
    # Powertools, for this verb only.
    from table_admin.web.console import Console, serve  # noqa: PLC0415

    console = Console(
        table.as_request,
        hosts=frozenset(("127.0.0.1", "localhost")),
        actor=table.actor,
        edge=edge,
    )
    try:
        server = serve(console, port)
    except OSError as error:
        raise TableAdminError(f"Port {port} is taken; choose another: --port 8766.") from error
    url = f"http://127.0.0.1:{server.server_port}/"
    click.echo(f"The console is at {url} - Ctrl-C ends it.")
    if open_browser:
        webbrowser.open(url)
    with contextlib.suppress(KeyboardInterrupt):
        server.serve_forever()


COMMANDS = [ui]
