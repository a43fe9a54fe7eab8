"""What is counted and timed is what the benchmarks say."""

import asyncio
from pathlib import Path

import pytest

from benchmarks.sites import deploys, views
from benchmarks.sites.directory import site

VIEWS = 20


def test_objects_without_a_lifetime_are_asked_for_at_every_view() -> None:
    warm, after = asyncio.run(views.measure(views.sync, VIEWS)).values()
    assert warm.s3["not modified"] == warm.viewers
    # What is new under every path.
    assert after.s3["files"] >= 3
    assert after.s3["files"] + after.s3["not modified"] == after.viewers
    assert warm.s3["lists"] == after.s3["lists"] == 0


def test_a_deployment_is_asked_for_once() -> None:
    warm, after = asyncio.run(views.measure(views.deploy, VIEWS)).values()
    assert warm.s3.total() <= 1  # a page that is missing
    assert warm.viewers > VIEWS
    assert 3 <= after.s3.total() < after.viewers
    assert after.s3["lists"] == 1


def test_a_version_differs_from_the_one_before_by_a_page_and_the_script(tmp_path: Path) -> None:
    found = []
    for version in (1, 2):
        site(tmp_path, 5, version)
        found.append({str(file.relative_to(tmp_path)): file.read_bytes() for file in tmp_path.rglob("*.*")})
    before, after = found
    assert {path for path in before.keys() & after.keys() if before[path] != after[path]} == {
        "index.html",
        "page-1/index.html",
    }
    assert [path.rpartition(".")[2] for path in before.keys() ^ after.keys()] == ["js", "js"]


def test_a_command_that_fails_is_no_figure(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError, match="no such verb"):
        deploys.measured(["sh", "-c", "echo no such verb; exit 3"], {})


@pytest.mark.skipif(not deploys.AWS.exists(), reason="only make bench installs awscli")
def test_both_tools_publish_the_whole_directory() -> None:
    found = deploys.compare(20)
    assert list(found) == list(deploys.RUNS)
    assert all(set(runs) == {deploys.OURS, deploys.THEIRS} for runs in found.values())
