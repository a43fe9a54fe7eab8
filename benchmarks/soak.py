"""`make soak`: what is too long for every change. Each part is a command, a time it must end in, and its figures."""

import argparse
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from tests.support import ROOT

RESULTS = ROOT / ".benchmarks" / "soak.json"
PYTEST = f"{sys.executable} -m pytest"
CLONE = ".benchmarks/python3.13"
Figures = dict[str, Any]


def pytest_figures(output: str) -> Figures:
    """Return how many tests did what, of all summaries in the output."""
    counts: Figures = {}
    for line in re.findall(r"^.*\d+ (?:passed|failed|errors?).* in [\d.]+s.*$", output, re.MULTILINE):
        for number, what in re.findall(r"(\d+) (passed|failed|skipped|errors?)\b", line):
            counts[what] = counts.get(what, 0) + int(number)
    return counts


def json_figures(output: str) -> Figures:
    """Return the JSON of the last line that has some."""
    found = re.findall(r"^\{.*\}$", output, re.MULTILINE)
    return dict(json.loads(found[-1])) if found else {}


def last_line(output: str) -> Figures:
    """Return the line that sums it up."""
    return {"summary": output.strip().rpartition("\n")[2]}


@dataclass(frozen=True, slots=True)
class Part:
    """A command of the shell's, run at the top of the project."""

    command: str
    minutes: float
    """After these it is ended, and has failed."""
    figures: Callable[[str], Figures]
    times: int = 1
    busy: bool = False
    """Whether every core has something else to do at the same time."""
    needs: str = ""
    """A program without which the part is skipped."""


TOTAL_MINUTES = 90
PARTS = {
    "runtime": Part(f"{sys.executable} -m benchmarks.invocations --count 200000", 10, json_figures),
    "kills": Part(f"{PYTEST} tests/table_admin/test_pipeline.py -k killed", 15, pytest_figures, times=5),
    "damaged-answers": Part(
        f"DAMAGED_ANSWERS=100000 {PYTEST} -n0 --timeout 0 tests/edge_handler/test_damaged_answers.py",
        *(15, pytest_figures),
    ),
    "python3.13": Part(
        f"rm -rf {CLONE} && git clone --quiet --shared . {CLONE} && make -C {CLONE} PYTHON=python3.13 test",
        *(25, pytest_figures),
        needs="python3.13",
    ),
    "busy": Part(f"{PYTEST} --timeout 900", 30, pytest_figures, busy=True),
    "faults": Part("make faults FULL=1", 40, last_line),
}


def run_all(parts: Mapping[str, Part], folder: Path, minutes: float = TOTAL_MINUTES) -> Iterator[tuple[str, Figures]]:
    """Run parts one after the other, all within `minutes`."""
    until = time.monotonic() + minutes * 60
    for name, part in parts.items():
        left = (until - time.monotonic()) / 60
        if left <= 0:
            yield name, {"status": "no time left"}
        else:
            yield name, run(name, replace(part, minutes=min(part.minutes, left)), folder)


def run(name: str, part: Part, folder: Path) -> Figures:
    """Run a part, its output in a file of `folder`; return what became of it."""
    if part.needs and not _runs(part.needs):
        return {"status": "skipped", "reason": f"{part.needs} is not installed"}
    started = time.monotonic()
    path = folder / f"soak-{name}.log"
    with path.open("w") as log, _others(part.busy):
        for _ in range(part.times):
            left = part.minutes * 60 - (time.monotonic() - started)
            status = _end(part.command, left, log)
            if status != "passed":
                break
    return {
        "status": status,
        "seconds": round(time.monotonic() - started),
        "figures": part.figures(path.read_text(errors="replace")),
    }


def _runs(program: str) -> bool:
    """Tell whether a program is there, and not only a stand-in that says it is not."""
    found = shutil.which(program)
    return bool(found) and subprocess.run([str(found), "--version"], capture_output=True, check=False).returncode == 0


def _end(command: str, seconds: float, log: Any) -> str:
    """Run a command to its end, or end it with everything that it started."""
    with subprocess.Popen(command, shell=True, cwd=ROOT, stdout=log, stderr=log, start_new_session=True) as process:
        try:
            return "failed" if process.wait(max(seconds, 0)) else "passed"
        except subprocess.TimeoutExpired:
            return "too long"
        finally:
            if process.returncode is None:
                os.killpg(process.pid, signal.SIGKILL)


@contextmanager
def _others(wanted: bool) -> Iterator[None]:
    """Keep every core busy."""
    count = (os.cpu_count() or 1) if wanted else 0
    loops = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(count)]
    try:
        yield
    finally:
        for loop in loops:
            loop.kill()
            loop.wait()


def main() -> int:
    """Run the parts that are named, or all; keep their figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("parts", nargs="*", metavar="part", help=f"one of {', '.join(PARTS)}; all without")
    names = parser.parse_args().parts or [*PARTS]
    if unknown := set(names) - set(PARTS):
        parser.error(f"no such part: {', '.join(unknown)}")
    commit = subprocess.run(
        ["git", "describe", "--always", "--dirty", "--abbrev=40"], cwd=ROOT, capture_output=True, text=True, check=False
    ).stdout.strip()
    RESULTS.parent.mkdir(exist_ok=True)
    results = json.loads(RESULTS.read_text()) if RESULTS.exists() else {}
    for name, found in run_all({name: PARTS[name] for name in names}, RESULTS.parent):
        results[name] = {"commit": commit, **found}
        RESULTS.write_text(json.dumps(results, indent=2) + "\n")
        print(f"{name}: {json.dumps(results[name])}", flush=True)
    return any(results[name]["status"] not in ("passed", "skipped") for name in names)


if __name__ == "__main__":
    sys.exit(main())
