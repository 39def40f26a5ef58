"""What a heartbeat says, of readings that were taken at different times.

Times are monotonic seconds here; the age of each part counts from when it was measured, not from when it was sent.
"""

from datetime import datetime
from typing import Generic, TypeVar

from msgspec import Struct
from msgspec.structs import replace

from wire.messages import AppHealth, Clock, Engine, Health, Host, PlcHealth, Spool

_T = TypeVar("_T")
_Aged = TypeVar("_Aged", Host, Engine, AppHealth)


class Reading(Struct, Generic[_T], frozen=True, kw_only=True):
    """What one source answered last, and what has become of it since."""

    value: _T | None = None
    """None until it has answered once."""
    at_s: float
    """When `value` was measured; before the first answer, when it was first asked."""
    error: str | None = None
    """Why there is no newer value; None while it answers."""


class Life(Struct, frozen=True, kw_only=True):
    """What stays the same in all heartbeats of one life of the process."""

    node: str
    epoch: str
    started_at: datetime
    version: str
    mode: str
    period_s: float


class Vitals(Struct, frozen=True, kw_only=True):
    """Everything that one heartbeat is made of."""

    host: Reading[Host]
    engine: Reading[Engine]
    apps: Reading[tuple[AppHealth, ...]]
    synchronized: bool | None
    plcs: tuple[PlcHealth, ...]
    spool: Spool
    rejected_commands: int


def heartbeat(life: Life, vitals: Vitals, *, seq: int, at: datetime, now_s: float) -> Health:
    """Compose the message; `at` is the wall clock's and `now_s` the monotonic clock's same moment."""
    return Health(
        node=life.node,
        epoch=life.epoch,
        seq=seq,
        at=at,
        period_s=life.period_s,
        started_at=life.started_at,
        version=life.version,
        mode=life.mode,
        host=host_in(vitals.host, now_s),
        engine=engine_in(vitals.engine, now_s),
        spool=vitals.spool,
        clock=Clock(at=at, synchronized=vitals.synchronized),
        apps=tuple(_aged(app, vitals.apps.at_s, now_s) for app in vitals.apps.value or ()),
        plcs=vitals.plcs,
        rejected_commands=vitals.rejected_commands,
    )


def host_in(reading: Reading[Host], now_s: float) -> Host:
    """The machine as last measured; all zero, and as old as the waiting, if it never could be."""
    return _aged(reading.value or _UNMEASURED, reading.at_s, now_s)


def engine_in(reading: Reading[Engine], now_s: float) -> Engine:
    """The engine as it answered last; unreachable when it has not answered now, and as old as its last answer."""
    last = _aged(reading.value or Engine(age_s=0.0, reachable=False), reading.at_s, now_s)
    return last if reading.error is None else replace(last, reachable=False, error=reading.error)


def _aged(measured: _Aged, at_s: float, now_s: float) -> _Aged:
    return replace(measured, age_s=measured.age_s + max(0.0, now_s - at_s))


_UNMEASURED = Host(
    age_s=0.0,
    cpu_percent=0.0,
    memory_used_bytes=0,
    memory_total_bytes=0,
    disk_used_bytes=0,
    disk_total_bytes=0,
    network_sent_bytes=0,
    network_received_bytes=0,
    load_1m=0.0,
    load_5m=0.0,
    load_15m=0.0,
)
