"""The shell steps of the examples' jobs, run as GitHub and GitLab run them."""

import os
import re
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import reduce
from pathlib import Path
from typing import Any

import yaml

from tests.support import ROOT

EXAMPLES = ROOT / "docs" / "examples"
STAND_INS = Path(__file__).parent / "stand-ins"
PATH = os.pathsep.join([str(STAND_INS), str(Path(sys.executable).parent), os.environ["PATH"]])
GITHUB = "github/{}.yml"
GITLAB = "gitlab/.gitlab-ci.yml"
_EXPRESSION = re.compile(r"\$\{\{ (.+?) \}\}")
_VARIABLE = re.compile(r"\$(\w+)")
_AFTER_A_FAILURE = "failure() || cancelled()"


@dataclass
class Run:
    """How a job went."""

    succeeded: bool = True
    output: str = ""

    def step(self, script: str, folder: Path, environ: Mapping[str, str]) -> None:
        """Run a script in a shell of its own."""
        done = subprocess.run(
            ["bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", script],
            cwd=folder,
            env={**os.environ, "PATH": PATH, **environ},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
        self.succeeded = self.succeeded and done.returncode == 0
        self.output += done.stdout


def load(name: str) -> dict[Any, Any]:
    """Return an example."""
    return dict(yaml.safe_load((EXAMPLES / name).read_text()))


def github(
    workflow: str, job: str, folder: Path, known: Mapping[str, str], environ: Mapping[str, str], broken: str = ""
) -> Run:
    """Run a GitHub workflow's job.

    Args:
        workflow: its name.
        job: which of its jobs.
        folder: where it runs.
        known: the value of GitHub's expressions.
        environ: what is different here from the workflow's variables.
        broken: what the command begins with at which the runner breaks down.
    """
    document = load(GITHUB.format(workflow))
    assert document["defaults"]["run"]["shell"] == "bash"
    variables = {
        name: _EXPRESSION.sub(lambda found: known[found[1]], str(value)) for name, value in document["env"].items()
    }
    run = Run()
    for step in document["jobs"][job]["steps"]:
        condition = step.get("if", "success()")
        assert condition in ("success()", _AFTER_A_FAILURE)
        if "run" in step and run.succeeded == (condition == "success()"):
            script = f"{step['run']}\nexit 9" if broken and step["run"].startswith(broken) else step["run"]
            done = Run()
            done.step(script, folder, {**variables, **environ})
            run = Run(run.succeeded and done.succeeded, run.output + done.output)
    return run


def gitlab(job: str, folder: Path, known: Mapping[str, str], environ: Mapping[str, str], broken: str = "") -> Run:
    """Run one of the jobs of GitLab's example: all its commands in one shell. The arguments are `github`'s."""
    document = load(GITLAB)
    whole = _extended(document, job)
    own = {name: str(value) for name, value in (document["variables"] | whole["variables"]).items()}

    def value(name: str) -> str:
        return _VARIABLE.sub(lambda found: value(found[1]), own[name]) if name in own else known[name]

    variables = {**known, **{name: value(name) for name in own}, **environ}
    lines = [*whole["before_script"], *whole["script"]]
    at = next((number for number, line in enumerate(lines) if broken and line.startswith(broken)), len(lines))
    run = Run()
    run.step("\n".join([*lines[: at + 1], *(["exit 9"] if broken else [])]), folder, variables)
    return run


def scripts(document: Any) -> Iterator[str]:
    """Yield all that an example has a shell do."""
    if isinstance(document, dict):
        for name, value in document.items():
            if name in ("run", "script", "before_script", "after_script"):
                yield from [value] if isinstance(value, str) else value if isinstance(value, list) else scripts(value)
            else:
                yield from scripts(value)
    elif isinstance(document, list):
        for value in document:
            yield from scripts(value)


def _extended(document: Mapping[Any, Any], job: str) -> dict[str, Any]:
    """Return a job with all that it `extends`."""
    jobs = [document[job]]
    while "extends" in jobs[0]:
        jobs.insert(0, document[jobs[0]["extends"]])
    return reduce(_merged, jobs, {"variables": {}, "before_script": []})


def _merged(below: Mapping[str, Any], above: Mapping[str, Any]) -> dict[str, Any]:
    return {
        **below,
        **{
            name: _merged(below[name], value) if isinstance(value, dict) and name in below else value
            for name, value in above.items()
        },
    }
