"""Arrows point one way, and the edge starts lean."""

import ast
import subprocess
import sys

import pytest

from tests.support import ROOT

MAY_IMPORT = {
    "edge_handler": {"edge_handler", "cachetools"},
    "table_admin": {"edge_handler", "table_admin", "boto3", "botocore", "click", "idna", "mypy_boto3_elbv2"},
    "local_edge": {
        *("edge_handler", "table_admin", "local_edge", "boto3", "botocore", "moto", "aiohttp", "cachetools"),
        *("multidict", "yarl", "yaml", "werkzeug"),
    },
}


@pytest.mark.parametrize("room", MAY_IMPORT)
def test_a_room_imports_only_what_it_may(room: str) -> None:
    found = set()
    for file in (ROOT / room).rglob("*.py"):
        for node in ast.walk(ast.parse(file.read_text())):
            if isinstance(node, ast.Import):
                found |= {alias.name.partition(".")[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom):
                assert node.level == 0, f"{file} imports relatively"
                found.add(str(node.module).partition(".")[0])
    assert found - set(sys.stdlib_module_names) <= MAY_IMPORT[room]


def test_the_edge_starts_without_what_is_slow_to_import() -> None:
    script = "import sys, edge_handler.viewer_request, edge_handler.origin_request; print(*sys.modules)"
    modules = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True).stdout.split()
    slow = {"boto3", "botocore", "aws_lambda_powertools", "dataclasses", "inspect", "asyncio", "logging"}
    assert not slow & set(modules)


def test_nothing_names_a_registrys_host() -> None:
    names = (
        "requirements.txt",
        "requirements-dev.txt",
        "package.json",
        "edge_handler/requirements.txt",
        "pyproject.toml",
    )
    for name in names:
        assert "://" not in (ROOT / name).read_text(), name


def test_the_edges_pin_is_the_tested_one() -> None:
    assert (ROOT / "edge_handler" / "requirements.txt").read_text() in (ROOT / "requirements.txt").read_text()
