"""One thing that is asked again and again, and that may be slow, fail, or never answer."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Generic, TypeVar

import structlog
from msgspec.structs import replace

from agent.errors import AgentError
from agent.health.vitals import Reading

_T = TypeVar("_T")
_log = structlog.get_logger("agent.health")

GIVE_UP_S = 10.0
"""A question that has no answer by then is cancelled, so that the next one finds what has recovered."""


class Source(Generic[_T]):
    """Asks `measure`, one question at a time; `reading` is the last answer, or since when there is none."""

    def __init__(self, name: str, measure: Callable[[], Awaitable[_T]]) -> None:
        self._name = name
        self._measure = measure
        self._question: asyncio.Task[None] | None = None
        self._asked_s = time.monotonic()
        self._reading: Reading[_T] = Reading(at_s=self._asked_s)

    @property
    def reading(self) -> Reading[_T]:
        """What is known now; while a question waits for its answer, the error says for how long."""
        if self._question is None or self._question.done():
            return self._reading
        waited_s = time.monotonic() - self._asked_s
        return replace(self._reading, error=f"no answer for {waited_s:.1f} s")

    def ask(self, group: asyncio.TaskGroup) -> asyncio.Task[None] | None:
        """Ask, and return what ends with the answer; None where the last question still waits for its own."""
        if self._question is not None and not self._question.done():
            return None
        self._asked_s = time.monotonic()
        self._question = group.create_task(self._answer(), name=f"measure:{self._name}")
        return self._question

    async def _answer(self) -> None:
        try:
            async with asyncio.timeout(GIVE_UP_S):
                value = await self._measure()
        except TimeoutError:
            self._failed(f"no answer within {GIVE_UP_S:g} s")
        except (AgentError, OSError) as error:
            self._failed(str(error) or type(error).__name__)
        else:
            self._reading = Reading(value=value, at_s=time.monotonic())

    def _failed(self, error: str) -> None:
        if self._reading.error is None:
            _log.warning("measurement_failed", source=self._name, error=error)
        self._reading = replace(self._reading, error=error)
