"""What a viewer waited for in viewer-request is not there for origin-request to wait once more."""

import copy
import socket
import time
from collections.abc import Sequence
from math import inf
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_handler import origin_request, viewer_request
from edge_handler.errors import BrokenRow
from edge_handler.routes.destination import Destination
from edge_handler.routes.resolver import KNOWN_HOST_SECONDS, UNKNOWN_HOST_SECONDS, Resolver
from edge_handler.time_left import HEADER, decode_time_left, encode_time_left
from edge_handler.website import deployments
from tests.support import SETTINGS, Clock, Rows, event, header, route, run

REQUEST_ID = event("viewer-request-static")["Records"][0]["cf"]["config"]["requestId"]
HOST = "env-123.localhost"
SITE_SECONDS = deployments.SECONDS


class SlowRows(Rows):
    """A table whose answers take time: that of `monotonic` is wound on."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        super().__init__(route(HOST))
        self.takes, self._now = 0.0, 1_000.0
        monkeypatch.setattr("edge_handler.viewer_request.time.monotonic", lambda: self._now)

    def read(
        self, domains: Sequence[str], seconds: float, *, expected: str | None = None
    ) -> dict[str, Destination | BrokenRow]:
        self._now += self.takes
        return super().read(domains, seconds, expected=expected)


@given(st.floats(0, UNKNOWN_HOST_SECONDS), st.booleans())
def test_both_functions_together_take_no_longer_than_a_viewer_is_promised(waited: float, was_known: bool) -> None:
    if was_known:
        waited = min(waited, KNOWN_HOST_SECONDS)
    left = decode_time_left(encode_time_left("abc", waited, was_known=was_known), "abc")
    assert 0 < waited + min(left, SITE_SECONDS) <= (1.0 if was_known else 2.5)


def test_what_was_found_at_once_says_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    rows = SlowRows(monkeypatch)
    handler = viewer_request.make_handler(Resolver(rows, SETTINGS, Clock()))
    for _ in range(2):
        assert header(run(handler, event("viewer-request-static")), HEADER) is None


@pytest.mark.parametrize(("takes", "left"), [(0.5, "1.90"), (2.1, "0.30"), (3.0, "0.15")])
def test_a_slow_look_up_says_how_much_time_is_left(takes: float, left: str, monkeypatch: pytest.MonkeyPatch) -> None:
    rows = SlowRows(monkeypatch)
    rows.takes = takes
    given_event = event("viewer-request-static")
    given_event["Records"][0]["cf"]["request"]["headers"][HEADER] = [{"key": HEADER, "value": f"{REQUEST_ID} 9"}]
    handler = viewer_request.make_handler(Resolver(rows, SETTINGS, Clock()))
    assert header(run(handler, given_event), HEADER) == f"{REQUEST_ID} {left}"


def test_of_a_host_that_is_known_there_is_less(monkeypatch: pytest.MonkeyPatch) -> None:
    rows, clock = SlowRows(monkeypatch), Clock()
    handler = viewer_request.make_handler(Resolver(rows, SETTINGS, clock))
    run(handler, event("viewer-request-static"))
    clock.now += SETTINGS.fresh_seconds + 1
    rows.takes, rows.reachable = 0.7, False
    assert header(run(handler, event("viewer-request-static")), HEADER) == f"{REQUEST_ID} 0.25"


@pytest.mark.parametrize("value", [None, "", "0.15", "other 0.15", f"{REQUEST_ID}0.15"])
def test_what_viewer_request_did_not_say_of_this_request_is_not_believed(value: str | None) -> None:
    assert decode_time_left(value, REQUEST_ID) == inf


@pytest.mark.parametrize("request_id", ["", REQUEST_ID])
@given(value=st.none() | st.text())
def test_whatever_it_says_is_a_time_or_nothing(value: str | None, request_id: str) -> None:
    for said in (value, f"{request_id} {value}"):
        assert isinstance(decode_time_left(said, request_id), float)


def with_time_left(name: str, value: str) -> dict[str, Any]:
    changed = copy.deepcopy(event(name))
    cf = changed["Records"][0]["cf"]
    cf["request"]["headers"][HEADER] = [{"key": HEADER, "value": f"{cf['config']['requestId']} {value}"}]
    return changed


@pytest.mark.usefixtures("patience")
@pytest.mark.parametrize(("name", "outcome"), [("origin-request-deployment", "503"), ("origin-request-static", None)])
def test_origin_request_waits_no_longer_than_that(name: str, outcome: str | None) -> None:
    with socket.create_server(("127.0.0.1", 0)) as deaf:
        handler = origin_request.make_handler(f"http://127.0.0.1:{deaf.getsockname()[1]}")
        started = time.monotonic()
        result = run(handler, with_time_left(name, "0.15"))
    assert result.get("status") == outcome
    assert time.monotonic() - started < 30  # what it has where nothing is said is a minute, in these tests


@pytest.mark.parametrize("name", ["origin-request-elb", "origin-request-static", "origin-request-google-storage"])
def test_no_origin_sees_it(name: str) -> None:
    assert header(run(origin_request.make_handler("http://127.0.0.1:9"), with_time_left(name, "0.15")), HEADER) is None
