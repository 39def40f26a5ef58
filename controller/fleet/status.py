"""The one word for a node, and what it rests on. Each word is defined in `docs/fleet-states.md`."""

from collections.abc import Iterator
from datetime import datetime, timedelta
from enum import StrEnum

from msgspec import Struct

from controller.fleet.event import age_s
from controller.fleet.node import NodeView
from wire.freshness import Freshness, freshness
from wire.messages import AppHealth, AppReport, AppStatus, Health, PlcHealth

LOW_QUALITY = 0.9
"""A PLC connection with a smaller share of Good tags degrades its node."""
SPOOL_NEARLY_FULL = 0.9
"""A spool that is filled beyond this share is about to drop values."""
DROP_SHOWN_S = 300.0
"""A loss of values is shown for so long after it was last reported."""
LONGEST_PERIOD_S = 3600.0
"""A heartbeat can't promise to be rarer than this: nobody is Online for days by announcing it."""

_BAD = {
    AppStatus.UNHEALTHY: "is unhealthy",
    AppStatus.BACKING_OFF: "is backing off",
    AppStatus.FAILED: "has failed",
}


class Status(StrEnum):
    """How a node stands, from the best to the least known."""

    ONLINE = "online"
    DEGRADED = "degraded"
    STALE = "stale"
    OFFLINE = "offline"
    UNKNOWN = "unknown"


class Reason(Struct, frozen=True):
    """Why a node is not simply Online: about what, and in words for a person."""

    about: str
    """`presence`, `heartbeat`, `plc`, `app`, `engine` or `spool`."""
    element: str
    """Which PLC or app; the node's own name where it is about the node."""
    text: str


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
    match _freshness(view.health.value, age_s(view.health.seen_at, now)):
        case Freshness.OFFLINE:
            return Standing(Status.OFFLINE, (_silent(view),))
        case Freshness.STALE:
            return Standing(Status.STALE, (_silent(view), *_ailments(view, view.health.value, now)))
        case Freshness.FRESH:
            reasons = tuple(_ailments(view, view.health.value, now))
            return Standing(Status.DEGRADED if reasons else Status.ONLINE, reasons)


def _freshness(health: Health, age: float) -> Freshness:
    return freshness(age, min(health.period_s, LONGEST_PERIOD_S))


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
    if not health.engine.reachable:
        why = health.engine.error or "no answer"
        yield Reason("engine", str(view.name), f"the container engine can't be reached: {why}")
    for plc in health.plcs:
        yield from _about_plc(plc)
    yield from _about_apps(view, health)
    yield from _about_spool(view, health, now)


def _about_plc(plc: PlcHealth) -> Iterator[Reason]:
    if not plc.connected:
        yield Reason("plc", plc.plc, f"{plc.plc} is not connected: {plc.error or 'no reason given'}")
    elif plc.quality < LOW_QUALITY:
        yield Reason("plc", plc.plc, f"{plc.plc}: {plc.quality:.0%} of its tags are Good")


def _about_apps(view: NodeView, health: Health) -> Iterator[Reason]:
    reports = {fact.value.app: fact.value for fact in view.apps}
    measured = {app.app: app for app in health.apps}
    for name in sorted(reports.keys() | measured.keys()):
        words = _ailment_of_app(reports.get(name), measured.get(name))
        if words:
            yield Reason("app", name, f"{name} {words}")


def _ailment_of_app(report: AppReport | None, measured: AppHealth | None) -> str | None:
    if report is not None and report.status in _BAD:
        words = _BAD[report.status]
        return f"{words}: {report.reason}" if report.reason else words
    if measured is not None and measured.health == "unhealthy":
        return "is unhealthy"
    if measured is not None and measured.state in ("restarting", "dead"):
        return f"is {measured.state}"
    return None


def _about_spool(view: NodeView, health: Health, now: datetime) -> Iterator[Reason]:
    spool = health.spool
    if spool.error:
        yield Reason("spool", str(view.name), f"the spool is stuck: {spool.error}")
    if view.dropped_at is not None and now - view.dropped_at <= timedelta(seconds=DROP_SHOWN_S):
        yield Reason("spool", str(view.name), f"the spool dropped values, {spool.dropped_values:,} in all")
    elif spool.bytes > SPOOL_NEARLY_FULL * spool.max_bytes > 0:
        yield Reason("spool", str(view.name), f"the spool is {spool.bytes / spool.max_bytes:.0%} full")
