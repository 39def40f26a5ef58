"""The one word for a node, and what it rests on. Each word is defined in `docs/fleet-states.md`."""

from collections.abc import Iterator
from datetime import datetime, timedelta
from enum import StrEnum

from msgspec import Struct

from controller.fleet.event import age_s
from controller.fleet.node import NodeView
from wire.ailments import Reason, ailments
from wire.freshness import Freshness, freshness
from wire.messages import Health

DROP_SHOWN_S = 300.0
"""A loss of values is shown for so long after it was last reported."""


class Status(StrEnum):
    """How a node stands, from the best to the least known."""

    ONLINE = "online"
    DEGRADED = "degraded"
    STALE = "stale"
    OFFLINE = "offline"
    UNKNOWN = "unknown"


class Standing(Struct, frozen=True):
    """A status and every reason for it."""

    status: Status
    reasons: tuple[Reason, ...] = ()


def status(view: NodeView, now: datetime) -> Standing:
    """Judge a node by all that is known of it at `now`."""
    if _is_gone(view):
        return Standing(Status.OFFLINE, (_gone(view),))
    if view.health is None:
        return Standing(Status.UNKNOWN, (Reason("heartbeat", str(view.name), "no heartbeat has been seen"),))
    match freshness(age_s(view.health.seen_at, now), view.health.value.period_s):
        case Freshness.OFFLINE:
            return Standing(Status.OFFLINE, (_silent(view),))
        case Freshness.STALE:
            return Standing(Status.STALE, (_silent(view), *_ailments(view, view.health.value, now)))
        case Freshness.FRESH:
            reasons = tuple(_ailments(view, view.health.value, now))
            return Standing(Status.DEGRADED if reasons else Status.ONLINE, reasons)


def _is_gone(view: NodeView) -> bool:
    """The will, or a farewell, that no heartbeat has contradicted since."""
    presence = view.presence
    if presence is None or presence.value.online:
        return False
    return view.health is None or view.health.seen_at <= presence.seen_at


def _gone(view: NodeView) -> Reason:
    stopped = view.presence is not None and view.presence.value.reason == "stopped"
    words = "it was stopped" if stopped else "its connection to the broker was lost"
    return Reason("presence", str(view.name), words)


def _silent(view: NodeView) -> Reason:
    period_s = 0.0 if view.health is None else view.health.value.period_s
    return Reason("heartbeat", str(view.name), f"no heartbeat, which is due every {period_s:g} s")


def _ailments(view: NodeView, health: Health, now: datetime) -> Iterator[Reason]:
    yield from ailments(health, (fact.value for fact in view.apps))
    if view.dropped_at is not None and now - view.dropped_at <= timedelta(seconds=DROP_SHOWN_S):
        dropped = health.spool.dropped_values
        yield Reason("spool", str(view.name), f"the spool dropped values, {dropped:,} in all")
