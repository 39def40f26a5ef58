"""Tag streams as a subscriber sees them, and values to fill them with."""

from collections.abc import Iterable
from datetime import UTC, datetime

from wire.codec import decode
from wire.messages import GapReason, TagBatch, TagValue

AT = datetime(2026, 3, 1, 6, 0, 0, 123456, tzinfo=UTC)


def some_values(count: int, *, start: float = 0.0) -> tuple[TagValue, ...]:
    """As a press gives them: a name, a number, a source time."""
    return tuple(TagValue(f"Press.Temperature.{n}", start + n / 8, 0, AT) for n in range(count))


class Streams:
    """Every batch by `seq`, every `seq` that a marker names, and how many values came and were said to be lost."""

    def __init__(self, payloads: Iterable[bytes] = ()) -> None:
        self.epochs: set[str] = set()
        self.came: dict[str, dict[int, TagBatch]] = {}
        self.named: dict[str, set[int]] = {}
        self.repeated = 0
        self.lost_values = 0
        for payload in payloads:
            self.take(payload)

    def take(self, payload: bytes) -> None:
        """Take the next message."""
        batch = decode(TagBatch, payload)
        self.epochs.add(batch.epoch)
        gap = batch.gap
        if gap is not None and gap.reason is GapReason.SPOOL_FULL:
            assert gap.first_seq is not None
            assert gap.last_seq == batch.seq
            self.named.setdefault(batch.plc, set()).update(range(gap.first_seq, gap.last_seq + 1))
            self.lost_values += gap.values or 0
            return
        came = self.came.setdefault(batch.plc, {})
        self.repeated += batch.seq in came
        assert came.setdefault(batch.seq, batch) == batch, "one name, two contents"

    def covered(self, plc: str) -> list[int]:
        """Every `seq` that came or is named by a gap; without a hole it is `list(range(n))`."""
        return sorted({*self.came.get(plc, ()), *self.named.get(plc, ())})

    def values(self, plc: str) -> list[float]:
        """What came of one PLC, in the order of `seq`."""
        return [value.value for _, batch in sorted(self.came.get(plc, {}).items()) for value in batch.values]
