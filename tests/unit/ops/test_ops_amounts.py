"""Durations and sizes, read and told."""

import pytest

from ops.amounts import age, parse_bytes, parse_duration_s, share, size


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("90", 90),
        ("0.5", 0.5),
        ("90s", 90),
        ("5m", 300),
        ("1h30m", 5400),
        ("500ms", 0.5),
        ("7d", 604800),
        ("1m500ms", 60.5),
    ],
)
def test_a_duration_is_read(text: str, seconds: float) -> None:
    assert parse_duration_s(text) == seconds


@pytest.mark.parametrize("text", ["", "s", "5 m", "-5s", "5min", "m5", "1e3", "5m later", "nan"])
def test_what_is_no_duration_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="is not a duration"):
        parse_duration_s(text)


@pytest.mark.parametrize(
    ("text", "count"),
    [
        ("1024", 1024),
        ("64M", 64 << 20),
        ("64m", 64 << 20),
        ("64MiB", 64 << 20),
        ("1.5G", 3 << 29),
        ("512k", 1 << 19),
        ("1T", 1 << 40),
    ],
)
def test_a_size_is_read_in_powers_of_1024(text: str, count: int) -> None:
    assert parse_bytes(text) == count


@pytest.mark.parametrize("text", ["", "M", "-1", "64 M", "64X", "lots"])
def test_what_is_no_size_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="is not a size"):
        parse_bytes(text)


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (None, "-"),
        (0, "0.0 s"),
        (-0.4, "0.0 s"),
        (9.94, "9.9 s"),
        (9.96, "10 s"),
        (59, "59 s"),
        (59.6, "1 min 0 s"),
        (200, "3 min 20 s"),
        (3599, "59 min 59 s"),
        (3600, "1 h 0 min"),
        (90061, "1 d 1 h"),
        (-125, "clock 2 min 5 s ahead"),
    ],
)
def test_an_age_is_told_in_two_units_at_most(seconds: float | None, words: str) -> None:
    assert age(seconds) == words


@pytest.mark.parametrize(
    ("count", "words"),
    [
        (None, "-"),
        (0, "0 B"),
        (1023, "1023 B"),
        (1536, "1.5 KiB"),
        (12 << 20, "12 MiB"),
        (200 << 30, "200 GiB"),
        (3 << 40, "3 TiB"),
    ],
)
def test_a_size_is_told_in_its_unit(count: int | None, words: str) -> None:
    assert size(count) == words


def test_a_share_of_nothing_is_not_told() -> None:
    assert (share(1, 4), share(1, 0)) == ("25 %", "-")
