"""Whether a subscriber has everything: the `(epoch, plc, seq)` of tag batches, looked at as they come.

Within an epoch `seq` rises by one. A node that had to drop batches says so with a marker whose `gap` names them,
`first_seq` to `last_seq`, and whose own `seq` is `last_seq`: what it covers is lost, but not unexplained. A batch may
come again after a reconnect. Everything else that is not the next one was lost on the way to this subscriber.
"""

from msgspec import Struct

from wire.messages import Gap, TagBatch

Span = tuple[int, int]
"""First and last `seq`, both included."""


class Position(Struct, frozen=True, kw_only=True):
    """How far one stream was followed."""

    epoch: str
    last_seq: int
    missing: tuple[Span, ...] = ()
    """What has not come and was not explained; it may still come."""


class Arrival(Struct, frozen=True, kw_only=True):
    """One batch, and what it says of the stream."""

    batch: TagBatch
    is_new: bool = True
    """False for a batch that was there already."""
    missed: Span | None = None
    """Batches that should have come before this one and did not."""
    is_new_epoch: bool = False
    """The node's spool was made anew: nothing can be said across it."""

    @property
    def gap(self) -> Gap | None:
        """A loss of which the node itself knows."""
        return self.batch.gap


def arrive(position: Position | None, batch: TagBatch) -> tuple[Position, Arrival]:
    """Take the next batch of a stream; `position` is None before the first."""
    if position is None or position.epoch != batch.epoch:
        started = Position(epoch=batch.epoch, last_seq=batch.seq)
        return started, Arrival(batch=batch, is_new_epoch=position is not None)
    if batch.seq <= position.last_seq:
        return _late(position, batch)
    first, last = position.last_seq + 1, _first_covered(batch) - 1
    missed = (first, last) if first <= last else None
    missing = (*position.missing, missed) if missed else position.missing
    return Position(epoch=batch.epoch, last_seq=batch.seq, missing=missing), Arrival(batch=batch, missed=missed)


def _first_covered(batch: TagBatch) -> int:
    """A marker explains everything from the first batch that it names up to itself."""
    if batch.gap is None or batch.gap.first_seq is None:
        return batch.seq
    return min(batch.gap.first_seq, batch.seq)


def _late(position: Position, batch: TagBatch) -> tuple[Position, Arrival]:
    """One that is behind: news if it fills what was missing, otherwise there already."""
    covered = (_first_covered(batch), batch.seq)
    missing = tuple(rest for span in position.missing for rest in _without(span, covered))
    filled = missing != position.missing
    moved = Position(epoch=position.epoch, last_seq=position.last_seq, missing=missing)
    return moved, Arrival(batch=batch, is_new=filled)


def _without(span: Span, covered: Span) -> list[Span]:
    before = (span[0], min(span[1], covered[0] - 1))
    after = (max(span[0], covered[1] + 1), span[1])
    return [rest for rest in (before, after) if rest[0] <= rest[1]]
