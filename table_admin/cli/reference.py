"""The table of all verbs in docs/table-admin.md, made of the verbs themselves.

`python -m table_admin.cli.reference docs/table-admin.md` writes it there.
"""

import sys
from collections.abc import Iterator
from pathlib import Path

import click

from table_admin.cli.program import cli
from table_admin.cli.session import EVERYWHERE

_BEGIN = "writes from here -->\n"
_END = "<!-- to here -->"


def verbs(group: click.Group = cli, path: str = "") -> Iterator[tuple[str, click.Command]]:
    """Yield every verb with its full name, in the order of its definition."""
    for name, command in group.commands.items():
        if isinstance(command, click.Group):
            yield from verbs(command, f"{path}{name} ")
        else:
            yield f"{path}{name}", command


def written(document: str) -> str:
    """Return a document with the table between its marks."""
    before, _, rest = document.partition(_BEGIN)
    return f"{before}{_BEGIN}{table()}{_END}{rest.partition(_END)[2]}"


def table() -> str:
    """Return the table, in Markdown."""
    lines = ["| verb | options | what it does |", "|---|---|---|"]
    for name, command in verbs():
        context = click.Context(command, info_name=name)
        arguments = " ".join(command.collect_usage_pieces(context)[1:])
        options = " ".join(f"`{_option(parameter)}`" for parameter in command.params if _is_own(parameter))
        text = " ".join((command.help or "").split("\n\n")[0].split())
        cells = (f"`{' '.join(filter(None, (name, arguments)))}`", options, text)
        lines.append(f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in cells)} |")
    return "\n".join(lines) + "\n"


def _is_own(parameter: click.Parameter) -> bool:
    return isinstance(parameter, click.Option) and parameter not in EVERYWHERE


def _option(parameter: click.Parameter) -> str:
    longest = max(parameter.opts, key=len)
    return "/".join([longest, *parameter.secondary_opts])


if __name__ == "__main__":
    _path = Path(sys.argv[1])
    _path.write_text(written(_path.read_text(encoding="utf-8")), encoding="utf-8")
