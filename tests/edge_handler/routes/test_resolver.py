import json
from collections import OrderedDict

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_handler.routes.memory import MAX_REFUSALS
from edge_handler.routes.remembered import Known, Refusal, Ruled
from edge_handler.routes.resolver import Resolver
from edge_handler.viewer_request import make_handler
from tests.support import NOW, SETTINGS, STATIC, Clock, Rows, event, route

HOST = "env-123.localhost"


def make(*routes: object) -> tuple[Resolver, Rows, Clock]:
    rows, clock = Rows(*routes), Clock()  # type: ignore[arg-type]
    return Resolver(rows, SETTINGS, clock), rows, clock


def status(outcome: Known | Ruled | Refusal) -> int:
    return outcome.status if isinstance(outcome, Refusal) else 200


def test_a_known_host_is_not_read_again_while_fresh() -> None:
    resolver, rows, clock = make(route())
    assert status(resolver.resolve(HOST)) == 200
    clock.now += SETTINGS.fresh_seconds * 0.7
    assert status(resolver.resolve(HOST)) == 200
    assert rows.reads == 1


def test_a_change_is_seen_after_the_fresh_time() -> None:
    resolver, rows, clock = make(route())
    before = resolver.resolve(HOST)
    rows.items |= Rows(route(generation=2)).items
    clock.now += SETTINGS.fresh_seconds
    after = resolver.resolve(HOST)
    assert isinstance(before, Known)
    assert isinstance(after, Known)
    assert before.stamp != after.stamp


def test_an_unknown_host_is_remembered_apart_and_found_once_it_exists() -> None:
    resolver, rows, clock = make()
    assert status(resolver.resolve(HOST)) == status(resolver.resolve(HOST)) == 404
    assert rows.reads == 1
    rows.items |= Rows(route()).items
    clock.now += SETTINGS.unknown_seconds
    assert status(resolver.resolve(HOST)) == 200


def test_a_flood_of_unknown_hosts_pushes_no_route_out() -> None:
    resolver, rows, _ = make(route())
    resolver.resolve(HOST)
    for number in range(MAX_REFUSALS + 100):
        resolver.resolve(f"made-up-{number}.localhost")
    reads = rows.reads
    assert status(resolver.resolve(HOST)) == 200
    assert rows.reads == reads
    assert len(resolver.memory.refusals) == MAX_REFUSALS


def test_a_known_host_outlives_the_table_and_asks_it_again_only_when_worth_it() -> None:
    resolver, rows, clock = make(route())
    resolver.resolve(HOST)
    rows.reachable = False
    clock.now += SETTINGS.fresh_seconds * 100
    rows.retry_after = 4
    for _ in range(50):
        assert status(resolver.resolve(HOST)) == 200
    assert rows.reads == 2
    rows.reachable = True
    rows.items |= Rows(route(generation=2)).items
    clock.now += 4
    outcome = resolver.resolve(HOST)
    assert isinstance(outcome, Known)
    assert ";2;" in outcome.stamp


def test_stale_ends_after_the_stale_time() -> None:
    resolver, rows, clock = make(route())
    resolver.resolve(HOST)
    rows.reachable = False
    clock.now += SETTINGS.stale_seconds + 1
    assert status(resolver.resolve(HOST)) == 503


def test_an_unknown_host_without_a_table_is_503_with_a_time_to_retry() -> None:
    resolver, rows, _ = make()
    rows.reachable, rows.retry_after = False, 2.1
    outcome = resolver.resolve(HOST)
    assert isinstance(outcome, Refusal)
    assert (outcome.status, outcome.retry_after) == (503, 3)


def test_a_route_expires_to_the_second_also_without_a_table() -> None:
    resolver, rows, clock = make(route(expires_at=int(NOW) + 3, lifetime="ephemeral"))
    assert status(resolver.resolve(HOST)) == 200
    rows.reachable = False
    clock.now += 2.9
    assert status(resolver.resolve(HOST)) == 200
    clock.now += 0.1
    assert status(resolver.resolve(HOST)) == 410


def test_a_route_expires_to_the_second_however_long_the_table_is_left_alone() -> None:
    resolver, rows, clock = make(route(expires_at=int(NOW) + 60, lifetime="ephemeral"))
    resolver.resolve(HOST)
    rows.reachable, rows.retry_after = False, 1000
    clock.now += SETTINGS.fresh_seconds
    assert status(resolver.resolve(HOST)) == 200
    assert resolver.known[HOST].fresh_until == NOW + 60
    clock.now = NOW + 60
    assert status(resolver.resolve(HOST)) == 410


