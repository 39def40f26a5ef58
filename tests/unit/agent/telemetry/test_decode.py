"""The decoder over bytes: equal to asyncua's, whatever stands in a notification."""

import math
import random
import struct
import time
import uuid
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from asyncua import ua
from asyncua.common.utils import Buffer
from asyncua.ua.ua_binary import struct_from_binary, struct_to_binary
from hypothesis import example, given
from hypothesis import strategies as st

from agent.telemetry.decode import BAD_DECODING_ERROR, decode_changes, decode_publish, decode_republish
from agent.telemetry.notification import Change, MalformedError
from agent.telemetry.value import to_json

Type = ua.VariantType
EPOCH = datetime(1601, 1, 1, tzinfo=UTC)


def item(handle: int, value: Any, kind: Type | None = None, **fields: Any) -> ua.MonitoredItemNotification:
    variant = value if isinstance(value, ua.Variant) else ua.Variant(value, kind)
    return ua.MonitoredItemNotification(ClientHandle=handle, Value=ua.DataValue(variant, **fields))


def body_of(items: list[ua.MonitoredItemNotification]) -> bytes:
    return struct_to_binary(ua.DataChangeNotification(MonitoredItems=items))


def response_of(items: list[ua.MonitoredItemNotification], sequence: int = 7) -> bytes:
    message = ua.NotificationMessage(SequenceNumber=sequence, PublishTime=datetime(2024, 5, 6, tzinfo=UTC))
    if items:
        message.NotificationData = [ua.DataChangeNotification(MonitoredItems=items)]
    result = ua.PublishResult(SubscriptionId=5, AvailableSequenceNumbers=[6, 7], NotificationMessage=message)
    return struct_to_binary(ua.PublishResponse(Parameters=result))


def by_asyncua(body: bytes) -> list[Change]:
    notification = struct_from_binary(ua.DataChangeNotification, Buffer(body))
    return [
        (
            found.ClientHandle,
            to_json(found.Value.Value.Value),
            found.Value.StatusCode.value,
            None if found.Value.SourceTimestamp in (None, EPOCH) else found.Value.SourceTimestamp,
        )
        for found in notification.MonitoredItems
    ]


def times() -> st.SearchStrategy[datetime]:
    return st.datetimes(datetime(1601, 1, 1), datetime(9999, 12, 31)).map(lambda naive: naive.replace(tzinfo=UTC))


def integers(bits: int, *, signed: bool) -> st.SearchStrategy[int]:
    return st.integers(-(1 << bits - 1), (1 << bits - 1) - 1) if signed else st.integers(0, (1 << bits) - 1)


TEXT = st.text(st.characters(codec="utf-8"), max_size=20)
NODE_IDS = st.one_of(
    st.builds(ua.NodeId, st.integers(0, 2**32 - 1), st.integers(0, 9)),
    st.builds(ua.NodeId, st.text(st.characters(codec="utf-8"), min_size=1, max_size=9), st.integers(0, 9)),
    st.builds(ua.NodeId, st.uuids(), st.integers(0, 9)),
)
SCALARS: dict[Type, st.SearchStrategy[Any]] = {
    Type.Boolean: st.booleans(),
    Type.SByte: integers(8, signed=True),
    Type.Byte: integers(8, signed=False),
    Type.Int16: integers(16, signed=True),
    Type.UInt16: integers(16, signed=False),
    Type.Int32: integers(32, signed=True),
    Type.UInt32: integers(32, signed=False),
    Type.Int64: integers(64, signed=True),
    Type.UInt64: integers(64, signed=False),
    Type.Float: st.floats(width=32),
    Type.Double: st.floats(),
    Type.String: st.none() | TEXT,
    Type.DateTime: times(),
    Type.Guid: st.uuids(),
    Type.ByteString: st.none() | st.binary(max_size=20),
    Type.XmlElement: TEXT.map(ua.XmlElement),
    Type.NodeId: NODE_IDS,
    Type.StatusCode: integers(32, signed=False).map(ua.StatusCode),
    Type.QualifiedName: st.builds(ua.QualifiedName, TEXT, st.integers(0, 9)),
    Type.LocalizedText: st.builds(ua.LocalizedText, st.none() | TEXT, st.none() | TEXT),
    Type.ExtensionObject: st.builds(ua.Range, st.floats(), st.floats()),
}


