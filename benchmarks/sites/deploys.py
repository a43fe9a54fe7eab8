"""`table-admin deploy` beside `aws s3 sync`, on one server: `python -m benchmarks.sites.deploys --files 20000`.

The server is one process, and what it takes for each object is in both tools' times.
"""

import argparse
import os
import subprocess
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from benchmarks.sites.directory import many_files
from benchmarks.sites.server import BUCKET, server
from local_edge.embedded_aws import CREDENTIALS, REGION
from tests.support import ROOT, need

PYTHON = ROOT / ".venv" / "plain" / "bin" / "python"
AWS = ROOT / ".venv" / "awscli" / "bin" / "aws"
OURS, THEIRS = "table-admin deploy", "aws s3 sync"
RUNS = ("first run", "one file changed", "one file changed, all written anew")
"""The last is what a pipeline has: a build that wrote every file again, of which one is another."""


@dataclass(frozen=True, slots=True)
class Run:
    """One command, once."""

    seconds: float
    cpu: float


def compare(files: int) -> dict[str, dict[str, Run]]:
    """Run both tools on the same directory; return what each took, by name of the run and of the tool."""
    need(AWS.exists() and PYTHON.exists(), "awscli and table-admin in environments of their own (make bench)")
    found: dict[str, dict[str, Run]] = {}
    with tempfile.TemporaryDirectory() as folder, server() as endpoint:
        environ, directory = _environ(endpoint, folder), Path(folder) / "public"
        page = many_files(directory, files)
        commands = {
            THEIRS: [str(AWS), "s3", "sync", str(directory), f"s3://{BUCKET}/synced", "--only-show-errors"],
            OURS: [
                *(str(PYTHON), "-m", "table_admin.cli", "deploy", str(directory)),
                *("--domain", "www.example.com", "--bucket", BUCKET),
            ],
        }
        for number, name in enumerate(RUNS):
            if number:
                page.write_text(f"version {number}")
            if number == 2:
                _write_anew(directory)
            found[name] = {tool: measured(command, environ) for tool, command in commands.items()}
    return found


def _environ(endpoint: str, folder: str) -> dict[str, str]:
    # Modules are compiled once, as they are where it is installed, whatever this process was told.
    return {
        **{name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"},
        **{name.upper(): value for name, value in CREDENTIALS.items()},
        "AWS_DEFAULT_REGION": REGION,
        "AWS_EC2_METADATA_DISABLED": "true",
        "AWS_ENDPOINT_URL": endpoint,
        "PYTHONPATH": str(ROOT),
        "XDG_CACHE_HOME": folder,
    }


def measured(command: list[str], environ: dict[str, str]) -> Run:
    """Run a command; raise RuntimeError where it fails."""
    with tempfile.TemporaryFile() as output:
        started = time.perf_counter()
        process = subprocess.Popen(command, env=environ, stdout=output, stderr=subprocess.STDOUT)
        _, status, usage = os.wait4(process.pid, 0)
        seconds = time.perf_counter() - started
        process.returncode = os.waitstatus_to_exitcode(status)
        output.seek(0)
        if status:
            raise RuntimeError(f"{command}: {output.read().decode('utf-8', 'replace')[-1000:]}")
    return Run(seconds, usage.ru_utime + usage.ru_stime)


def table(files: int, found: dict[str, dict[str, Run]]) -> str:
    """Return everything as Markdown."""
    lines = [f"| {files:,} files | tool | seconds | CPU, s |", "|---|---|--:|--:|"]
    for name, runs in found.items():
        for tool, run in runs.items():
            lines.append(f"| {name} | {tool} | {run.seconds:.1f} | {run.cpu:.1f} |")
    return "\n".join(lines)


def _write_anew(directory: Path) -> None:
    for file in directory.rglob("*"):
        if file.is_file():
            file.write_bytes(file.read_bytes())


def main() -> None:
    """Print what both took."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--files", type=int, default=20_000)
    files = parser.parse_args().files
    print(table(files, compare(files)))


if __name__ == "__main__":
    main()
