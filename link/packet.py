"""What a PUBLISH is made of, and how large that makes it."""

from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties


def connect_properties(*, session_expiry_s: int, receive_maximum: int) -> Properties:
    """How long the broker keeps our session, and how many messages it may have out to us unacknowledged."""
    properties = Properties(PacketTypes.CONNECT)  # type: ignore[no-untyped-call]
    properties.SessionExpiryInterval = session_expiry_s
    properties.ReceiveMaximum = receive_maximum
    return properties


def packet_bytes(topic: str, payload: bytes, properties: Properties | None) -> int:
    """How large a PUBLISH becomes at most (MQTT 5, 3.3): a broker disconnects who sends more than it takes."""
    packed = 1 if properties is None else len(properties.pack())  # type: ignore[no-untyped-call]
    return 5 + 2 + len(topic.encode()) + 2 + packed + len(payload)


def publish_properties(
    pairs: list[tuple[str, str]] | None, response_topic: str | None, correlation_data: bytes | None
) -> Properties | None:
    """The MQTT 5 properties of a PUBLISH; None where it has none."""
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
