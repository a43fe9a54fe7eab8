"""Attempts at passwords: of one domain, and of all together, for an instance has one processor."""

from hypothesis import given
from hypothesis import strategies as st

from edge_handler.access.attempts import (
    ALL_AT_ONCE,
    ALL_EVERY_SECONDS,
    AT_ONCE,
    EVERY_SECONDS,
    MAX_DOMAINS,
    Attempts,
)
from tests.support import Clock


def test_domains_together_do_not_take_the_instance() -> None:
    clock = Clock()
    attempts = Attempts(clock)
    waits = [attempts.wait_for_all() for _ in range(ALL_AT_ONCE + 1)]
    assert waits == [0] * ALL_AT_ONCE + [ALL_EVERY_SECONDS]
    clock.now += ALL_EVERY_SECONDS
    assert [attempts.wait_for_all(), attempts.wait_for_all()] == [0, ALL_EVERY_SECONDS]


@given(st.lists(st.tuples(st.integers(0, MAX_DOMAINS - 1), st.integers(0, 40)), max_size=300))
def test_no_more_are_let_through_than_are_said(asked: list[tuple[int, int]]) -> None:
    clock = Clock()
    started, attempts = clock.now, Attempts(clock)
    taken: list[int] = []
    for domain, seconds in asked:
        clock.now += seconds
        wait = attempts.wait(str(domain))
        passed = clock.now - started
        if wait:
            clock.now += wait
            assert attempts.wait(str(domain)) == 0, "who waits as long as is said has one"
            passed = clock.now - started
        taken.append(domain)
        assert taken.count(domain) <= AT_ONCE + passed / EVERY_SECONDS + 1e-6
