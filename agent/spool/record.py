"""What stands in the log: batches on their way in, and the same as an uplink reads them."""

from datetime import datetime

from msgspec import Struct

from wire.codec import decode
from wire.messages import TagBatch


class Numbered(Struct, frozen=True, kw_only=True):
    """A batch that has its place: what is about to be committed."""

    position: int
    """Its place in the one log of all streams; rises, with holes where records gave way."""
    at: datetime
    batch: TagBatch


class Record(Struct, frozen=True, kw_only=True):
    """A stored batch, its payload exactly as it goes on the wire."""

    position: int
    plc: str
    payload: bytes

    def batch(self) -> TagBatch:
        """Read the values back, for an uplink that speaks another language than JSON."""
        return decode(TagBatch, self.payload)
