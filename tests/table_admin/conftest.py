from collections.abc import Callable
from pathlib import Path

import pytest

from local_edge.embedded_aws import EmbeddedAws
from table_admin import RoutingTable
from table_admin.cli import main

Command = Callable[..., tuple[int, str, str]]


@pytest.fixture
def command(
    table: RoutingTable,
    aws: EmbeddedAws,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
) -> Command:
    """Return what runs a command line in this process, in an empty folder: status, output, errors."""
    monkeypatch.chdir(tmp_path)  # export writes wherever it is told to
    monkeypatch.setenv("AWS_ENDPOINT_URL", aws.endpoint)
    monkeypatch.setenv("TABLE_ADMIN_STACK", table.stack)
    monkeypatch.setenv("TABLE_ADMIN_ACTOR", "pipeline")

    def run(*arguments: str) -> tuple[int, str, str]:
        with pytest.raises(SystemExit) as caught:
            main(list(arguments))
        return int(caught.value.code or 0), *capsys.readouterr()

    return run
