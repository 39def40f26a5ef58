"""What can be learnt about a node: one message, from whom, and when it was seen."""

from datetime import datetime, timedelta

from msgspec import Struct

from wire.messages import AppReport, Health, Outcome, PlcMeta, Presence
from wire.topics import NodeName


class AppRemoved(Struct, frozen=True, kw_only=True):
    """The retained report of an app was cleared: the node no longer has it."""

    app: str


class NodeRemoved(Struct, frozen=True):
    """The retained presence of a node was cleared: somebody took the node out of the fleet."""


Said = Presence | Health | AppReport | AppRemoved | NodeRemoved | Outcome | PlcMeta


class Event(Struct, frozen=True, kw_only=True):
    """A message of one node. `seen_at` is on the controller's clock and never later than the receipt."""

    node: NodeName
    seen_at: datetime
    said: Said
    retained: bool = False
    """The broker had kept it as the last word on its topic, and gave it because we subscribed."""


def seen_at(received_at: datetime, said_at: datetime | None, *, replayed: bool) -> datetime:
    """When a message was true, on the receiver's clock.

    A live message is as old as its receipt. One that the broker had kept (retained, or queued while the controller was
    away) says nothing of the present: it counts from when its sender wrote it, so that what is hours old doesn't pass
    for fresh. A sender's clock that runs ahead can't make it younger than its receipt.
    """
    if not replayed or said_at is None:
        return received_at
    return min(received_at, said_at)


def age_s(seen: datetime, now: datetime) -> float:
    """Seconds since a fact was seen; 0 where the clock was set back in between."""
    return max(0.0, (now - seen) / timedelta(seconds=1))
