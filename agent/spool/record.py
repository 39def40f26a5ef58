"""What stands in the log: batches on their way in, and the same as an uplink reads them."""

from datetime import datetime

from msgspec import Struct
from msgspec.structs import replace

from wire.codec import decode, encode
from wire.messages import TagBatch, TagValue

MAX_PAYLOAD_BYTES = 128 * 1024
"""A batch is stored as parts of about this size: small against what a broker takes, and quick over a narrow line."""
MAX_VALUE_BYTES = 1024 * 1024
"""A single value beyond this travels as Bad_EncodingLimitsExceeded: no broker need take it, and a packet that a broker
refuses would hold up all that is behind it."""
BAD_ENCODING_LIMITS_EXCEEDED = 0x80080000
"""OPC UA Part 6, annex A: "the message encoding/decoding limits imposed by the stack have been exceeded"."""


class Numbered(Struct, frozen=True, kw_only=True):
    """A batch that has its place: what is about to be committed."""

    position: int
    """Its place in the one log of all streams; rises, with holes where records gave way."""
    at: datetime
    batch: TagBatch
    payload: bytes
    """The batch as it goes on the wire."""


class Record(Struct, frozen=True, kw_only=True):
    """A stored batch, its payload exactly as it goes on the wire."""

    position: int
    plc: str
    payload: bytes

    def batch(self) -> TagBatch:
        """Read the values back, for an uplink that speaks another language than JSON."""
        return decode(TagBatch, self.payload)


def parts(
    batch: TagBatch, *, max_payload_bytes: int = MAX_PAYLOAD_BYTES, max_value_bytes: int = MAX_VALUE_BYTES
) -> list[tuple[TagBatch, bytes]]:
    """Encode a batch; as several, with the `seq` that follow, where it is too large for one packet.

    Its gap is said with the first part. A single value is never taken apart: one that is too large keeps its name and
    its time, and says so by its status.
    """
    payload = encode(batch)
    if len(payload) > max_value_bytes and len(batch.values) == 1:
        batch = replace(batch, values=(_too_large(batch.values[0]),))
        payload = encode(batch)
    if len(payload) <= max_payload_bytes or len(batch.values) < 2:
        return [(batch, payload)]
    size = -(-len(batch.values) // (len(payload) // max_payload_bytes + 1))
    done: list[tuple[TagBatch, bytes]] = []
    for start in range(0, len(batch.values), size):
        values = batch.values[start : start + size]
        part = replace(batch, seq=batch.seq + len(done), values=values, gap=None if start else batch.gap)
        done += parts(part, max_payload_bytes=max_payload_bytes, max_value_bytes=max_value_bytes)
    return done


def _too_large(value: TagValue) -> TagValue:
    return replace(value, value=None, status=BAD_ENCODING_LIMITS_EXCEEDED)
