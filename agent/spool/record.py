"""What stands in the log: batches on their way in, and the same as an uplink reads them."""

from datetime import datetime

from msgspec import Struct
from msgspec.structs import replace

from wire.codec import decode, encode
from wire.messages import TagBatch

MAX_PAYLOAD_BYTES = 1024 * 1024
"""A broker refuses a packet that is too large, and one that it refuses would hold up all behind it."""


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


def parts(batch: TagBatch, *, max_payload_bytes: int = MAX_PAYLOAD_BYTES) -> list[tuple[TagBatch, bytes]]:
    """Encode a batch; as several, with the `seq` that follow, where it is too large for one packet.

    Its gap is said with the first part. A single value is never taken apart.
    """
    payload = encode(batch)
    if len(payload) <= max_payload_bytes or len(batch.values) < 2:
        return [(batch, payload)]
    half = len(batch.values) // 2
    first = parts(replace(batch, values=batch.values[:half]), max_payload_bytes=max_payload_bytes)
    rest = replace(batch, seq=first[-1][0].seq + 1, values=batch.values[half:], gap=None)
    return first + parts(rest, max_payload_bytes=max_payload_bytes)
