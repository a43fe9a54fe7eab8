"""docs/examples/: what their jobs do to what viewers see, also where a step fails, is retried or comes too late."""

import itertools
from collections.abc import Iterator
from pathlib import Path

import pytest

from table_admin import environments
from table_admin.promotions import promote
from tests.examples.pipelines import GitHub, GitLab
from tests.examples.steps import GITHUB, GITLAB, load, scripts
from tests.local_edge.running import Answer, LocalEdge, local_edge

_numbers = itertools.count(1)


@pytest.fixture(scope="module")
def edge() -> Iterator[LocalEdge]:
    with local_edge() as running:
        yield running


@pytest.fixture(params=[GitHub, GitLab])
def pipelines(request: pytest.FixtureRequest, edge: LocalEdge, tmp_path: Path) -> GitHub | GitLab:
    made: GitHub | GitLab = request.param(edge, tmp_path, next(_numbers))
    return made


def shows(pipelines: GitHub | GitLab, host: str, text: str) -> None:
    pipelines.edge.until(lambda answer: answer.status == 200 and text in answer.text, host)


def is_gone(pipelines: GitHub | GitLab, host: str) -> None:
    pipelines.edge.until(lambda answer: answer.status == 404, host)


def still_shows(pipelines: GitHub | GitLab, host: str, text: str) -> Answer:
    """Ask when neither the edge's memory nor the CDN can be what answers."""
    pipelines.edge.table.touch(host)
    pipelines.edge.wait_fresh()
    answer = pipelines.edge.get(host)
    assert (answer.status, text in answer.text) == (200, True), answer
    return answer


def test_a_pull_request_has_its_preview_until_it_closes(pipelines: GitHub | GitLab) -> None:
    pipelines.push("c1")
    run = pipelines.open()
    assert run.succeeded, run.output
    shows(pipelines, pipelines.preview, "this is c1")
    assert pipelines.comment().endswith(f"https://{pipelines.preview}/")
    assert pipelines.edge.table.get(pipelines.preview).expires_at
    pipelines.push("c2")
    assert pipelines.open().succeeded
    shows(pipelines, pipelines.preview, "this is c2")
    run = pipelines.close()
    assert run.succeeded, run.output
    is_gone(pipelines, pipelines.preview)
    assert pipelines.files(pipelines.files_of_preview) == []


def test_a_job_that_broke_down_is_run_again(pipelines: GitHub | GitLab) -> None:
    pipelines.push("c1")
    assert not pipelines.open("aws s3 sync").succeeded
    run = pipelines.close()  # of a preview that never came to be
    assert run.succeeded, run.output
    assert pipelines.files(pipelines.files_of_preview) == []
    assert not pipelines.open("table-admin env up").succeeded
    run = pipelines.open()
    assert run.succeeded, run.output
    shows(pipelines, pipelines.preview, "this is c1")
    assert len(pipelines.files(pipelines.files_of_preview)) == 1
    assert not pipelines.close("table-admin env down").succeeded
    assert pipelines.files(pipelines.files_of_preview)
    for _ in range(2):
        run = pipelines.close()
        assert run.succeeded, run.output
    is_gone(pipelines, pipelines.preview)
    assert pipelines.files(pipelines.files_of_preview) == []


def test_production_that_was_promoted_to_a_preview_outlives_its_pull_request(pipelines: GitHub | GitLab) -> None:
    pipelines.push("c1")
    assert pipelines.open().succeeded
    promote(pipelines.edge.table, pipelines.label, {pipelines.production: ""})
    shows(pipelines, pipelines.production, "this is c1")
    assert not pipelines.close().succeeded
    still_shows(pipelines, pipelines.production, "this is c1")
    # What is pushed later is the preview's alone, and the older commit's files are still needed.
    pipelines.push("c2")
    assert pipelines.open().succeeded
    shows(pipelines, pipelines.preview, "this is c2")
    still_shows(pipelines, pipelines.production, "this is c1")
    assert not pipelines.close().succeeded
    still_shows(pipelines, pipelines.production, "this is c1")
    pipelines.edge.table.put(pipelines.production, "s3://acme-static-sites/env-456")
    run = pipelines.close()
    assert run.succeeded, run.output
    assert pipelines.files(pipelines.files_of_preview) == []


def test_production_that_was_sent_there_by_hand_outlives_also_a_preview_that_had_expired(
    pipelines: GitHub | GitLab,
) -> None:
    """Nothing in the table tells then that the files are a preview's."""
    pipelines.push("c1")
    assert pipelines.open().succeeded
    table = pipelines.edge.table
    table.put(pipelines.production, table.get(pipelines.preview).target)
    environments.extend(table, pipelines.label, expires_in="1s")
    pipelines.edge.until(lambda answer: answer.status == 410, pipelines.preview)
    assert pipelines.sweep().succeeded
    is_gone(pipelines, pipelines.preview)
    run = pipelines.close()
    assert not run.succeeded
    assert "Still needed" in run.output
    still_shows(pipelines, pipelines.production, "this is c1")


