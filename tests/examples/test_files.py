"""docs/examples/: what their files say, for GitHub and GitLab to read."""

import re
import subprocess
from collections.abc import Iterator, Mapping
from typing import Any

import pytest

from tests.examples.steps import EXAMPLES, GITHUB, GITLAB, load, scripts
from tests.support import ROOT, need

WORKFLOWS = [*map(GITHUB.format, ("preview", "release", "canary", "sweep"))]


def jobs() -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Yield every job of GitHub's."""
    for name in WORKFLOWS:
        document = load(name)
        for job, about in document["jobs"].items():
            yield f"{name} {job}", {"permissions": document["permissions"], **about}


@pytest.mark.parametrize(
    ("schema", "name"),
    [*[("vendor.github-workflows", name) for name in WORKFLOWS], ("vendor.gitlab-ci", GITLAB)],
)
def test_a_file_is_as_its_schema_says(schema: str, name: str) -> None:
    command = ROOT / ".venv" / "checkov" / "bin" / "check-jsonschema"
    need(command.exists(), "check-jsonschema, in checkov's environment (make test installs it)")
    done = subprocess.run(
        [str(command), "--builtin-schema", schema, str(EXAMPLES / name)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize("name", [*WORKFLOWS, GITLAB])
def test_what_others_write_is_no_part_of_a_command(name: str) -> None:
    """`${{ }}` is put into a command's text before a shell reads it."""
    found = [*scripts(load(name))]
    assert found
    for script in found:
        assert "${{" not in script, script


@pytest.mark.parametrize("name", [*WORKFLOWS, GITLAB])
def test_nothing_waits_for_ever(name: str) -> None:
    document = load(name)
    for script in scripts(document):
        assert script.count("curl ") == script.count("--max-time"), script
    if name == GITLAB:
        release = document["release"]["variables"]
        minutes = [int(release[f"RUNNER_{part}_TIMEOUT"].removesuffix("m")) for part in ("SCRIPT", "AFTER_SCRIPT")]
        assert sum(minutes) < int(document[".table-admin"]["timeout"].removesuffix(" minutes"))
        assert "timeout" in document["build"]
    else:
        assert all("timeout-minutes" in job for job in document["jobs"].values())


def test_a_waiting_run_is_not_dropped_for_another() -> None:
    for name in ("preview", "release", "canary"):
        assert load(GITHUB.format(name))["concurrency"]["queue"] == "max"


def test_a_job_has_the_rights_that_it_uses_and_what_builds_has_none() -> None:
    for name, job in jobs():
        steps = job["steps"]
        used = {step["uses"].partition("@")[0] for step in steps if "uses" in step}
        says = "\n".join(step.get("run", "") for step in steps)
        needed = {
            "contents": "read" if "actions/checkout" in used else "",
            "id-token": "write" if "aws-actions/configure-aws-credentials" in used else "",
            "pull-requests": "write" if "gh pr comment" in says else "read" if "gh " in says else "",
        }
        assert job["permissions"] == {right: level for right, level in needed.items() if level}, name
        if "make site" in says:
            assert job["permissions"] == {"contents": "read"}, name
        for step in steps:
            assert ("GH_TOKEN" in step.get("env", {})) == ("gh " in step.get("run", "")), name
        assert "GH_TOKEN" not in job.get("env", {})
    assert not any("GH_TOKEN" in load(name).get("env", {}) for name in WORKFLOWS)


def test_actions_are_named_by_a_commit() -> None:
    for name in WORKFLOWS:
        for line in (EXAMPLES / name).read_text().splitlines():
            if "uses:" in line:
                assert re.search(r"@[0-9a-f]{40} # v\d+\.\d+\.\d+$", line), line


def test_events_of_the_pull_requests_workflow() -> None:
    assert load(GITHUB.format("preview"))[True]["pull_request"]["types"] == [
        "opened",
        "synchronize",
        "reopened",
        "closed",
    ]
