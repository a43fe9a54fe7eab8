"""A viewer: sends a request through both handlers, and says what came, when, and what it cost."""

import contextlib
import copy
import io
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

from benchmarks.faults.seen import Seen
from edge_handler import origin_request
from edge_handler.answers import Handler
from tests.support import NOBODY, event, run

_VIEWER, _ORIGIN = event("viewer-request-static"), event("origin-request-static")
TRACEBACK = '"traceback": '
"""What a log line has in it that tells of an exception."""
_SCHEDSTAT = Path("/proc/thread-self/schedstat")


class Viewer:
    """Asks for pages of hosts."""

    def __init__(self, handler: Handler) -> None:
        self._handler = handler
        self._origin_handler = origin_request.make_handler(NOBODY)

    def ask(self, host: str) -> Seen:
        """Ask for a page; what viewer-request makes of it goes on to origin-request, which tells the target."""
        result, seen = self._request(host, "/page.html")
        if seen.status != "200":
            return seen
        prefix = str(run(self._origin_handler, _onward(result)).get("uri")).removesuffix("/page.html")
        return replace(seen, target=prefix.removeprefix("/"))

    def passed_on(self, host: str, path: str) -> dict[str, Any]:
        """Return the event in which viewer-request's result for a path comes to origin-request."""
        return _onward(self._request(host, path)[0])

    def _request(self, host: str, path: str) -> tuple[dict[str, Any], Seen]:
        given = copy.deepcopy(_VIEWER)
        request = given["Records"][0]["cf"]["request"]
        request["headers"]["host"][0]["value"] = host
        request["uri"] = path
        return timed(self._handler, given)


def _onward(result: dict[str, Any]) -> dict[str, Any]:
    given = copy.deepcopy(_ORIGIN)
    cf = given["Records"][0]["cf"]
    cf["request"] = {**cf["request"], "headers": result["headers"], "uri": result["uri"]}
    return given


def timed(handler: Callable[[Any, Any], Any], given: dict[str, Any]) -> tuple[dict[str, Any], Seen]:
    """Invoke a handler, and return its result and what is to be said of it."""
    with _quiet() as lines:
        waited, starved = time.perf_counter(), _starved()
        try:
            result = run(handler, given)
            failure = ""
        except Exception as error:  # noqa: BLE001  # a handler never raises: whatever it is, it is what was found
            result, failure = {"status": "502", "headers": {}}, f"{type(error).__name__}: {error}"
        waited, starved = time.perf_counter() - waited, _starved() - starved
    said = lines.getvalue().splitlines()
    # What a handler catches at last is an exception all the same.
    failure = failure or next((line for line in said if TRACEBACK in line), "")
    after = result["headers"].get("retry-after")
    seconds = int(after[0]["value"]) if after else None
    return result, Seen(result.get("status", "200"), "", waited, starved, seconds, len(said), failure)


@contextlib.contextmanager
def _quiet() -> Iterator[io.StringIO]:
    with contextlib.redirect_stdout(io.StringIO()) as lines:
        yield lines


def _starved() -> float:
    """Return for how long this thread has been ready and not run, where the kernel says."""
    try:
        return int(_SCHEDSTAT.read_text().split()[1]) / 1e9
    except OSError:
        return 0.0
