import os
import re
import select
import sys
from pathlib import Path

import pytest

from benchmarks.soak import PARTS, Part, json_figures, last_line, pytest_figures, run, run_all
from tests.support import ROOT


def test_a_parts_figures_are_kept_with_what_became_of_it(tmp_path: Path) -> None:
    found = run("part", Part("""echo working; echo '{"answered": 5}'; echo done""", 5, json_figures), tmp_path)
    assert (found["status"], found["figures"]) == ("passed", {"answered": 5})
    assert (tmp_path / "soak-part.log").read_text().startswith("working\n")


def test_a_part_is_repeated_until_it_fails(tmp_path: Path) -> None:
    count = tmp_path / "count"
    command = f"echo x >> {count}; test $(wc -l < {count}) -lt 3"
    assert run("part", Part(command, 5, last_line, times=2), tmp_path)["status"] == "passed"
    assert run("part", Part(command, 5, last_line, times=9), tmp_path)["status"] == "failed"
    assert len(count.read_text().split()) == 3


def test_a_part_that_takes_too_long_is_ended_with_what_it_started(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    reader = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    assert run("part", Part(f"sleep 600 > {pipe} & wait", 0.02, last_line), tmp_path)["status"] == "too long"
    # It ends when nobody can write to it any more.
    select.select([reader], [], [])
    assert os.read(reader, 1) == b""
    os.close(reader)


def test_a_part_whose_program_is_not_there_is_skipped_and_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    part = Part("echo", 5, last_line, needs="python3.99")
    assert run("part", part, tmp_path) == {"status": "skipped", "reason": "python3.99 is not installed"}
    (tmp_path / "python3.99").write_text("#!/bin/sh\nexit 127\n")
    (tmp_path / "python3.99").chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    assert run("part", part, tmp_path)["status"] == "skipped"
    (tmp_path / "python3.99").write_text("#!/bin/sh\n")
    assert run("part", part, tmp_path)["status"] == "passed"


def test_a_busy_part_has_company(tmp_path: Path) -> None:
    command = "ps --ppid $PPID -o args | grep -c '[w]hile True: pass'"
    found = run("part", Part(command, 5, last_line, busy=True), tmp_path)
    assert found["figures"]["summary"] == str(os.cpu_count())
    assert run("part", Part(command, 5, last_line), tmp_path)["figures"]["summary"] == "0"


def test_pytests_summaries_are_added_up() -> None:
    output = "..\n2 passed in 1.20s\n1 failed in 0.10s\n=== 1 failed, 3 passed, 1 skipped in 75.10s (0:01:15) ===\n"
    assert pytest_figures(output) == {"passed": 5, "failed": 2, "skipped": 1}


def test_all_parts_together_have_a_bound_too(tmp_path: Path) -> None:
    parts = {"first": Part("sleep 60", 5, last_line), "second": Part("true", 5, last_line)}
    statuses = {name: found["status"] for name, found in run_all(parts, tmp_path, 0.02)}
    assert statuses == {"first": "too long", "second": "no time left"}


@pytest.mark.parametrize("name", PARTS)
def test_what_a_part_runs_exists(name: str) -> None:
    command = PARTS[name].command
    for path in re.findall(r"\btests/\S+", command):
        assert (ROOT / path).exists(), path
    for module in re.findall(r"-m (benchmarks\.\w+)", command):
        assert (ROOT / module.replace(".", "/")).exists(), module
    for target in re.findall(r"^make (\w+)", command):
        assert re.search(rf"^{target}:", (ROOT / "Makefile").read_text(), re.MULTILINE), target
    assert sys.executable in command or "make" in command
