"""What a sequence number says: the next one, a hole before it, or one that was there already.

Notifications of a subscription are numbered from 1, and 1 follows 4,294,967,295 (OPC UA Part 4, 7.8).
"""

from enum import Enum, auto

LAST = 0xFFFF_FFFF
MAX_MISSING = 1000
"""A larger hole is no hole but another numbering: what is in it is not asked for."""


class Place(Enum):
    """Where a notification stands in its subscription."""

    NEXT = auto()
    AFTER_A_HOLE = auto()
    SEEN = auto()


def following(sequence: int) -> int:
    """The number after this one; the first of all is `following(0)`."""
    return 1 if sequence >= LAST else sequence + 1


def place(last: int, sequence: int) -> Place:
    """How `sequence` stands to the `last` one that was taken (0: none yet)."""
    ahead = (sequence - following(last)) % LAST
    if ahead == 0:
        return Place.NEXT
    return Place.AFTER_A_HOLE if ahead < LAST // 2 else Place.SEEN


def missing(last: int, sequence: int) -> tuple[int, ...]:
    """The numbers in the hole, at most `MAX_MISSING` of them, oldest first."""
    numbers: list[int] = []
    number = following(last)
    while number != sequence and len(numbers) < MAX_MISSING:
        numbers.append(number)
        number = following(number)
    return tuple(numbers)
