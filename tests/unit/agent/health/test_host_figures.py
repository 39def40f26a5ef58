"""The arithmetic of the machine's figures."""

import math
from pathlib import Path

import pytest

from agent.health.clock import judged
from agent.health.host import busy_percent, existing, hottest


@pytest.mark.parametrize(
    ("before", "after", "percent"),
    [
        ((100.0, 90.0), (110.0, 95.0), 50.0),
        ((100.0, 90.0), (110.0, 100.0), 0.0),
        ((100.0, 90.0), (110.0, 90.0), 100.0),
        ((100.0, 90.0), (100.0, 90.0), 0.0),
        ((100.0, 90.0), (101.0, 89.0), 100.0),
        ((100.0, 90.0), (101.0, 92.0), 0.0),
    ],
)
def test_processor_load_is_the_share_that_was_not_idle(
    before: tuple[float, float], after: tuple[float, float], percent: float
) -> None:
    assert busy_percent(before, after) == percent


@pytest.mark.parametrize(
    ("sensors", "degrees"),
    [
        ([], None),
        ([41.0, 58.5, 40.0], 58.5),
        ([-128.0, 255.0], None),
        ([None, math.nan, 30.0], 30.0),
        ([-10.0], -10.0),
    ],
)
def test_hottest_believable_sensor_counts(sensors: list[float | None], degrees: float | None) -> None:
    assert hottest(sensors) == degrees


@pytest.mark.parametrize(
    ("returned", "status", "synchronized"),
    [(0, 0, True), (0, 0x2001, True), (5, 0x40, False), (0, 0x40, False), (5, 0, False), (-1, 0, None)],
)
def test_kernel_says_whether_its_clock_is_synchronized(returned: int, status: int, synchronized: bool | None) -> None:
    assert judged(returned, status) is synchronized


def test_disk_of_a_directory_still_to_be_made_is_that_above_it(tmp_path: Path) -> None:
    assert existing(tmp_path / "a" / "b") == tmp_path
    assert existing(tmp_path) == tmp_path
