"""Spool, session and broker, all real: whatever dies, a subscriber gets every `seq`."""

import asyncio
import os
import random
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from uuid import uuid4

import msgspec

from agent.config import MqttConfig, SpoolConfig
from agent.mqtt import Session
from agent.spool.log import SpoolLog
from agent.spool.uplink import Uplink
from agent.store import Store
from link.broker import Broker
from link.client import Client, LinkError
from link.reconnect import Spread
from tests.support.agents import mqtt_config, running, session_of
from tests.support.mosquitto import MosquittoContainer
from tests.support.streams import Streams, some_values
from wire.topics import Kind, NodeName, Topics

ROOT = Path(__file__).parents[2]
TOPICS = Topics()
STORED = b"stored\n"
QUICKLY = Spread(first_s=0.01, longest_s=0.2)


class Historian:
    """Subscribes to one node's tags with a session that outlives connections, and folds what comes."""

    def __init__(self) -> None:
        self.streams = Streams()
        self._changed = asyncio.Event()
        self._subscribed = asyncio.Event()

    async def until(self, plc: str, count: int, *, within_s: float = 40.0) -> None:
        async with asyncio.timeout(within_s):
            while len(self.streams.covered(plc)) < count:
                self._changed.clear()
                await self._changed.wait()

    async def subscribed(self) -> None:
        await asyncio.wait_for(self._subscribed.wait(), 10)

    async def listen(self, broker: Broker, topic: str) -> None:
        identifier = f"historian-{uuid4()}"
        while True:
            try:
                async with Client(broker, identifier=identifier, clean_start=False, session_expiry_s=600) as client:
                    await client.subscribe(topic, qos=1)
                    self._subscribed.set()
                    async for message in client.messages:
                        self.streams.take(message.payload)
                        client.acknowledge(message)
                        self._changed.set()
            except LinkError:
                await asyncio.sleep(0.05)


@asynccontextmanager
async def historian_of(container: MosquittoContainer, node: NodeName) -> AsyncIterator[Historian]:
    historian = Historian()
    task = asyncio.create_task(historian.listen(container.broker, TOPICS.of(node, Kind.TAGS, "press")))
    await historian.subscribed()
    yield historian
    task.cancel()


@asynccontextmanager
async def spool_in(directory: Path, config: SpoolConfig | None = None) -> AsyncIterator[SpoolLog]:
    store = Store(directory / "node.sqlite")
    await store.open()
    spool = SpoolLog(store, config or SpoolConfig(), now=lambda: datetime.now(UTC))
    await spool.open()
    try:
        yield spool
    finally:
        await store.close()


def uplink_of(spool: SpoolLog, session: Session, node: NodeName) -> Uplink:
    def topic_of(plc: str) -> str:
        return TOPICS.of(node, Kind.TAGS, plc)

    return Uplink(spool, "json", session.publish, topic_of, session.wait_connected, retry=QUICKLY)


@asynccontextmanager
async def uplink_running(spool: SpoolLog, session: Session, node: NodeName) -> AsyncIterator[None]:
    async with asyncio.TaskGroup() as tasks:
        task = tasks.create_task(uplink_of(spool, session, node).run())
        try:
            yield
        finally:
            task.cancel()


async def append(spool: SpoolLog, count: int) -> None:
    for n in range(count):
        await spool.append("press", some_values(10, start=n))


async def test_a_broker_that_stops_in_between_costs_no_batch(
    broker: MosquittoContainer, node: NodeName, tmp_path: Path
) -> None:
    async with (
        spool_in(tmp_path) as spool,
        running(session_of(broker.as_node(node), node)) as session,
        historian_of(broker, node) as historian,
        uplink_running(spool, session, node),
    ):
        for outage in range(2):
            await append(spool, 200)
            await historian.until("press", 400 * outage + 200)
            await asyncio.to_thread(broker.stop)
            await append(spool, 200)
            assert spool.stats().records >= 200
            await asyncio.to_thread(broker.start)
            await historian.until("press", 400 * outage + 400)
        assert historian.streams.covered("press") == list(range(800))
        assert historian.streams.named == {}
    async with spool_in(tmp_path) as later:
        assert later.stats().records == 0


