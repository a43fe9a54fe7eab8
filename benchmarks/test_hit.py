"""What a request costs that asks no table: hits, refusals, origin-request."""

import copy
import gc
import json
import time
from collections.abc import Callable, Iterable
from typing import Any

import pytest
from pytest_benchmark.fixture import BenchmarkFixture

from benchmarks.conftest import Figures
from edge_handler import origin_request, origin_response
from edge_handler.routes import kind
from edge_handler.routes.memory import MAX_ROUTES
from edge_handler.routes.origin import CustomOrigin
from edge_handler.routes.policy import MAX_HEADERS
from edge_handler.routes.resolver import Resolver
from edge_handler.routes.route import Route
from edge_handler.viewer_request import make_handler
from tests.support import NOBODY, SETTINGS, Rows, event, route

ELB = CustomOrigin("demo-ingress-1.us-east-1.elb.amazonaws.com", "http", 80, "", "viewer", website=False)
COUNT = 20_000
Handler = Callable[[Any, Any], Any]


def no_op(invocation: dict[str, Any], _context: object) -> Any:
    return invocation["Records"][0]["cf"]["request"]


def knowing(routes: Iterable[Route]) -> Handler:
    """Return a handler that knows these routes, and never asks again."""
    rows = Rows(*routes)
    resolver = Resolver(rows, SETTINGS._replace(fresh_seconds=1e9, unknown_seconds=1e9))
    for name in rows.items:
        resolver.resolve(name)
    return make_handler(resolver)


def asking_again(handler: Handler, given: dict[str, Any], cookies: list[dict[str, str]]) -> Callable[[], None]:
    """Return what asks each time with the cookies of which the handler takes some out."""
    mine = copy.deepcopy(given)
    headers = mine["Records"][0]["cf"]["request"]["headers"]

    def ask() -> None:
        headers["cookie"] = cookies
        handler(mine, None)

    return ask


def viewer() -> Handler:
    """Return a handler that knows the sample hosts."""
    return knowing((route("env-123.localhost"), route("env-789.localhost", ELB)))


@pytest.mark.parametrize(("what", "name"), [("static", "viewer-request-static"), ("container", "viewer-request-elb")])
def test_a_hit(figures: Figures, benchmark: BenchmarkFixture, what: str, name: str) -> None:
    handler, given = viewer(), event(name)
    mine, plain = copy.deepcopy(given), copy.deepcopy(given)
    figures.ratio(
        f"warm hit, {what}, added over a no-op / JSON round trip of the event",
        lambda: handler(mine, None),
        lambda: json.loads(json.dumps(given)),
        less=lambda: no_op(plain, None),
        count=COUNT,
        limit=0.15,
    )
    benchmark(handler, mine, None)


@pytest.mark.parametrize("entries", [1_000, MAX_ROUTES])
def test_a_hit_among_many(figures: Figures, entries: int) -> None:
    """Of hosts in turn, as they come: each out of the processor's cache, where there are many."""
    text = json.dumps(event("viewer-request-static"))

    def asks(size: int) -> Callable[[], None]:
        handler, at = knowing(route(f"r{number}.localhost") for number in range(size)), 0

        def ask() -> None:
            nonlocal at
            at = (at + 7919) % size
            given = json.loads(text)
            # Made anew, as the runtime makes it: the host that came is in the processor's cache, the one known is not.
            given["Records"][0]["cf"]["request"]["headers"]["host"][0]["value"] = f"r{at}.localhost"
            json.dumps(handler(given, None))

        return ask

    figures.ratio(
        f"hit with its JSON, among {entries:,} entries / among 1", asks(entries), asks(1), count=10_000, limit=1.25
    )


def test_refusals(figures: Figures) -> None:
    handler = viewer()
    for what, name in (
        ("unknown host, remembered", "viewer-request-unknown"),
        ("405", "viewer-request-post-to-static"),
    ):
        given = event(name)
        handler(given, None)
        figures.ratio(
            f"{what}: a generated answer / JSON round trip of the event",
            lambda given=given: handler(given, None),  # type: ignore[misc]
            lambda given=given: json.loads(json.dumps(given)),  # type: ignore[misc]
            count=2_000,
        )


@pytest.mark.parametrize("name", ["static", "static-nested", "other-bucket", "elb", "google-storage"])
def test_origin_request(figures: Figures, name: str) -> None:
    # What it costs itself: S3 is not there, so nobody waits for it.
    handler, given = origin_request.make_handler(NOBODY), event(f"origin-request-{name}")

    figures.ratio(
        f"origin-request, {name} / JSON round trip of the event",
        lambda: handler(copy.deepcopy(given), None),
        lambda: json.loads(json.dumps(given)),
        less=lambda: copy.deepcopy(given),
        count=1_000,
    )


def saying(*headers: tuple[str, str]) -> dict[str, Any]:
    """Return an application's answer whose row says something of its headers."""
    given = event("origin-response-headers")
    request = given["Records"][0]["cf"]["request"]
    del request["headers"]["x-route-kind"]
    if headers:
        request["headers"]["x-route-kind"] = [{"value": kind.encode_kind(kind.APPLICATION, headers=headers)}]
    return given


def test_origin_response_with_headers(figures: Figures) -> None:
    """The most that a row may set, beside an answer of a row that says nothing."""
    many = saying(*((f"x-header-{number:02}", "a" * 39) for number in range(MAX_HEADERS)))
    none = saying()
    figures.ratio(
        f"origin-response, {MAX_HEADERS} headers of the row, added / JSON round trip of the event",
        lambda: origin_response.handler(copy.deepcopy(many), None),
        lambda: json.loads(json.dumps(many)),
        less=lambda: origin_response.handler(copy.deepcopy(none), None),
        count=1_000,
    )


def test_percentiles(figures: Figures) -> None:
    """Of a million hits, each of another of 50,000 known hosts, through JSON as in Lambda."""
    handler = knowing(route(f"r{number}.localhost") for number in range(MAX_ROUTES))
    text = json.dumps(event("viewer-request-static"))
    times = [0] * 1_000_000
    clock = time.perf_counter_ns
    collections = sum(generation["collections"] for generation in gc.get_stats())
    for at in range(len(times)):
        given = json.loads(text)
        host = f"r{at * 7919 % MAX_ROUTES}.localhost"
        given["Records"][0]["cf"]["request"]["headers"]["host"][0]["value"] = host
        started = clock()
        result = handler(given, None)
        times[at] = clock() - started
        json.dumps(result)
    collections = sum(generation["collections"] for generation in gc.get_stats()) - collections
    times.sort()
    shown = {name: times[int(len(times) * share)] / 1000 for name, share in PERCENTILES.items()}
    text = ", ".join(f"{name} {value:.2f}" for name, value in shown.items())
    figures.note(f"warm hit, a million of them among 50,000, us: {text}; garbage collections: {collections}")


PERCENTILES = {"p50": 0.5, "p90": 0.9, "p99": 0.99, "p99.9": 0.999, "most": 1 - 1e-9}
