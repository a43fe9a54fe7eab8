"""docs/examples/: what previews and the nightly sweep do to what viewers see, also where a step fails or comes late."""

import time

from table_admin import RoutingTable, environments
from table_admin.promotions import promote
from tests.examples.conftest import Start
from tests.examples.pipelines import GitHub, GitLab, well
from tests.examples.steps import Breakdown


def test_a_pull_request_has_its_preview_until_it_closes(pipelines: GitHub | GitLab) -> None:
    pipelines.push("c1")
    well(pipelines.open())
    pipelines.shows(pipelines.preview, "this is c1")
    assert pipelines.url_told().endswith(f"https://{pipelines.preview}/")
    assert pipelines.edge.table.get(pipelines.preview).expires_at
    pipelines.push("c2")
    well(pipelines.open())
    pipelines.shows(pipelines.preview, "this is c2")
    well(pipelines.close())
    pipelines.is_gone(pipelines.preview)


def test_a_job_that_broke_down_is_run_again(pipelines: GitHub | GitLab) -> None:
    pipelines.push("c1")
    assert not pipelines.open(Breakdown("make site")).succeeded
    well(pipelines.close())  # of a preview that never came to be
    assert not pipelines.open(Breakdown("table-admin deploy")).succeeded
    well(pipelines.open())
    pipelines.shows(pipelines.preview, "this is c1")
    assert not pipelines.close(Breakdown("table-admin env down")).succeeded
    for _ in range(2):
        well(pipelines.close())
    pipelines.is_gone(pipelines.preview)


def test_production_that_was_promoted_to_a_preview_outlives_its_pull_request(pipelines: GitHub | GitLab) -> None:
    pipelines.push("c1")
    well(pipelines.open())
    promote(pipelines.edge.table, pipelines.label, {pipelines.production: ""})
    pipelines.shows(pipelines.production, "this is c1")
    well(pipelines.close())
    pipelines.still_shows(pipelines.production, "this is c1")
    # What is pushed later is the preview's alone, and the older commit's files are still needed.
    pipelines.push("c2")
    well(pipelines.open())
    pipelines.shows(pipelines.preview, "this is c2")
    pipelines.still_shows(pipelines.production, "this is c1")
    well(pipelines.close())
    pipelines.still_shows(pipelines.production, "this is c1")
    pipelines.edge.table.put(pipelines.production, "s3://acme-static-sites/env-456")


def test_production_that_was_sent_there_by_hand_outlives_also_a_preview_that_had_expired(
    pipelines: GitHub | GitLab,
) -> None:
    """Nothing in the table tells then that what it shows was a preview's; but nothing takes it away."""
    pipelines.push("c1")
    well(pipelines.open())
    table = pipelines.edge.table
    table.put(pipelines.production, table.get(pipelines.preview).target)
    environments.extend(table, pipelines.label, expires_in="1s")
    pipelines.edge.until(lambda answer: answer.status == 410, pipelines.preview)
    pipelines.sweep()
    pipelines.is_gone(pipelines.preview)
    well(pipelines.close())
    pipelines.sweep()
    pipelines.still_shows(pipelines.production, "this is c1")


def test_two_projects_of_one_name_have_urls_of_their_own(pipelines: GitHub | GitLab) -> None:
    other = pipelines.project_named("crm/shop")
    tag = f"v1.{pipelines.number}"
    for one, text in ((pipelines, "ours"), (other, "theirs")):
        one.push("c1", index=text)
        well(one.open())
        well(one.release(tag))
    assert len({pipelines.preview, other.preview, pipelines.url_of(tag), other.url_of(tag)}) == 4
    for one, text in ((pipelines, "ours"), (other, "theirs")):
        for host in (one.preview, one.url_of(tag), one.production):
            one.still_shows(host, text)
    well(other.close())
    pipelines.still_shows(pipelines.preview, "ours")


def test_a_preview_built_again_leaves_alone_what_was_promoted(pipelines: GitHub | GitLab) -> None:
    pipelines.push("c1")
    well(pipelines.open())
    promote(pipelines.edge.table, pipelines.label, {pipelines.production: ""})
    pipelines.push("c1", index="as today's dependencies have it")
    well(pipelines.preview_again())
    pipelines.still_shows(pipelines.preview, "as today's")
    pipelines.still_shows(pipelines.production, "this is c1")