def test_a_release_becomes_production_unless_it_fails_its_smoke_test(pipelines: GitHub | GitLab) -> None:
    for version in ("c1", "c2"):
        pipelines.push(version)
        run = pipelines.release(f"v{version}.{pipelines.number}")
        assert run.succeeded, run.output
    revision = pipelines.edge.table.get(pipelines.production).revision
    assert pipelines.release(f"vc2.{pipelines.number}").succeeded
    assert pipelines.edge.table.get(pipelines.production).revision == revision
    pipelines.push("c3", other="this release has no page")
    for _ in range(2):
        assert not pipelines.release(f"v3.{pipelines.number}").succeeded
        still_shows(pipelines, pipelines.production, "this is c2")


def test_a_release_whose_runner_breaks_down_is_rolled_back(pipelines: GitHub | GitLab) -> None:
    pipelines.push("c1")
    assert pipelines.release(f"v1.{pipelines.number}").succeeded
    pipelines.push("c2")
    assert not pipelines.release(f"v2.{pipelines.number}", "table-admin env promote").succeeded
    still_shows(pipelines, pipelines.production, "this is c1")


def test_a_release_that_breaks_down_does_not_undo_what_somebody_else_did(pipelines: GitHub | GitLab) -> None:
    pipelines.push("c1")
    assert pipelines.release(f"v1.{pipelines.number}").succeeded
    pipelines.edge.table.put(pipelines.production, "s3://acme-static-sites/env-456")
    revision = pipelines.edge.table.get(pipelines.production).revision
    pipelines.push("c2")
    assert not pipelines.release(f"v2.{pipelines.number}", "table-admin env up").succeeded
    assert pipelines.edge.table.get(pipelines.production).revision == revision


def test_a_branchs_name_is_no_command(pipelines: GitHub | GitLab) -> None:
    pipelines.branch = f"$(touch${{IFS}}pwned);'`touch${{IFS}}pwned`'\"-{pipelines.number}"
    pipelines.push("c1")
    run = pipelines.open()
    assert run.succeeded, run.output
    assert pipelines.close().succeeded
    assert not (pipelines.folder / "pwned").exists()


def test_a_run_of_yesterday_that_is_started_again_changes_nothing(edge: LocalEdge, tmp_path: Path) -> None:
    """GitLab has a setting for it: outdated deployment jobs are prevented."""
    pipelines = GitHub(edge, tmp_path, next(_numbers))
    pipelines.push("c1")
    assert pipelines.open().succeeded
    assert not pipelines.run("down").succeeded
    shows(pipelines, pipelines.preview, "this is c1")
    pipelines.push("c2")
    assert pipelines.open().succeeded
    pipelines.commit = "c1"
    assert not pipelines.run("up").succeeded
    still_shows(pipelines, pipelines.preview, "this is c2")
    pipelines.commit = "c2"
    assert pipelines.close().succeeded
    assert not pipelines.run("up").succeeded
    is_gone(pipelines, pipelines.preview)


def test_the_nightly_sweep_removes_what_expired_and_names_what_leads_nowhere(pipelines: GitHub | GitLab) -> None:
    expired, orphan = f"expired{pipelines.number}.localhost", f"orphan{pipelines.number}.localhost"
    pipelines.edge.table.put(expired, "s3://acme-static-sites/env-123", expires_in="1s")
    pipelines.edge.table.put(orphan, f"s3://acme-static-sites/nothing-{pipelines.number}")
    pipelines.edge.until(lambda answer: answer.status == 410, expired)
    run = pipelines.sweep()
    assert run.succeeded, run.output
    assert expired in run.output
    assert orphan in run.output
    assert expired not in pipelines.sweep().output


@pytest.mark.parametrize("name", [*map(GITHUB.format, ("preview", "release", "sweep")), GITLAB])
def test_what_others_write_is_no_part_of_a_command(name: str) -> None:
    """`${{ }}` is put into a command's text before a shell reads it."""
    found = [*scripts(load(name))]
    assert found
    for script in found:
        assert "${{" not in script, script


def test_events_and_jobs_of_the_pull_requests_workflow_fit() -> None:
    workflow = load(GITHUB.format("preview"))
    assert workflow[True]["pull_request"]["types"] == ["opened", "synchronize", "reopened", "closed"]
    assert "action != 'closed'" in workflow["jobs"]["up"]["if"]
    assert "action == 'closed'" in workflow["jobs"]["down"]["if"]
    # A fork's pull request gets no role of ours.
    for job in workflow["jobs"].values():
        assert "head.repo.full_name == github.repository" in job["if"]