def test_a_broken_row_is_502_and_its_neighbours_are_fine() -> None:
    resolver, rows, _ = make(route(), route("other.localhost"))
    rows.items[HOST] = {"domain": {"S": HOST}}
    assert status(resolver.resolve(HOST)) == 502
    assert status(resolver.resolve("other.localhost")) == 200


def test_a_removed_route_is_404_after_the_fresh_time() -> None:
    resolver, rows, clock = make(route())
    resolver.resolve(HOST)
    rows.items.clear()
    clock.now += SETTINGS.fresh_seconds
    assert status(resolver.resolve(HOST)) == 404


def test_expiries_are_spread_but_never_beyond_the_fresh_time() -> None:
    ends = set()
    for _ in range(50):
        resolver, _, _ = make(route())
        outcome = resolver.resolve(HOST)
        assert isinstance(outcome, Known)
        ends.add(outcome.fresh_until - NOW)
    assert len(ends) > 40
    assert SETTINGS.fresh_seconds * 0.8 <= min(ends) <= max(ends) <= SETTINGS.fresh_seconds


STEPS = st.lists(
    st.sampled_from(["put", "delete", "break", "expire", "outage", "mend", "ask", "ask", "wait", "long wait"]),
    max_size=40,
)


@given(STEPS)
def test_answers_are_never_older_than_the_fresh_time_while_the_table_answers(steps: list[str]) -> None:
    """Against a reference: what the row says, with every state it had in the last fresh time allowed."""
    resolver, rows, clock = make()
    history: list[tuple[float, int]] = [(0.0, 404)]
    outage_since: float | None = None
    for generation, step in enumerate(steps, 1):
        if step == "put":
            rows.items |= Rows(route(generation=generation)).items
            history.append((clock.now, 200))
        elif step == "expire":
            rows.items |= Rows(route(generation=generation, expires_at=int(clock.now) - 1)).items
            history.append((clock.now, 410))
        elif step == "delete":
            rows.items.clear()
            history.append((clock.now, 404))
        elif step == "break":
            rows.items[HOST] = {"domain": {"S": HOST}}
            history.append((clock.now, 502))
        elif step in ("outage", "mend"):
            rows.reachable = step == "mend"
            outage_since = clock.now if step == "outage" else None
        elif step == "ask":
            allowed = {state for at, state in history if at >= clock.now - SETTINGS.fresh_seconds} | {
                [state for at, state in history if at <= clock.now - SETTINGS.fresh_seconds or at == 0][-1]
            }
            got = status(resolver.resolve(HOST))
            if outage_since is None:
                assert got in allowed
            else:
                assert got in {state for _, state in history} | {503}
        else:
            clock.now += 1.3 if step == "wait" else SETTINGS.fresh_seconds


HOUR = 3600.0


@pytest.mark.parametrize("back", [-1.0, -HOUR, -86_400.0 * 365])
def test_nothing_is_fresh_for_longer_than_its_time_when_the_clock_goes_back(back: float) -> None:
    resolver, rows, clock = make(route())
    resolver.resolve(HOST)
    resolver.resolve("unknown.localhost")
    clock.now += back
    for generation in (2, 3):
        rows.items |= Rows(route(generation=generation), route("unknown.localhost")).items
        outcome = resolver.resolve(HOST)
        assert isinstance(outcome, Known)
        assert f";{generation};" in outcome.stamp
        assert status(resolver.resolve("unknown.localhost")) == 200
        clock.now += SETTINGS.fresh_seconds


def test_a_clock_that_goes_back_is_seen_at_once_by_a_hit() -> None:
    resolver, rows, clock = make(route())
    handler = make_handler(resolver)
    handler(event("viewer-request-static"), None)
    clock.now -= HOUR
    handler(event("viewer-request-static"), None)
    handler(event("viewer-request-static"), None)
    assert rows.reads == 2


@pytest.mark.parametrize("jump", [-HOUR, HOUR, -86_400.0, 10 * 86_400.0 - 86_400.0 * 9.9])
def test_what_is_known_is_served_in_an_outage_whatever_the_clock_does(jump: float) -> None:
    resolver, rows, clock = make(route())
    resolver.resolve(HOST)
    rows.reachable, rows.retry_after = False, 1
    for _ in range(3):
        clock.now += SETTINGS.fresh_seconds
        assert status(resolver.resolve(HOST)) == 200
        clock.now += jump
        assert status(resolver.resolve(HOST)) == 200
        jump = 0


