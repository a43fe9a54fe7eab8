"""config: what holds, and where it comes from."""

import click

from table_admin import output
from table_admin.cli.options import AS_JSON
from table_admin.cli.session import current_settings


@click.command()
@AS_JSON
def config(as_json: bool) -> None:
    """Show what holds for every verb, and where it comes from.

    An option wins over an environment variable, a variable over the nearest table-admin.toml (or [tool.table-admin]
    of pyproject.toml), upwards from the working directory.
    """
    found = current_settings()
    if as_json:
        output.print_json(found)
    else:
        rows = ([name, setting.value or "(none)", setting.source] for name, setting in found.items())
        output.print_table(("SETTING", "VALUE", "FROM"), rows)


COMMANDS = [config]
