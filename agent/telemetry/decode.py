"""Bytes of a Publish response become a `Notification`: the hot path of the agent.

A change is a client handle, a mask that says which fields follow, a value and its times. For each (mask, built-in
type) of a fixed length there is one precompiled struct that reads the whole change at once; text has a path of its
own. All else (arrays, structures, LocalizedText …) goes through asyncua's generic decoder, value by value.

Layouts: OPC UA Part 6, 5.2.2.16 (Variant), 5.2.2.17 (DataValue); Part 4, 5.14.5 (Publish), 7.25 (notifications).
"""

import struct
from datetime import UTC, datetime, timedelta
from typing import Any

from asyncua import ua
from asyncua.common.utils import Buffer
from asyncua.ua.ua_binary import (
    nodeid_from_binary,
    struct_from_binary,
    variant_from_binary,
)

from agent.telemetry.errors import UNREADABLE
from agent.telemetry.layout import FIXED, STRING, Tail, tail_of
from agent.telemetry.notification import Change, MalformedError, Notification, Published
from agent.telemetry.value import number, readable, to_json

BAD_DECODING_ERROR = 0x80070000
_EPOCH = datetime(1601, 1, 1, tzinfo=UTC)
_LAST = int((datetime(9999, 12, 31, tzinfo=UTC) - _EPOCH) / timedelta(microseconds=1)) * 10
_i32 = struct.Struct("<i").unpack_from
_u32 = struct.Struct("<I").unpack_from
_handle_and_mask = struct.Struct("<IB").unpack_from
_handle_and_length = struct.Struct("<I2xi").unpack_from
_publish_head = struct.Struct("<Ii").unpack_from
_message_head = struct.Struct("<Iqi").unpack_from
_EXTENSION_OBJECT = 22
_ARRAY = 0x80


def decode_publish(data: bytes) -> Published:
    """Read a PublishResponse; raises MalformedError where not even its sequence number can be read."""
    try:
        service_result, at = _response_header(data)
        subscription_id, acknowledged = _publish_head(data, at)
        at += 8 + 4 * max(acknowledged, 0) + 1
        return Published(
            subscription_id=subscription_id, service_result=service_result, notification=_message(data, at)
        )
    except UNREADABLE as error:
        raise MalformedError(f"a PublishResponse that can't be read: {error!r}") from error


def decode_republish(data: bytes) -> Notification:
    """Read a RepublishResponse; raises MalformedError."""
    try:
        _, at = _response_header(data)
        return _message(data, at)
    except UNREADABLE as error:
        raise MalformedError(f"a RepublishResponse that can't be read: {error!r}") from error


def decode_changes(data: bytes, at: int, end: int) -> tuple[list[Change], str | None]:
    """Read the body of a DataChangeNotification: the changes, and why the rest of them could not be read."""
    changes: list[Change] = []
    try:
        (count,) = _i32(data, at)
        if count * 5 > end - at:
            return changes, f"{count} changes don't fit in {end - at} bytes"
        at = _read_changes(data, at + 4, count, changes)
    except UNREADABLE as error:
        return changes, f"change {len(changes)} can't be read: {error!r}"
    if at > end:
        return [], "its changes go past its end"
    return changes, None


