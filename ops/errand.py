"""One command, from the first publish to the end on every node that it is meant for.

Delivery does not rest on the broker: the command is sent again, with the same id, until the node has answered, and so
again after every reconnect, for the answer also brings back what was missed meanwhile. A node executes an id at most
once.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Iterable
from datetime import UTC, datetime

import aiomqtt
from msgspec import Struct

from link.broker import Broker
from link.client import Client, LinkError
from link.reconnect import BackOff
from ops.connection import RECONNECT, Inbox, connected, subscribe
from ops.pursuit import Pursuit, pursue, take
from wire.codec import ContractError, decode, encode_command
from wire.messages import Command, Outcome
from wire.signature import Sign, sign
from wire.topics import Kind, Topics


class Patience(Struct, frozen=True, kw_only=True):
    """How often a command is sent again, and how long its end is waited for."""

    first_s: float = 2.0
    factor: float = 1.5
    longest_s: float = 10.0
    grace_s: float = 5.0
    """Beyond the deadline: an end that was in time travels, and clocks differ."""

    def after(self, interval_s: float) -> float:
        """The interval that follows another."""
        return min(self.longest_s, interval_s * self.factor)


class Signer(Struct, frozen=True):
    """A private key, and the name by which nodes trust it."""

    key_id: str
    sign: Sign


class NoAnswerError(Exception):
    """The time is over, and not every node has said how it ended."""

    def __init__(self, pursuit: Pursuit) -> None:
        silent = f"no answer from {', '.join(pursuit.silent)}" if pursuit.silent else ""
        begun = [f"{node} is {pursuit.newest[node].phase}" for node in pursuit.unfinished if node in pursuit.newest]
        super().__init__("; ".join(filter(None, (silent, *begun))))
        self.pursuit = pursuit


class Errand:
    """A command under way. `run` yields what is new; `pursuit` is the whole picture at any time."""

    def __init__(
        self,
        command: Command,
        nodes: Iterable[str],
        *,
        broker: Broker,
        topics: Topics,
        signer: Signer | None,
        patience: Patience,
    ) -> None:
        self.pursuit = pursue(nodes)
        self._command = command
        self._payload = encode_command(command)
        self._properties = _signature_of(self._payload, signer)
        self._broker = broker
        self._topics = topics
        self._patience = patience
        left_s = (command.expires_at - datetime.now(UTC)).total_seconds()
        self._ends_at = time.monotonic() + left_s + patience.grace_s
        self._was_sent = False
        self._heard: set[str] = set()
        """Who has answered on the present connection, be it with what was known."""

    async def run(self) -> AsyncIterator[Outcome]:
        """Send, and yield each outcome that is news until every node has ended.

        Raises NoAnswerError when time is over, LinkError where the command could not be sent even once or the broker
        refuses us, PublishRefusedError where it doesn't let us send this.
        """
        back_off = BackOff(RECONNECT)
        while True:
            try:
                async with connected(self._broker) as client:
                    back_off.connected()
                    async for outcome in self._on(client):
                        yield outcome
                    return
            except LinkError as error:
                if error.refused or not self._was_sent:
                    raise
            await self._pause(back_off.delay_s())

    async def post(self) -> None:
        """Publish once and not wait for an answer; raises LinkError and PublishRefusedError."""
        async with connected(self._broker) as client:
            await self._send(client, [self._command.target])

    async def _pause(self, wanted_s: float) -> None:
        left_s = self._ends_at - time.monotonic()
        if left_s <= 0:
            raise NoAnswerError(self.pursuit)
        await asyncio.sleep(min(wanted_s, left_s))

    async def _on(self, client: Client) -> AsyncIterator[Outcome]:
        """Everything on one connection."""
        await subscribe(client, self._topics.every(Kind.OUTCOME, self._command.id, **levels_of(self._command.target)))
        inbox = Inbox(client)
        self._heard = set()
        try:
            await self._send(client, [self._command.target])
            interval_s = self._patience.first_s
            send_at = time.monotonic() + interval_s
            while not self.pursuit.is_over:
                outcome = await self._news(client, inbox, until=send_at)
                if outcome is not None:
                    yield outcome
                if time.monotonic() >= send_at:
                    await self._send(client, [node for node in self.pursuit.unfinished if node not in self._heard])
                    interval_s = self._patience.after(interval_s)
                    send_at = time.monotonic() + interval_s
        finally:
            inbox.close()

    async def _send(self, client: Client, targets: Iterable[str]) -> None:
        """Publish to these: the whole target at first, afterwards each node by itself."""
        for target in targets:
            topic = self._topics.command_to(target)
            await client.send(topic, self._payload, user_properties=self._properties)
            self._was_sent = True

    async def _news(self, client: Client, inbox: Inbox, *, until: float) -> Outcome | None:
        """The next outcome that is news, if one comes until then; raises NoAnswerError when all time is over."""
        now = time.monotonic()
        if now >= self._ends_at:
            raise NoAnswerError(self.pursuit)
        message = await inbox.next(within_s=min(until, self._ends_at) - now)
        if message is None:
            return None
        client.acknowledge(message)
        outcome = self._outcome_in(message)
        if outcome is None:
            return None
        self._heard.add(outcome.node)
        before, self.pursuit = self.pursuit, take(self.pursuit, outcome)
        return None if self.pursuit is before else outcome

    def _outcome_in(self, message: aiomqtt.Message) -> Outcome | None:
        """What a node says of this command; None for what isn't an outcome, or is said in another node's name."""
        address = self._topics.parse(str(message.topic))
        try:
            outcome = decode(Outcome, bytes(message.payload))
        except ContractError:
            return None
        ours = outcome.command_id == self._command.id and address is not None and outcome.node == str(address.node)
        return outcome if ours else None


def levels_of(target: str) -> dict[str, str]:
    """A target as the site and node levels of a subscription."""
    site, _, node = target.replace("*", "+").partition("/")
    return {"site": site, "node": node or "+"}


def _signature_of(payload: bytes, signer: Signer | None) -> list[tuple[str, str]] | None:
    if signer is None:
        return None
    return sign(payload, key_id=signer.key_id, using=signer.sign).as_properties()
