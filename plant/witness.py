"""A subscriber that keeps account of every batch, to say afterwards whether one is missing.

It is what any historian can do: a session of its own at the broker that outlives a connection, and `(epoch, plc, seq)`.
"""

import asyncio
import contextlib
from collections import defaultdict
from collections.abc import Callable
from datetime import datetime

import aiomqtt
from msgspec import Struct

from link.broker import Broker
from link.client import Client
from wire.codec import decode
from wire.continuity import Position, arrive
from wire.messages import Gap, TagBatch
from wire.topics import Kind, NodeName, Topics

_RETRY_S = 0.1
_SESSION_EXPIRY_S = 600


class Stream:
    """What has come of one PLC's stream in one epoch."""

    def __init__(self) -> None:
        self.position: Position | None = None
        self.batches = 0
        self.repeated = 0
        self.values = 0
        self.gaps: list[Gap] = []
        self.newest: datetime | None = None

    def take(self, batch: TagBatch) -> None:
        """Count a batch; one that came before is counted as repeated and nothing else."""
        self.position, arrival = arrive(self.position, batch)
        if not arrival.is_new:
            self.repeated += 1
            return
        self.batches += 1
        self.values += len(batch.values)
        self.gaps.extend([batch.gap] if batch.gap else [])
        times = [value.time for value in batch.values if value.time is not None]
        self.newest = max([*times, self.newest] if self.newest else times, default=None)

    @property
    def missing(self) -> int:
        """How many batches between the first and the last neither came nor were named by a gap."""
        spans = self.position.missing if self.position else ()
        return sum(last - first + 1 for first, last in spans)


class Tally(Struct, frozen=True, kw_only=True):
    """What a witness has seen, summed over all streams."""

    batches: int
    values: int
    missing: int
    repeated: int
    gaps: int


class Witness:
    """Subscribes to the tags of every node, for as long as it is entered. An async context manager."""

    def __init__(self, broker: Broker, topics: Topics) -> None:
        self._broker = broker
        self._topics = topics
        self._changed = asyncio.Event()
        self._subscribed = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self.streams: dict[tuple[NodeName, str, str], Stream] = defaultdict(Stream)

    async def __aenter__(self) -> "Witness":
        self._task = asyncio.create_task(self._listen(), name="witness")
        await self._subscribed.wait()
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._task is not None:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task

    def tally(self) -> Tally:
        """Everything so far."""
        streams = self.streams.values()
        return Tally(
            batches=sum(stream.batches for stream in streams),
            values=sum(stream.values for stream in streams),
            missing=sum(stream.missing for stream in streams),
            repeated=sum(stream.repeated for stream in streams),
            gaps=sum(len(stream.gaps) for stream in streams),
        )

    def of(self, node: NodeName) -> list[Stream]:
        """The streams of one node, one for each PLC and epoch."""
        return [stream for (name, _, _), stream in self.streams.items() if name == node]

    async def until(self, seen: Callable[[], bool], *, within_s: float) -> None:
        """Wait until what has come satisfies `seen`; raises TimeoutError."""
        async with asyncio.timeout(within_s):
            while not seen():
                self._changed.clear()
                await self._changed.wait()

    async def until_newer(self, nodes: tuple[NodeName, ...], than: datetime, *, within_s: float) -> None:
        """Wait until each node has sent a value whose source time is after `than`; raises TimeoutError."""

        def newer() -> bool:
            return all(any(s.newest and s.newest > than for s in self.of(node)) for node in nodes)

        await self.until(newer, within_s=within_s)

    async def _listen(self) -> None:
        while True:
            with contextlib.suppress(aiomqtt.MqttError):
                await self._connection()
            await asyncio.sleep(_RETRY_S)

    async def _connection(self) -> None:
        identifier = f"witness-{id(self)}"
        async with Client(
            self._broker, identifier=identifier, clean_start=False, session_expiry_s=_SESSION_EXPIRY_S
        ) as client:
            await client.subscribe(self._topics.every(Kind.TAGS), qos=1)
            self._subscribed.set()
            async for message in client.messages:
                self._take(message)
                client.acknowledge(message)

    def _take(self, message: aiomqtt.Message) -> None:
        address = self._topics.parse(str(message.topic))
        if address is None or not isinstance(message.payload, bytes):
            return
        batch = decode(TagBatch, message.payload)
        self.streams[address.node, batch.epoch, batch.plc].take(batch)
        self._changed.set()
