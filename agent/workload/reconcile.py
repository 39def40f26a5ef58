"""Seeing to it that every app has its lane, and waking lanes: at the start, on the engine's events, in a slow sweep."""

import asyncio
from datetime import datetime

import structlog

from agent.errors import AgentError
from agent.workload.bench import Bench
from agent.workload.identity import app_of
from agent.workload.inquiry import Inquiry
from agent.workload.inspection import ContainerEvent
from agent.workload.lane import Lane
from agent.workload.ledger import INQUIRIES

_AGAIN_S = 1.0
_log = structlog.get_logger("agent.reconcile")


class Reconcile:
    """The lanes of one node."""

    def __init__(self, bench: Bench, inquiry: Inquiry, *, ledger_days: int) -> None:
        self._bench = bench
        self._inquiry = inquiry
        self._ledger_days = ledger_days
        self._lanes: dict[str, Lane] = {}
        self._group: asyncio.TaskGroup | None = None

    def wake(self, lane: str, expires_at: datetime) -> None:
        """A command for this lane stands in the ledger. Before `run` nothing has to be woken: it reads the ledger."""
        if lane == INQUIRIES:
            self._inquiry.wake()
        elif self._group is not None:
            self._opened(lane, self._group).hurry(expires_at)

    async def run(self) -> None:
        """Run all lanes for ever."""
        async with asyncio.TaskGroup() as group:
            self._group = group
            group.create_task(self._inquiry.run(), name="inquiry")
            for lane in await self._bench.ledger.lanes():
                if lane != INQUIRIES:
                    self._opened(lane, group).wake()
            group.create_task(self._watch(), name="engine-events")
            group.create_task(self._sweep(), name="sweep")

    def _opened(self, app: str, group: asyncio.TaskGroup) -> Lane:
        if app not in self._lanes:
            self._lanes[app] = Lane(app, self._bench)
            group.create_task(self._kept(self._lanes[app]), name=f"lane:{app}")
        return self._lanes[app]

    async def _kept(self, lane: Lane) -> None:
        """Run a lane to its end. Nothing is awaited between the last look and the leaving, so no wake is lost."""
        while True:
            await lane.run()
            if not lane.is_woken:
                del self._lanes[lane.app]
                return

    async def _watch(self) -> None:
        """Follow the engine's events; whenever the connection is made anew, everything is looked at again."""
        while True:
            try:
                await self._bench.docker.version()
                since = self._bench.now().timestamp()
                self._wake_all()
                await self._bench.docker.listen(self._on_event, since=since)
            except AgentError as error:
                _log.info("engine_lost", reason=str(error))
            await asyncio.sleep(_AGAIN_S)

    def _on_event(self, event: ContainerEvent) -> None:
        app = app_of(event.owner, self._bench.node)
        if app in self._lanes:
            self._lanes[app].wake()

    def _wake_all(self) -> None:
        for lane in self._lanes.values():
            lane.wake()

    async def _sweep(self) -> None:
        """The net under the events, and the ledger's clean-up."""
        while True:
            try:
                await self._bench.ledger.forget(self._ledger_days)
            except AgentError as error:
                _log.warning("ledger_not_swept", reason=str(error))
            await asyncio.sleep(self._bench.config.sweep_s)
            self._wake_all()
