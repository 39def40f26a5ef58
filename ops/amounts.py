"""Durations and sizes as a person writes and reads them."""

import re

_SECONDS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
_BYTES = {"": 1, "b": 1, "k": 1024, "m": 1024**2, "g": 1024**3, "t": 1024**4}
_DURATION_PART = re.compile(r"(\d+(?:\.\d+)?)(ms|s|m|h|d)")
_SIZE = re.compile(r"(\d+(?:\.\d+)?)([bkmgt]?)(?:i?b)?", re.IGNORECASE)


def parse_duration_s(text: str) -> float:
    """Read `90`, `90s`, `1m30s`, `500ms`, `2h` or `7d` as seconds; raises ValueError."""
    if re.fullmatch(r"\d+(\.\d+)?", text):
        return float(text)
    parts = _DURATION_PART.findall(text)
    if not parts or "".join(number + unit for number, unit in parts) != text:
        raise ValueError(f"{text!r} is not a duration: 90s, 5m, 1h30m, 500ms")
    return sum(float(number) * _SECONDS[unit] for number, unit in parts)


def parse_bytes(text: str) -> int:
    """Read `64M`, `1.5G`, `512k` or a number of bytes, in powers of 1024 as Docker does; raises ValueError."""
    found = _SIZE.fullmatch(text)
    if found is None:
        raise ValueError(f"{text!r} is not a size: 64M, 1.5G, 512k")
    return round(float(found[1]) * _BYTES[found[2].lower()])


def age(seconds: float | None) -> str:
    """Tell an age in one or two units: `0.4 s`, `12 s`, `3 min 20 s`, `5 h 2 min`, `3 d 4 h`; `-` for none.

    A clock that runs ahead of ours makes an age negative; that is said, not hidden.
    """
    if seconds is None:
        return "-"
    if seconds < -1:
        return f"clock {age(-seconds)} ahead"
    if seconds < 9.95:
        return f"{max(0.0, seconds):.1f} s"
    if seconds < 59.5:
        return f"{seconds:.0f} s"
    minutes, rest_s = divmod(round(seconds), 60)
    hours, minutes_left = divmod(minutes, 60)
    if hours == 0:
        return f"{minutes} min {rest_s} s"
    days, hours_left = divmod(hours, 24)
    return f"{hours} h {minutes_left} min" if days == 0 else f"{days} d {hours_left} h"


def size(count: float | None) -> str:
    """Tell a number of bytes: `0 B`, `12 KiB`, `1.5 GiB`; `-` for none."""
    if count is None:
        return "-"
    for unit in ("B", "KiB", "MiB", "GiB"):
        if abs(count) < 1024:
            return f"{count:.0f} {unit}" if unit == "B" or count >= 100 else f"{count:.3g} {unit}"
        count /= 1024
    return f"{count:.3g} TiB"


def share(used: float, total: float) -> str:
    """Tell a part of a whole in per cent; `-` where there is no whole."""
    return f"{100 * used / total:.0f} %" if total > 0 else "-"
