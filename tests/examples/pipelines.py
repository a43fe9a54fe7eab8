"""One repository with its pull request, its production and its pipelines: GitHub's or GitLab's, of the examples."""

import json
from pathlib import Path
from typing import Self

from table_admin.names import branch_label
from tests.examples.github_runner import github
from tests.examples.gitlab_runner import gitlab
from tests.examples.steps import NOTHING_BREAKS, Breakdown, Run, empty
from tests.local_edge.running import LocalEdge

BUCKET = "acme-static-sites"
MAKEFILE = "site:\n\tmkdir public && cp *.html public/\n"


def well(run: Run) -> None:
    """Say what a run said where it failed."""
    assert run.succeeded, run.output


class Pipelines:
    """What happens to the repository, each method one event. What they run on is a local edge."""

    def __init__(self, edge: LocalEdge, forge: Path, number: int, project: str = "acme/shop") -> None:
        self.edge = edge
        self.forge = forge
        self.number = number
        self.project = project
        self.branch = f"feature/ABC_{number}"
        self.label = branch_label(f"{project}/{number}/{self.branch}")
        self.preview = f"{self.label}.localhost"
        self.production = f"www-{branch_label(project)}-{number}.localhost"
        self.commit = ""
        self.runs = 0
        self.pause = "1"  # twelve of them are enough on a busy machine

    def project_named(self, name: str) -> Self:
        """Return another project, which has a pull request of the same number and branch."""
        forge = empty(self.forge / "other")
        return type(self)(self.edge, forge, self.number, name)

    def push(self, commit: str, makefile: str = MAKEFILE, **files: str) -> None:
        """Make a commit whose site says which it is, or has other files."""
        self.commit = commit
        source = empty(self.forge / "commits" / commit)
        (source / "Makefile").write_text(makefile)
        for name, text in (files or {"index": f"this is {commit}"}).items():
            (source / f"{name}.html").write_text(text)

    def open(self, broken: Breakdown = NOTHING_BREAKS) -> Run:
        """Run what is run when a pull request is opened, or pushed to."""
        self.is_now("open")
        return self.preview_again(broken)

    def preview_again(self, broken: Breakdown = NOTHING_BREAKS) -> Run:
        """Run a preview of the commit, whatever became of its pull request meanwhile."""
        raise NotImplementedError

    def close(self, broken: Breakdown = NOTHING_BREAKS) -> Run:
        """Run what is run when it is closed."""
        raise NotImplementedError

    def release(self, tag: str, broken: Breakdown = NOTHING_BREAKS) -> Run:
        """Run what is run for a tag."""
        raise NotImplementedError

    def sweep(self) -> Run:
        """Run what is run at night."""
        raise NotImplementedError

    def is_now(self, state: str) -> None:
        """Open or close the pull request; its head is the newest commit."""
        raise NotImplementedError

    def url_of(self, tag: str) -> str:
        """Return the host of a release's own URL."""
        return f"{branch_label(f'{self.project}/{tag}')}.localhost"

    def url_told(self) -> str:
        """Return what people are told of where the preview is."""
        raise NotImplementedError

    def objects(self) -> set[tuple[str, str]]:
        """Return all versions of what was deployed, whosever it is."""
        pages = self.edge.client("s3").get_paginator("list_object_versions").paginate(Bucket=BUCKET, Prefix="_")
        return {(found["Key"], found["VersionId"]) for page in pages for found in page.get("Versions", ())}

    def revision(self) -> int:
        """Return production's."""
        return self.edge.table.get(self.production).revision

    def shows(self, host: str, text: str) -> None:
        """Wait until a host's page has a text."""
        self.edge.until(lambda answer: answer.status == 200 and text in answer.text, host)

    def is_gone(self, host: str) -> None:
        """Wait until a host has no page."""
        self.edge.until(lambda answer: answer.status == 404, host)

    def still_shows(self, host: str, text: str) -> None:
        """Ask when neither the edge's memory nor the CDN can be what answers."""
        self.edge.table.touch(host)
        self.edge.wait_fresh()
        answer = self.edge.get(host)
        assert (answer.status, text in answer.text) == (200, True), answer

    @property
    def environ(self) -> dict[str, str]:
        """What is not here as it is in the examples."""
        return {
            "AWS_ENDPOINT_URL": self.edge.aws_endpoint,
            "BASE": "localhost",
            "PRODUCTION": self.production,
            "PAUSE": self.pause,
            "WATCH": "0.1",
            "EDGE_PORT": str(self.edge.port),
            "FORGE": str(self.forge),
            "TABLE_ADMIN_ACTOR": "pipeline",
        }


