"""The press over plain values: no clock, no server."""

import random

import pytest

from plant.press import Draw, Fault, Press, PressState, advance, draw_from

RUNNING = Press(state=PressState.RUNNING, temperature_c=180.0, speed_spm=30.0)


def run(press: Press, seconds: float, *, dt_s: float = 0.1, **options: float) -> Press:
    for _ in range(round(seconds / dt_s)):
        press = advance(press, dt_s, Draw(), **options)
    return press


def test_same_draws_give_the_same_press() -> None:
    def life(seed: int) -> Press:
        chance, press = random.Random(seed), Press()
        for _ in range(2000):
            press = advance(press, 0.1, draw_from(chance))
        return press

    assert life(7) == life(7)
    assert life(7) != life(8)


def test_cold_press_warms_up_before_it_runs() -> None:
    assert advance(Press(), 0.1, Draw()).state is PressState.WARMING_UP
    warm = run(Press(), 60)
    assert warm.state is PressState.RUNNING
    assert warm.temperature_c == pytest.approx(178, abs=4)


def test_running_press_completes_a_cycle_with_each_stroke() -> None:
    assert run(RUNNING, 60).cycles == pytest.approx(30, abs=1)


def test_counters_never_fall() -> None:
    chance, press = random.Random(3), Press()
    for _ in range(5000):
        following = advance(press, 0.1, draw_from(chance), fault_every_s=20)
        assert following.scans == press.scans + 1
        assert following.cycles >= press.cycles
        assert following.rejects >= press.rejects
        press = following
    assert press.rejects > 0


def test_pressure_follows_the_stroke() -> None:
    middle = advance(Press(state=PressState.RUNNING, speed_spm=30.0, stroke=0.5), 0.0, Draw())
    bottom = advance(Press(state=PressState.RUNNING, speed_spm=30.0, stroke=0.0), 0.0, Draw())
    assert middle.pressure_bar > 150
    assert bottom.pressure_bar < 10


def test_fault_stops_the_press_and_names_the_tag_that_shows_it() -> None:
    broken = advance(RUNNING, 0.1, Draw(fault_luck=0.0, fault_kind_luck=0.9))
    assert (broken.state, broken.fault) == (PressState.FAULT, Fault.PRESSURE_SENSOR)
    assert run(broken, 5).speed_spm < 2


def test_fault_is_repaired_and_the_press_runs_again() -> None:
    broken = advance(RUNNING, 0.1, Draw(fault_luck=0.0))
    assert run(broken, 4).state is PressState.FAULT
    repaired = run(broken, 40)
    assert (repaired.state, repaired.fault) == (PressState.RUNNING, Fault.NONE)


def test_no_fault_comes_when_the_mean_time_is_zero() -> None:
    assert advance(RUNNING, 0.1, Draw(fault_luck=0.0), fault_every_s=0.0).state is PressState.RUNNING


def test_order_changes_with_the_cycles_made() -> None:
    assert Press(cycles=249).order == "WO-10001"
    assert Press(cycles=250).order == "WO-10002"


def test_vibration_has_three_axes_and_is_none_at_rest() -> None:
    assert Press().vibration_mm_s == (0.0, 0.0, 0.0)
    assert min(RUNNING.vibration_mm_s) > 0
