"""From Docker's JSON to values: what is read of it, and nothing else. Pure."""

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

import msgspec
from msgspec import Struct, field

from agent.workload.identity import CONTAINER_LABEL, LABEL, REVISION_LABEL, SPEC_LABEL
from agent.workload.observed import Container

_NEVER = datetime.fromisoformat("0001-01-01T00:00:00+00:00")


class LocalImage(Struct, frozen=True, kw_only=True, rename="pascal"):
    """An image on the node."""

    id: str
    repo_digests: tuple[str, ...] | None = None


class ContainerEvent(Struct, frozen=True, kw_only=True):
    """Something happened to a container of somebody who uses our label."""

    owner: str
    action: str


class Usage(Struct, frozen=True, kw_only=True):
    """One reading of a container's counters; two of them make a percentage."""

    cpu_ns: int
    system_ns: int
    cpus: int
    memory_bytes: int | None


class _Check(Struct, rename="pascal"):
    output: str = ""


class _Health(Struct, rename="pascal"):
    status: str = "none"
    log: tuple[_Check, ...] | None = None


class _State(Struct, rename="pascal"):
    status: str
    started_at: str = ""
    exit_code: int = 0
    error: str = ""
    health: _Health | None = None


class _Config(Struct, rename="pascal"):
    labels: dict[str, str] | None = None


class _NetworkSettings(Struct, rename="pascal"):
    networks: dict[str, Any] | None = None


class _Container(Struct, rename="pascal"):
    id: str
    name: str
    image: str
    state: _State
    config: _Config
    restart_count: int = 0
    network_settings: _NetworkSettings = field(default_factory=_NetworkSettings)


class _Actor(Struct, rename="pascal"):
    attributes: dict[str, str] = {}


class _Event(Struct):
    action: str = field(name="Action", default="")
    actor: _Actor = field(name="Actor", default_factory=_Actor)


class _Cpu(Struct):
    total_usage: int = 0


class _CpuStats(Struct):
    cpu_usage: _Cpu = field(default_factory=_Cpu)
    system_cpu_usage: int = 0
    online_cpus: int = 1


class _MemoryStats(Struct):
    usage: int | None = None
    stats: dict[str, int] = {}


class _Stats(Struct):
    cpu_stats: _CpuStats = field(default_factory=_CpuStats)
    memory_stats: _MemoryStats = field(default_factory=_MemoryStats)


def container_in(body: Mapping[str, Any]) -> Container:
    """Read one inspected container. Raises msgspec.ValidationError where Docker's answer isn't one."""
    found = msgspec.convert(body, _Container, strict=False)
    labels = found.config.labels or {}
    revision = labels.get(REVISION_LABEL, "")
    health = found.state.health or _Health()
    return Container(
        id=found.id,
        name=found.name.lstrip("/"),
        revision=int(revision) if revision.isdecimal() else 0,
        container=labels.get(CONTAINER_LABEL, ""),
        spec=labels.get(SPEC_LABEL, ""),
        image=found.image,
        state=found.state.status,
        health=None if health.status in ("none", "") else health.status,
        health_output=health.log[-1].output if health.log else "",
        started=found.state.started_at,
        started_at=_time(found.state.started_at),
        exit_code=found.state.exit_code,
        restarts=found.restart_count,
        error=found.state.error,
        networks=frozenset(found.network_settings.networks or ()),
    )


def image_in(body: Mapping[str, Any]) -> LocalImage:
    """Read one inspected image."""
    return msgspec.convert(body, LocalImage)


def event_in(body: Mapping[str, Any]) -> ContainerEvent | None:
    """Read one event; None for one that bears no label of ours."""
    event = msgspec.convert(body, _Event)
    mine = event.actor.attributes.get(LABEL)
    return None if mine is None else ContainerEvent(owner=mine, action=event.action)


def usage_in(body: Mapping[str, Any]) -> Usage:
    """Read one answer of Docker's stats; memory without the page cache, as `docker stats` shows it."""
    stats = msgspec.convert(body, _Stats)
    memory, parts = stats.memory_stats.usage, stats.memory_stats.stats
    cache = parts.get("inactive_file", parts.get("total_inactive_file", 0))
    return Usage(
        cpu_ns=stats.cpu_stats.cpu_usage.total_usage,
        system_ns=stats.cpu_stats.system_cpu_usage,
        cpus=stats.cpu_stats.online_cpus,
        memory_bytes=None if memory is None else max(0, memory - cache),
    )


def cpu_percent(before: Usage | None, after: Usage) -> float | None:
    """The share of one processor between two readings, as `docker stats` counts it: two busy processors are 200."""
    if before is None or after.system_ns <= before.system_ns or after.cpu_ns < before.cpu_ns:
        return None
    return round((after.cpu_ns - before.cpu_ns) / (after.system_ns - before.system_ns) * after.cpus * 100.0, 2)


class Layers(Struct, frozen=True):
    """How far each layer of a pull is: id to (done, total), in bytes."""

    bytes: Mapping[str, tuple[int, int]] = {}

    @property
    def done(self) -> int:
        """Bytes that arrived."""
        return sum(done for done, _ in self.bytes.values())

    @property
    def total(self) -> int:
        """Bytes of all layers whose size is known by now."""
        return sum(total for _, total in self.bytes.values())

    def after(self, line: Mapping[str, Any]) -> "Layers":
        """Take in one line of Docker's progress."""
        layer, status, detail = str(line.get("id", "")), line.get("status"), line.get("progressDetail") or {}
        if layer and status == "Downloading" and detail.get("total"):
            return Layers({**self.bytes, layer: (int(detail.get("current", 0)), int(detail["total"]))})
        if layer in self.bytes and status in ("Download complete", "Pull complete"):
            total = self.bytes[layer][1]
            return Layers({**self.bytes, layer: (total, total)})
        return self


def tail(lines: Iterable[str], *, max_chars: int = 2000) -> str:
    """The end of a log, bounded."""
    return "".join(lines).strip()[-max_chars:]


def _time(text: str) -> datetime | None:
    """RFC 3339 with nanoseconds; Docker's zero time means never."""
    if not text:
        return None
    at = msgspec.convert(text, datetime)
    return None if at <= _NEVER else at
