"""Somebody who subscribes, remembers what came, and can wait for what is expected."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from uuid import uuid4

import aiomqtt

from link.broker import Broker
from link.client import Client


class Observer:
    """What came so far, in order."""

    def __init__(self, client: Client) -> None:
        self.client = client
        self.seen: list[aiomqtt.Message] = []
        self._checked = 0

    async def until(self, wanted: Callable[[aiomqtt.Message], bool], *, within_s: float = 10.0) -> aiomqtt.Message:
        """Return the next message that is wanted, among those after the last one returned; raises TimeoutError."""
        async with asyncio.timeout(within_s):
            while True:
                for message in self.seen[self._checked :]:
                    self._checked += 1
                    if wanted(message):
                        return message
                await self._receive()

    async def seen_within(self, seconds: float) -> list[aiomqtt.Message]:
        """All that comes within so many seconds, for proving that something does not."""
        before = len(self.seen)
        try:
            async with asyncio.timeout(seconds):
                while True:
                    await self._receive()
        except TimeoutError:
            return self.seen[before:]

    async def _receive(self) -> None:
        messages = await self.client.received()
        self.seen += messages
        for message in messages:
            self.client.acknowledge(message)


@asynccontextmanager
async def observing(broker: Broker, *topics: str) -> AsyncIterator[Observer]:
    """Subscribe to `topics`, with a session that ends with the context."""
    async with Client(broker, identifier=f"observer-{uuid4()}", clean_start=True, session_expiry_s=0) as client:
        for topic in topics:
            await client.subscribe(topic, qos=1)
        yield Observer(client)