def test_an_expiry_by_a_clock_that_is_ahead_is_not_the_last_word_in_an_outage() -> None:
    resolver, rows, clock = make(route(expires_at=int(NOW) + 3600, lifetime="ephemeral"))
    resolver.resolve(HOST)
    rows.reachable = False
    clock.now += 7200
    assert status(resolver.resolve(HOST)) == 410
    clock.now -= 7200
    assert status(resolver.resolve(HOST)) == 200


@pytest.mark.parametrize("seen_before", [False, True])
def test_stale_ends_a_day_from_now_at_the_latest_when_the_clock_goes_back(seen_before: bool) -> None:
    resolver, rows, clock = make(route())
    resolver.resolve(HOST)
    rows.reachable = False
    if seen_before:
        clock.now += SETTINGS.fresh_seconds
        assert status(resolver.resolve(HOST)) == 200
    clock.now -= 365 * 86_400
    assert status(resolver.resolve(HOST)) == 200
    clock.now += SETTINGS.stale_seconds
    assert status(resolver.resolve(HOST)) == 503


def test_a_host_that_is_known_waits_less_and_its_row_is_expected() -> None:
    resolver, rows, clock = make(route())
    resolver.resolve(HOST)
    clock.now += SETTINGS.fresh_seconds
    resolver.resolve(HOST)
    resolver.resolve("unknown.localhost")
    assert [(round(seconds, 1), expected) for seconds, expected in rows.asked] == [
        (2.2, None),
        (0.8, HOST),
        (2.2, None),
    ]


def test_what_is_wrong_with_a_row_is_logged_and_not_shown(capsys: pytest.CaptureFixture[str]) -> None:
    resolver, _, _ = make(route(origin=STATIC._replace(domain_name="secret.internal")))
    outcome = resolver.resolve(HOST)
    assert isinstance(outcome, Refusal)
    assert (outcome.status, "secret" in outcome.reason) == (502, False)
    assert "secret.internal" in capsys.readouterr().out


def test_the_headers_value_is_prepared_once() -> None:
    resolver, _, _ = make(route())
    one, other = resolver.resolve(HOST), resolver.resolve(HOST)
    assert isinstance(one, Known)
    assert one is other
    assert json.loads(json.dumps(one)) == [{"key": "x-route", "value": one.stamp}]


@given(st.lists(st.integers(0, 30), max_size=200), st.integers(1, 8), st.integers(1, 4))
def test_the_least_recently_read_leave_first(hosts: list[int], room: int, evicted: int) -> None:
    """Against an OrderedDict: with a fresh time of nothing every ask is a read, and the order that of an LRU."""
    names = [f"r{number}.localhost" for number in hosts]
    rows, clock = Rows(*map(route, set(names))), Clock()
    resolver = Resolver(rows, SETTINGS._replace(fresh_seconds=0), clock)
    reference: OrderedDict[str, None] = OrderedDict()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("edge_handler.routes.memory.MAX_ROUTES", room)
        patch.setattr("edge_handler.routes.memory.EVICTED", evicted)
        for name in names:
            assert status(resolver.resolve(name)) == 200
            reference.pop(name, None)
            if len(reference) >= room:
                for _ in range(min(evicted, len(reference))):
                    reference.popitem(last=False)
            reference[name] = None
            assert list(resolver.known) == list(reference)
            assert len(resolver.known) <= room


def test_a_host_that_is_asked_for_outlives_more_routes_than_there_is_room_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("edge_handler.routes.memory.MAX_ROUTES", 100)
    monkeypatch.setattr("edge_handler.routes.memory.EVICTED", 10)
    resolver, rows, clock = make(route(), *(route(f"r{number}.localhost") for number in range(1000)))
    for number in range(1000):
        resolver.resolve(f"r{number}.localhost")
        resolver.resolve(HOST)
        clock.now += SETTINGS.fresh_seconds / 50
    assert HOST in resolver.known
    assert rows.reads <= 1000 + 1000 / 50 / (1 - 0.2) + 1


def test_a_removed_route_is_forgotten_and_not_served_stale_in_the_next_outage() -> None:
    resolver, rows, clock = make(route())
    resolver.resolve(HOST)
    rows.items.clear()
    clock.now += SETTINGS.fresh_seconds
    assert status(resolver.resolve(HOST)) == status(resolver.resolve(HOST)) == 404
    assert rows.reads == 2
    rows.reachable = False
    clock.now += SETTINGS.fresh_seconds
    assert status(resolver.resolve(HOST)) == 503
