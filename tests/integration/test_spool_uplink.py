"""The uplink on a real log, with a callable in the broker's place that fails as brokers do."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path

import pytest

from agent.config import SpoolConfig
from agent.errors import TransientError
from agent.spool.log import SpoolLog
from agent.spool.uplink import Uplink
from agent.store import Store
from link.client import WINDOW, LinkError, PublishRefusedError
from link.reconnect import Spread
from tests.support.streams import Streams, some_values
from wire.messages import Category

AT_ONCE = Spread(first_s=0.001, longest_s=0.01)


class Broker:
    """Takes what is published, in the order in which publishing began; a test says what becomes of each."""

    def __init__(self) -> None:
        self.begun: list[tuple[str, bytes]] = []
        self.taken: list[bytes] = []
        self.refusal: Exception | None = None
        self.refusals = 0
        self.in_flight = self.most_in_flight = 0
        self.gate = asyncio.Event()
        self.gate.set()
        self.changed = asyncio.Event()

    async def publish(self, topic: str, payload: bytes) -> None:
        self.begun.append((topic, payload))
        self.in_flight += 1
        self.most_in_flight = max(self.most_in_flight, self.in_flight)
        self.changed.set()
        try:
            await self.gate.wait()
            await asyncio.sleep(0)
            self.judge()
            self.taken.append(payload)
        finally:
            self.in_flight -= 1
            self.changed.set()

    def judge(self) -> None:
        if self.refusal is not None:
            self.refusals += 1
            raise self.refusal

    async def wait_connected(self) -> int:
        return 1

    async def until(self, happened: Callable[[], bool]) -> None:
        async with asyncio.timeout(10):
            while not happened():
                self.changed.clear()
                await self.changed.wait()

    async def has_all(self, count: int, plc: str = "press") -> Streams:
        await self.until(lambda: len(Streams(self.taken).came.get(plc, ())) == count)
        return Streams(self.taken)


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[Store]:
    store = Store(tmp_path / "node.sqlite")
    await store.open()
    yield store
    await store.close()


async def log_in(store: Store) -> SpoolLog:
    spool = SpoolLog(store, SpoolConfig(), now=lambda: datetime.now(UTC))
    await spool.open()
    return spool


@pytest.fixture
async def spool(store: Store) -> SpoolLog:
    return await log_in(store)


@asynccontextmanager
async def publishing(
    spool: SpoolLog, broker: Broker, *, wait_connected: Callable[[], Awaitable[int]] | None = None
) -> AsyncIterator[asyncio.Task[None]]:
    connected = wait_connected or broker.wait_connected
    uplink = Uplink(spool, "json", broker.publish, lambda plc: f"tags/{plc}", connected, retry=AT_ONCE)
    task = asyncio.create_task(uplink.run())
    try:
        yield task
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


async def filled(spool: SpoolLog, count: int, plc: str = "press") -> None:
    async with asyncio.TaskGroup() as appends:
        for n in range(count):
            appends.create_task(spool.append(plc, some_values(1, start=n)))


async def test_everything_stored_is_published_in_order_to_its_plcs_topic(spool: SpoolLog) -> None:
    broker = Broker()
    await filled(spool, 20, "oven")
    await filled(spool, 500)
    async with publishing(spool, broker):
        await broker.has_all(500)
    assert Streams(broker.taken).covered("oven") == list(range(20))
    for plc, count in (("oven", 20), ("press", 500)):
        begun = Streams(payload for topic, payload in broker.begun if topic == f"tags/{plc}")
        assert (begun.repeated, list(begun.came[plc])) == (0, list(range(count)))


async def test_about_a_hundred_are_in_flight_and_no_more(spool: SpoolLog) -> None:
    broker = Broker()
    broker.gate.clear()
    await filled(spool, 3 * WINDOW)
    async with publishing(spool, broker):
        await broker.until(lambda: broker.in_flight == WINDOW)
        broker.gate.set()
        await broker.has_all(3 * WINDOW)
    assert broker.most_in_flight == WINDOW


async def test_what_is_appended_later_is_published_at_once(spool: SpoolLog) -> None:
    broker = Broker()
    async with publishing(spool, broker):
        for n in range(3):
            await spool.append("press", some_values(1))
            await broker.has_all(n + 1)


async def test_a_stop_saves_how_far_it_came(store: Store, spool: SpoolLog) -> None:
    broker = Broker()
    async with publishing(spool, broker):
        for n in range(3):
            await filled(spool, 10)
            await broker.has_all(10 * (n + 1))
    again = await log_in(store)
    assert (again.cursor("json"), again.stats().records) == (30, 0)


async def test_the_cursor_waits_for_the_oldest_that_is_not_acknowledged(store: Store, spool: SpoolLog) -> None:
    broker = Broker()
    never = asyncio.Event()

    async def publish(topic: str, payload: bytes) -> None:
        await broker.publish(topic, payload)
        if Streams([payload]).covered("press") == [2]:
            await never.wait()

    await filled(spool, 50)
    uplink = Uplink(spool, "json", publish, lambda plc: plc, broker.wait_connected)
    task = asyncio.create_task(uplink.run())
    await broker.has_all(50)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert (await log_in(store)).cursor("json") == 2


async def test_a_lost_connection_is_waited_for_and_nothing_is_left_out(spool: SpoolLog) -> None:
    broker = Broker()
    connected = asyncio.Event()
    connected.set()

    async def wait_connected() -> int:
        await connected.wait()
        return 1

    await filled(spool, 300)
    async with publishing(spool, broker, wait_connected=wait_connected):
        await broker.until(lambda: len(broker.taken) > 120)
        connected.clear()
        broker.refusal = LinkError("gone")
        await broker.until(lambda: broker.refusals > 0 and broker.in_flight == 0)
        begun_while_away = len(broker.begun)
        await filled(spool, 50)
        assert len(broker.begun) == begun_while_away
        broker.refusal = None
        connected.set()
        streams = await broker.has_all(350)
    assert streams.covered("press") == list(range(350))
    assert streams.repeated <= WINDOW
    assert spool.stats().records == 0


async def test_a_refused_message_is_kept_said_and_tried_until_it_is_taken(spool: SpoolLog) -> None:
    broker = Broker()
    broker.refusal = PublishRefusedError("tags/press", "Not authorized")
    await filled(spool, 5)
    async with publishing(spool, broker) as task:
        await broker.until(lambda: broker.refusals > 12)
        assert "Not authorized" in (spool.stats().error or "")
        assert not task.done()
        broker.refusal = None
        streams = await broker.has_all(5)
    assert streams.covered("press") == list(range(5))
    assert (spool.stats().error, spool.stats().records) == (None, 0)


async def test_a_cursor_that_cannot_be_saved_does_not_stop_publishing(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    about = {"phase": "store", "component": "store", "element": "disk", "category": Category.NO_SPACE}

    async def full(self: SpoolLog, uplink: str, position: int) -> None:
        raise TransientError("full", **about)  # type: ignore[arg-type]

    spool, broker = await log_in(store), Broker()
    monkeypatch.setattr(SpoolLog, "advance", full)
    async with publishing(spool, broker):
        for n in range(3):
            await filled(spool, 10)
            await broker.has_all(10 * (n + 1))
    assert spool.stats().records == 30


async def test_a_bug_in_publishing_is_not_mistaken_for_a_broker_that_is_away(spool: SpoolLog) -> None:
    broker = Broker()
    broker.refusal = KeyError("bug")
    await filled(spool, 1)
    with pytest.RaisesGroup(KeyError):
        async with publishing(spool, broker) as task:
            await asyncio.wait([task], timeout=5)
