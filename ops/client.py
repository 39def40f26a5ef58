"""The async client: send a command and follow it, follow a tag stream, read the fleet.

    client = OpsClient(parse_broker_url("mqtt://ops:secret@broker:1883"))
    async for outcome in client.send(command):
        print(outcome.node, outcome.phase)

Each call has a connection of its own, so that any number of them may be under way.
"""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Collection, Iterable

from link.broker import Broker
from link.client import LinkError
from link.reconnect import BackOff
from ops.connection import RECONNECT, connected, subscribe
from ops.errand import Errand, NoAnswerError, Patience, Signer, levels_of
from ops.fleet import Fleet, fold
from ops.retained import retained_messages
from wire.codec import ContractError, decode
from wire.continuity import Arrival, Position, arrive
from wire.messages import Command, Outcome, TagBatch
from wire.topics import Kind, NodeName, Topics

__all__ = ["Errand", "NoAnswerError", "OpsClient", "Patience", "Signer"]


class OpsClient:
    """What a person or a program at the centre does with a fleet, through a broker alone."""

    def __init__(
        self,
        broker: Broker,
        *,
        topics: Topics | None = None,
        signer: Signer | None = None,
        patience: Patience | None = None,
    ) -> None:
        self._broker = broker
        self._topics = topics or Topics()
        self._signer = signer
        self._patience = patience or Patience()

    def errand(self, command: Command, nodes: Iterable[str]) -> Errand:
        """A command under way to nodes (`site/node`) that are known, with its whole picture at any time."""
        return Errand(
            command,
            nodes,
            broker=self._broker,
            topics=self._topics,
            signer=self._signer,
            patience=self._patience,
        )

    async def post(self, command: Command) -> None:
        """Publish a command once and not wait for anything; raises LinkError and PublishRefusedError."""
        await self.errand(command, ()).post()

    async def send(self, command: Command) -> AsyncGenerator[Outcome, None]:
        """Send a command and yield its outcomes, each once and in order, until every node that it means has ended.

        Who is meant by a broadcast is read from retained presence. Raises NoAnswerError, LinkError and
        PublishRefusedError, as `Errand.run`.
        """
        known = await self.present(command.target)
        errand = self.errand(command, map(str, known.meant_by(command.target)))
        async for outcome in errand.run():
            yield outcome

    async def present(self, target: str) -> Fleet:
        """The presence of the nodes that a target means, as far as the broker knows; raises LinkError."""
        return await self.fleet(**levels_of(target), kinds=(Kind.PRESENCE,))

    async def fleet(
        self,
        *,
        site: str = "+",
        node: str = "+",
        kinds: Collection[Kind] = (Kind.PRESENCE, Kind.HEALTH, Kind.APP),
    ) -> Fleet:
        """Read what is retained of the fleet, of a site or of a node; raises LinkError."""
        fleet = Fleet()
        async with connected(self._broker) as client:
            filters = [self._topics.every(kind, site=site, node=node) for kind in kinds]
            async for topic, payload in retained_messages(client, self._topics, filters):
                fleet = fold(fleet, self._topics, topic, payload)
        return fleet

    async def tags(
        self, node: NodeName, plc: str | None = None, *, session: str | None = None, session_expiry_s: int = 86400
    ) -> AsyncGenerator[Arrival, None]:
        """Follow the tag streams of a node: each batch once, with what is missing before it; reconnects for ever.

        With a `session` name nothing is lost while we are away for less than `session_expiry_s`: the broker keeps it,
        and a batch is acknowledged only when the next one is asked for. Raises LinkError if the first connection fails.
        """
        topics = self._topics.every(Kind.TAGS, *filter(None, (plc,)), site=node.site, node=node.node)
        positions: dict[str, Position] = {}
        async for payload in self._payloads(topics, session=session, session_expiry_s=session_expiry_s):
            try:
                batch = decode(TagBatch, payload)
            except ContractError:
                continue
            positions[batch.plc], arrival = arrive(positions.get(batch.plc), batch)
            if arrival.is_new:
                yield arrival

    async def outcomes(self, command_id: str) -> AsyncGenerator[Outcome, None]:
        """Listen to what nodes say of a command from now on, without sending it again; reconnects for ever."""
        async for payload in self._payloads(self._topics.every(Kind.OUTCOME, command_id)):
            try:
                yield decode(Outcome, payload)
            except ContractError:
                continue

    async def _payloads(
        self, topics: str, *, session: str | None = None, session_expiry_s: int = 0
    ) -> AsyncIterator[bytes]:
        """Every message to `topics`, acknowledged when the next is asked for."""
        back_off, was_connected = BackOff(RECONNECT), False
        while True:
            try:
                async with connected(self._broker, session=session, session_expiry_s=session_expiry_s) as client:
                    await subscribe(client, topics)
                    was_connected = True
                    back_off.connected()
                    async for message in client.messages:
                        yield bytes(message.payload)
                        client.acknowledge(message)
            except LinkError as error:
                if error.refused or not was_connected:
                    raise
            await asyncio.sleep(back_off.delay_s())
