"""A node that says what a test wants it to say, over a real broker and under a node's own access rules."""

import asyncio
from collections.abc import Callable, Iterable
from contextlib import suppress
from datetime import UTC, datetime
from types import TracebackType
from typing import Any, Self

import msgspec

from link.broker import Broker
from link.client import Client, LinkError, user_properties
from wire.codec import decode_command, encode
from wire.messages import Command, Fault, Left, Outcome, Phase, Presence
from wire.topics import Kind, NodeName, Topics

Script = Callable[[Command, int], Iterable[Outcome]]
"""A command and how many times it had been delivered before, to what the node says then."""


def outcome(node: NodeName, command: Command, seq: int, phase: Phase, **more: Any) -> Outcome:
    """One phase, with what every end has."""
    left = {"left": Left.CHANGED if phase is Phase.SUCCEEDED else Left.UNCHANGED} if phase.is_end else {}
    about = {"verb": command.verb, "app": command.app} | left | more
    return Outcome(command_id=command.id, node=str(node), seq=seq, phase=phase, at=datetime.now(UTC), **about)


def succeed(node: NodeName) -> Script:
    """Accept, run and succeed."""
    phases = (Phase.ACCEPTED, Phase.RUNNING, Phase.SUCCEEDED)
    return lambda command, _: [outcome(node, command, seq, phase) for seq, phase in enumerate(phases)]


def fail(node: NodeName, fault: Fault) -> Script:
    """Accept and fail."""
    return lambda command, _: [
        outcome(node, command, 0, Phase.ACCEPTED),
        outcome(node, command, 1, Phase.FAILED, error=fault, left=Left.ROLLED_BACK),
    ]


class ScriptedNode:
    """An async context manager: connected and subscribed when entered; presence is retained and cleared at the end."""

    def __init__(self, broker: Broker, node: NodeName, script: Script | None = None) -> None:
        self.node = node
        self.deliveries: list[tuple[Command, list[tuple[str, str]]]] = []
        self.payloads: list[bytes] = []
        self._broker = broker
        self._script = script or succeed(node)
        self._topics = Topics()
        self._ready = asyncio.Event()
        self._delivered = asyncio.Event()
        self._client: Client | None = None
        self._task: asyncio.Task[None] | None = None
        self._retained: set[str] = set()

    async def __aenter__(self) -> Self:
        self._task = asyncio.create_task(self._live(), name=f"scripted {self.node}")
        await asyncio.wait_for(self._ready.wait(), 10)
        await self.retain(Kind.PRESENCE, (), self.presence(online=True))
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None
    ) -> None:
        assert self._task is not None
        with suppress(LinkError):
            for topic in self._retained:
                await self._send(topic, b"", retain=True)
        self._task.cancel()
        with suppress(asyncio.CancelledError):
            await self._task

    async def first_delivery(self, *, within_s: float) -> tuple[Command, list[tuple[str, str]]]:
        """Wait for a command; raises TimeoutError."""
        async with asyncio.timeout(within_s):
            await self._delivered.wait()
        return self.deliveries[0]

    def presence(self, *, online: bool) -> Presence:
        """What a node says when it comes, or goes."""
        since = datetime.now(UTC)
        reason = None if online else "stopped"
        return Presence(node=str(self.node), online=online, session="s-1", since=since, version="0.0", reason=reason)

    async def retain(self, kind: Kind, names: tuple[str, ...], message: msgspec.Struct) -> None:
        """Publish a retained message, to be cleared at the end."""
        topic = self._topics.of(self.node, kind, *names)
        self._retained.add(topic)
        await self._send(topic, encode(message), retain=True)

    async def publish(self, kind: Kind, *names: str, message: msgspec.Struct) -> None:
        """Publish a message."""
        await self._send(self._topics.of(self.node, kind, *names), encode(message))

    async def _send(self, topic: str, payload: bytes, *, retain: bool = False) -> None:
        assert self._client is not None
        await self._client.send(topic, payload, retain=retain)

    async def _live(self) -> None:
        while True:
            with suppress(LinkError):
                await self._connection()
            await asyncio.sleep(0.1)

    async def _connection(self) -> None:
        identifier = f"scripted-{self.node.site}-{self.node.node}"
        async with Client(self._broker, identifier=identifier, clean_start=True, session_expiry_s=0) as client:
            self._client = client
            await client.subscribe([(topic, 1) for topic in self._topics.commands_for(self.node)])
            self._ready.set()
            async for message in client.messages:
                client.acknowledge(message)
                self.payloads.append(bytes(message.payload))
                command = decode_command(self.payloads[-1])
                before = sum(command.id == earlier.id for earlier, _ in self.deliveries)
                self.deliveries.append((command, user_properties(message)))
                self._delivered.set()
                for said in self._script(command, before):
                    await self.publish(Kind.OUTCOME, command.id, message=said)