def time_of(ticks: int) -> datetime | None:
    """A DateTime (100 ns since 1601); None for 0, which says that there is no time."""
    return _EPOCH + timedelta(microseconds=min(ticks, _LAST) // 10) if ticks > 0 else None


def _read_changes(data: bytes, at: int, count: int, changes: list[Change]) -> int:
    add, fixed, last_ticks, time = changes.append, FIXED, 0, None
    for _ in range(count):
        layout = fixed.get(data[at + 4 : at + 6])
        if layout is None:
            change, at = _other(data, at)
            add(change)
            continue
        unpack, size, fields, convert = layout
        status = ticks = 0
        if fields == 3:
            handle, value, status, ticks = unpack(data, at)
        elif fields == 2:
            handle, value, ticks = unpack(data, at)
        elif fields == 1:
            handle, value, status = unpack(data, at)
        else:
            handle, value = unpack(data, at)
        at += size
        if ticks != last_ticks:
            last_ticks, time = ticks, time_of(ticks)
        if convert is not None and (convert is not number or value - value != 0.0):
            value = convert(value)
        add((handle, value, status, time))
    return at


def _other(data: bytes, at: int) -> tuple[Change, int]:
    """A change of any form: text, nothing at all, or what asyncua decodes."""
    handle, mask = _handle_and_mask(data, at)
    tail = tail_of(mask)
    status = 0
    if not mask & 1:
        value, at = None, at + 5
    elif data[at + 5] == STRING:
        value, at = _text(data, at)
    else:
        value, at, status = _generic(data, at + 5)
    given, ticks, at = _read_tail(tail, data, at)
    return (handle, value, status or given, time_of(ticks)), at


def _text(data: bytes, at: int) -> tuple[str | None, int]:
    _, length = _handle_and_length(data, at)
    start = at + 10
    if length < 0:
        return None, start
    end = start + length
    if end > len(data):
        raise MalformedError(f"a text of {length} bytes goes past the end")
    return readable(data[start:end].decode("utf-8", "surrogateescape")), end


def _generic(data: bytes, at: int) -> tuple[Any, int, int]:
    """Any Variant: its JSON, where it ends, and a StatusCode if it could not be decoded but could be passed over."""
    _refuse_endless(data, at)
    buffer = Buffer(data, at)
    try:
        return to_json(variant_from_binary(buffer).Value), buffer.cur_pos, 0
    except UNREADABLE:
        if data[at] & 0x3F != _EXTENSION_OBJECT:
            raise
        return None, _past_extension_objects(data, at), BAD_DECODING_ERROR


def _refuse_endless(data: bytes, at: int) -> None:
    """An array of Null says its length and has no bytes: asyncua would count to two thousand million."""
    if data[at] & _ARRAY and _i32(data, at + 1)[0] > len(data) - at:
        raise MalformedError("an array longer than its notification")


def _past_extension_objects(data: bytes, at: int) -> int:
    encoding = data[at]
    buffer, count = Buffer(data, at + 1), 1
    if encoding & _ARRAY:
        count = max(0, _i32(buffer.read(4))[0])
    for _ in range(count):
        nodeid_from_binary(buffer)
        if buffer.read(1)[0]:
            buffer.skip(max(0, _i32(buffer.read(4))[0]))
    if encoding & 0x40:
        buffer.skip(4 * max(0, _i32(buffer.read(4))[0]))
    return int(buffer.cur_pos)


def _read_tail(tail: Tail, data: bytes, at: int) -> tuple[int, int, int]:
    unpack, size, fields = tail
    given = unpack(data, at)
    match fields:
        case 3:
            return given[0], given[1], at + size
        case 2:
            return 0, given[0], at + size
        case 1:
            return given[0], 0, at + size
        case _:
            return 0, 0, at + size


def _response_header(data: bytes) -> tuple[int, int]:
    buffer = Buffer(data)
    nodeid_from_binary(buffer)
    header = struct_from_binary(ua.ResponseHeader, buffer)
    return int(header.ServiceResult.value), int(buffer.cur_pos)


def _message(data: bytes, at: int) -> Notification:
    sequence, _, count = _message_head(data, at)
    at += 16
    changes: list[Change] = []
    ended = malformed = None
    for _ in range(count):
        kind, body, end = _extension_object(data, at)
        if kind == ua.ObjectIds.DataChangeNotification_Encoding_DefaultBinary:
            found, malformed = decode_changes(data, body, end)
            changes += found
        elif kind == ua.ObjectIds.StatusChangeNotification_Encoding_DefaultBinary:
            (ended,) = _u32(data, body)
        at = end
    return Notification(
        sequence=sequence, keep_alive=count <= 0, changes=tuple(changes), ended=ended, malformed=malformed
    )


def _extension_object(data: bytes, at: int) -> tuple[int, int, int]:
    """Which of OPC UA's own types it is, where its body begins and where it ends."""
    buffer = Buffer(data, at)
    kind = nodeid_from_binary(buffer)
    buffer.skip(1)
    (length,) = _i32(data, buffer.cur_pos)
    body = buffer.cur_pos + 4
    end = body + length
    if length < 0 or end > len(data):
        raise MalformedError("a notification longer than its message")
    return int(kind.Identifier), body, end
