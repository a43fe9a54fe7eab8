"""What `pip install` or `pipx install` of the wheel brings: table-admin, what it needs, and nothing else."""

import importlib.metadata
import os
import shutil
import subprocess
import sys
import venv
import zipfile
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from local_edge.embedded_aws import EmbeddedAws
from table_admin import RoutingTable
from tests.support import ROOT, wait_until


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    source, out = tmp_path_factory.mktemp("source"), tmp_path_factory.mktemp("wheel")
    for name in ("edge_handler", "table_admin", "local_edge"):
        shutil.copytree(ROOT / name, source / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("pyproject.toml", "README.md"):
        shutil.copy(ROOT / name, source)
    command = [sys.executable, "-m", "pip", "wheel", "--no-deps", "--no-index", "--no-build-isolation", "-w", str(out)]
    done = subprocess.run([*command, str(source)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    (found,) = out.glob("*.whl")
    return found


def needed(wheel: Path) -> set[str]:
    """Return the distributions that the wheel's own metadata asks for, and what those ask for."""
    with zipfile.ZipFile(wheel) as archive:
        (name,) = (name for name in archive.namelist() if name.endswith(".dist-info/METADATA"))
        lines = archive.read(name).decode().splitlines()
    wanted = [line.removeprefix("Requires-Dist: ") for line in lines if line.startswith("Requires-Dist: ")]
    found: set[str] = set()
    while wanted:
        requirement = Requirement(wanted.pop())
        name = canonicalize_name(requirement.name)
        if name not in found and (requirement.marker is None or requirement.marker.evaluate({"extra": ""})):
            found.add(name)
            wanted += importlib.metadata.requires(name) or []
    return found


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the command, in an environment that holds the wheel and what it asks for, and nothing of this one's."""
    folder = tmp_path_factory.mktemp("installed")
    venv.create(folder, with_pip=False)
    python = folder / "bin" / "python"
    command = [sys.executable, "-m", "pip", "--python", str(python), "install", "--no-deps", "--no-index", str(wheel)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    (packages,) = folder.glob("lib/*/site-packages")
    for name in needed(wheel):
        distribution = importlib.metadata.distribution(name)
        for top in {file.parts[0] for file in distribution.files or () if file.parts[0] not in ("..", "__pycache__")}:
            (packages / top).symlink_to(str(distribution.locate_file(top)))
    return folder / "bin" / "table-admin"


def environ(stack: str = "edge-routing", endpoint: str = "http://127.0.0.1:9") -> dict[str, str]:
    found = {name: value for name, value in os.environ.items() if name not in ("PYTHONPATH", "VIRTUAL_ENV")}
    return {**found, "TABLE_ADMIN_STACK": stack, "AWS_ENDPOINT_URL": endpoint}


def test_the_wheel_holds_table_admin_and_what_it_reads_at_run_time(wheel: Path) -> None:
    names = set(zipfile.ZipFile(wheel).namelist())
    assert {
        "table_admin/routes.schema.json",
        "table_admin/web/assets/index.html",
        "edge_handler/settings.json",
        "edge_handler/aws/amazon_trust_services.pem",
    } <= names
    tops = {name.partition("/")[0] for name in names}
    assert {top for top in tops if not top.endswith(".dist-info")} == {"edge_handler", "table_admin"}
    assert not {"moto", "flask", "aiohttp", "werkzeug", "docker"} & needed(wheel)


def test_it_runs_where_nothing_else_is_installed(
    installed: Path, table: RoutingTable, aws: EmbeddedAws, tmp_path: Path
) -> None:
    def run(*arguments: str) -> str:
        done = subprocess.run(
            [str(installed), *arguments],
            cwd=tmp_path,
            env=environ(table.stack, aws.endpoint),
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    assert run("--version").startswith("table-admin, version ")
    assert '"title"' in run("schema")
    run("put", "env-1.example.com", "s3://acme-static-sites/env-a")
    assert "env-1.example.com" in run("list")
    assert "asks https://" in run("explain", "https://env-1.example.com/")


def test_its_console_starts_there(installed: Path, table: RoutingTable, aws: EmbeddedAws, tmp_path: Path) -> None:
    log = tmp_path / "log"
    with log.open("wb") as out:
        command = [str(installed), "ui", "--port", "0"]
        process = subprocess.Popen(
            command,
            cwd=tmp_path,
            env={**environ(table.stack, aws.endpoint), "PYTHONUNBUFFERED": "1"},
            stdout=out,
            stderr=out,
        )
    try:
        wait_until(lambda: b"The console is at http://127.0.0.1:" in log.read_bytes() or process.poll() is not None)
        assert process.poll() is None, log.read_text()
    finally:
        process.terminate()
        process.wait()
