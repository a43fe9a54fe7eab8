"""What the edge leaves behind: nothing that only a garbage collector could find, for under Lambda it seldom looks."""

import gc

import pytest

from edge_handler import origin_request
from edge_handler.aws.sigv4 import Credentials
from edge_handler.routes.attributes import Item
from edge_handler.routes.resolver import Resolver
from edge_handler.table.reader import Replica, RoutesTable
from edge_handler.viewer_request import make_handler
from tests.support import NOBODY, ROOT, SETTINGS, Clock, Rows, event, route

VIEWER_EVENTS = sorted(path.stem for path in (ROOT / "events").glob("viewer-request-*.json"))
ORIGIN_EVENTS = sorted(path.stem for path in (ROOT / "events").glob("origin-request-*.json"))


@pytest.mark.usefixtures("uncollected")
def test_requests_leave_no_cycles() -> None:
    rows, clock = Rows(route("env-123.localhost"), route("env-789.localhost")), Clock()
    broken: Item = {"domain": {"S": "env-broken.localhost"}}
    rows.items["env-broken.localhost"] = broken
    viewer, origin = make_handler(Resolver(rows, SETTINGS, clock)), origin_request.make_handler("http://127.0.0.1:9")
    for reachable in (True, False, True):
        rows.reachable = reachable
        for name in (*VIEWER_EVENTS, *VIEWER_EVENTS):
            given = event(name)
            viewer(given, None)
            given["Records"][0]["cf"]["request"]["headers"]["host"][0]["value"] = "env-broken.localhost"
            viewer(given, None)
            clock.now += 7
    for name in ORIGIN_EVENTS:
        origin(event(name), None)
    for handler in (viewer, origin):
        handler({}, None)
    assert gc.collect() == 0


@pytest.mark.usefixtures("uncollected")
def test_a_table_that_does_not_answer_leaves_no_cycles() -> None:
    clock = Clock()
    replicas = [
        Replica("routes", region, NOBODY, Credentials("local", "local", ""), clock)
        for region in ("us-east-1", "eu-west-1")
    ]
    handler = make_handler(Resolver(RoutesTable(replicas), SETTINGS, clock))
    for _ in range(5):
        assert handler(event("viewer-request-static"), None)["status"] == "503"
        clock.now += 60
    assert gc.collect() == 0
