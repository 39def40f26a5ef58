"""What gives way when the log is full, and the gap that says so. Pure: the shell reads, decides here, and writes.

The oldest gives way first, whatever stream it is of, so what is dropped is always a beginning of the log. All that one
stream loses becomes one *marker*, a record without values whose gap names the range of `seq`, in the place of the last
record that it stands for. A marker that is overtaken by a later drop is merged into the new one, so a stream has at
most one, and the markers' number is bounded by the streams'. A gap for another reason that falls into a drop stays
named in the marker's `also`, and its time is covered by the marker's.

So a subscriber who gets all records behind any position finds every `seq` in a batch or named by a gap.
"""

from collections.abc import Iterable
from datetime import datetime, timedelta

from msgspec import Struct

from wire.messages import Gap, GapReason

RECORD_OVERHEAD_BYTES = 48
"""What a record takes in the file beside its payload."""
MARKER_BYTES = 448
"""A marker's size at most, with the longest of names and numbers; what a drop must free on top."""
_SLACK = 128
"""One part of so many is freed beyond what must be, so that a full log doesn't drop at every append."""
_MOST_SLACK_BYTES = 4 * 1024 * 1024


class Bounds(Struct, frozen=True, kw_only=True):
    """How much the log may hold."""

    max_bytes: int
    max_age: timedelta


class Held(Struct, frozen=True, kw_only=True):
    """What is known of a stored record without its payload."""

    position: int
    plc: str
    seq: int
    value_count: int
    at: datetime
    size: int
    gap: Gap | None = None
    marker: bool = False


class Oldest(Struct, frozen=True, kw_only=True):
    """The oldest record that is not a marker."""

    position: int
    at: datetime


class Need(Struct, frozen=True, kw_only=True):
    """What must go: so many bytes, and whatever was stored before a time."""

    excess_bytes: int
    before: datetime
    aged_up_to: int
    """Behind this position nothing is too old, whatever its time says."""


class Loss(Struct, frozen=True, kw_only=True):
    """What one stream loses, and the place and content of the marker that says so."""

    plc: str
    position: int
    seq: int
    at: datetime
    gap: Gap
    records: int
    """So many records give way to the one marker."""
    size: int
    value_count: int
    """Values lost by this drop; the gap counts those of earlier drops as well."""


def need(bounds: Bounds, *, held_bytes: int, oldest: Oldest | None, now: datetime, aged_up_to: int) -> Need | None:
    """Tell what must go, if anything."""
    too_old = oldest is not None and oldest.at < now - bounds.max_age and oldest.position <= aged_up_to
    excess_bytes = held_bytes - bounds.max_bytes
    if not too_old and excess_bytes <= 0:
        return None
    slack_bytes = min(bounds.max_bytes // _SLACK, _MOST_SLACK_BYTES)
    return Need(
        excess_bytes=excess_bytes + slack_bytes if excess_bytes > 0 else 0,
        before=now - bounds.max_age + (bounds.max_age / _SLACK if too_old else timedelta()),
        aged_up_to=aged_up_to,
    )


def doomed(oldest_first: Iterable[Held], need: Need) -> list[Held]:
    """Choose what gives way, reading no more than that; empty where only markers are left."""
    taken: list[Held] = []
    marked: set[str] = set()
    freed_bytes = 0
    for held in oldest_first:
        too_old = held.at < need.before and held.position <= need.aged_up_to
        too_much = freed_bytes < need.excess_bytes and need.excess_bytes > 0
        if not (too_old or too_much):
            break
        freed_bytes += held.size - (0 if held.plc in marked else MARKER_BYTES)
        marked.add(held.plc)
        taken.append(held)
    while taken and taken[-1].marker:
        taken.pop()
    return taken


def losses(dropped: Iterable[Held]) -> tuple[Loss, ...]:
    """Fold what gives way, oldest first, into one loss a stream."""
    of: dict[str, Loss] = {}
    for held in dropped:
        loss = _loss_of(held)
        of[held.plc] = _both(of[held.plc], loss) if held.plc in of else loss
    return tuple(of.values())


def _loss_of(held: Held) -> Loss:
    return Loss(
        plc=held.plc,
        position=held.position,
        seq=held.seq,
        at=held.at,
        gap=held.gap if held.marker and held.gap else _gap_for(held),
        records=1,
        size=held.size,
        value_count=held.value_count,
    )


def _gap_for(held: Held) -> Gap:
    own = held.gap
    return Gap(
        reason=GapReason.SPOOL_FULL,
        since=min(held.at, own.since) if own else held.at,
        until=max(held.at, own.until) if own else held.at,
        first_seq=held.seq,
        last_seq=held.seq,
        values=held.value_count + (own.values or 0 if own else 0),
        also=(own.reason,) if own else (),
    )


def _both(earlier: Loss, later: Loss) -> Loss:
    return Loss(
        plc=later.plc,
        position=later.position,
        seq=later.seq,
        at=later.at,
        gap=merged(earlier.gap, later.gap),
        records=earlier.records + later.records,
        size=earlier.size + later.size,
        value_count=earlier.value_count + later.value_count,
    )


def merged(earlier: Gap, later: Gap) -> Gap:
    """Say two markers' losses as one; both name their `seq`, and `later` follows `earlier` without a hole."""
    return Gap(
        reason=GapReason.SPOOL_FULL,
        since=min(earlier.since, later.since),
        until=max(earlier.until, later.until),
        first_seq=earlier.first_seq,
        last_seq=later.last_seq,
        values=(earlier.values or 0) + (later.values or 0),
        also=tuple(dict.fromkeys((*earlier.also, *later.also))),
    )