async def test_an_outage_longer_than_the_log_leaves_a_gap_that_names_what_is_lost(
    broker: MosquittoContainer, node: NodeName, tmp_path: Path
) -> None:
    async with (
        spool_in(tmp_path, SpoolConfig(max_bytes=64 * 1024)) as spool,
        running(session_of(broker.as_node(node), node)) as session,
        historian_of(broker, node) as historian,
        uplink_running(spool, session, node),
    ):
        await append(spool, 20)
        await historian.until("press", 20)
        await asyncio.to_thread(broker.stop)
        await append(spool, 300)
        await asyncio.to_thread(broker.start)
        await historian.until("press", 320)
        streams = historian.streams
        assert streams.covered("press") == list(range(320))
        assert len(streams.values("press")) + streams.lost_values == 3200
        assert spool.stats().dropped_values == streams.lost_values > 0


async def test_a_topic_that_the_acl_forbids_is_refused_said_and_kept(
    broker: MosquittoContainer, node: NodeName, tmp_path: Path
) -> None:
    other = NodeName(node.site, "somebody-else")
    async with (
        spool_in(tmp_path) as spool,
        running(session_of(broker.as_node(node), node)) as session,
    ):
        await append(spool, 3)
        async with uplink_running(spool, session, other), asyncio.timeout(10):
            while spool.stats().error is None:  # noqa: ASYNC110  counters in memory, which announce nothing
                await asyncio.sleep(0.01)
        assert "Not authorized" in (spool.stats().error or "")
        assert spool.stats().records == 3
        async with historian_of(broker, node) as historian, uplink_running(spool, session, node):
            await historian.until("press", 3)
        assert spool.stats().error is None


async def test_a_kill_between_puback_and_cursor_repeats_batches_and_loses_none(
    broker: MosquittoContainer, node: NodeName, tmp_path: Path
) -> None:
    async with historian_of(broker, node) as historian:
        stored = await run_until_killed(broker.as_node(node), node, tmp_path, "kill-at-save")
        assert historian.streams.came, "nothing was published before the kill"
        stored += await run_until_killed(broker.as_node(node), node, tmp_path, "kill-at-save")
        await in_a_last_life(broker, node, tmp_path, historian, stored)
        assert historian.streams.repeated > 0


async def test_a_kill_at_any_moment_loses_nothing_that_was_stored(
    broker: MosquittoContainer, node: NodeName, tmp_path: Path
) -> None:
    stored = 0
    async with historian_of(broker, node) as historian:
        for lines in (40, 3, random.randrange(1, 400)):
            stored += await run_until_killed(broker.as_node(node), node, tmp_path, "go-on", after=lines)
        await in_a_last_life(broker, node, tmp_path, historian, stored)


async def in_a_last_life(
    broker: MosquittoContainer, node: NodeName, directory: Path, historian: Historian, stored: int
) -> None:
    """Run once more, and expect all that was announced, in one unbroken stream."""
    async with (
        spool_in(directory) as spool,
        running(session_of(broker.as_node(node), node)) as session,
        uplink_running(spool, session, node),
    ):
        await historian.until("press", stored)
    streams = historian.streams
    assert streams.covered("press") == list(range(len(streams.covered("press"))))
    assert (len(streams.epochs), streams.named) == (1, {})


async def run_until_killed(
    broker: Broker, node: NodeName, directory: Path, behaviour: str, *, after: int | None = None
) -> int:
    """Run `_agent` until it kills itself or has announced so many batches; returns how many it announced."""
    config = msgspec.json.encode(mqtt_config(broker)).decode()
    command = (sys.executable, "-m", "tests.integration.test_spool_outage", config, str(node), str(directory))
    process = await asyncio.create_subprocess_exec(*command, behaviour, cwd=ROOT, stdout=asyncio.subprocess.PIPE)
    assert process.stdout is not None
    announced = 0
    try:
        async with asyncio.timeout(30):
            async for line in process.stdout:
                announced += line == STORED
                if announced == after:
                    process.kill()
            assert await process.wait() == -signal.SIGKILL
    finally:
        if process.returncode is None:
            process.kill()
    return announced


async def _agent(broker: MqttConfig, node: NodeName, directory: Path, behaviour: str) -> None:
    """What is killed: a spool that is filled for ever, its uplink and its session."""

    async def kill(_uplink: str, _position: int) -> None:
        os.kill(os.getpid(), signal.SIGKILL)

    async with spool_in(directory) as spool, running(session_of(broker, node)) as session:
        if behaviour == "kill-at-save":
            spool.advance = kill  # type: ignore[method-assign]
        async with uplink_running(spool, session, node):
            while True:
                await append(spool, 1)
                print(STORED.decode(), end="", flush=True)


if __name__ == "__main__":
    broker_json, node_name, data_dir, wanted = sys.argv[1:]
    config = msgspec.json.decode(broker_json, type=MqttConfig)
    asyncio.run(_agent(config, NodeName.parse(node_name), Path(data_dir), wanted))
