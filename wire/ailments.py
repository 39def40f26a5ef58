"""What is wrong on a node that is there: the one rule by which every view calls a node degraded, and why.

It looks at what the node itself said last. Whether the node is heard of at all is judged in `wire.freshness`.
"""

from collections.abc import Iterable, Iterator

from msgspec import Struct

from wire.messages import AppHealth, AppReport, AppStatus, Health, PlcHealth

LOW_QUALITY = 0.9
"""A PLC connection with a smaller share of Good tags degrades its node."""
SPOOL_NEARLY_FULL = 0.9
"""A spool that is filled beyond this share is about to drop values."""

_BAD = {
    AppStatus.UNHEALTHY: "is unhealthy",
    AppStatus.BACKING_OFF: "is backing off",
    AppStatus.FAILED: "has failed",
}


class Reason(Struct, frozen=True):
    """Why a node is not simply well: about what, and in words for a person."""

    about: str
    """`engine`, `plc`, `app` or `spool`; where a view judges silence too, `presence` or `heartbeat`."""
    element: str
    """Which PLC or app; the node's own name where it is about the node."""
    text: str


def ailments(health: Health, reports: Iterable[AppReport]) -> Iterator[Reason]:
    """Everything that degrades a node, by its last heartbeat and what it said last of its apps."""
    if not health.engine.reachable:
        why = health.engine.error or "no answer"
        yield Reason("engine", health.node, f"the container engine can't be reached: {why}")
    for plc in health.plcs:
        yield from _of_plc(plc)
    yield from _of_apps(health, {report.app: report for report in reports})
    spool = health.spool
    if spool.error:
        yield Reason("spool", health.node, f"the spool is stuck: {spool.error}")
    if spool.bytes > SPOOL_NEARLY_FULL * spool.max_bytes > 0:
        yield Reason("spool", health.node, f"the spool is {spool.bytes / spool.max_bytes:.0%} full")


def _of_plc(plc: PlcHealth) -> Iterator[Reason]:
    if not plc.connected:
        yield Reason("plc", plc.plc, f"{plc.plc} is not connected: {plc.error or 'no reason given'}")
    elif plc.quality < LOW_QUALITY:
        yield Reason("plc", plc.plc, f"{plc.plc}: {plc.quality:.0%} of its tags are Good")


def _of_apps(health: Health, reports: dict[str, AppReport]) -> Iterator[Reason]:
    measured = {app.app: app for app in health.apps}
    for name in sorted(reports.keys() | measured.keys()):
        words = _of_app(reports.get(name), measured.get(name))
        if words:
            yield Reason("app", name, f"{name} {words}")


def _of_app(report: AppReport | None, measured: AppHealth | None) -> str | None:
    if report is not None and report.status in _BAD:
        words = _BAD[report.status]
        return f"{words}: {report.reason}" if report.reason else words
    if measured is not None and measured.health == "unhealthy":
        return "is unhealthy"
    if measured is not None and measured.state in ("restarting", "dead"):
        return f"is {measured.state}"
    return None
