"""One connection to a broker: aiomqtt's client, told what it leaves out.

- **Acknowledged by hand.** paho acknowledges a message as soon as aiomqtt has queued it; a crash then loses it. Here a
  QoS 1 message stays the broker's until `acknowledge`, and the receive maximum bounds how many are out at once, which
  bounds aiomqtt's queue as well.
- **A refused publish is an error.** aiomqtt ignores a PUBACK's reason code, so "not authorized" looks like success.
- **Made anew for every connection**: a used one does not wait for CONNACK (field notes on aiomqtt 2.5).
"""

import asyncio
import logging
from typing import Any

import aiomqtt
from paho.mqtt.client import MQTT_ERR_SUCCESS
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode

from link.broker import Broker

RECEIVE_MAXIMUM = 100
"""QoS 1 messages that the broker may have out to us unacknowledged."""
WINDOW = 100
"""QoS 1 publishes in flight: about a hundred is where throughput stops rising (field notes, measured)."""
TIMEOUT_S = 15.0
_REFUSED = 0x80

_log = logging.getLogger("link.aiomqtt")
_log.setLevel(logging.ERROR)


class LinkError(Exception):
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


class Client(aiomqtt.Client):
    """A connection to be used once, as an async context manager."""

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
        connect = Properties(PacketTypes.CONNECT)  # type: ignore[no-untyped-call]
        connect.SessionExpiryInterval = session_expiry_s
        connect.ReceiveMaximum = receive_maximum
        super().__init__(
            broker.host,
            broker.port,
            username=broker.username,
            password=broker.secret(),
            identifier=identifier,
            protocol=aiomqtt.ProtocolVersion.V5,
            clean_start=clean_start,
            will=will,
            properties=connect,
            keepalive=broker.keepalive_s,
            tls_context=broker.tls_context(),
            timeout=TIMEOUT_S,
            max_inflight_messages=WINDOW,
            logger=_log,
        )
        self.session_present = False
        """Whether the broker still had our session when we connected."""
        self._unconfirmed: dict[int, asyncio.Future[ReasonCode]] = {}
        self._client.manual_ack_set(True)
        self._client.on_connect = self._on_connack
        self._client.on_publish = self._on_puback
        self._client.on_disconnect = self._on_lost

    def _on_connack(self, client: Any, userdata: Any, flags: Any, *rest: Any) -> None:
        self.session_present = bool(flags.session_present)
        super()._on_connect(client, userdata, flags, *rest)

    def _on_puback(self, _client: Any, _userdata: Any, mid: int, reason: ReasonCode, _properties: Any) -> None:
        confirmation = self._unconfirmed.pop(mid, None)
        if confirmation is not None and not confirmation.done():
            confirmation.set_result(reason)

    def _on_lost(self, *about: Any) -> None:
        super()._on_disconnect(*about)
        for confirmation in self._unconfirmed.values():
            if not confirmation.done():
                confirmation.set_exception(LinkError("the connection was lost before the broker confirmed"))
        self._unconfirmed.clear()

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
        properties = _publish_properties(user_properties, response_topic, correlation_data)
        info = self._client.publish(topic, payload, qos, retain, properties)
        if info.rc != MQTT_ERR_SUCCESS:
            raise LinkError(f"not connected (paho {info.rc})")
        if qos == 0:
            return
        reason = await self._confirmation(info.mid)
        if reason.value >= _REFUSED:
            raise PublishRefusedError(topic, str(reason))

    async def _confirmation(self, mid: int) -> ReasonCode:
        confirmation: asyncio.Future[ReasonCode] = asyncio.get_running_loop().create_future()
        self._unconfirmed[mid] = confirmation
        try:
            async with asyncio.timeout(TIMEOUT_S):
                return await confirmation
        except TimeoutError:
            raise LinkError(f"no confirmation within {TIMEOUT_S:g} s") from None
        finally:
            self._unconfirmed.pop(mid, None)

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


def _publish_properties(
    pairs: list[tuple[str, str]] | None, response_topic: str | None, correlation_data: bytes | None
) -> Properties | None:
    if not (pairs or response_topic or correlation_data):
        return None
    properties = Properties(PacketTypes.PUBLISH)  # type: ignore[no-untyped-call]
    if pairs:
        properties.UserProperty = pairs
    if response_topic:
        properties.ResponseTopic = response_topic
    if correlation_data:
        properties.CorrelationData = correlation_data
    return properties
