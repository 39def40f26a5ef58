"""One connection to a broker: aiomqtt's client, told what it leaves out.

- **Acknowledged by hand.** paho acknowledges a message as soon as aiomqtt has queued it; a crash then loses it. Here a
  QoS 1 message stays the broker's until `acknowledge`, and the receive maximum bounds how many are out at once, which
  bounds aiomqtt's queue as well.
- **A refused publish is an error.** aiomqtt ignores a PUBACK's reason code, so "not authorized" looks like success.
- **A loss is known at once, and one way**: whoever waits for the broker, a message or a confirmation, gets a LinkError.
  A confirmation that doesn't come is a loss too, because its place in the window would never be free again.
- **Nothing is left behind**: a connection attempt that fails or is cancelled closes its socket.
- **Made anew for every connection**: a used one does not wait for CONNACK (field notes on aiomqtt 2.5).
"""

import asyncio
import contextlib
import logging
import sys
import time
from types import TracebackType
from typing import Any, Self

import aiomqtt
from paho.mqtt.client import MQTT_ERR_SUCCESS
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode

from link.broker import Broker
from link.packet import connect_properties, packet_bytes, publish_properties

RECEIVE_MAXIMUM = 100
"""QoS 1 messages that the broker may have out to us unacknowledged."""
WINDOW = 100
"""QoS 1 publishes in flight: about a hundred is where throughput stops rising (field notes, measured)."""
TIMEOUT_S = 15.0
_GOODBYE_S = 2.0
"""A DISCONNECT that doesn't get out in this time, behind what a silent broker doesn't take, stays unsaid."""
_REFUSED = 0x80

_log = logging.getLogger("link.aiomqtt")
_log.setLevel(logging.CRITICAL)  # what goes wrong is raised, and said once by whoever handles it


class LinkError(aiomqtt.MqttError):
    """The connection failed or is gone: connect again and repeat. `refused` if the broker said no to who we are."""

    def __init__(self, message: str, *, refused: bool = False) -> None:
        super().__init__(message)
        self.refused = refused


class PublishRefusedError(Exception):
    """The broker took the message and threw it away: an ACL, a quota, a bad topic. Repeating won't help."""

    def __init__(self, topic: str, reason: str) -> None:
        super().__init__(f"the broker refused a message to {topic}: {reason}")
        self.topic = topic
        self.reason = reason


class Messages(aiomqtt.client.MessagesIterator):
    """What arrives, one by one; ends with a LinkError."""

    _client: "Client"

    async def __anext__(self) -> aiomqtt.Message:
        try:
            return await super().__anext__()
        except aiomqtt.MqttError as error:
            raise LinkError(f"the connection was lost: {self._client.loss or error.__cause__}") from error


