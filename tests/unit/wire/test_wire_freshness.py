"""When a silent node is called stale, then offline."""

import math

import pytest

from wire.freshness import Freshness, freshness


@pytest.mark.parametrize(
    ("age_s", "expected"),
    [
        (0.0, Freshness.FRESH),
        (25.0, Freshness.FRESH),
        (25.1, Freshness.STALE),
        (50.0, Freshness.STALE),
        (50.1, Freshness.OFFLINE),
        (1e9, Freshness.OFFLINE),
    ],
)
def test_age_is_judged_in_periods_of_the_heartbeat(age_s: float, expected: Freshness) -> None:
    assert freshness(age_s, period_s=10.0) is expected


def test_one_missed_heartbeat_says_nothing() -> None:
    assert freshness(age_s=19.9, period_s=10.0) is Freshness.FRESH


def test_a_clock_that_runs_behind_the_nodes_does_not_make_it_stale() -> None:
    assert freshness(age_s=-3600.0, period_s=10.0) is Freshness.FRESH


@pytest.mark.parametrize(("age_s", "period_s"), [(math.nan, 10.0), (1.0, 0.0), (1.0, -5.0), (1.0, math.nan)])
def test_what_is_no_number_is_not_called_fresh(age_s: float, period_s: float) -> None:
    assert freshness(age_s, period_s) is Freshness.OFFLINE


def test_nobody_is_fresh_for_days_by_promising_little() -> None:
    assert freshness(age_s=6 * 3600.0, period_s=7 * 24 * 3600.0) is Freshness.OFFLINE
