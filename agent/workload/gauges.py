"""What the engine and the apps' containers measure, for the heartbeat."""

import asyncio
import time
from collections.abc import Iterable

from msgspec.structs import replace

from agent.errors import AgentError
from agent.workload.bench import Bench
from agent.workload.desired import AppRecord, Goal
from agent.workload.identity import owner
from agent.workload.inspection import Usage, cpu_percent
from agent.workload.observed import Container, Observed, belonging
from wire.messages import AppHealth, Engine

_FRESH_S = 1.0
"""Who asks again within this time gets the same answer, with its age."""
_WITHIN_S = 5.0


class Gauges:
    """Readings of the engine; each keeps the one before it, because a percentage takes two."""

    def __init__(self, bench: Bench) -> None:
        self._bench = bench
        self._engine: tuple[float, Engine] | None = None
        self._apps: tuple[float, tuple[AppHealth, ...]] | None = None
        self._usage: dict[str, Usage] = {}

    async def engine(self) -> Engine:
        """Whether the engine answers, and its version."""
        if self._engine is None or _age_s(self._engine[0]) > _FRESH_S:
            read = await self._read_engine()
            self._engine = time.monotonic(), read
        at, engine = self._engine
        return replace(engine, age_s=_age_s(at))

    async def apps(self) -> tuple[AppHealth, ...]:
        """Every app's container; with the engine away the last readings, growing old."""
        if self._apps is None or _age_s(self._apps[0]) > _FRESH_S:
            try:
                read = await self._read_apps()
                self._apps = time.monotonic(), read
            except (AgentError, TimeoutError):
                self._apps = self._apps or (time.monotonic(), ())
        at, apps = self._apps
        return tuple(replace(app, age_s=_age_s(at)) for app in apps)

    async def _read_engine(self) -> Engine:
        try:
            version = await self._bench.docker.version(within_s=_WITHIN_S)
        except AgentError as error:
            return Engine(age_s=0.0, reachable=False, error=str(error))
        return Engine(age_s=0.0, reachable=True, version=version)

    async def _read_apps(self) -> tuple[AppHealth, ...]:
        there = [
            record for record in await self._bench.ledger.records() if record.job or record.goal is not Goal.REMOVED
        ]
        async with asyncio.timeout(_WITHIN_S):
            return tuple([await self._read_app(record) for record in there])

    async def _read_app(self, record: AppRecord) -> AppHealth:
        containers = await self._bench.docker.containers(owner(self._bench.node, record.app))
        shown = _shown(record, containers)
        if shown is None:
            return AppHealth(app=record.app, age_s=0.0, state="absent")
        usage, percent = await self._measured(shown)
        return AppHealth(
            app=record.app,
            age_s=0.0,
            state=shown.state,
            health=shown.health,
            cpu_percent=percent,
            memory_bytes=usage.memory_bytes if usage else None,
            restarts=shown.restarts,
        )

    async def _measured(self, container: Container) -> tuple[Usage | None, float | None]:
        before = self._usage.pop(container.id, None)
        if container.state != "running":
            return None, None
        try:
            usage = await self._bench.docker.usage(container.id)
        except AgentError:
            return None, None
        self._usage[container.id] = usage
        return usage, cpu_percent(before, usage)


def _shown(record: AppRecord, containers: Iterable[Container]) -> Container | None:
    observed = Observed(containers=tuple(containers))
    trial = record.job.trial if record.job else None
    candidates = (*belonging(trial, observed), *belonging(record.good, observed))
    return next((one for one in candidates if one.up), candidates[-1] if candidates else None)


def _age_s(at: float) -> float:
    return time.monotonic() - at