@st.composite
def variants(draw: st.DrawFn) -> ua.Variant:
    kind = draw(st.sampled_from([Type.Null, *SCALARS]))
    if kind is Type.Null:
        return ua.Variant(None, Type.Null)
    if draw(st.integers(0, 3)):
        return ua.Variant(draw(SCALARS[kind]), kind)
    return ua.Variant(draw(st.lists(SCALARS[kind], max_size=4)), kind, is_array=True)


@st.composite
def items(draw: st.DrawFn) -> ua.MonitoredItemNotification:
    pico = draw(st.none() | st.integers(0, 9999))
    value = ua.DataValue(
        draw(variants()),
        draw(st.none() | st.sampled_from([0, 0x480, 0x40000000, 0x80000000, 0xFFFFFFFF]).map(ua.StatusCode)),
        SourceTimestamp=draw(st.none() | times()),
        ServerTimestamp=draw(st.none() | times()),
        SourcePicoseconds=pico,
        ServerPicoseconds=draw(st.none() | st.integers(0, 9999)),
    )
    return ua.MonitoredItemNotification(ClientHandle=draw(st.integers(0, 2**32 - 1)), Value=value)


@given(st.lists(items(), max_size=8))
@example([item(1, float("nan"), Type.Double), item(2, float("-inf"), Type.Float), item(3, None, Type.String)])
def test_any_notification_is_decoded_as_asyncua_decodes_it(given_items: list[ua.MonitoredItemNotification]) -> None:
    body = body_of(given_items)
    changes, malformed = decode_changes(body, 0, len(body))
    assert malformed is None
    assert changes == by_asyncua(body)


@given(st.lists(items(), min_size=1, max_size=4), st.data())
def test_mutilated_notifications_never_raise(found: list[ua.MonitoredItemNotification], data: st.DataObject) -> None:
    body = bytearray(body_of(found))
    for _ in range(data.draw(st.integers(1, 5))):
        body[data.draw(st.integers(0, len(body) - 1))] = data.draw(st.integers(0, 255))
    cut = data.draw(st.integers(0, len(body)))
    changes, _ = decode_changes(bytes(body[:cut]), 0, cut)
    assert len(changes) <= cut // 5


def test_publish_response_gives_subscription_sequence_and_changes() -> None:
    at = datetime(2024, 5, 6, 7, 8, 9, 123456, tzinfo=UTC)
    published = decode_publish(response_of([item(3, 1.5, Type.Double, SourceTimestamp=at)]))
    assert (published.subscription_id, published.service_result) == (5, 0)
    assert published.notification.sequence == 7
    assert not published.notification.keep_alive
    assert published.notification.changes == ((3, 1.5, 0, at),)


def test_a_response_without_notifications_is_a_keep_alive() -> None:
    assert decode_publish(response_of([])).notification.keep_alive


def test_the_end_of_a_subscription_is_seen() -> None:
    message = ua.NotificationMessage(SequenceNumber=3)
    message.NotificationData = [ua.StatusChangeNotification(Status=ua.StatusCode(ua.StatusCodes.BadTimeout))]
    response = struct_to_binary(ua.PublishResponse(Parameters=ua.PublishResult(NotificationMessage=message)))
    assert decode_publish(response).notification.ended == ua.StatusCodes.BadTimeout


def test_republish_response_gives_the_notification() -> None:
    message = ua.NotificationMessage(SequenceNumber=9)
    message.NotificationData = [ua.DataChangeNotification(MonitoredItems=[item(1, 4, Type.Int32)])]
    response = struct_to_binary(ua.RepublishResponse(NotificationMessage=message))
    assert decode_republish(response).changes == ((1, 4, 0, None),)


@pytest.mark.parametrize("length", range(0, 40, 3))
def test_a_truncated_response_is_malformed(length: int) -> None:
    with pytest.raises(MalformedError):
        decode_publish(response_of([])[:length])


def test_what_stands_before_a_broken_change_is_kept() -> None:
    body = body_of([item(1, 4, Type.Int32), item(2, "long enough text", Type.String)])
    changes, malformed = decode_changes(body[:-14], 0, len(body) - 14)
    assert [change[:2] for change in changes] == [(1, 4)]
    assert malformed


