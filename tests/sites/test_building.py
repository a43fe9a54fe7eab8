"""The sites that tests deploy are what their generators build today, at the pinned versions."""

from pathlib import Path

import pytest

from tests.sites.building import BUILDS, need_tool, outline


@pytest.mark.parametrize("name", BUILDS)
def test_what_is_kept_here_is_what_the_generator_builds(name: str, tmp_path: Path) -> None:
    build = BUILDS[name]
    need_tool(build)
    build.run(tmp_path / "built")
    assert outline(tmp_path / "built") == outline(build.vendored)


def test_two_releases_of_the_application_share_no_chunk_that_can_be_loaded_late() -> None:
    chunks = [{path.name for path in BUILDS[name].vendored.glob("assets/*.js")} for name in ("app", "app-next")]
    assert len(chunks[0]) == len(chunks[1]) == 4
    assert not chunks[0] & chunks[1]
