"""Sequence numbers: next, hole, seen; and the wrap at their end."""

import pytest

from agent.telemetry.sequence import LAST, MAX_MISSING, Place, following, missing, place


@pytest.mark.parametrize(
    ("last", "sequence", "expected"),
    [
        (0, 1, Place.NEXT),
        (7, 8, Place.NEXT),
        (LAST, 1, Place.NEXT),
        (0, 2, Place.AFTER_A_HOLE),
        (7, 10, Place.AFTER_A_HOLE),
        (LAST - 1, 1, Place.AFTER_A_HOLE),
        (7, 7, Place.SEEN),
        (7, 3, Place.SEEN),
        (2, LAST, Place.SEEN),
    ],
)
def test_place(last: int, sequence: int, expected: Place) -> None:
    assert place(last, sequence) is expected


def test_one_follows_the_last_number() -> None:
    assert (following(0), following(41), following(LAST)) == (1, 42, 1)


def test_missing_numbers_are_those_in_the_hole() -> None:
    assert missing(7, 10) == (8, 9)
    assert missing(LAST - 1, 2) == (LAST, 1)
    assert missing(7, 8) == ()


def test_a_hole_is_bounded() -> None:
    assert len(missing(1, 2_000_000)) == MAX_MISSING
