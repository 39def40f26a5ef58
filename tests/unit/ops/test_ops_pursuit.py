"""Outcomes of many nodes, late, twice and out of order, fold into one picture of a command."""

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ops.pursuit import Pursuit, pursue, take
from wire.messages import Outcome, Phase

A, B = "plant-a/one", "plant-a/two"
ENDS = [phase for phase in Phase if phase.is_end]


def said(seq: int, phase: Phase, node: str = A) -> Outcome:
    return Outcome(command_id="c", node=node, seq=seq, phase=phase, at=datetime(2026, 5, 4, tzinfo=UTC))


def fold(pursuit: Pursuit, *outcomes: Outcome) -> Pursuit:
    for outcome in outcomes:
        pursuit = take(pursuit, outcome)
    return pursuit


def test_before_any_answer_everyone_is_silent() -> None:
    begun = pursue([A, B])
    assert (begun.silent, begun.unfinished, begun.is_over, begun.succeeded) == ([A, B], [A, B], False, False)


def test_who_accepts_is_no_longer_silent_but_unfinished() -> None:
    pursuit = fold(pursue([A, B]), said(0, Phase.ACCEPTED))
    assert (pursuit.silent, pursuit.unfinished) == ([B], [A, B])


@pytest.mark.parametrize("end", ENDS)
def test_it_is_over_when_all_have_ended_and_succeeded_only_if_all_did(end: Phase) -> None:
    pursuit = fold(pursue([A, B]), said(1, Phase.SUCCEEDED), said(1, end, B))
    assert pursuit.is_over
    assert pursuit.succeeded == (end is Phase.SUCCEEDED)


def test_it_is_not_over_while_one_is_silent() -> None:
    assert not fold(pursue([A, B]), said(1, Phase.SUCCEEDED)).is_over


def test_a_node_that_was_not_expected_counts_once_it_answers() -> None:
    pursuit = fold(pursue([A]), said(0, Phase.ACCEPTED, B), said(1, Phase.SUCCEEDED))
    assert pursuit.unfinished == [B]


def test_with_nobody_expected_and_nobody_heard_nothing_is_over() -> None:
    assert not pursue([]).is_over


@pytest.mark.parametrize("late", [said(3, Phase.RUNNING), said(2, Phase.RUNNING), said(0, Phase.ACCEPTED)])
def test_what_is_late_or_double_is_no_news(late: Outcome) -> None:
    pursuit = fold(pursue([A]), said(3, Phase.RUNNING))
    assert take(pursuit, late) is pursuit


def test_an_end_is_news_even_behind_a_later_number() -> None:
    assert fold(pursue([A]), said(3, Phase.RUNNING), said(1, Phase.FAILED)).is_over


def test_nothing_follows_an_end() -> None:
    ended = fold(pursue([A]), said(3, Phase.FAILED))
    assert take(ended, said(4, Phase.SUCCEEDED)) is ended
    assert take(ended, said(9, Phase.RUNNING)) is ended


@given(
    st.permutations(
        [said(0, Phase.ACCEPTED), said(1, Phase.RUNNING), said(2, Phase.RUNNING), said(3, Phase.SUCCEEDED)] * 2
    )
)
def test_in_any_order_the_end_wins(order: list[Outcome]) -> None:
    assert fold(pursue([A]), *order).newest[A] == said(3, Phase.SUCCEEDED)
