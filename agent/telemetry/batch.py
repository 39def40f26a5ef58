"""Changes become tag values: a name, what passes the deadband, and what quality says of the value."""

from collections.abc import Mapping, Sequence
from typing import Any

from msgspec import Struct

from agent.telemetry.notification import Change
from wire.messages import TagValue

BAD = 0x8000_0000
NOT_GOOD = 0xC000_0000


def overflowed(status: int) -> bool:
    """Whether the server lost values of this tag before this one.

    InfoType DataValue (0x0400) and the Overflow bit (0x0080), OPC UA Part 4, 7.39.1.
    """
    return status & 0x0C80 == 0x0480


class Batch(Struct, frozen=True):
    """What goes to the spool, and whether the server said that values were lost before it."""

    values: tuple[TagValue, ...]
    overflow: bool


class Tags:
    """The tags of one PLC by client handle, with what was last seen of each.

    `deadbands` holds the tags whose server can't filter: a number that changed by no more than its deadband, with the
    same StatusCode, is left out.

    A new subscription begins with current values: of those, what `before` had seen already (the same value, StatusCode
    and source time) is left out as well.
    """

    def __init__(self, names: Sequence[str], *, before: "Tags | None" = None) -> None:
        self._names = dict(enumerate(names, start=1))
        self._last: dict[int, Change] = {}
        self._seen = {} if before is None else before._last_by_name()
        self._deadbands: dict[int, float] = {}
        self._reported: dict[int, tuple[Any, int]] = {}

    def __len__(self) -> int:
        return len(self._names)

    @property
    def good(self) -> int:
        """How many tags have a last value that is Good."""
        return sum(not change[2] & NOT_GOOD for change in self._last.values())

    def filter_here(self, deadbands: Mapping[int, float]) -> None:
        """Apply these absolute deadbands, by handle, here from now on."""
        self._deadbands.update(deadbands)

    def batch(self, changes: Sequence[Change]) -> Batch:
        """The values to store, in the order in which they came. A handle that nobody asked for is left out."""
        names, last, seen, values, overflow = self._names, self._last, self._seen, [], False
        for change in changes:
            handle, value, status, time = change
            name = names.get(handle)
            if name is None:
                continue
            last[handle] = change
            if seen and time is not None and seen.pop(name, None) == change[1:]:
                continue
            if status:
                overflow = overflow or overflowed(status)
                if status & BAD:
                    value = None
            if handle in self._deadbands and self._within_deadband(handle, value, status):
                continue
            values.append(TagValue(name, value, status, time))
        return Batch(tuple(values), overflow)

    def _last_by_name(self) -> dict[str, tuple[Any, ...]]:
        return self._seen | {self._names[handle]: change[1:] for handle, change in self._last.items()}

    def _within_deadband(self, handle: int, value: Any, status: int) -> bool:
        last = self._reported.get(handle)
        comparable = last is not None and last[1] == status and _is_number(value) and _is_number(last[0])
        if last is not None and comparable and abs(value - last[0]) <= self._deadbands[handle]:
            return True
        self._reported[handle] = (value, status)
        return False


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
