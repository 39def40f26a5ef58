"""Gather what arrives into batches: all that came while the last one was being stored, and a little longer.

A batch ends when nothing has come for `QUIET_S`, when it is `LONGEST_S` old, or when it is full. Under load the time
that a commit takes gathers the next batch by itself; at rest a message waits for `QUIET_S` alone.
"""

import asyncio
from collections import deque
from collections.abc import AsyncIterator
from typing import Generic, TypeVar

T = TypeVar("T")

QUIET_S = 0.02
LONGEST_S = 0.2
LARGEST = 1000
CROWDED = 10_000
"""More than the broker ever has out to us unacknowledged: the rest came with QoS 0."""


class Gathering(Generic[T]):
    """What has arrived and is not in a batch yet.

    The broker has at most the receive maximum of messages out to us, and gets none acknowledged before their batch is
    stored. What a node publishes with QoS 0 is not held back by that: once it is crowded, whoever adds leaves it out.
    """

    def __init__(self) -> None:
        self._waiting: deque[T] = deque()
        self._arrived = asyncio.Event()

    @property
    def is_crowded(self) -> bool:
        """Whether what may be lost should be left out."""
        return len(self._waiting) >= CROWDED

    def add(self, item: T) -> None:
        """Something arrived."""
        self._waiting.append(item)
        self._arrived.set()

    async def batches(self) -> AsyncIterator[list[T]]:
        """Yield one batch after the other, never an empty one."""
        while True:
            await self._arrived.wait()
            await self._linger()
            yield self._take()

    async def _linger(self) -> None:
        """Wait until it is quiet, or late, or enough."""
        give_up_at = asyncio.get_running_loop().time() + LONGEST_S
        while len(self._waiting) < LARGEST and asyncio.get_running_loop().time() < give_up_at:
            self._arrived.clear()
            try:
                async with asyncio.timeout(QUIET_S):
                    await self._arrived.wait()
            except TimeoutError:
                return

    def _take(self) -> list[T]:
        batch = [self._waiting.popleft() for _ in range(min(LARGEST, len(self._waiting)))]
        if self._waiting:
            self._arrived.set()
        else:
            self._arrived.clear()
        return batch
