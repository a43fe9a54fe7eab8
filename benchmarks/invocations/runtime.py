"""One function in one awslambdaric process: it is asked until enough is asked, while its server fails now and then."""

import json
import os
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import ThreadingHTTPServer
from pathlib import Path
from typing import Any

from benchmarks.invocations import memory
from benchmarks.invocations.failing_server import FailingServer, Fault
from benchmarks.invocations.load import Case, Event, Load
from local_edge.contract import ContractViolation, check_result
from tests.lambda_runtime import RuntimeApi

Plan = tuple[tuple[Fault | None, float], ...]
# How the server is, and for how large a share of the invocations.
PLAN: Plan = (
    *((None, 0.2), ("refuses", 0.1), (None, 0.15), ("hangs", 0.1), (None, 0.15), ("garbage", 0.1), (None, 0.2)),
)
SAMPLE_EVERY = 100
# What a run may gain from its middle to its end: the allocator's noise.
GROWTH_BYTES = 512 * 1024
# One kept connection to each replica, and one that is being opened.
MORE_DESCRIPTORS = 6
PROBE_PAUSE_SECONDS = 0.02
# A last resort, so that what never gets well ends.
MOST_PROBES = 3_000


@dataclass(slots=True)
class Findings:
    """What became of one process's invocations."""

    answered: int = 0
    outcomes: Counter[str] = field(default_factory=Counter)
    wrong: list[str] = field(default_factory=list)
    longest: float = 0.0
    """Seconds between an event and its answer."""
    probes: int = 0
    """Asked after a fault, until the function was well again."""
    resident: list[int] = field(default_factory=list)
    """Bytes, sampled."""
    descriptors: list[int] = field(default_factory=list)
    peak: int | None = None
    """Of the control group, None where there is none."""
    log_lines: int = 0
    regions: Counter[str] = field(default_factory=Counter)
    """How often each was asked."""

    def faults(self) -> list[str]:
        """Return what a process may not do: the first of the wrong answers, and what did not stay as it was."""
        faults = self.wrong[:5]
        if self.growth() > GROWTH_BYTES:
            faults.append(f"memory grew by {self.growth():,} bytes")
        if self.more_descriptors() > MORE_DESCRIPTORS:
            faults.append(f"{self.more_descriptors()} more descriptors are open")
        return faults

    def growth(self) -> int:
        """Return the bytes gained from the middle of the run to its end: medians of a tenth of the samples each."""
        tenth, middle = len(self.resident) // 10 + 1, len(self.resident) // 2
        early, late = self.resident[middle : middle + tenth], self.resident[-tenth:]
        return round(statistics.median(late) - statistics.median(early)) if late else 0

    def more_descriptors(self) -> int:
        """Return how many more than in the first tenth of the run were ever open."""
        first = self.descriptors[: len(self.descriptors) // 10 + 1]
        return max(self.descriptors) - max(first) if first else 0


class Session:
    """The order of events, and the judge of their answers."""

    def __init__(self, load: Load, server: FailingServer, count: int, plan: Plan = PLAN) -> None:
        self.findings = Findings()
        self.pid = 0
        self._load = load
        self._server = server
        self._count = count
        self._plan = plan
        self._outcome = ""
        self._lenient = False
        self._cases = self._play()
        self._case = next(self._cases)
        self._asked_at = 0.0
        self._over = False

    def _play(self) -> Iterator[Case]:
        yield from self._load.first()
        for fault, share in self._plan:
            with self._server.failing(fault):
                self._lenient = fault is not None
                for _ in range(round(self._count * share)):
                    yield self._load.any()
            if fault is not None:
                yield from self._until_well()

    def _until_well(self) -> Iterator[Case]:
        for _ in range(MOST_PROBES):
            probe = self._load.probe()
            self.findings.probes += 1
            yield probe
            if self._outcome == probe.right:
                return
            time.sleep(PROBE_PAUSE_SECONDS)
        self.findings.wrong.append("not well again")

    def ask(self) -> Event:
        """Return the event that is to be answered next."""
        self._asked_at = time.perf_counter()
        return self._case.event

    def take(self, path: str, result: bytes) -> bool:
        """Judge the answer, and tell whether it was the last."""
        if self._over:
            # Until it is killed the runtime goes on asking, and what it answers then may be cut off.
            return True
        findings, case = self.findings, self._case
        findings.longest = max(findings.longest, time.perf_counter() - self._asked_at)
        findings.answered += 1
        if fault := self._fault_of(case, path, result):
            request = case.event["Records"][0]["cf"]["request"]
            findings.wrong.append(f"{fault}: {request['method']} {request['uri']} {json.dumps(request['headers'])}")
        if findings.answered % SAMPLE_EVERY == 0:
            findings.resident.append(memory.resident(self.pid))
            findings.descriptors.append(memory.descriptors(self.pid))
        self._case = next(self._cases, case)
        self._over = self._case is case
        return self._over

    def _fault_of(self, case: Case, path: str, body: bytes) -> str:
        if not path.endswith("/response"):
            return f"raised {body[:300]!r}"
        try:
            cf = case.event["Records"][0]["cf"]
            result = json.loads(body)
            check_result(cf["config"]["eventType"], cf["request"], result)
            self._outcome = outcome = case.outcome(result)
        except (ContractViolation, ValueError, LookupError, TypeError) as error:
            return f"{type(error).__name__} {error}: {body[:100]!r}"
        self.findings.outcomes[outcome if outcome.isdecimal() else "goes on"] += 1
        if outcome == case.right or (self._lenient and outcome == case.instead):
            return ""
        return f"{outcome} instead of {case.right}"


def invoke(handler: str, session: Session, environ: dict[str, str], folder: Path) -> Findings:
    """Play a session to `handler` of the code in `folder`, in 128 MB where this machine can hold it to that."""
    with memory.limited() as group, tempfile.TemporaryFile() as log:
        with _api(session) as server:
            whole = {**os.environ, **environ, "AWS_LAMBDA_RUNTIME_API": f"127.0.0.1:{server.server_port}"}
            command = [sys.executable, "-m", "awslambdaric", handler]
            with subprocess.Popen(
                group.command(command) if group else command, cwd=folder, env=whole, stdout=log, stderr=log
            ) as process:
                session.pid = process.pid
                # A runtime that dies asks nothing any more: stop serving then, too.
                threading.Thread(target=_stop_with, args=(process, server), daemon=True).start()
                server.serve_forever(0.05)
                if (died := process.poll()) is not None:
                    session.findings.wrong.append(f"the process ended with {died}")
                process.kill()
        session.findings.peak = group.peak() if group else None
        log.seek(0)
        for line in log:
            session.findings.log_lines += 1
            if b"-request failed" in line:
                session.findings.wrong.append(f"an exception nobody expected: {line[:500]!r}")
    return session.findings


@contextmanager
def _api(session: Session) -> Iterator[ThreadingHTTPServer]:
    class Api(RuntimeApi):
        def do_GET(self) -> None:  # noqa: N802  # as http.server calls it
            self.event = session.ask()
            super().do_GET()

        def answered(self, path: str, result: bytes) -> bool:
            return session.take(path, result)

    with _Server(("127.0.0.1", 0), Api) as server:
        yield server


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say what went wrong, unless it is that the runtime was killed."""
        if not isinstance(sys.exception(), ConnectionError):
            super().handle_error(request, client_address)


def _stop_with(process: subprocess.Popen[Any], server: ThreadingHTTPServer) -> None:
    process.wait()
    server.shutdown()
