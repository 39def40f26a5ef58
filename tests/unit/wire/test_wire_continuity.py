"""A subscriber knows what it has, what it lacks, and what the node itself gave up."""

from datetime import UTC, datetime

from hypothesis import given
from hypothesis import strategies as st

from wire.continuity import Arrival, Position, arrive
from wire.messages import Gap, GapReason, TagBatch

NOW = datetime(2026, 5, 4, tzinfo=UTC)


def batch(seq: int, *, first_seq: int | None = None, epoch: str = "e") -> TagBatch:
    gap = None
    if first_seq is not None:
        gap = Gap(reason=GapReason.SPOOL_FULL, since=NOW, until=NOW, first_seq=first_seq, last_seq=seq)
    return TagBatch(epoch=epoch, plc="p", seq=seq, gap=gap)


def follow(*batches: TagBatch) -> tuple[Position, list[Arrival]]:
    position: Position | None = None
    arrivals = []
    for one in batches:
        position, arrival = arrive(position, one)
        arrivals.append(arrival)
    assert position is not None
    return position, arrivals


def test_a_stream_may_be_joined_anywhere() -> None:
    position, [first] = follow(batch(500))
    assert (first.is_new, first.missed, first.is_new_epoch, position.last_seq) == (True, None, False, 500)


def test_the_next_one_is_new_and_nothing_is_missing() -> None:
    position, arrivals = follow(batch(0), batch(1), batch(2))
    assert all(arrival.is_new and arrival.missed is None for arrival in arrivals)
    assert position == Position(epoch="e", last_seq=2)


def test_a_repetition_is_not_new() -> None:
    position, arrivals = follow(batch(0), batch(1), batch(0), batch(1), batch(2))
    assert [arrival.is_new for arrival in arrivals] == [True, True, False, False, True]
    assert position.last_seq == 2


def test_a_hole_is_missed_and_remembered() -> None:
    position, arrivals = follow(batch(0), batch(5))
    assert arrivals[-1].missed == (1, 4)
    assert position.missing == ((1, 4),)


def test_what_comes_late_fills_its_hole_once() -> None:
    position, arrivals = follow(batch(0), batch(5), batch(2), batch(2))
    assert [arrival.is_new for arrival in arrivals] == [True, True, True, False]
    assert position.missing == ((1, 1), (3, 4))
    assert position.last_seq == 5


def test_what_the_node_dropped_is_a_gap_and_not_missing() -> None:
    position, arrivals = follow(batch(0), batch(9, first_seq=1), batch(10))
    assert [arrival.missed for arrival in arrivals] == [None, None, None]
    assert arrivals[1].gap is not None
    assert position.missing == ()


def test_what_lies_before_a_gap_is_missing_all_the_same() -> None:
    _, arrivals = follow(batch(0), batch(9, first_seq=4))
    assert arrivals[-1].missed == (1, 3)


def test_a_gap_over_what_had_come_before_misses_nothing() -> None:
    _, arrivals = follow(batch(0), batch(1), batch(9, first_seq=0))
    assert arrivals[-1].missed is None


def test_a_marker_that_comes_late_explains_what_was_missing() -> None:
    position, arrivals = follow(batch(0), batch(20), batch(9, first_seq=1))
    assert arrivals[-1].is_new
    assert position.missing == ((10, 19),)


def test_a_gap_without_numbers_explains_no_hole() -> None:
    source = TagBatch(epoch="e", plc="p", seq=5, gap=Gap(reason=GapReason.SOURCE, since=NOW, until=NOW))
    _, arrivals = follow(batch(0), source)
    assert arrivals[-1].missed == (1, 4)


def test_a_new_epoch_begins_anew() -> None:
    position, arrivals = follow(batch(7), batch(0, epoch="f"), batch(1, epoch="f"))
    assert [arrival.is_new_epoch for arrival in arrivals] == [False, True, False]
    assert arrivals[1].missed is None
    assert position == Position(epoch="f", last_seq=1)


@given(st.permutations(range(8)), st.data())
def test_however_they_come_each_is_new_once_and_nothing_is_missing_in_the_end(
    order: list[int], data: st.DataObject
) -> None:
    repeated = data.draw(st.lists(st.sampled_from(range(8)), max_size=5))
    position, arrivals = follow(batch(-1), *map(batch, order), *map(batch, repeated))
    assert sorted(arrival.batch.seq for arrival in arrivals if arrival.is_new) == list(range(-1, 8))
    assert position.missing == ()
