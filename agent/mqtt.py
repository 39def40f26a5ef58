"""The node's session with its broker: one connection at a time, made again for as long as the agent runs.

- **Commands** are given to `on_command` one by one, in order, and acknowledged to the broker only when it has returned.
  One that is never acknowledged comes again at the next connect; the ledger knows it then. A retained command comes
  when the subscription is new, and is treated like any other.
- **Retained state** is wanted, not sent: `retain` says what a topic should hold, the session publishes it now and again
  at every connect, because the broker is never the only store.
- **Presence** is retained state as well. The will says `lost` when the connection died and nobody came back within the
  will delay; a stop says `stopped`.
- **A loss cancels nothing**: a command that is being made durable ends being made durable.
"""

import asyncio
import secrets
from collections.abc import Awaitable, Callable, Sequence
from datetime import UTC, datetime

import aiomqtt
import structlog
from msgspec import Struct
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.subscribeoptions import SubscribeOptions

from agent.config import MqttConfig
from agent.errors import AgentError
from agent.retained import Retained
from link.client import Client, LinkError, PublishRefusedError, correlation_data, response_topic, user_properties
from link.reconnect import BackOff
from wire.codec import encode
from wire.messages import Presence
from wire.topics import Kind, NodeName, Topics

_AT_ONCE = 50
"""Retained topics published side by side; what the spool has in flight shares the client's window with them."""
_STOP_WITHIN_S = 5.0
_TAKE_AGAIN_S = 2.0
_LOST, _STOPPED = "lost", "stopped"
_log = structlog.get_logger("agent.mqtt")


class Incoming(Struct, frozen=True, kw_only=True):
    """A message from the broker, as it came: nothing of it has been believed yet."""

    topic: str
    payload: bytes
    user_properties: tuple[tuple[str, str], ...] = ()
    response_topic: str | None = None
    correlation_data: bytes | None = None


