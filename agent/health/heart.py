"""The heartbeat: on a period, and at once when something changed.

A beat asks host, engine and apps, waits for them at most `PATIENCE_S`, and goes out with what is known then. What
does not answer keeps its last value and its age, is asked no second time meanwhile, and delays no further beat; an
engine that does not answer is reported unreachable.
"""

import asyncio
import secrets
import time
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

import structlog

from agent.config import Config
from agent.health import clock
from agent.health.host import Machine
from agent.health.source import Source
from agent.health.vitals import Life, Vitals, heartbeat
from wire.codec import encode
from wire.messages import AppHealth, Engine, PlcHealth, Spool
from wire.topics import Kind

PATIENCE_S = 2.0
"""How long a beat waits for what it asked, if the period is not shorter still."""
REST_S = 0.5
"""Least time between two beats: changes within it go out together."""

_log = structlog.get_logger("agent.health")


class Heart:
    """Publishes `Health` as the node's retained state, for as long as it runs."""

    def __init__(
        self,
        config: Config,
        *,
        retain: Callable[[str, bytes], None],
        engine: Callable[[], Awaitable[Engine]],
        apps: Callable[[], Awaitable[tuple[AppHealth, ...]]],
        plcs: Callable[[], tuple[PlcHealth, ...]],
        spool: Callable[[], Spool],
        rejected_commands: Callable[[], int],
    ) -> None:
        self._life = _life_of(config)
        self._topic = config.topics.of(config.node_name, Kind.HEALTH)
        self._retain = retain
        self._host = Source("host", Machine(Path(config.node.data_dir)).measure)
        self._engine = Source("engine", engine)
        self._apps = Source("apps", apps)
        self._plcs = plcs
        self._spool = spool
        self._rejected_commands = rejected_commands
        self._seq = 0
        self._wanted = asyncio.Event()

    def beat_now(self) -> None:
        """Something changed: beat without waiting for the period. To be called on the event loop's thread."""
        self._wanted.set()

    async def run(self) -> None:
        """Beat until cancelled."""
        _log.info("heart_started", epoch=self._life.epoch, period_s=self._life.period_s)
        async with asyncio.TaskGroup() as group:
            while True:
                started_s = time.monotonic()
                self._wanted.clear()
                await self._ask(group)
                self._beat()
                await asyncio.sleep(REST_S)
                await self._wait_until(started_s + self._life.period_s)

    async def _ask(self, group: asyncio.TaskGroup) -> None:
        asked = (source.ask(group) for source in (self._host, self._engine, self._apps))
        questions = [question for question in asked if question is not None]
        if questions:
            await asyncio.wait(questions, timeout=min(PATIENCE_S, self._life.period_s))

    def _beat(self) -> None:
        health = heartbeat(
            self._life,
            Vitals(
                host=self._host.reading,
                engine=self._engine.reading,
                apps=self._apps.reading,
                synchronized=clock.synchronized(),
                plcs=self._plcs(),
                spool=self._spool(),
                rejected_commands=self._rejected_commands(),
            ),
            seq=self._seq,
            at=datetime.now(UTC),
            now_s=time.monotonic(),
        )
        self._retain(self._topic, encode(health))
        self._seq += 1

    async def _wait_until(self, at_s: float) -> None:
        try:
            async with asyncio.timeout(max(0.0, at_s - time.monotonic())):
                await self._wanted.wait()
        except TimeoutError:
            return


def _life_of(config: Config) -> Life:
    return Life(
        node=str(config.node_name),
        epoch=secrets.token_hex(8),
        started_at=datetime.now(UTC),
        version=version("millwright"),
        mode=config.node.mode,
        period_s=config.health.period_s,
    )
