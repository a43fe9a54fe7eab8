"""docs/examples/: a release by degrees, whatever becomes of it."""

import pytest

from tests.examples.conftest import Start
from tests.examples.pipelines import BUCKET, GitHub, well
from tests.examples.steps import Breakdown


@pytest.fixture
def production(start: Start) -> GitHub:
    """A project whose production is its release c1."""
    made = start(GitHub)
    made.edge.table.put(made.production, f"s3://{BUCKET}/env-123")
    made.push("c1")
    well(made.release(f"v1.{made.number}"))
    made.push("c2")
    return made


def test_a_release_becomes_production_by_degrees(production: GitHub) -> None:
    tag = f"v2.{production.number}"
    well(production.canary(tag))
    production.still_shows(production.production, "this is c2")
    states = [entry.state for entry in production.edge.table.history(production.production) if entry.note == tag]
    weights = [state.canary.weight if state and state.canary else None for state in states]
    assert weights[::-1] == [10, 50, None]


@pytest.mark.parametrize("after", ["table-admin canary start", 'table-admin canary weight "$PRODUCTION"'])
def test_one_that_fails_is_aborted(production: GitHub, after: str) -> None:
    assert not production.canary(f"v2.{production.number}", Breakdown(after)).succeeded
    assert production.edge.table.get(production.production).canary is None
    production.still_shows(production.production, "this is c1")


def test_one_that_fails_as_production_is_rolled_back(production: GitHub) -> None:
    assert not production.canary(f"v2.{production.number}", Breakdown("table-admin canary promote")).succeeded
    # To the canary that it was, which is aborted then.
    assert production.edge.table.get(production.production).canary is None
    production.still_shows(production.production, "this is c1")


def test_one_that_fails_does_not_end_what_somebody_else_began(production: GitHub) -> None:
    mine = f"s3://{BUCKET}/env-456"
    host = production.production
    meanwhile = f"table-admin canary abort {host} && table-admin canary start {host} {mine} --weight 3"
    run = production.canary(f"v2.{production.number}", Breakdown("table-admin canary start", meanwhile))
    assert not run.succeeded
    canary = production.edge.table.get(production.production).canary
    assert canary is not None
    assert (canary.target, canary.weight) == (mine, 3)
