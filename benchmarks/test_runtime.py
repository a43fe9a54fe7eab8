"""Inside awslambdaric, Lambda's own runtime for Python, in its invoke loop."""

import os
import resource
import statistics
import subprocess
import sys
import time
from http.server import ThreadingHTTPServer
from pathlib import Path
from typing import Any

from benchmarks.conftest import Figures
from edge_handler.routes.route import encode_route
from tests.lambda_runtime import RuntimeApi
from tests.support import ROOT, dynalite, dynamodb_client, event, route

WARM_UP = 200
INVOCATIONS = 3_000
# Of what is 1 but for noise.
LIMIT = 1.5
NO_OP = 'def handler(event, context):\n    return event["Records"][0]["cf"]["request"]\n'


class _Loop(RuntimeApi):
    """Asks for one answer after the other, and notes how long each took."""

    times: list[float]
    started = 0.0

    def do_GET(self) -> None:  # noqa: N802  # as http.server calls it
        super().do_GET()
        type(self).started = time.perf_counter()

    def answered(self, path: str, _result: bytes) -> bool:
        self.times.append(time.perf_counter() - self.started)
        assert path.endswith("/response"), path
        return len(self.times) == WARM_UP + INVOCATIONS


def invoke(handler: str, folder: Path, given: dict[str, Any], environ: dict[str, str]) -> tuple[list[float], float]:
    """Return the sorted times of the invocations in us, and the process's CPU for each in us, start included."""
    loop = type("Loop", (_Loop,), {"event": given, "times": []})
    before = _children()
    with ThreadingHTTPServer(("127.0.0.1", 0), loop) as server:
        whole = {**os.environ, **environ, "AWS_LAMBDA_RUNTIME_API": f"127.0.0.1:{server.server_port}"}
        command = [sys.executable, "-m", "awslambdaric", handler]
        with subprocess.Popen(command, cwd=folder, env=whole, stdout=subprocess.DEVNULL) as process:
            server.serve_forever()
            process.kill()
    times: list[float] = loop.times  # type: ignore[attr-defined]
    cpu = (_children() - before) / len(times) * 1e6
    return sorted(spent * 1e6 for spent in times[WARM_UP:]), cpu


def _children() -> float:
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def test_the_invoke_loop(figures: Figures, tmp_path: Path) -> None:
    (tmp_path / "no_op.py").write_text(NO_OP)
    given = event("viewer-request-static")
    with dynalite() as endpoint:
        row = encode_route(route("env-123.localhost"))
        dynamodb_client(endpoint).put_item(TableName="edge-routing-routes", Item=row)
        environ = {"AWS_ENDPOINT_URL": endpoint}
        ours, theirs = [], []
        for _ in range(3):
            ours.append(invoke("edge_handler.viewer_request.handler", ROOT, given, environ))
            theirs.append(invoke("no_op.handler", tmp_path, given, environ))
    for name, share in (("p50", 0.5), ("p99", 0.99)):
        mine, others = (
            statistics.median(times[int(len(times) * share)] for times, _ in runs) for runs in (ours, theirs)
        )
        low = min(
            one[int(len(one) * share)] / two[int(len(two) * share)]
            for (one, _), (two, _) in zip(ours, theirs, strict=True)
        )
        figures.add(f"invocation in awslambdaric, {name} / of a no-op", mine, others, "us", mine / others, low, LIMIT)
    mine, others = (statistics.median(cpu for _, cpu in runs) for runs in (ours, theirs))
    figures.add("invocation in awslambdaric, CPU / of a no-op", mine, others, "us", mine / others, mine / others, LIMIT)
    rates = [1e6 / statistics.median(statistics.mean(times) for times, _ in runs) for runs in (ours, theirs)]
    figures.note(f"invocations a second in awslambdaric's loop: {rates[0]:,.0f}, of a no-op {rates[1]:,.0f}")
