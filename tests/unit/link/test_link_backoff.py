"""Delays between attempts: bounded, spread, growing, and fresh after a connection that lasted."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from link.reconnect import BackOff, Spread

SPREAD = Spread(first_s=2.0, longest_s=60.0, settled_after_s=60.0)


class Clock:
    """A time that passes when a test says so."""

    def __init__(self) -> None:
        self.now_s = 1000.0

    def __call__(self) -> float:
        return self.now_s


def delays(count: int) -> list[float]:
    back_off = BackOff(SPREAD)
    return [back_off.delay_s() for _ in range(count)]


@given(
    first_s=st.floats(0.01, 60),
    longest_s=st.floats(0.01, 600),
    attempts=st.integers(1, 2000),
)
def test_no_delay_is_negative_or_beyond_its_bound(first_s: float, longest_s: float, attempts: int) -> None:
    back_off = BackOff(Spread(first_s=first_s, longest_s=longest_s))
    for attempt in range(min(attempts, 50)):
        bound = min(longest_s, first_s * 2.0**attempt)
        assert 0 <= back_off.delay_s() <= bound * (1 + 1e-9)


def test_the_first_attempt_after_a_loss_is_spread_over_all_of_its_bound() -> None:
    firsts = sorted(BackOff(SPREAD).delay_s() for _ in range(2000))
    assert firsts[0] < 0.1
    assert 1.9 < firsts[-1] <= 2.0
    assert 0.9 < firsts[1000] < 1.1, "half of a fleet comes in the first half"


def test_delays_grow_to_their_longest_and_stay_there() -> None:
    late = [delays(12)[-1] for _ in range(500)]
    assert max(late) > 55
    assert max(late) <= 60


def test_failures_are_counted_in_a_row() -> None:
    back_off = BackOff(SPREAD)
    for _ in range(3):
        back_off.delay_s()
    assert back_off.failures == 3


@pytest.mark.parametrize(("lasted_s", "failures"), [(59.9, 4), (60.0, 1), (86400.0, 1)])
def test_only_a_connection_that_lasted_starts_afresh(lasted_s: float, failures: int) -> None:
    clock = Clock()
    back_off = BackOff(SPREAD, clock=clock)
    for _ in range(3):
        back_off.delay_s()
    back_off.connected()
    clock.now_s += lasted_s
    back_off.delay_s()
    assert back_off.failures == failures


def test_where_any_connection_settles_a_failed_attempt_still_does_not() -> None:
    back_off = BackOff(Spread(settled_after_s=0.0))
    for _ in range(3):
        back_off.delay_s()
    assert back_off.failures == 3


def test_a_failed_attempt_is_not_taken_for_the_connection_before_it() -> None:
    clock = Clock()
    back_off = BackOff(SPREAD, clock=clock)
    back_off.connected()
    clock.now_s += 100
    back_off.delay_s()
    clock.now_s += 100
    back_off.delay_s()
    assert back_off.failures == 2
