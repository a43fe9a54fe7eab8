"""What wildcards, rules by path and redirects cost a request that asks no table."""

import copy
import json
from typing import Any

import pytest

from benchmarks.conftest import Figures
from benchmarks.rows import ELB, REDIRECT, RULED_PATH, rules
from benchmarks.test_hit import COUNT, Handler, knowing, no_op
from edge_handler.routes.resolver import Resolver
from edge_handler.viewer_request import make_handler
from tests.support import SETTINGS, Rows, event, route

HOST = "acme.tenant.localhost"
# The round trip of the event takes some 20 us, and more on a slower machine, where all else takes longer, too.
TWO_MICROSECONDS = 0.1


def asking(path: str = "/") -> dict[str, Any]:
    given = event("viewer-request-static")
    request = given["Records"][0]["cf"]["request"]
    request["uri"], request["headers"]["host"][0]["value"] = path, HOST
    return given


def under_a_wildcard() -> Handler:
    """Return a handler that knows a host which a wildcard answers for, and never asks again."""
    resolver = Resolver(Rows(route("*.tenant.localhost")), SETTINGS._replace(fresh_seconds=1e9))
    resolver.resolve(HOST)
    return make_handler(resolver)


def test_a_hit_under_a_wildcard(figures: Figures) -> None:
    handler, given = under_a_wildcard(), asking()
    mine, plain = copy.deepcopy(given), copy.deepcopy(given)
    figures.ratio(
        "warm hit under a wildcard, added over a no-op / JSON round trip of the event",
        lambda: handler(mine, None),
        lambda: json.loads(json.dumps(given)),
        less=lambda: no_op(plain, None),
        count=COUNT,
        limit=0.15,
    )


@pytest.mark.parametrize("count", [2, 200])
def test_a_hit_of_a_rule(figures: Figures, count: int) -> None:
    handler, given = knowing([route(HOST, rules=rules(count))]), asking(RULED_PATH)
    mine, plain = copy.deepcopy(given), copy.deepcopy(given)
    assert ";custom;" in handler(copy.deepcopy(given), None)["headers"]["x-route"][0]["value"]
    figures.ratio(
        f"warm hit of a rule of {count}, added over a no-op / JSON round trip of the event",
        lambda: handler(mine, None),
        lambda: json.loads(json.dumps(given)),
        less=lambda: no_op(plain, None),
        count=COUNT,
        limit=0.25,
    )


@pytest.mark.parametrize("path", [RULED_PATH, "/none/of/them/at/all", "/%61pi//v2"])
def test_two_hundred_rules_cost_a_hit_what_two_do(figures: Figures, path: str) -> None:
    few, many = (knowing([route(HOST, rules=rules(count))]) for count in (2, 200))
    given = asking(path)
    mine, plain = copy.deepcopy(given), copy.deepcopy(given)
    figures.ratio(
        f"hit of {path}, 200 rules less 2 / JSON round trip of the event",
        lambda: many(mine, None),
        lambda: json.loads(json.dumps(given)),
        less=lambda: few(plain, None),
        count=COUNT,
        limit=TWO_MICROSECONDS,
    )


def test_a_redirect(figures: Figures) -> None:
    given = asking("/docs/page")
    for what, found in (
        ("of a host", route(HOST)._replace(origin=REDIRECT)),
        ("of a rule", route(HOST, ELB, rules=(rules(1)[0]._replace(pattern="/docs/*", origin=REDIRECT),))),
    ):
        handler = knowing([found])
        assert handler(copy.deepcopy(given), None)["status"] == "308"
        figures.ratio(
            f"redirect {what} / JSON round trip of the event",
            lambda handler=handler: handler(given, None),  # type: ignore[misc]
            lambda: json.loads(json.dumps(given)),
            count=2_000,
        )
