"""GitLab's pipelines, run as GitLab runs them: the jobs whose rules hold, all commands of one in one shell."""

import re
import shutil
from collections.abc import Mapping
from functools import reduce
from pathlib import Path
from typing import Any

from tests.examples.steps import GITLAB, NOTHING_BREAKS, Breakdown, Run, credentials, empty, flat, holds, load

_VARIABLE = re.compile(r"\$(\w+)")
_KEYWORDS = ("stages", "variables")


def gitlab(
    forge: Path,
    known: Mapping[str, str],
    environ: Mapping[str, str],
    broken: Breakdown = NOTHING_BREAKS,
    manual: str = "",
) -> Run:
    """Run a pipeline, or of one its manual job. The arguments are as `github`'s."""
    document = load(GITLAB)
    jobs = {name: _extended(document, name) for name in document if name not in _KEYWORDS and name[0] != "."}
    whole = Run()
    for name, about in jobs.items():
        rule = next((rule for rule in about["rules"] if holds(rule["if"], known)), None)
        if rule is None or (name == manual) != (rule.get("when") == "manual") or (manual and name != manual):
            continue
        if not manual and any(whole.results[needed] != "success" for needed in about.get("needs", ())):
            whole.results[name] = "skipped"
            continue
        run = _job(document, name, about, forge, known, environ, broken)
        whole.results[name] = run.results[name]
        whole.succeeded = whole.succeeded and run.succeeded
        whole.output += run.output
    return whole


def _job(
    document: Mapping[Any, Any],
    name: str,
    about: Mapping[str, Any],
    forge: Path,
    known: Mapping[str, str],
    environ: Mapping[str, str],
    broken: Breakdown,
) -> Run:
    folder = empty(forge / "jobs" / name)
    if about["variables"].get("GIT_STRATEGY") != "none":
        shutil.copytree(forge / "commits" / known["CI_COMMIT_SHA"], folder, dirs_exist_ok=True)
    for needed in about.get("needs", ()):
        shutil.copytree(forge / "artifacts" / needed, folder, dirs_exist_ok=True)
    told = {**known, "CI_JOB_NAME": name, **_role(about)}
    variables = {**_variables(document, about, told), **environ}
    run = Run()
    lines = "\n".join([*flat(about["before_script"]), *flat(about["script"])])
    code = run.step(broken.in_(lines), folder, variables)
    left = code in [about.get("allow_failure", {}).get("exit_codes")]
    run.succeeded = run.succeeded or left
    run.results[name] = "left" if left else "success" if code == 0 else "failure"
    if "after_script" in about:
        # Its status counts for nothing. A job of a runner that breaks down is as one that is cancelled here.
        status = "success" if code == 0 else "canceled" if code == 9 else "failed"
        after = Run()
        after.step("\n".join(flat(about["after_script"])), folder, {**variables, "CI_JOB_STATUS": status})
        run.output += after.output
    for path in about.get("artifacts", {}).get("paths", ()):
        if code == 0:
            shutil.copytree(folder / path, empty(forge / "artifacts" / name) / path)
    return run


def _role(about: Mapping[str, Any]) -> dict[str, str]:
    """Return what a job has that may become an AWS role: a token, and here also what the token gets it."""
    return {"AWS_TOKEN": "a token", **credentials()} if "id_tokens" in about else {}


def _variables(document: Mapping[Any, Any], about: Mapping[str, Any], known: Mapping[str, str]) -> dict[str, str]:
    own = {name: str(value) for name, value in (document["variables"] | about["variables"]).items()}

    def value(name: str) -> str:
        return _VARIABLE.sub(lambda found: value(found[1]), own[name]) if name in own else known[name]

    used = {name: value(name) for name in own if name != "AWS_ROLE_ARN"}  # its keys are given here
    return {**known, **used}


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