def test_a_run_that_is_started_again_does_what_the_pull_request_is_by_now(pipelines: GitHub | GitLab) -> None:
    pipelines.push("c1")
    well(pipelines.open())
    pipelines.push("c2")
    well(pipelines.open())
    pipelines.commit = "c1"
    well(run := pipelines.preview_again())
    assert "Left alone" in run.output
    pipelines.still_shows(pipelines.preview, "this is c2")
    pipelines.commit = "c2"
    well(pipelines.close())
    well(pipelines.preview_again())
    pipelines.edge.wait_fresh()
    pipelines.is_gone(pipelines.preview)
    well(pipelines.open())
    pipelines.shows(pipelines.preview, "this is c2")


def test_a_closed_run_that_was_lost_is_made_up_for_by_any_other(start: Start) -> None:
    """GitHub: and one of a pull request that was opened again removes nothing."""
    pipelines = start(GitHub)
    pipelines.push("c1")
    well(pipelines.open())
    pipelines.is_now("closed")
    well(pipelines.preview_again())
    pipelines.is_gone(pipelines.preview)
    well(pipelines.open())
    pipelines.shows(pipelines.preview, "this is c1")


def test_nothing_is_done_where_it_is_not_known_what_the_pull_request_is(pipelines: GitHub | GitLab) -> None:
    pipelines.push("c1")
    well(pipelines.open())
    for found in pipelines.forge.glob("*.json"):
        found.unlink()
    assert not pipelines.preview_again().succeeded
    pipelines.still_shows(pipelines.preview, "this is c1")


def test_a_forks_pull_request_has_no_job(start: Start) -> None:
    fork = start(GitHub)
    fork.push("c1")
    fork.is_now("open")
    assert set(fork.run("preview", "main", head="mallory/shop").results.values()) == {"skipped"}
    pipelines = start(GitLab)
    pipelines.push("c1")
    pipelines.is_now("open")
    # GitLab runs it in the fork; in the parent project only if a member of that starts it.
    assert pipelines.merge_request(CI_PROJECT_ID="8", CI_MERGE_REQUEST_SOURCE_PROJECT_ID="8").results == {}
    assert pipelines.merge_request(CI_MERGE_REQUEST_SOURCE_PROJECT_ID="8").results == {}
    assert pipelines.merge_request().results == {"build": "success", "preview": "success"}


def test_the_comment_is_found_again_among_others(start: Start) -> None:
    pipelines = start(GitHub)
    pipelines.push("c1")
    well(pipelines.open())
    ours, *_ = pipelines.comments()
    another = {"id": 2, "user": {"login": "github-actions[bot]"}, "body": "coverage: 97 %"}
    quoting = {"id": 3, "user": {"login": "mallory"}, "body": ours["body"]}
    ours["body"] = str(ours["body"]).replace("localhost", "yesterday")
    pipelines.say([another, quoting, ours])
    well(pipelines.open())
    assert pipelines.comments()[:2] == [another, quoting]
    assert f"https://{pipelines.preview}/" in str(pipelines.comments()[2]["body"])
    assert len(pipelines.comments()) == 3


def test_what_is_built_knows_no_secret(pipelines: GitHub | GitLab) -> None:
    pipelines.push("c1", "site:\n\tmkdir public && env > public/index.html\n", index="")
    well(pipelines.open())
    well(pipelines.release(f"v1.{pipelines.number}"))
    for host in (pipelines.preview, pipelines.production):
        text = pipelines.edge.until(lambda answer: "PATH=" in answer.text, host).text
        for secret in ("AWS_TOKEN", "AWS_SECRET_ACCESS_KEY", "AWS_ROLE_ARN", "GH_TOKEN"):
            assert f"{secret}=" not in text


def test_a_branchs_name_is_no_command(pipelines: GitHub | GitLab) -> None:
    pipelines.branch = f"$(touch${{IFS}}pwned);'`touch${{IFS}}pwned`'\"-{pipelines.number}"
    pipelines.push("c1")
    well(pipelines.open())
    well(pipelines.close())
    assert not [*pipelines.forge.rglob("pwned")]


def test_the_nightly_sweep_removes_what_expired_and_names_what_leads_nowhere(pipelines: GitHub | GitLab) -> None:
    expired, orphan = f"expired{pipelines.number}.localhost", f"orphan{pipelines.number}.localhost"
    table = pipelines.edge.table
    # Long ago: a machine's clock may be put back a little.
    an_hour_ago = RoutingTable(table.stack, client=table.client, clock=lambda: time.time() - 3_600)
    an_hour_ago.put(expired, "s3://acme-static-sites/env-123", expires_in="1s")
    table.put(orphan, f"s3://acme-static-sites/nothing-{pipelines.number}")
    pipelines.edge.until(lambda answer: answer.status == 410, expired)
    run = pipelines.sweep()
    assert expired in run.output
    assert orphan in run.output
    assert expired not in pipelines.sweep().output