class Session:
    """The node's one way to the broker.

    `on_command` returns when the command is durable. If it raises a TransientError it is asked again after
    2 s, and the commands behind wait; any other AgentError leaves the command unacknowledged, to come again at the
    next connect.
    """

    def __init__(
        self,
        config: MqttConfig,
        *,
        node: NodeName,
        topics: Topics,
        version: str,
        capabilities: tuple[str, ...],
        on_command: Callable[[Incoming], Awaitable[None]],
    ) -> None:
        self._config = config
        self._node = node
        self._version = version
        self._capabilities = capabilities
        self._on_command = on_command
        self._presence_topic = topics.of(node, Kind.PRESENCE)
        self._command_topics = topics.commands_for(node)
        self._back_off = BackOff(config.reconnect)
        self._client: Client | None = None
        self._number = 0
        self._new_connection = asyncio.Event()
        self._retained = Retained()
        self._to_retain = asyncio.Event()

    # --- what the rooms above use

    @property
    def connected(self) -> bool:
        """Whether a publish has a chance."""
        return self._client is not None and self._client.loss is None

    async def wait_connected(self) -> int:
        """Wait for a connection; returns its number, counted from 1."""
        while not self.connected:
            self._new_connection.clear()
            await self._new_connection.wait()
        return self._number

    def retain(self, topic: str, payload: bytes) -> None:
        """Have `payload` retained at `topic`, now or as soon as there is a connection; empty clears the topic."""
        self._retained.want(topic, payload)
        self._to_retain.set()

    async def publish(
        self,
        topic: str,
        payload: bytes,
        *,
        qos: int = 1,
        response_topic: str | None = None,
        correlation_data: bytes | None = None,
        user_properties: Sequence[tuple[str, str]] | None = None,
    ) -> None:
        """Publish; returns at the PUBACK. Raises LinkError (at once when there is no connection) or
        PublishRefusedError where the broker said no."""
        if self._client is None:
            raise LinkError("there is no connection to the broker")
        await self._client.send(
            topic,
            payload,
            qos=qos,
            response_topic=response_topic,
            correlation_data=correlation_data,
            user_properties=list(user_properties or ()),
        )

    async def run(self) -> None:
        """Stay connected, for ever. When cancelled: says `stopped`, within 5 s, and disconnects, within 2 s."""
        while True:
            event, reason = await self._connect_once()
            retry_in_s = self._back_off.delay_s()
            _log.warning(
                event,
                broker=str(self._config),
                reason=reason,
                failures=self._back_off.failures,
                retry_in_s=round(retry_in_s, 1),
            )
            await asyncio.sleep(retry_in_s)

    # --- one connection

    async def _connect_once(self) -> tuple[str, str]:
        """Returns what happened, and why there is no connection any more, or none at all."""
        session = secrets.token_hex(8)
        try:
            async with self._new_client(session) as client:
                return "broker_lost", await self._live(client, session)
        except LinkError as error:
            return "broker_refused" if error.refused else "broker_unreachable", str(error)
        except OSError as error:  # a secret or a certificate that can't be read just now
            return "broker_unreachable", str(error)
        finally:
            self._client = None

    async def _live(self, client: Client, session: str) -> str:
        try:
            options = SubscribeOptions(qos=1, retainHandling=SubscribeOptions.RETAIN_SEND_IF_NEW_SUB)
            await client.subscribe([(topic, options) for topic in self._command_topics])
            self._begin(client, session)
            return await self._until_lost(client)
        except asyncio.CancelledError:
            await self._take_leave(client, session)
            raise

    def _begin(self, client: Client, session: str) -> None:
        self._back_off.connected()
        self._client = client
        self._number += 1
        _log.info(
            "broker_connected",
            broker=str(self._config),
            connection=self._number,
            session_present=client.session_present,
        )
        self._retained.want(self._presence_topic, self._presence(session))
        self._retained.assert_again()
        self._to_retain.set()
        self._new_connection.set()

    async def _until_lost(self, client: Client) -> str:
        async with asyncio.TaskGroup() as tasks:
            asserting = tasks.create_task(self._keep_retained(client), name="mqtt-retained")
            try:
                return await self._receive(client)
            finally:
                asserting.cancel()

    async def _take_leave(self, client: Client, session: str) -> None:
        """Publish what is still to be said, and that this is the end."""
        try:
            async with asyncio.timeout(_STOP_WITHIN_S):
                while batch := self._retained.take(_AT_ONCE):
                    await self._assert_all(client, batch)
                await self._assert(client, self._presence_topic, self._presence(session, reason=_STOPPED))
        except (LinkError, TimeoutError) as error:
            _log.warning("stop_not_announced", reason=str(error) or "time-out")

    # --- commands

    async def _receive(self, client: Client) -> str:
        """Take commands until the connection is lost; returns why it was."""
        while True:
            try:
                messages = await client.received()
            except LinkError as error:
                return str(error)
            for message in messages:
                if await self._take(client, _incoming(message)):
                    client.acknowledge(message)

    async def _take(self, client: Client, incoming: Incoming) -> bool:
        """Tell whether the command is durable now."""
        while client.loss is None:
            try:
                await self._on_command(incoming)
            except AgentError as error:
                _log.error("command_not_taken", topic=incoming.topic, error=str(error), retry=error.retry)
                if not error.retry:
                    return False
                await asyncio.sleep(_TAKE_AGAIN_S)
            else:
                return True
        return False

    # --- retained state

    async def _keep_retained(self, client: Client) -> None:
        """Publish what is wanted as it comes; ends with the connection, which `_receive` hears of as well."""
        while client.loss is None:
            await self._to_retain.wait()
            self._to_retain.clear()
            while batch := self._retained.take(_AT_ONCE):
                try:
                    await self._assert_all(client, batch)
                except LinkError:
                    return

    async def _assert_all(self, client: Client, batch: list[tuple[str, bytes]]) -> None:
        try:
            results = await asyncio.gather(*(self._assert(client, *wanted) for wanted in batch), return_exceptions=True)
        except asyncio.CancelledError:  # taking leave will publish them
            self._retained.put_back(batch)
            raise
        for error in results:
            if error is not None:
                raise error

    async def _assert(self, client: Client, topic: str, payload: bytes) -> None:
        try:
            await client.send(topic, payload, retain=True)
        except PublishRefusedError as error:
            _log.error("retained_state_refused", topic=topic, reason=error.reason)
        self._retained.confirm(topic, payload)

    # --- presence

    def _presence(self, session: str, *, reason: str | None = None) -> bytes:
        """Online, or away for a reason; a will can't know when it will be true."""
        presence = Presence(
            node=str(self._node),
            online=reason is None,
            session=session,
            since=None if reason == _LOST else datetime.now(UTC),
            reason=reason,
            version=self._version,
            capabilities=self._capabilities,
        )
        return encode(presence)

    def _new_client(self, session: str) -> Client:
        delay = Properties(PacketTypes.WILLMESSAGE)  # type: ignore[no-untyped-call]
        delay.WillDelayInterval = self._config.will_delay_s
        will = aiomqtt.Will(self._presence_topic, self._presence(session, reason=_LOST), 1, True, delay)
        return Client(
            self._config,
            identifier=f"millwright/{self._node}",
            clean_start=False,
            session_expiry_s=self._config.session_expiry_s,
            will=will,
        )


def _incoming(message: aiomqtt.Message) -> Incoming:
    return Incoming(
        topic=str(message.topic),
        payload=bytes(message.payload),
        user_properties=tuple(user_properties(message)),
        response_topic=response_topic(message),
        correlation_data=correlation_data(message),
    )
