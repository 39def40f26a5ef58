"""A cursor moves only over what is acknowledged without a hole."""

from hypothesis import given
from hypothesis import strategies as st

from agent.spool.window import Window


def sent(*positions: int, after: int = 0) -> Window:
    window = Window(after=after)
    for position in positions:
        window.send(position)
    return window


def test_nothing_acknowledged_leaves_the_prefix_where_it_was() -> None:
    assert sent(11, 12, after=10).prefix == 10


def test_an_acknowledgement_behind_a_hole_does_not_move_the_prefix() -> None:
    window = sent(1, 2, 3)
    assert not window.acknowledge(2)
    assert window.prefix == 0


def test_closing_the_hole_moves_the_prefix_over_all_that_waited() -> None:
    window = sent(1, 2, 3)
    window.acknowledge(2)
    window.acknowledge(3)
    assert window.acknowledge(1)
    assert window.prefix == 3


def test_positions_may_have_holes_where_records_gave_way() -> None:
    window = sent(5, 90, 91)
    window.acknowledge(5)
    window.acknowledge(90)
    assert window.prefix == 90


@given(st.lists(st.integers(1, 50), min_size=1, unique=True), st.data())
def test_the_prefix_is_the_longest_acknowledged_run(drawn: list[int], data: st.DataObject) -> None:
    positions = sorted(drawn)
    window = sent(*positions)
    confirmed: set[int] = set()
    for position in data.draw(st.permutations(positions)):
        window.acknowledge(position)
        confirmed.add(position)
        run = [p for n, p in enumerate(positions) if set(positions[: n + 1]) <= confirmed]
        assert window.prefix == max(run, default=0)
    assert window.prefix == positions[-1]
