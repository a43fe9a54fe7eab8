"""GitHub's workflows, run as GitHub runs them: their jobs in turn, each with what it was given."""

import re
import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.examples.steps import GITHUB, NOTHING_BREAKS, Breakdown, Run, credentials, empty, holds, load

_EXPRESSION = re.compile(r"\$\{\{ (.+?) \}\}")


@dataclass
class _Job:
    """One job while it runs."""

    about: Mapping[str, Any]
    folder: Path
    forge: Path
    known: dict[str, str]
    environ: dict[str, str]
    broken: Breakdown
    run: Run = field(default_factory=Run)
    role: dict[str, str] = field(default_factory=dict)

    def steps(self) -> Run:
        for step in self.about["steps"]:
            status = {"failure()": "" if self.run.succeeded else "true", "cancelled()": "", "always()": "true"}
            condition = step.get("if", "")
            wanted = holds(condition, {**self.known, **status}) if condition else True
            if wanted and (self.run.succeeded or "()" in condition):
                self._uses(step) if "uses" in step else self._script(step)
        return self.run

    def _script(self, step: Mapping[str, Any]) -> None:
        output = self.forge / "output"
        output.write_text("")
        own = {name: expanded(value, self.known) for name, value in step.get("env", {}).items()}
        done = Run()
        done.step(
            self.broken.in_(step["run"]),
            self.folder,
            {**own, **self.environ, **self.role, "GITHUB_OUTPUT": str(output)},
        )
        self.run.succeeded = self.run.succeeded and done.succeeded
        self.run.output += done.output
        for line in output.read_text().splitlines():
            name, _, value = line.partition("=")
            self.known[f"steps.{step['id']}.outputs.{name}"] = value

    def _uses(self, step: Mapping[str, Any]) -> None:
        action = step["uses"].partition("@")[0]
        self._actions[action](self, {name: expanded(value, self.known) for name, value in step.get("with", {}).items()})

    def _checkout(self, given: Mapping[str, str]) -> None:
        assert given["persist-credentials"] == "False"
        assert self.about["permissions"]["contents"] == "read"
        commit = given.get("ref", self.known["github.sha"])
        shutil.copytree(self.forge / "commits" / commit, self.folder, dirs_exist_ok=True)

    def _upload(self, given: Mapping[str, str]) -> None:
        kept = self.forge / "artifacts" / given["name"]
        assert given["overwrite"] == "True" or not kept.exists()
        shutil.copytree(self.folder / given["path"], empty(kept), dirs_exist_ok=True)

    def _download(self, given: Mapping[str, str]) -> None:
        shutil.copytree(self.forge / "artifacts" / given["name"], self.folder / given["path"])

    def _become(self, given: Mapping[str, str]) -> None:
        assert self.about["permissions"]["id-token"] == "write"
        self.role = credentials()

    _actions: Mapping[str, Callable[["_Job", Mapping[str, str]], None]] = field(
        default_factory=lambda: {
            "actions/checkout": _Job._checkout,
            "actions/upload-artifact": _Job._upload,
            "actions/download-artifact": _Job._download,
            "aws-actions/configure-aws-credentials": _Job._become,
        }
    )


def github(
    workflow: str,
    forge: Path,
    known: Mapping[str, str],
    environ: Mapping[str, str],
    broken: Breakdown = NOTHING_BREAKS,
) -> Run:
    """Run a workflow.

    Args:
        workflow: its name.
        forge: where GitHub keeps what it keeps: commits, artifacts.
        known: the value of GitHub's expressions.
        environ: what is different here from the workflow's variables.
        broken: where a runner breaks down.
    """
    document = load(GITHUB.format(workflow))
    assert document["defaults"]["run"]["shell"] == "bash"
    variables = {name: expanded(value, known) for name, value in document["env"].items()}
    whole = Run()
    told = dict(known)
    for name, about in document["jobs"].items():
        needs = [about["needs"]] if "needs" in about else []
        if any(whole.results[needed] != "success" for needed in needs) or not holds(about.get("if", "'y'"), told):
            whole.results[name] = "skipped"
            continue
        given = {"permissions": document["permissions"], **about}
        job = _Job(given, empty(forge / "jobs" / name), forge, dict(told), {**variables, **environ}, broken)
        run = job.steps()
        told |= {f"needs.{name}.outputs.{key}": expanded(v, job.known) for key, v in about.get("outputs", {}).items()}
        whole.results[name] = "success" if run.succeeded else "failure"
        whole.succeeded = whole.succeeded and run.succeeded
        whole.output += run.output
    return whole


def expanded(text: Any, known: Mapping[str, str]) -> str:
    """Return a text with its expressions' values; an output that no step has made is empty."""
    return _EXPRESSION.sub(
        lambda found: known.get(found[1], "") if ".outputs." in found[1] else known[found[1]], str(text)
    )
