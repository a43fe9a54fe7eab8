"""What GitHub and GitLab have in common: shell steps, conditions, and jobs that begin in an empty directory."""

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from tests.support import ROOT

EXAMPLES = ROOT / "docs" / "examples"
GITHUB = "github/{}.yml"
GITLAB = "gitlab/.gitlab-ci.yml"
_STAND_INS = Path(__file__).parent / "stand-ins"
_PATH = os.pathsep.join([str(_STAND_INS), str(Path(sys.executable).parent), os.environ["PATH"]])
_SECRET = re.compile(r"AWS_|GH_|GITHUB_|CI_")


@dataclass
class Run:
    """How a job or all of a pipeline's went."""

    succeeded: bool = True
    output: str = ""
    results: dict[str, str] = field(default_factory=dict)

    def step(self, script: str, folder: Path, environ: Mapping[str, str]) -> int:
        """Run a script in a shell of its own, which knows nothing of this process's credentials."""
        known = {name: value for name, value in os.environ.items() if not _SECRET.match(name)}
        done = subprocess.run(
            ["bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", script],
            cwd=folder,
            env={**known, "PATH": _PATH, **environ},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
        self.succeeded = self.succeeded and done.returncode == 0
        self.output += done.stdout
        return done.returncode


@dataclass(frozen=True, slots=True)
class Breakdown:
    """The runner breaks down after a command; before it does, something else may happen."""

    after: str = ""
    meanwhile: str = ":"

    def in_(self, script: str) -> str:
        """Return a script with this in it, if it has the command."""
        if not self.after:
            return script
        lines = script.splitlines()
        at = next((number for number, line in enumerate(lines) if line.strip().startswith(self.after)), None)
        return script if at is None else "\n".join([*lines[: at + 1], self.meanwhile, "exit 9"])


NOTHING_BREAKS = Breakdown()


def credentials() -> dict[str, str]:
    """Return what a job has that became an AWS role."""
    return {name: value for name, value in os.environ.items() if name.startswith("AWS_")}


def load(name: str) -> dict[Any, Any]:
    """Return an example."""
    return dict(yaml.safe_load((EXAMPLES / name).read_text()))


def holds(expression: str, known: Mapping[str, str]) -> bool:
    """Tell whether a condition holds: `a == 'b' && c != d || e`, and GitLab's `a =~ /b/`."""
    return any(all(_holds(term.split(), known) for term in part.split("&&")) for part in expression.split("||"))


def _holds(term: list[str], known: Mapping[str, str]) -> bool:
    left, operator, right = term if len(term) == 3 else (*term, "!=", "''")
    if operator == "=~":
        return bool(re.search(right.strip("/"), known.get(left.strip("$"), "")))
    one, other = (text[1:-1] if text[0] in "'\"" else known.get(text.strip("$"), "") for text in (left, right))
    return (one == other) == {"==": True, "!=": False}[operator]


def empty(folder: Path) -> Path:
    """Return a directory with nothing in it."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    return folder


def scripts(document: Any) -> Iterator[str]:
    """Yield all that an example has a shell do."""
    if isinstance(document, dict):
        for name, value in document.items():
            if name in ("run", "script", "before_script", "after_script"):
                yield from (
                    [value] if isinstance(value, str) else flat(value) if isinstance(value, list) else scripts(value)
                )
            else:
                yield from scripts(value)
    elif isinstance(document, list):
        for value in document:
            yield from scripts(value)


def flat(lines: list[Any]) -> list[str]:
    """Return the commands of a script that has other scripts in it."""
    return [command for line in lines for command in (flat(line) if isinstance(line, list) else [line])]
