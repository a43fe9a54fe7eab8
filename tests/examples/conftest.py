import itertools
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Protocol, TypeVar

import pytest

from tests.examples.pipelines import GitHub, GitLab
from tests.local_edge.running import LocalEdge, local_edge
from tests.support import need

_numbers = itertools.count(1)
Forge = TypeVar("Forge", GitHub, GitLab)


class Start(Protocol):
    """Start a project, whose production shows nothing yet."""

    def __call__(self, kind: type[Forge]) -> Forge: ...


@pytest.fixture(scope="module")
def edge() -> Iterator[LocalEdge]:
    need(shutil.which("jq") and shutil.which("curl"), "jq and curl (apt-get install jq curl)")
    with local_edge() as running:
        yield running


@pytest.fixture
def start(edge: LocalEdge, tmp_path: Path) -> Start:
    def made(kind: type[Forge]) -> Forge:
        number = next(_numbers)
        forge = tmp_path / str(number)
        forge.mkdir()
        return kind(edge, forge, number)

    return made


@pytest.fixture(params=[GitHub, GitLab])
def new_project(request: pytest.FixtureRequest, start: Start) -> GitHub | GitLab:
    """A project whose production shows nothing yet."""
    made: GitHub | GitLab = start(request.param)
    return made


@pytest.fixture
def pipelines(new_project: GitHub | GitLab) -> GitHub | GitLab:
    """A project whose production shows something already."""
    new_project.edge.table.put(new_project.production, "s3://acme-static-sites/env-123")
    return new_project
