"""Arrows point one way, and the edge starts lean."""

import ast
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support import ROOT

MAY_IMPORT = {
    "edge_handler": {"edge_handler", "cachetools"},
    "table_admin": {
        *("edge_handler", "table_admin", "boto3", "botocore", "click", "idna", "mypy_boto3_elbv2"),
        *("aws_lambda_powertools", "pydantic", "yaml", "jsonschema", "rich", "urllib3"),
    },
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
    functions = ", ".join(f"edge_handler.{name}" for name in ("viewer_request", "origin_request", "origin_response"))
    script = f"import sys, {functions}; print(*sys.modules)"
    modules = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True).stdout.split()
    slow = {"boto3", "botocore", "aws_lambda_powertools", "dataclasses", "inspect", "asyncio", "logging"}
    assert not slow & set(modules)


def test_origin_response_starts_with_less_than_any_other() -> None:
    script = "import sys, edge_handler.origin_response; print(*sys.modules)"
    command = [sys.executable, "-S", "-E", "-c", f"import sys; sys.path[:0] = {sys.path!r}; {script}"]
    modules = subprocess.run(command, capture_output=True, text=True, check=True, cwd=ROOT).stdout.split()
    assert not {"cachetools", "urllib.parse", "ssl", "socket", "hashlib", "edge_handler.settings"} & set(modules)


@pytest.mark.parametrize("follows", [False, True], ids=["reads host by host", "follows"])
def test_viewer_request_starts_without_what_parses_mail_and_entities(follows: bool) -> None:
    script = "import sys, edge_handler.viewer_request; print(*sys.modules)"
    command = [sys.executable, "-S", "-E", "-c", f"import sys; sys.path[:0] = {sys.path!r}; {script}"]
    environ = {**os.environ, **({"EDGE_SNAPSHOT_BUCKETS": "snapshot@us-east-1"} if follows else {})}
    modules = subprocess.run(command, capture_output=True, text=True, check=True, cwd=ROOT, env=environ).stdout.split()
    slow = {"http.client", "email", "html", "urllib.parse", "ssl", "traceback", "encodings.idna", "datetime", "base64"}
    assert not slow & set(modules)
    # What has no use for them does not wait for them.
    assert ("edge_handler.feed.follower" in modules) == follows
    assert ("edge_handler.snapshot.loader" in modules) == follows


def test_nothing_names_a_registrys_host() -> None:
    tracked = subprocess.run(["git", "ls-files"], capture_output=True, text=True, check=True, cwd=ROOT).stdout.split()
    pins = [name for name in tracked if Path(name).match("*requirements*.txt") or Path(name).name == "package.json"]
    assert len(pins) > 8
    for name in [*pins, "pyproject.toml"]:
        assert "://" not in (ROOT / name).read_text(), name


@pytest.mark.parametrize("folder", [".", "tests/sites"])
def test_every_package_of_npm_is_pinned_with_what_it_needs(folder: str) -> None:
    # A package's own ranges lead to versions whose parts a registry has only some of yet.
    named = json.loads((ROOT / folder / "package.json").read_text())["devDependencies"]
    lock = json.loads((ROOT / folder / "package-lock.json").read_text())["packages"]
    assert lock[""]["devDependencies"] == named
    assert all(re.fullmatch(r"\d+(\.\d+){2}", version) for version in named.values())
    assert not [name for name, package in lock.items() if "resolved" in package]
    assert not [name for name, package in lock.items() if name and not package.get("integrity")]


@pytest.mark.parametrize("room", ["edge_handler", "table_admin"])
def test_what_is_packaged_is_what_is_tested(room: str) -> None:
    tested = [(ROOT / name).read_text().splitlines() for name in ("requirements.txt", "requirements-dev.txt")]
    assert set((ROOT / room / "requirements.txt").read_text().splitlines()) <= {pin for pins in tested for pin in pins}


ONLY = """
import importlib.metadata, sys
packaged = set(sys.argv[1].split())
allowed = {"edge_handler", "table_admin", *sys.stdlib_module_names}
for module, names in importlib.metadata.packages_distributions().items():
    if {name.lower().replace("_", "-") for name in names} & packaged:
        allowed.add(module)
class Only:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] not in allowed and not name.startswith("_"):
            raise ModuleNotFoundError(f"not in the package: {name}", name=name)
sys.meta_path.insert(0, Only())
import table_admin.web.lambda_function, table_admin.snapshots.lambda_function
"""


def test_the_admin_functions_start_with_nothing_but_what_is_packaged() -> None:
    pins = (ROOT / "table_admin" / "requirements.txt").read_text().split()
    packaged = " ".join(pin.partition("==")[0].lower().replace("_", "-") for pin in pins)
    command = [sys.executable, "-c", ONLY, packaged]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=ROOT)
    assert done.returncode == 0, done.stderr
    less = subprocess.run(
        [*command[:-1], packaged.replace("pydantic ", "")], capture_output=True, check=False, cwd=ROOT
    )
    assert less.returncode != 0
