"""One repository with its pull request, its production and its pipelines: GitHub's or GitLab's, of the examples."""

import subprocess
from pathlib import Path

from tests.examples.steps import Run, github, gitlab
from tests.local_edge.running import LocalEdge

BUCKET = "acme-static-sites"


class Pipelines:
    """What happens to the repository, each method one event. What they run on is a local edge."""

    def __init__(self, edge: LocalEdge, folder: Path, number: int) -> None:
        self.edge = edge
        self.folder = folder
        self.number = number
        self.branch = f"feature/ABC_{number}"
        self.label = f"shop-{number}-feature-abc-{number}"
        self.preview = f"{self.label}.localhost"
        self.production = f"www{number}.localhost"
        self.commit = ""
        (folder / "Makefile").write_text("site:\n\trm -rf public && cp -r source public\n")
        self.edge.table.put(self.production, f"s3://{BUCKET}/env-123")

    def push(self, commit: str, **files: str) -> None:
        """Make a commit whose site says which it is, or has other files."""
        self.commit = commit
        subprocess.run(["rm", "-rf", "source", "public"], cwd=self.folder, check=True)
        (self.folder / "source").mkdir()
        for name, text in (files or {"index": f"this is {commit}"}).items():
            (self.folder / "source" / f"{name}.html").write_text(text)

    def open(self, broken: str = "") -> Run:
        """Run what is run when a pull request is opened, or pushed to."""
        raise NotImplementedError

    def close(self, broken: str = "") -> Run:
        """Run what is run when it is closed."""
        raise NotImplementedError

    def release(self, tag: str, broken: str = "") -> Run:
        """Run what is run for a tag."""
        raise NotImplementedError

    def sweep(self) -> Run:
        """Run what is run at night."""
        raise NotImplementedError

    def files(self, prefix: str) -> list[str]:
        """Return the bucket's keys under a prefix."""
        answer = self.edge.client("s3").list_objects_v2(Bucket=BUCKET, Prefix=prefix)
        return [found["Key"] for found in answer.get("Contents", ())]

    @property
    def environ(self) -> dict[str, str]:
        """What is not here as it is in the examples."""
        return {
            "AWS_ENDPOINT_URL": self.edge.aws_endpoint,
            "BASE": "localhost",
            "PRODUCTION": self.production,
            "PRODUCTION_URL": f"http://{self.production}:{self.edge.port}",
            "PAUSE": "0.5",
            "TABLE_ADMIN_STACK": "edge-routing",
            "TABLE_ADMIN_ACTOR": "pipeline",
        }


class GitHub(Pipelines):
    """GitHub Actions; `gh` is played, by a folder."""

    def open(self, broken: str = "") -> Run:
        return self._pull_request("up", "OPEN", broken)

    def close(self, broken: str = "") -> Run:
        return self._pull_request("down", "MERGED", broken)

    def release(self, tag: str, broken: str = "") -> Run:
        return github("release", "release", self.folder, self._known(tag), self.environ, broken)

    def sweep(self) -> Run:
        return github("sweep", "sweep", self.folder, self._known("main"), self.environ)

    @property
    def files_of_preview(self) -> str:
        return f"previews/acme/shop/{self.number}/"

    def comment(self) -> str:
        """Return what the pull request says."""
        return (self.folder / "github" / "comment").read_text().strip()

    @property
    def environ(self) -> dict[str, str]:
        summary = str(self.folder / "summary")
        return {**super().environ, "GITHUB": str(self.folder / "github"), "GITHUB_STEP_SUMMARY": summary}

    def run(self, job: str, broken: str = "") -> Run:
        """Run a job, again say, whatever became of its pull request."""
        return github("preview", job, self.folder, self._known(self.branch), self.environ, broken)

    def _pull_request(self, job: str, state: str, broken: str) -> Run:
        (self.folder / "github").mkdir(exist_ok=True)
        (self.folder / "github" / ".state").write_text(state)
        (self.folder / "github" / ".headRefOid").write_text(self.commit)
        return self.run(job, broken)

    def _known(self, ref: str) -> dict[str, str]:
        return {
            "github.workflow_ref": "acme/shop/.github/workflows/x.yml",
            "github.repository": "acme/shop",
            "github.event.repository.name": "shop",
            "github.event.number": str(self.number),
            "github.event.pull_request.head.sha": self.commit,
            "github.head_ref": ref,
            "github.ref_name": ref,
            "github.sha": self.commit,
            "github.token": "a token",
        }


class GitLab(Pipelines):
    """GitLab CI."""

    def open(self, broken: str = "") -> Run:
        return self.run("preview", broken)

    def close(self, broken: str = "") -> Run:
        return self.run("stop preview", broken)

    def release(self, tag: str, broken: str = "") -> Run:
        run = self.run("release", broken, CI_COMMIT_TAG=tag)
        if not run.succeeded:
            run.output += self.run("roll back", CI_COMMIT_TAG=tag).output
        return run

    def sweep(self) -> Run:
        return self.run("sweep")

    @property
    def files_of_preview(self) -> str:
        return f"previews/acme/shop/{self.number}/"

    def comment(self) -> str:
        """Return what the merge request says."""
        return (self.folder / "preview.env").read_text().strip()

    def run(self, job: str, broken: str = "", **known: str) -> Run:
        """Run a job."""
        predefined = {
            "CI_PROJECT_PATH": "acme/shop",
            "CI_PROJECT_NAME": "shop",
            "CI_JOB_NAME": job,
            "CI_COMMIT_SHA": self.commit,
            "CI_MERGE_REQUEST_IID": str(self.number),
            "CI_MERGE_REQUEST_SOURCE_BRANCH_NAME": self.branch,
            "AWS_TOKEN": "a token",
            **known,
        }
        return gitlab(job, self.folder, predefined, self.environ, broken)