class GitHub(Pipelines):
    """GitHub Actions; `gh` is played, by a folder."""

    def preview_again(self, broken: Breakdown = NOTHING_BREAKS) -> Run:
        return self.run("preview", self.branch, broken)

    def close(self, broken: Breakdown = NOTHING_BREAKS) -> Run:
        self.is_now("merged")
        return self.run("preview", self.branch, broken)

    def release(self, tag: str, broken: Breakdown = NOTHING_BREAKS) -> Run:
        return self.run("release", tag, broken)

    def canary(self, tag: str, broken: Breakdown = NOTHING_BREAKS) -> Run:
        """Run what is run for a tag that becomes production by degrees."""
        return self.run("canary", tag, broken)

    def sweep(self) -> Run:
        return self.run("sweep", "main")

    def is_now(self, state: str) -> None:
        found = {"state": state.upper(), "headRefOid": self.commit}
        (self.forge / "pull.json").write_text(json.dumps(found))

    def comments(self) -> list[dict[str, object]]:
        """Return what the pull request says."""
        return list(json.loads((self.forge / "comments.json").read_text()))

    def say(self, comments: list[dict[str, object]]) -> None:
        """Let it say something else."""
        (self.forge / "comments.json").write_text(json.dumps(comments))

    def url_told(self) -> str:
        return str(self.comments()[-1]["body"])

    def run(self, workflow: str, ref: str, broken: Breakdown = NOTHING_BREAKS, **event: str) -> Run:
        """Run a workflow, again say."""
        self.runs += 1
        known = {
            "github.workflow_ref": f"{self.project}/.github/workflows/{workflow}.yml",
            "github.repository": self.project,
            "github.event.number": str(self.number),
            "github.event.pull_request.head.sha": self.commit,
            "github.event.pull_request.head.repo.full_name": event.get("head", self.project),
            "github.head_ref": ref,
            "github.ref_name": ref,
            "github.sha": self.commit,
            "github.token": "a token",
            "github.run_id": str(self.number),
            "github.run_attempt": str(self.runs),
            "vars.PREVIEW_ROLE": "preview",
            "vars.RELEASE_ROLE": "release",
            "vars.SWEEP_ROLE": "sweep",
        }
        summary = str(self.forge / "summary")
        return github(workflow, self.forge, known, {**self.environ, "GITHUB_STEP_SUMMARY": summary}, broken)


class GitLab(Pipelines):
    """GitLab CI; its API is played, by a file."""

    def preview_again(self, broken: Breakdown = NOTHING_BREAKS) -> Run:
        return self.merge_request(broken)

    def close(self, broken: Breakdown = NOTHING_BREAKS) -> Run:
        self.is_now("merged")
        return self.merge_request(broken, "stop preview")

    def release(self, tag: str, broken: Breakdown = NOTHING_BREAKS) -> Run:
        return self.run({"CI_PIPELINE_SOURCE": "push", "CI_COMMIT_TAG": tag}, broken)

    def sweep(self) -> Run:
        return self.run({"CI_PIPELINE_SOURCE": "schedule"})

    def is_now(self, state: str) -> None:
        found = {"state": state.replace("open", "opened"), "sha": self.commit}
        (self.forge / "merge_request.json").write_text(json.dumps(found))

    def url_told(self) -> str:
        return (self.forge / "jobs" / "preview" / "preview.env").read_text().strip()

    def merge_request(self, broken: Breakdown = NOTHING_BREAKS, manual: str = "", **other: str) -> Run:
        """Run what is run for a merge request."""
        known = {
            "CI_PIPELINE_SOURCE": "merge_request_event",
            "CI_MERGE_REQUEST_IID": str(self.number),
            "CI_MERGE_REQUEST_PROJECT_ID": "7",
            "CI_MERGE_REQUEST_SOURCE_PROJECT_ID": "7",
            "CI_MERGE_REQUEST_SOURCE_BRANCH_NAME": self.branch,
            "CI_MERGE_REQUEST_SOURCE_BRANCH_SHA": "",
            **other,
        }
        return self.run(known, broken, manual)

    def run(self, event: dict[str, str], broken: Breakdown = NOTHING_BREAKS, manual: str = "") -> Run:
        """Run a pipeline."""
        self.runs += 1
        known = {
            "CI_PROJECT_PATH": self.project,
            "CI_PROJECT_ID": "7",
            "CI_COMMIT_SHA": self.commit,
            "CI_JOB_ID": f"{self.number}{self.runs:03}",
            "CI_JOB_TOKEN": "a token",
            "CI_API_V4_URL": "https://gitlab.example/api/v4",
            **event,
        }
        return gitlab(self.forge, known, self.environ, broken, manual)
