"""From changes to tag values."""

from datetime import UTC, datetime
from typing import Any

import pytest

from agent.telemetry.batch import Tags, overflowed
from agent.telemetry.notification import Change
from wire.messages import TagValue

AT = datetime(2024, 1, 1, tzinfo=UTC)
UNCERTAIN, BAD = 0x40420000, 0x80000000


def change(handle: int, value: Any, status: int = 0) -> Change:
    return (handle, value, status, AT)


def test_handles_become_names_in_the_order_of_arrival() -> None:
    batch = Tags(["a", "b"]).batch([change(2, 1), change(1, 2), change(2, 3)])
    assert batch.values == (TagValue("b", 1, 0, AT), TagValue("a", 2, 0, AT), TagValue("b", 3, 0, AT))


def test_a_bad_value_is_null_and_an_uncertain_one_is_kept() -> None:
    batch = Tags(["a"]).batch([change(1, 5, BAD), change(1, 6, UNCERTAIN)])
    assert batch.values == (TagValue("a", None, BAD, AT), TagValue("a", 6, UNCERTAIN, AT))


def test_a_handle_that_nobody_asked_for_is_left_out() -> None:
    assert Tags(["a"]).batch([change(9, 5)]).values == ()


def test_quality_counts_tags_whose_last_value_is_good() -> None:
    tags = Tags(["a", "b", "c"])
    tags.batch([change(1, 5, BAD), change(1, 6), change(2, 1, UNCERTAIN)])
    assert (tags.good, len(tags)) == (1, 3)


@pytest.mark.parametrize(
    ("status", "expected"),
    [(0, False), (0x480, True), (0x80000480, True), (0x80, False), (0x400, False), (0xC80, False)],
)
def test_overflow_is_the_bit_with_its_info_type(status: int, expected: bool) -> None:
    assert overflowed(status) is expected
    assert Tags(["a"]).batch([change(1, 1), change(1, 5, status)]).overflow is expected


def test_changes_within_the_deadband_are_left_out_measured_from_what_was_reported() -> None:
    tags = Tags(["a", "b"])
    tags.filter_here({1: 1.0})
    given = [change(1, value) for value in (10.0, 10.6, 11.0, 11.1, 10.5)] + [change(2, 1.0), change(2, 1.1)]
    assert [value.value for value in tags.batch(given).values] == [10.0, 11.1, 1.0, 1.1]


def test_a_change_of_quality_passes_the_deadband() -> None:
    tags = Tags(["a"])
    tags.filter_here({1: 1.0})
    given = [change(1, 10.0), change(1, 10.1, UNCERTAIN), change(1, None, BAD), change(1, 10.1)]
    assert len(tags.batch(given).values) == 4


@pytest.mark.parametrize("value", ["NaN", "text", True, [1, 2]])
def test_what_is_no_number_passes_the_deadband(value: Any) -> None:
    tags = Tags(["a"])
    tags.filter_here({1: 1.0})
    assert len(tags.batch([change(1, value), change(1, value)]).values) == 2


def test_a_new_subscriptions_first_value_is_left_out_where_it_was_seen_before() -> None:
    later = datetime(2024, 1, 2, tzinfo=UTC)
    before = Tags(["a", "b", "c", "d"])
    before.batch([change(1, 5), change(2, 5), change(3, 5), (4, 5, 0, None)])
    tags = Tags(["b", "a", "c", "d"], before=before)
    first = tags.batch([change(2, 5), (1, 5, 0, later), change(3, 5, UNCERTAIN), (4, 5, 0, None)])
    assert [value.name for value in first.values] == ["b", "c", "d"]
    assert [value.name for value in tags.batch([change(2, 5)]).values] == ["a"]
    assert tags.good == 3
