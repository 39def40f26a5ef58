"""The controller's one session with the broker.

- The session is persistent and belongs to the database: what nodes say while the controller is away waits at the
  broker, and a controller with a new database is a new subscriber that hears every retained message.
- A message is acknowledged when its batch is on disk, and not before. After a crash, a lost connection or a failed
  commit the broker delivers it again, and folding it again changes nothing.
- A message of QoS 0 is nobody's promise: while the store is slow and thousands wait, it is left out and counted.
- Nothing that a node can send ends the loop: what can't be read is counted, logged sparingly, and acknowledged.
"""

import asyncio
import time
from collections.abc import Callable, Iterator
from datetime import datetime

import structlog
from aiomqtt import Message, MqttError
from msgspec import Struct

from controller.fleet.event import Event
from controller.ingest.batches import Gathering
from controller.ingest.counts import Counts, IngestStats, Sparing
from controller.ingest.reading import KINDS, Received, read
from controller.picture import Picture
from controller.store.database import StoreError
from controller.store.store import Store
from link.broker import Broker
from link.client import Client, LinkError
from link.reconnect import BackOff, Spread
from wire.codec import ContractError
from wire.topics import Topics

SESSION_EXPIRY_S = 7 * 24 * 3600
RECEIVE_MAXIMUM = 4000
"""Messages that the broker may have out to us: several batches, so that it need not wait for a commit."""
BACKLOG_S = 5.0
"""For so long after a connect a message may be one that had waited at the broker."""
REFUSED = 0x80
"""From here on a reason code of a SUBACK is a refusal (MQTT 5, 3.9.3)."""
RECONNECT = Spread(first_s=1.0, longest_s=15.0)

_log = structlog.get_logger("controller.ingest")


class LinkState(Struct, frozen=True, kw_only=True):
    """How the connection to the broker stands."""

    broker: str
    connected: bool
    since: datetime
    """When it was made or lost."""
    error: str | None = None
    """Why it was lost or could not be made."""


class Ingest:
    """Keeps the picture and the store up to what the nodes say. `run` is for ever."""

    def __init__(
        self,
        broker: Broker,
        *,
        topics: Topics,
        identifier: str,
        store: Store,
        picture: Picture,
        now: Callable[[], datetime],
        reconnect: Spread = RECONNECT,
    ) -> None:
        self._broker = broker
        self._topics = topics
        self._identifier = identifier
        self._store = store
        self._picture = picture
        self._now = now
        self._back_off = BackOff(reconnect)
        self._sparing = Sparing()
        self._counts = Counts()
        self.link = LinkState(broker=str(broker), connected=False, since=now())

    def stats(self) -> IngestStats:
        """What came in so far."""
        return self._counts.stats(now_s=time.monotonic())

    async def run(self) -> None:
        """Connect, take in what comes, connect again."""
        while True:
            try:
                await self._connected()
            except* (MqttError, LinkError, StoreError, OSError) as group:
                error = _first(group)
            delay_s = self._back_off.delay_s()
            since = self._now() if self.link.connected else self.link.since
            self.link = LinkState(broker=str(self._broker), connected=False, since=since, error=str(error))
            kind = "store_failed" if isinstance(error, StoreError) else "broker_lost"
            _log.warning(kind, broker=str(self._broker), error=str(error), retry_in_s=round(delay_s, 1))
            await asyncio.sleep(delay_s)

    async def _connected(self) -> None:
        """One connection, from CONNACK to its loss; always ends with an exception."""
        async with self._client() as client, asyncio.TaskGroup() as group:
            gathering: Gathering[tuple[Message, datetime]] = Gathering()
            group.create_task(self._store_batches(client, gathering), name="ingest:store")
            await self._subscribe(client)
            self._back_off.connected()
            self.link = LinkState(broker=str(self._broker), connected=True, since=self._now())
            _log.info("broker_connected", broker=str(self._broker), session_present=client.session_present)
            async for message in client.messages:
                if message.qos == 0 and gathering.is_crowded:
                    self._counts.left_out += 1
                else:
                    gathering.add((message, self._now()))

    async def _subscribe(self, client: Client) -> None:
        """Ask for every kind; a controller that the broker lets be deaf must not call itself connected."""
        topics = [self._topics.every(kind) for kind in KINDS]
        codes = await client.subscribe([(topic, 1) for topic in topics])
        values = [code if isinstance(code, int) else code.value for code in codes]
        refused = [topic for topic, value in zip(topics, values, strict=True) if value >= REFUSED]
        if refused:
            raise LinkError(f"the broker refused to let us read {', '.join(refused)}", refused=True)

    def _client(self) -> Client:
        return Client(
            self._broker,
            identifier=self._identifier,
            clean_start=False,
            session_expiry_s=SESSION_EXPIRY_S,
            receive_maximum=RECEIVE_MAXIMUM,
        )

    async def _store_batches(self, client: Client, gathering: Gathering[tuple[Message, datetime]]) -> None:
        backlog_until = time.monotonic() + BACKLOG_S
        async for batch in gathering.batches():
            queued = client.session_present and time.monotonic() < backlog_until
            await self._take(batch, queued=queued)
            for message, _ in batch:
                client.acknowledge(message)

    async def _take(self, batch: list[tuple[Message, datetime]], *, queued: bool) -> None:
        """Read, fold, store, show: in this order, so that nothing is shown that a restart would forget."""
        events = list(self._read(batch, queued=queued))
        changes = self._picture.draft(events)
        await self._store.write(changes, events)
        self._picture.show(changes, self._now())
        for change in changes:
            if change.forgotten:
                _log.info("node_forgotten", node=str(change.name))
        self._counts.batch(len(batch), now_s=time.monotonic())

    def _read(self, batch: list[tuple[Message, datetime]], *, queued: bool) -> Iterator[Event]:
        for message, received_at in batch:
            received = Received(
                topic=str(message.topic),
                payload=message.payload,
                received_at=received_at,
                retained=message.retain,
                queued=queued,
            )
            try:
                event = read(self._topics, received)
            except ContractError as error:
                self._refuse(received.topic, error)
                continue
            if event is not None:
                self._counts.by_kind[type(event.said).__name__] += 1
                yield event

    def _refuse(self, topic: str, error: ContractError) -> None:
        self._counts.malformed += 1
        if self._sparing.may_speak(topic, now_s=time.monotonic()):
            _log.warning("message_malformed", topic=topic, element=error.element, error=str(error))


def _first(group: BaseExceptionGroup[BaseException]) -> BaseException:
    """The first cause in a group, however deep."""
    error = group.exceptions[0]
    return _first(error) if isinstance(error, BaseExceptionGroup) else error
