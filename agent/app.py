"""The composition root of an agent: what is made of what, and the one TaskGroup that everything runs in.

A failure that a room expects is handled in that room. Anything else is a bug: it crosses the group, ends the process
with a trace, and whoever supervises it (systemd, Docker) starts it again from what is on disk.
"""

import asyncio
import fcntl
import signal
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import Any, TextIO

import structlog

from agent.config import Config, PlcConfig
from agent.errors import ConfigError
from agent.health.heart import Heart
from agent.mqtt import Incoming, Session
from agent.spool.log import SpoolLog
from agent.spool.uplink import Uplink
from agent.store import Store
from agent.telemetry.bridge import Bridge
from agent.workload.workload import Workload
from wire.codec import encode
from wire.messages import VERBS, PlcHealth, PlcMeta, TagMeta
from wire.topics import Kind

VERSION = version("millwright")
Service = Callable[[], Coroutine[Any, Any, None]]
"""A loop that runs for as long as the agent does."""

_log = structlog.get_logger("agent")


def _now() -> datetime:
    return datetime.now(UTC)


def _no_boundary(_name: str) -> None:
    """In production nothing happens between two steps; a test may end the process here."""


async def run(config: Config, *, boundary: Callable[[str], None] = _no_boundary) -> None:
    """Run one agent until it is cancelled or told to end by SIGTERM.

    Raises ConfigError where another agent already runs on the same data directory.
    """
    data_dir = Path(config.node.data_dir)
    with _alone_in(data_dir):
        store = Store(data_dir / "node.sqlite")
        await store.open()
        try:
            await _run(config, store, boundary)
        finally:
            await store.close()


async def _run(config: Config, store: Store, boundary: Callable[[str], None]) -> None:
    node = Node(config, store, boundary)
    await node.open()
    _log.info("agent_started", node=str(config.node_name), version=VERSION, mode=config.node.mode)
    try:
        async with asyncio.TaskGroup() as group:
            running = [group.create_task(work(), name=name) for name, work in node.services()]
            _cancel_on_sigterm(running)
    finally:
        _log.info("agent_stopped", node=str(config.node_name))


class Node:
    """One agent's rooms, each given what it needs of the others as a callable."""

    def __init__(self, config: Config, store: Store, boundary: Callable[[str], None]) -> None:
        self._config = config
        self._name = config.node_name
        self._topics = config.topics
        self._spool = SpoolLog(store, config.spool, now=_now)
        self._session = Session(
            config.mqtt,
            node=self._name,
            topics=self._topics,
            version=VERSION,
            capabilities=tuple(VERBS),
            on_command=self._take,
        )
        self._workload = Workload(
            config,
            store,
            publish=self._session.publish,
            wait_connected=self._session.wait_connected,
            retain=self._session.retain,
            on_change=self._changed,
            boundary=boundary,
            now=_now,
        )
        self._uplink = Uplink(
            self._spool,
            "json",
            publish=self._session.publish,
            topic_of=lambda plc: self._topics.of(self._name, Kind.TAGS, plc),
            wait_connected=self._session.wait_connected,
        )
        self._bridges: dict[str, Bridge] = {}
        self._heart = Heart(
            config,
            retain=self._session.retain,
            engine=self._workload.engine,
            apps=self._workload.app_health,
            plcs=self._plc_health,
            spool=self._spool.stats,
            rejected_commands=lambda: self._workload.rejected_commands,
        )

    async def open(self) -> None:
        """Bring the tables to their schema and read what the last life left."""
        await self._spool.open()
        await self._workload.open()
        self._bridges = {plc.name: self._bridge(plc) for plc in self._config.opcua}

    def services(self) -> Iterator[tuple[str, Service]]:
        """Every loop of the agent, by name."""
        yield "mqtt", self._session.run
        yield "workload", self._workload.run
        yield "uplink:json", self._uplink.run
        yield "heart", self._heart.run
        for plc, bridge in self._bridges.items():
            yield f"bridge:{plc}", bridge.run

    def _bridge(self, plc: PlcConfig) -> Bridge:
        on_meta = partial(self._retain_meta, plc.name)
        return Bridge(
            plc,
            append=self._spool.append,
            on_meta=on_meta,
            on_change=self._changed,
            resume_from=self._spool.stored_until(plc.name),
        )

    async def _take(self, incoming: Incoming) -> None:
        await self._workload.take(incoming)

    def _changed(self) -> None:
        self._heart.beat_now()

    def _plc_health(self) -> tuple[PlcHealth, ...]:
        return tuple(bridge.health() for bridge in self._bridges.values())

    def _retain_meta(self, plc: str, tags: tuple[TagMeta, ...]) -> None:
        meta = PlcMeta(node=str(self._name), plc=plc, at=_now(), tags=tags)
        self._session.retain(self._topics.of(self._name, Kind.TAGMETA, plc), encode(meta))


def _cancel_on_sigterm(tasks: list[asyncio.Task[None]]) -> None:
    def stop() -> None:
        for task in tasks:
            task.cancel()

    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop)


@contextmanager
def _alone_in(data_dir: Path) -> Iterator[None]:
    """Hold the data directory: two agents with one ledger would each take every command."""
    with _lock_file(data_dir) as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            remedy = "Give every agent a data_dir of its own, or stop the other one."
            raise ConfigError("another agent runs on it", where=f"data_dir {data_dir}", remedy=remedy) from None
        yield


def _lock_file(data_dir: Path) -> TextIO:
    try:
        data_dir.mkdir(parents=True, exist_ok=True)
        return (data_dir / "lock").open("w")
    except OSError as error:
        remedy = "Let the agent's user write there, or set node.data_dir to another directory."
        raise ConfigError(f"can't be used: {error.strerror}", where=f"data_dir {data_dir}", remedy=remedy) from None
