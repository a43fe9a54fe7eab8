"""What the feed's index answers, and what is no answer of it."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_handler.errors import Refused, Unreadable
from edge_handler.feed.page import Change, Heartbeat, read_feed
from edge_handler.routes.route import encode_route
from edge_handler.snapshot.records import encode_row
from tests.support import route

AT = "2026-01-01T00:00:0{}.000000Z"
SINCE = AT.format(0)
UNTIL = AT.format(9)
ROW = encode_row(encode_route(route(revision=3))).decode()


def item(number: int = 3, at: str = AT.format(1), **changes: Any) -> dict[str, Any]:
    whole = {
        "feed": {"S": "routes"},
        "domain": {"S": "env-123.localhost"},
        "revision": {"N": str(number)},
        "announced_at": {"S": at},
        "action": {"S": "put"},
        "edge": {"S": ROW},
    }
    return {name: value for name, value in (whole | changes).items() if value is not None}


def beat(said: Any = None, at: str = AT.format(2)) -> dict[str, Any]:
    text = json.dumps(said or {"table": "t", "epoch": "e", "taken_at": SINCE})
    return item(0, at, domain={"S": "*"}, action={"S": "snapshot"}, edge={"S": text})


def read(*items: Any, **more: Any) -> Any:
    return read_feed(200, json.dumps({"Items": items, **more}).encode(), SINCE, UNTIL)


def test_changes_are_told_by_domain() -> None:
    page = read(item(), beat())
    assert page.changes == {"env-123.localhost": Change(3, AT.format(1), ROW)}
    assert page.heartbeat == Heartbeat("t", "e", SINCE, AT.format(2))
    assert page.is_whole
    assert not page.reload_at


def test_of_a_domain_the_highest_revision_counts_wherever_it_stands() -> None:
    page = read(item(3), item(5, edge={"S": "five"}), item(4))
    assert page.changes["env-123.localhost"] == Change(5, AT.format(1), "five")


def test_a_deletion_is_one() -> None:
    assert read(item(action={"S": "delete"}, edge=None)).changes["env-123.localhost"].text is None


def test_what_carries_nothing_has_to_be_read() -> None:
    assert read(item(edge=None)).changes["env-123.localhost"].text == ""
    assert read(item(edge={"N": "5"})).changes["env-123.localhost"].text == ""


def test_a_reload_is_told_with_its_time() -> None:
    reload_ = [item(9, AT.format(n), domain={"S": "*"}, action={"S": "reload"}, edge=None) for n in (3, 2)]
    assert read(*reload_).reload_at == AT.format(3)


@pytest.mark.parametrize("at", ["2026-01-01T00:00:10.000000Z", "9999-01-01T00:00:00.000000Z"])
def test_what_was_announced_in_the_future_was_announced_by_nobody(at: str) -> None:
    reload_ = item(9, at, domain={"S": "*"}, action={"S": "reload"}, edge=None)
    page = read(item(5, at), item(3), beat(at=at), reload_)
    assert page.changes["env-123.localhost"].revision == 3
    assert page.heartbeat is None
    assert not page.reload_at


def test_a_page_that_goes_on_is_not_whole() -> None:
    assert not read(item(), LastEvaluatedKey={"domain": {"S": "x"}}).is_whole


NO_FEED: dict[str, Any] = {
    "is another index's": item(feed={"S": "other"}),
    "is older than was asked for": item(at="2025-12-31T23:59:59.000000Z"),
    "has another kind of time": item(at="2026-01-01T00:00:01Z"),
    "has a time of no type": item(announced_at={"S": 5}),
    "has no domain": item(domain=None),
    "has no revision": item(revision={"S": "x"}),
    "has no action": item(action=None),
    "is no item": 5,
    "has a heartbeat that says nothing": {**beat(), "edge": {"S": "{}"}},
    "has a heartbeat without a time": beat({"table": "t", "epoch": "e", "taken_at": "yesterday"}),
    "has a heartbeat of numbers": beat({"table": 5, "epoch": "e", "taken_at": SINCE}),
}


@pytest.mark.parametrize("given_item", NO_FEED.values(), ids=NO_FEED)
def test_nothing_is_learned_from_what(given_item: Any) -> None:
    with pytest.raises(Unreadable):
        read(item(), given_item)


@given(st.binary() | st.recursive(st.none() | st.booleans() | st.integers() | st.text(), st.lists).map(
    lambda value: json.dumps(value).encode()
))  # fmt: skip
def test_what_is_no_answer_is_unreadable(content: bytes) -> None:
    with pytest.raises(Unreadable):
        read_feed(200, content, SINCE, UNTIL)


@pytest.mark.parametrize(("status", "error"), [(400, Refused), (408, Unreadable), (500, Unreadable)])
def test_a_status_says_whether_to_ask_again(status: int, error: type[Exception]) -> None:
    with pytest.raises(error):
        read_feed(status, b"{}", SINCE, UNTIL)
