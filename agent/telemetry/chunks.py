"""Calls about many nodes, in portions that the server takes: S7-1200 wants 100 a call, S7-1500 500, Kepware 1,000."""

from collections.abc import Awaitable, Callable, Sequence
from typing import TypeVar

from agent.telemetry.errors import TOO_MUCH_AT_ONCE, Codes, PlcError

FIRST_SIZE = 500
SMALL = 50
"""A call about so few nodes that gets no answer in time meets a dead link, not a slow server."""

_T = TypeVar("_T")
_R = TypeVar("_R")


async def in_chunks(items: Sequence[_T], call: Callable[[Sequence[_T]], Awaitable[Sequence[_R]]]) -> list[_R]:
    """Call for all items and join the answers; a portion that is too much is halved. Raises PlcError."""
    size, answers = FIRST_SIZE, list[_R]()
    while len(answers) < len(items):
        portion = items[len(answers) : len(answers) + size]
        try:
            answered = await call(portion)
        except PlcError as error:
            if not _too_much(error, len(portion)):
                raise
            size = len(portion) // 2
            continue
        if len(answered) != len(portion):
            raise PlcError(f"{len(answered)} answers about {len(portion)} nodes", phase="call", element=call.__name__)
        answers += answered
    return answers


def _too_much(error: PlcError, count: int) -> bool:
    smallest = SMALL if error.status == Codes.BadTimeout else 1
    return error.status in TOO_MUCH_AT_ONCE and count > smallest
