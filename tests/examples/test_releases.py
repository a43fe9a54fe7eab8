"""docs/examples/: what a release does to production, whatever becomes of it."""

from table_admin.promotions import promote
from tests.examples.pipelines import BUCKET, GitHub, GitLab, well
from tests.examples.steps import Breakdown

PROMOTED = "table-admin env promote"


def test_a_release_becomes_production_unless_it_has_no_page(pipelines: GitHub | GitLab) -> None:
    for version in ("c1", "c2"):
        pipelines.push(version)
        well(pipelines.release(f"v{version}.{pipelines.number}"))
        pipelines.shows(pipelines.production, f"this is {version}")
    revision = pipelines.revision()
    pipelines.push("c3", other="this release has no page")
    pipelines.pause = "0.1"
    for tag in ("v3", "v4"):
        run = pipelines.release(f"{tag}.{pipelines.number}")
        assert not run.succeeded
        assert "public has no index.html" in run.output
    assert pipelines.revision() == revision
    pipelines.still_shows(pipelines.production, "this is c2")


def test_a_release_that_fails_as_production_is_rolled_back_once(pipelines: GitHub | GitLab) -> None:
    pipelines.push("c1")
    well(pipelines.release(f"v1.{pipelines.number}"))
    for commit in ("c2", "c3"):
        pipelines.push(commit)
        assert not pipelines.release(f"v{commit}.{pipelines.number}", Breakdown(PROMOTED)).succeeded
        pipelines.still_shows(pipelines.production, "this is c1")


def test_a_release_that_fails_before_it_is_production_changes_nothing(pipelines: GitHub | GitLab) -> None:
    """A release of production's own commit too: by the same tag again, or by another."""
    pipelines.push("c1")
    tag = f"v1.{pipelines.number}"
    well(pipelines.release(tag))
    revision = pipelines.revision()
    for again in (tag, f"v2.{pipelines.number}"):
        for after in ("make site", "table-admin deploy"):
            assert not pipelines.release(again, Breakdown(after)).succeeded
    assert pipelines.revision() == revision
    pipelines.still_shows(pipelines.production, "this is c1")


def test_a_release_that_breaks_down_does_not_undo_what_somebody_else_did(pipelines: GitHub | GitLab) -> None:
    pipelines.push("c1")
    meanwhile = f"table-admin put {pipelines.production} s3://{BUCKET}/env-456"
    assert not pipelines.release(f"v1.{pipelines.number}", Breakdown(PROMOTED, meanwhile)).succeeded
    assert pipelines.edge.table.get(pipelines.production).target == f"s3://{BUCKET}/env-456"


def test_a_release_that_is_built_again_does_not_write_what_is_served(pipelines: GitHub | GitLab) -> None:
    pipelines.push("c1")
    tag = f"v1.{pipelines.number}"
    well(pipelines.release(tag))
    served = pipelines.objects()
    pipelines.push("c1", index="as today's dependencies have it")
    assert not pipelines.release(tag, Breakdown("table-admin deploy")).succeeded
    pipelines.still_shows(pipelines.production, "this is c1")
    well(pipelines.release(tag))
    pipelines.shows(pipelines.production, "as today's")
    assert served < pipelines.objects()


def test_a_first_release_that_fails_leaves_no_production(new_project: GitHub | GitLab) -> None:
    new_project.push("c1")
    tag = f"v1.{new_project.number}"
    run = new_project.release(tag, Breakdown("make site"))
    assert not run.succeeded
    assert "table-admin" not in run.output
    for _ in range(2):
        run = new_project.release(tag, Breakdown(PROMOTED))
        assert not run.succeeded
        assert "error" not in run.output.lower(), run.output
        new_project.is_gone(new_project.production)
    well(new_project.release(tag))
    new_project.shows(new_project.production, "this is c1")


def test_a_rollback_does_not_go_to_files_that_are_gone(pipelines: GitHub | GitLab) -> None:
    pipelines.push("c1")
    well(pipelines.open())
    promote(pipelines.edge.table, pipelines.label, {pipelines.production: ""})
    pipelines.push("c2")
    removed = f"lose-deployment {pipelines.edge.table.get(pipelines.preview).target}"
    run = pipelines.release(f"v2.{pipelines.number}", Breakdown(PROMOTED, removed))
    assert not run.succeeded
    pipelines.still_shows(pipelines.production, "this is c2")


def test_the_nightly_sweep_fails_where_production_has_lost_its_files(pipelines: GitHub | GitLab) -> None:
    pipelines.push("c1")
    well(pipelines.open())
    promote(pipelines.edge.table, pipelines.label, {pipelines.production: ""})
    bucket, _, key = pipelines.edge.table.get(pipelines.preview).target.removeprefix("s3://").partition("/")
    s3 = pipelines.edge.client("s3")
    content = s3.get_object(Bucket=bucket, Key=key)["Body"].read()
    s3.delete_object(Bucket=bucket, Key=key)
    run = pipelines.sweep()
    s3.put_object(Bucket=bucket, Key=key, Body=content)  # other tests deploy the same
    assert not run.succeeded
    assert pipelines.production in run.output
    pipelines.edge.table.put(pipelines.production, f"s3://{BUCKET}/env-123")
