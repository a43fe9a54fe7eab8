"""`make run`, then as its banner says: a directory of one's own is a URL."""

import os
import subprocess
import sys
from pathlib import Path

from edge_handler.settings import load_settings
from tests.local_edge.running import LocalEdge


def follow_banner(edge: LocalEdge, directory: Path) -> list[str]:
    """Do what the banner's last line says, in a shell that its `export` was pasted into; return what is said."""
    lines = [line.strip() for line in edge.banner.strip().splitlines()]
    (export,) = (line for line in lines if line.startswith("export "))
    bin_directory = f"{Path(sys.executable).parent}/"
    script = "\n".join([export, lines[-1].replace("DIR", str(directory))]).replace(".venv/bin/", bin_directory)
    environ = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
    done = subprocess.run(
        ["bash", "-ec", script], cwd=directory.parent, env=environ, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


def test_a_directory_of_ones_own_is_a_url_as_soon_as_the_command_of_the_banner_ends(
    edge: LocalEdge, tmp_path: Path
) -> None:
    site = tmp_path / "site"
    (site / "guide").mkdir(parents=True)
    (site / "index.html").write_text("this is mine")
    (site / "guide" / "index.html").write_text("so is this")
    assert follow_banner(edge, site)[-1] == f"http://mine.localhost:{edge.port}/"
    found = edge.get("mine.localhost")
    assert (found.status, found.text) == (200, "this is mine")
    assert edge.get("mine.localhost", "/guide").headers["location"] == "/guide/"
    (site / "index.html").write_text("this is newer")
    follow_banner(edge, site)
    edge.until(lambda answer: answer.text == "this is newer", "mine.localhost")


def test_who_looked_before_there_was_anything_or_at_what_was_there_before_waits_ten_seconds_at_most() -> None:
    settings = load_settings({})
    assert settings.unknown_seconds <= 10
    assert settings.fresh_seconds <= 10
