"""Lives of a spool on one and the same file."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Collection
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from agent.config import SpoolConfig
from agent.spool.log import UPLINKS, SpoolLog
from agent.store import Store, Work
from tests.support.streams import AT, Streams
from wire.messages import Gap, GapReason

KB, MB = 1024, 1024 * 1024
LARGE = SpoolConfig()
SMALL = SpoolConfig(max_bytes=64 * KB)


class Life:
    """One life of an agent's spool: its store, its log, and a clock that a test may set."""

    def __init__(self, path: Path, config: SpoolConfig) -> None:
        self.now = AT
        self.monotonic = 0.0
        self.store = CountingStore(path)
        self.spool = SpoolLog(self.store, config, now=lambda: self.now, monotonic=lambda: self.monotonic)

    async def held(self) -> Streams:
        return Streams([record.payload for record in await self.records()])

    async def records(self) -> list:
        found, more = [], await self.spool.read(after=0)
        while more:
            found += more
            more = await self.spool.read(after=found[-1].position)
        return found

    def later(self, seconds: float) -> None:
        self.now += timedelta(seconds=seconds)
        self.monotonic += seconds


class CountingStore(Store):
    """The real store; counts transactions."""

    transactions = 0

    def submit(self, work: Work) -> asyncio.Future:
        self.transactions += 1
        return super().submit(work)


Open = Callable[..., Awaitable[Life]]


@pytest.fixture
async def life(tmp_path: Path) -> AsyncIterator[Open]:
    """Begin a life on one and the same file; the one before it ends."""
    lives: list[Life] = []

    async def begin(config: SpoolConfig = LARGE, *, uplinks: Collection[str] = UPLINKS, path: Path = tmp_path) -> Life:
        if lives:
            await lives[-1].store.close()
        lives.append(Life(path / "node.sqlite", config))
        await lives[-1].store.open()
        await lives[-1].spool.open(uplinks=uplinks)
        return lives[-1]

    yield begin
    await lives[-1].store.close()


async def counted(store: Store) -> tuple[int, int]:
    """Records and bytes, counted by reading everything."""
    return await store.read(
        lambda db: db.execute("SELECT count(*), ifnull(sum(length(payload) + 48), 0) FROM spool_log").fetchone()
    )


def source_gap(until: datetime) -> Gap:
    return Gap(reason=GapReason.SOURCE, since=AT - timedelta(seconds=9), until=until)
