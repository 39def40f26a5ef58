"""Which struct reads a change of a fixed length: a table keyed by the two bytes that stand behind the client handle.

The first is the DataValue's mask (0x01 value, 0x02 status, 0x04 source time, 0x08 server time, 0x10 and 0x20 their
picoseconds), the second the Variant's built-in type. Picoseconds and the server's time are stepped over. (OPC UA Part
6, 5.2.2.17 puts SourcePicoseconds before ServerTimestamp; asyncua 2.1 the other way round. Stepping over both, we
read either.)
"""

import struct
import uuid
from collections.abc import Callable
from typing import Any

from asyncua import ua

from agent.telemetry.value import number, time_text

Layout = tuple[Callable[[bytes, int], tuple[Any, ...]], int, int, Callable[[Any], Any] | None]
"""Reads it, its size, which fields follow the value (1 status, 2 source time), what makes JSON of the value."""

Tail = tuple[Callable[[bytes, int], tuple[int, ...]], int, int]
"""The same for what follows a value of any length."""

STRING = 12

_FIELDS = ((0x02, "I"), (0x04, "q"), (0x10, "2x"), (0x08, "8x"), (0x20, "2x"))


def _datetime(ticks: int) -> str:
    return time_text(ua.win_epoch_to_datetime(ticks))


def _guid(data: bytes) -> str:
    return str(uuid.UUID(bytes_le=data))


_TYPES: dict[int, tuple[str, Callable[[Any], Any] | None]] = {
    1: ("?", None),
    2: ("b", None),
    3: ("B", None),
    4: ("h", None),
    5: ("H", None),
    6: ("i", None),
    7: ("I", None),
    8: ("q", None),
    9: ("Q", None),
    10: ("f", number),
    11: ("d", number),
    13: ("q", _datetime),
    14: ("16s", _guid),
    19: ("I", None),
}
"""Built-in types of a fixed length (Part 6, 5.1.2): their struct format, and what makes JSON of them."""


def _after_value(mask: int) -> str:
    return "".join(code for bit, code in _FIELDS if mask & bit)


def _layout(mask: int, code: str, convert: Callable[[Any], Any] | None) -> Layout:
    whole = struct.Struct(f"<I2x{code}{_after_value(mask)}")
    return whole.unpack_from, whole.size, mask >> 1 & 3, convert


def _tail(mask: int) -> Tail:
    rest = struct.Struct(f"<{_after_value(mask)}")
    return rest.unpack_from, rest.size, mask >> 1 & 3


FIXED: dict[bytes, Layout] = {
    bytes((mask, kind)): _layout(mask, code, convert)
    for mask in range(1, 64, 2)
    for kind, (code, convert) in _TYPES.items()
}

_TAILS = tuple(_tail(mask) for mask in range(64))


def tail_of(mask: int) -> Tail:
    """What reads status and source time behind a value."""
    return _TAILS[mask & 0x3F]
