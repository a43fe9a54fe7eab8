"""Both functions in Lambda's own runtime, a few thousand times; `make soak PART=runtime` does it 200,000 times."""

import os
import random
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from benchmarks.invocations import memory
from benchmarks.invocations.load import ViewerLoad
from benchmarks.invocations.runtime import Session
from benchmarks.invocations.world import World, world
from tests.support import need

WELL = ((None, 1.0),)


@pytest.fixture(scope="module")
def servers() -> Iterator[World]:
    need(Path("/proc/self/fd").exists(), "Linux")
    with world() as found:
        yield found


@pytest.mark.parametrize(
    ("function", "region", "outcomes"),
    [
        ("viewer-request", "eu-west-1", {"goes on", "400", "404", "405", "410", "502", "503"}),
        ("origin-request", "us-east-1", {"goes on", "308", "400", "502"}),
    ],
)
def test_every_invocation_is_answered_and_rightly_and_leaves_nothing_behind(
    function: str, region: str, outcomes: set[str], servers: World
) -> None:
    findings = servers.run(function, region, 2_000)
    assert findings.faults() == []
    assert findings.answered >= 2_400
    assert set(findings.outcomes) == outcomes
    if function == "viewer-request":
        assert findings.regions.most_common(1)[0][0] == region


def test_what_is_answered_after_the_last_event_is_not_judged(servers: World) -> None:
    session = Session(ViewerLoad(random.Random(1)), servers.table, count=0, plan=WELL)
    session.pid = os.getpid()
    while not session.take("/error", b""):
        pass
    before = session.findings.answered, len(session.findings.wrong)
    assert session.take("/response", b"")
    assert (session.findings.answered, len(session.findings.wrong)) == before


WORSE = {
    "raises": ("1 / 0", "raised"),
    "dies": ("os._exit(3)", "the process ended with 3"),
    "is no answer": ("return {'status': 503}", "status is a string"),
    "refuses": ("return {'status': '503'}", "503 instead of 1;r0.localhost;1;s3;"),
    "has no stamp": ("return event['Records'][0]['cf']['request']", "KeyError"),
    "has the last one's stamp": ("return last_stamp(ours(event, context))", "instead of 1;r1.localhost;2;s3;"),
    "logs an exception": ("print('viewer-request failed'); return ours(event, context)", "nobody expected"),
    "keeps memory": ("kept.append(b'x' * 9999); return ours(event, context)", "memory grew"),
    "keeps files": ("kept.append(open(os.devnull)); return ours(event, context)", "more descriptors are open"),
}
MODULE = """
import os
from edge_handler.viewer_request import handler as ours
kept = []
def last_stamp(result):
    kept.append(result["headers"].get("x-route"))
    if kept[-1]:
        result["headers"]["x-route"] = kept[-2:][0] or kept[-1]
    return result
def handler(event, context):
"""


@pytest.mark.parametrize(("code", "said"), WORSE.values(), ids=WORSE)
def test_a_function_that_is_not_right_is_found(code: str, said: str, servers: World, tmp_path: Path) -> None:
    (tmp_path / "worse.py").write_text(f"{MODULE}    {code}\n")
    findings = servers.run("viewer-request", "eu-west-1", 500, plan=WELL, handler="worse.handler", folder=tmp_path)
    assert any(said in fault for fault in findings.faults()), findings.faults()


def test_a_control_group_kills_what_takes_more_than_lambda_gives() -> None:
    with memory.limited() as group:
        if group is None:
            pytest.skip("this machine lends no control group")
        for megabytes, status in ((64, 0), (256, -9)):
            command = group.command([sys.executable, "-c", f"len(b'x' * {megabytes} * 1_000_000)"])
            assert subprocess.run(command, check=False).returncode == status
        assert 64_000_000 < (group.peak() or 0) <= memory.LAMBDA_BYTES