class Client(aiomqtt.Client):
    """A connection to be used once, as an async context manager. Entering raises LinkError.

    Made with a password file or certificates that can't be read, it raises OSError.
    """

    def __init__(
        self,
        broker: Broker,
        *,
        identifier: str,
        clean_start: bool,
        session_expiry_s: int,
        will: aiomqtt.Will | None = None,
        receive_maximum: int = RECEIVE_MAXIMUM,
    ) -> None:
        super().__init__(
            broker.host,
            broker.port,
            username=broker.username,
            password=broker.secret(),
            identifier=identifier,
            protocol=aiomqtt.ProtocolVersion.V5,
            clean_start=clean_start,
            will=will,
            properties=connect_properties(session_expiry_s=session_expiry_s, receive_maximum=receive_maximum),
            keepalive=broker.keepalive_s,
            tls_context=broker.tls_context(),
            timeout=TIMEOUT_S,
            max_inflight_messages=WINDOW,
            logger=_log,
        )
        self.session_present = False
        """Whether the broker still had our session when we connected."""
        self.loss: str | None = None
        """Why the connection is gone; None while it stands."""
        self._abandoned = False
        self._max_packet_bytes = sys.maxsize
        self._unconfirmed: dict[int, asyncio.Future[ReasonCode]] = {}
        self._confirmed_at = 0.0
        self._client.manual_ack_set(True)
        self._client.on_connect = self._on_connack
        self._client.on_publish = self._on_puback
        self._client.on_disconnect = self._on_lost

    # --- connecting and leaving

    async def __aenter__(self) -> Self:
        first = self._disconnected
        first.add_done_callback(self._on_disconnected)
        try:
            await super().__aenter__()
        except aiomqtt.exceptions.MqttConnectError as error:
            self._abandon()
            raise LinkError(f"the broker refused the connection: {error.rc}", refused=True) from error
        except aiomqtt.MqttError as error:
            self._abandon()
            raise LinkError(f"no connection: {error}") from error
        except BaseException:
            self._abandon()
            raise
        if self._disconnected is not first:  # lost as soon as made, which aiomqtt then forgets
            self._abandon()
            raise LinkError("the connection was lost as soon as it was made")
        return self

    async def __aexit__(
        self, exc_type: type[BaseException] | None, exc: BaseException | None, tb: TracebackType | None
    ) -> None:
        self.timeout = _GOODBYE_S
        try:
            with contextlib.suppress(aiomqtt.MqttError):
                await super().__aexit__(exc_type, exc, tb)
        finally:
            self._abandon()

    def _client_connect(self) -> None:
        """In a thread, that goes on when the coroutine that waits for it is cancelled."""
        try:
            super()._client_connect()
        finally:
            with contextlib.suppress(RuntimeError):  # the loop may have ended meanwhile
                self._loop.call_soon_threadsafe(self._close_if_abandoned)

    def _abandon(self) -> None:
        self._abandoned = True
        self._close_if_abandoned()

    def _close_if_abandoned(self) -> None:
        if self._abandoned:
            self._client._sock_close()  # paho has no public way that sends no DISCONNECT

    # --- what paho calls

    def _on_connack(
        self, client: Any, userdata: Any, flags: Any, reason: ReasonCode, properties: Properties | None = None
    ) -> None:
        self.session_present = bool(flags.session_present)
        self._max_packet_bytes = getattr(properties, "MaximumPacketSize", sys.maxsize)
        window = min(WINDOW, getattr(properties, "ReceiveMaximum", WINDOW))
        self._client._max_inflight_messages = window  # paho would send more than the broker takes, and be thrown out
        super()._on_connect(client, userdata, flags, reason, properties)

    def _on_puback(self, _client: Any, _userdata: Any, mid: int, reason: ReasonCode, _properties: Any) -> None:
        self._confirmed_at = time.monotonic()
        confirmation = self._unconfirmed.pop(mid, None)
        if confirmation is not None and not confirmation.done():
            confirmation.set_result(reason)

    def _on_lost(self, client: Any, userdata: Any, flags: Any, reason: Any, properties: Any = None) -> None:
        if not self._connected.done():  # aiomqtt would wait for a CONNACK that can't come any more
            self._connected.set_exception(aiomqtt.MqttError("it was closed before the broker accepted it"))
        elif not self._connected.cancelled():
            self.loss = self.loss or _why_lost(reason, said_by_broker=flags.is_disconnect_packet_from_server)
            super()._on_disconnect(client, userdata, flags, reason, properties)

    def _on_disconnected(self, disconnected: asyncio.Future[None]) -> None:
        """Take note of the end, whoever listens; read the error, so that asyncio doesn't complain that nobody did."""
        error = None if disconnected.cancelled() else disconnected.exception()
        self.loss = self.loss or str(error or "disconnected")
        for confirmation in self._unconfirmed.values():
            if not confirmation.done():
                confirmation.set_exception(LinkError("the connection was lost before the broker confirmed"))
        self._unconfirmed.clear()

    # --- what is sent

    async def subscribe(self, topic: Any, qos: int = 0, *args: Any, **kwargs: Any) -> list[ReasonCode]:
        """Subscribe, and return the granted QoS; raises LinkError, with `refused` where the broker said no."""
        try:
            granted = await super().subscribe(topic, qos, *args, **kwargs)
        except aiomqtt.MqttError as error:
            raise LinkError(f"not subscribed: {self.loss or error}") from error
        codes = [code for code in granted if isinstance(code, ReasonCode)]
        if any(code.value >= _REFUSED for code in codes):
            raise LinkError(f"the broker refused the subscription to {topic}: {codes}", refused=True)
        return codes

    async def send(
        self,
        topic: str,
        payload: bytes,
        *,
        qos: int = 1,
        retain: bool = False,
        user_properties: list[tuple[str, str]] | None = None,
        response_topic: str | None = None,
        correlation_data: bytes | None = None,
    ) -> None:
        """Publish; returns at the PUBACK. Raises LinkError, or PublishRefusedError where the broker said no."""
        if self.loss is not None:
            raise LinkError(f"not connected: {self.loss}")
        if not topic or "\0" in topic:  # which paho lets pass, and the broker hangs up on
            raise PublishRefusedError(topic, "Invalid topic.")
        properties = publish_properties(user_properties, response_topic, correlation_data)
        if packet_bytes(topic, payload, properties) > self._max_packet_bytes:
            raise PublishRefusedError(topic, f"Packet too large: the broker takes {self._max_packet_bytes} bytes")
        try:
            info = self._client.publish(topic, payload, qos, retain, properties)
        except ValueError as error:  # such a topic may come from outside: a command says where it wants its answer
            raise PublishRefusedError(topic, str(error)) from error
        if info.rc != MQTT_ERR_SUCCESS:
            raise LinkError(f"not connected (paho {info.rc})")
        if qos == 0:
            return
        reason = await self._confirmation(info.mid)
        if reason.value >= _REFUSED:
            raise PublishRefusedError(topic, str(reason))

    async def _confirmation(self, mid: int) -> ReasonCode:
        """Wait for the PUBACK, as long as the broker confirms anything: over a narrow line a message may wait long."""
        confirmation: asyncio.Future[ReasonCode] = asyncio.get_running_loop().create_future()
        self._unconfirmed[mid] = confirmation
        since = time.monotonic()
        try:
            while not confirmation.done():
                left_s = max(since, self._confirmed_at) + TIMEOUT_S - time.monotonic()
                if left_s <= 0:
                    self._give_up(f"no confirmation within {TIMEOUT_S:g} s")
                    raise LinkError(f"no confirmation within {TIMEOUT_S:g} s")
                await asyncio.wait((confirmation,), timeout=left_s)
            return confirmation.result()
        finally:
            self._unconfirmed.pop(mid, None)

    def _give_up(self, reason: str) -> None:
        if not self._disconnected.done():
            self._disconnected.set_exception(LinkError(reason))
        self._abandon()

    # --- what arrives

    @property
    def messages(self) -> Messages:
        """What arrives, one by one."""
        return Messages(self)

    async def received(self) -> list[aiomqtt.Message]:
        """Wait for a message; return it with all that have come with it, in order. Raises LinkError.

        Waking once for many is what makes a busy subscriber cheap (field notes on aiomqtt, measured).
        """
        gathered = [await anext(self.messages)]
        while not self._queue.empty():
            gathered.append(self._queue.get_nowait())
        return gathered

    def acknowledge(self, message: aiomqtt.Message) -> None:
        """Tell the broker that a message is safe with us; for QoS 0 there is nothing to tell."""
        self._client.ack(message.mid, message.qos)


def user_properties(message: aiomqtt.Message) -> list[tuple[str, str]]:
    """The MQTT 5 user properties of a message, in order; empty where it has none."""
    return list(getattr(message.properties, "UserProperty", None) or [])


def response_topic(message: aiomqtt.Message) -> str | None:
    """Where the sender of a request wants the response, if anywhere."""
    return getattr(message.properties, "ResponseTopic", None)


def correlation_data(message: aiomqtt.Message) -> bytes | None:
    """What the sender of a request wants to find again in the response, if anything."""
    return getattr(message.properties, "CorrelationData", None)


def _why_lost(reason: Any, *, said_by_broker: bool) -> str:
    if said_by_broker:
        return f"the broker said: {reason}"
    return "it was closed without a word" if getattr(reason, "value", None) == _REFUSED else str(reason)