def test_a_structure_becomes_an_object_and_an_unknown_one_its_bytes() -> None:
    unknown = ua.ExtensionObject(TypeId=ua.NodeId(4711, 3), Body=b"\x01\x02")
    body = body_of([item(1, ua.Range(0.0, 9.5), Type.ExtensionObject), item(2, unknown, Type.ExtensionObject)])
    changes, _ = decode_changes(body, 0, len(body))
    assert changes[0][1] == {"Low": 0.0, "High": 9.5}
    assert changes[1][1] == {"TypeId": "ns=3;i=4711", "Body": "AQI="}


def test_a_structure_that_cannot_be_decoded_spoils_no_neighbour() -> None:
    broken = ua.ExtensionObject(TypeId=ua.NodeId(ua.ObjectIds.Range_Encoding_DefaultBinary), Body=b"\x00")
    body = body_of([item(1, broken, Type.ExtensionObject), item(2, 5, Type.Int32)])
    changes, malformed = decode_changes(body, 0, len(body))
    assert malformed is None
    assert changes[0][:3] == (1, None, BAD_DECODING_ERROR)
    assert changes[1][:2] == (2, 5)


def test_an_array_of_nothing_does_not_count_to_its_length() -> None:
    body = struct.pack("<iIBBi", 1, 1, 1, 0x80, 2**31 - 1) + b"\x00" * 8
    started = time.monotonic()
    assert decode_changes(body, 0, len(body))[1]
    assert time.monotonic() - started < 0.1


def test_a_value_that_was_not_sent_is_null() -> None:
    body = struct.pack("<iIBI", 1, 8, 2, 0x80310000)
    assert decode_changes(body, 0, len(body)) == ([(8, None, 0x80310000, None)], None)


def test_picoseconds_stand_behind_their_own_time() -> None:
    at = 10 * ((datetime(2024, 1, 2, tzinfo=UTC) - EPOCH) // timedelta(microseconds=1))
    body = struct.pack("<iIBBiqHqH", 1, 8, 0x3D, 6, 41, at, 7, 99, 8)
    assert decode_changes(body, 0, len(body)) == ([(8, 41, 0, datetime(2024, 1, 2, tzinfo=UTC))], None)


def test_text_that_is_no_utf8_stays_writable_as_json() -> None:
    body = struct.pack("<iIBBi", 1, 1, 1, 12, 3) + b"a\xff\xc3"
    ((_, text, _, _),), _ = decode_changes(body, 0, len(body))
    assert text.startswith("a")
    assert text.encode("utf-8")


def test_numbers_that_json_lacks_have_names() -> None:
    body = body_of([item(1, math.nan, Type.Double), item(2, math.inf, Type.Float), item(3, -math.inf, Type.Double)])
    changes, _ = decode_changes(body, 0, len(body))
    assert [change[1] for change in changes] == ["NaN", "Infinity", "-Infinity"]


def test_guid_is_its_usual_text() -> None:
    guid = uuid.UUID("72962b91-fa75-4ae6-8d28-b404dc7daf63")
    body = body_of([item(1, guid, Type.Guid)])
    assert decode_changes(body, 0, len(body))[0][0][1] == str(guid)


def test_a_thousand_scalars_decode_many_times_faster_than_generically() -> None:
    chance = random.Random(1)
    now = datetime(2024, 1, 1, tzinfo=UTC)
    body = body_of([item(n, chance.random(), Type.Double, SourceTimestamp=now) for n in range(1000)])
    fast = min(_seconds(lambda: decode_changes(body, 0, len(body))) for _ in range(5))
    generic = min(_seconds(lambda: struct_from_binary(ua.DataChangeNotification, Buffer(body))) for _ in range(2))
    assert generic > 5 * fast


def _seconds(work: Any) -> float:
    started = time.process_time()
    work()
    return time.process_time() - started


def test_changes_that_go_past_the_end_of_their_notification_are_not_believed() -> None:
    body = body_of([item(1, 4, Type.Int32), item(2, 5, Type.Int32)])
    changes, malformed = decode_changes(body, 0, len(body) - 8)
    assert (changes, bool(malformed)) == ([], True)
