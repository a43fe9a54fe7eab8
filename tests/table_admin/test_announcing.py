"""What a write is announced with: DynamoDB's time, and not more often than an index takes."""

from email.utils import formatdate

import pytest
from hypothesis import given
from hypothesis import strategies as st

from table_admin.announcing import Announcements, ServerClock
from table_admin.inputs import iso


class Time:
    def __init__(self) -> None:
        self.now = 1_000.0

    def __call__(self) -> float:
        return self.now


def answer(date: str | None) -> dict[str, object]:
    headers = {} if date is None else {"date": date}
    return {"ResponseMetadata": {"HTTPHeaders": headers}}


def test_the_time_is_dynamodbs_whatever_this_machines_clock_says() -> None:
    monotonic = Time()
    clock = ServerClock(monotonic, lambda: 5.0)
    assert clock.now() == 5.0
    clock.learn(answer(formatdate(1_800_000_000, usegmt=True)), clock.begin())
    monotonic.now += 7
    assert clock.now() == 1_800_000_007.5


@pytest.mark.parametrize("date", [None, "", "yesterday", "Thu, 99 Nov 2026 00:00:00 GMT"])
def test_an_answer_without_a_time_changes_nothing(date: str | None) -> None:
    monotonic = Time()
    clock = ServerClock(monotonic, lambda: 5.0)
    clock.learn(answer(formatdate(1_800_000_000, usegmt=True)), clock.begin())
    clock.learn(answer(date), clock.begin())
    assert clock.now() == 1_800_000_000.5


def test_each_answer_makes_the_time_more_exact_and_a_clock_that_was_set_is_followed() -> None:
    monotonic = Time()
    clock = ServerClock(monotonic, lambda: 0.0)
    for number in range(100):  # DynamoDB's clock shows 1,800,000,000.3 at the beginning
        clock.learn(answer(formatdate(int(1_800_000_000.3 + number * 0.1), usegmt=True)), clock.begin())
        monotonic.now += 0.1
    assert abs(clock.now() - 1_800_000_010.3) < 0.11
    clock.learn(answer(formatdate(1_700_000_000, usegmt=True)), clock.begin())
    assert clock.now() == 1_700_000_000.5


def test_an_answer_that_took_long_spoils_nothing() -> None:
    monotonic = Time()
    clock = ServerClock(monotonic, lambda: 0.0)
    clock.learn(answer(formatdate(1_800_000_000, usegmt=True)), clock.begin())
    asked = clock.begin()
    monotonic.now += 30  # it was written after 5 of them
    clock.learn(answer(formatdate(1_800_000_005, usegmt=True)), asked)
    assert clock.now() == 1_800_000_030.5


def test_few_writes_are_each_announced() -> None:
    monotonic = Time()
    announcements = Announcements(ServerClock(monotonic, lambda: 0.0), monotonic)
    for _ in range(1_000):
        monotonic.now += 1
        assert announcements.stamp(33).startswith(iso(0)[:19])
    assert not announcements.withheld


def test_what_one_process_does_stays_in_its_order_whatever_it_learns_of_the_time() -> None:
    monotonic = Time()
    clock = ServerClock(monotonic, lambda: 2_000_000_000.0)
    announcements = Announcements(clock, monotonic)
    stamps = [announcements.stamp(1), announcements.stamp(1)]
    clock.learn(answer(formatdate(1_800_000_000, usegmt=True)), clock.begin())
    stamps += [announcements.stamp(1), announcements.stamp(1)]
    assert len({*stamps}) == 4
    assert stamps == sorted(stamps)


@given(st.lists(st.tuples(st.integers(1, 33), st.floats(0, 2)), max_size=300))
def test_many_are_never_more_than_an_index_takes(writes: list[tuple[int, float]]) -> None:
    monotonic = Time()
    announcements = Announcements(ServerClock(monotonic, lambda: 0.0), monotonic)
    announced, began = 0, monotonic.now
    for count, pause in writes:
        monotonic.now += pause
        announced += count if announcements.stamp(count) else 0
        assert announced <= 500 + 50 * (monotonic.now - began) + 1e-6
    assert announcements.withheld is (announced < sum(count for count, _ in writes))


def test_what_was_withheld_is_overdue_after_ten_seconds_until_it_is_made_up_for() -> None:
    monotonic = Time()
    announcements = Announcements(ServerClock(monotonic, lambda: 0.0), monotonic)
    while announcements.stamp(33):
        pass
    assert (announcements.withheld, announcements.is_overdue) == (True, False)
    monotonic.now += 10
    announcements.stamp(33)
    assert announcements.is_overdue
    announcements.reload_announced()
    assert (announcements.withheld, announcements.is_overdue) == (False, False)
