"""What the kernel says of its own clock.

`adjtimex(2)` with `modes` 0 changes nothing and needs no privilege. Whatever disciplines the clock (chrony, ntpd,
systemd-timesyncd, PTP) clears the kernel's "unsynchronized" flag, so none of them needs to be known here.
"""

import ctypes
from collections.abc import Callable

_STA_UNSYNC = 0x0040
_TIME_ERROR = 5
"""Both from <sys/timex.h>."""


class _Timex(ctypes.Structure):
    """`struct timex` of Linux, followed by more room than any kernel's padding takes."""

    _fields_ = (
        ("modes", ctypes.c_uint),
        ("offset", ctypes.c_long),
        ("freq", ctypes.c_long),
        ("maxerror", ctypes.c_long),
        ("esterror", ctypes.c_long),
        ("status", ctypes.c_int),
        ("rest", ctypes.c_byte * 256),
    )


def synchronized() -> bool | None:
    """Whether the kernel's clock is disciplined by a reference; None where it doesn't say."""
    adjtimex = _adjtimex()
    if adjtimex is None:
        return None
    timex = _Timex()
    return judged(adjtimex(ctypes.byref(timex)), timex.status)


def judged(returned: int, status: int) -> bool | None:
    """What adjtimex's return value and status flags mean; a negative return is a refusal (a sandbox)."""
    if returned < 0:
        return None
    return returned != _TIME_ERROR and not status & _STA_UNSYNC


def _adjtimex() -> Callable[..., int] | None:
    try:
        return ctypes.CDLL(None, use_errno=True).adjtimex
    except (OSError, AttributeError):
        return None
