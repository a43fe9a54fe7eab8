"""What a message says to do can be done: its commands and their options exist."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from table_admin.cli.reference import verbs
from tests.support import ROOT

VERBS = dict(verbs())
_COMMAND = re.compile(r"table-admin ((?:(?:env|access|maintenance|canary) )?[a-z-]+)([^.,;()]*)")


def texts(path: Path) -> Iterator[str]:
    """Yield a module's texts, X for what is filled in; those that are printed, not its documentation."""
    tree = ast.parse(path.read_text())
    parts: set[int] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
            parts.add(id(node.value))
        if isinstance(node, ast.JoinedStr):
            parts |= {id(part) for part in node.values}
            yield "".join(str(part.value) if isinstance(part, ast.Constant) else "X" for part in node.values)
        elif isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in parts:
            yield node.value


@pytest.mark.parametrize("path", sorted((ROOT / "table_admin").rglob("*.py")), ids=lambda path: path.stem)
def test_every_command_that_a_message_names_exists(path: Path) -> None:
    for text in texts(path):
        for name, rest in _COMMAND.findall(text):
            assert name in VERBS, text
            options = {option for parameter in VERBS[name].params for option in parameter.opts}
            assert set(re.findall(r"--[a-z-]+", rest)) <= {*options, "--help"}, text
