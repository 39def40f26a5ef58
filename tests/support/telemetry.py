"""What the telemetry tests share: a place where values are stored, a bridge that runs, a PLC as a process."""

import asyncio
import contextlib
import sys
from collections.abc import AsyncIterator, Callable, Sequence
from typing import Any

from agent.config import PlcConfig, TagConfig
from agent.telemetry import Bridge
from link.reconnect import Spread
from plant.plc import NAMESPACE
from plant.processes import Processes, Running
from wire.messages import Gap, TagMeta, TagValue

AT_ONCE = Spread(first_s=0.05, longest_s=0.2, settled_after_s=5.0)


def press_tag(name: str, **options: Any) -> TagConfig:
    return TagConfig(node_id=f"nsu={NAMESPACE};s={name}", **options)


SCANS = press_tag("Press.Scans")


def plc_config(url: str, *tags: TagConfig, **options: Any) -> PlcConfig:
    settings: dict[str, Any] = {"publishing_interval_ms": 50, "sampling_interval_ms": 0, "timeout_s": 4.0, **options}
    return PlcConfig(name="press-1", url=url, tags=tags, reconnect=AT_ONCE, **settings)


class Stored:
    """Where a bridge stores: what came, in order, and a way to wait for it."""

    def __init__(self) -> None:
        self.batches: list[tuple[tuple[TagValue, ...], Gap | None]] = []
        self.metas: list[tuple[TagMeta, ...]] = []
        self.changes = 0
        self.before: Callable[[], Any] | None = None
        """Awaited before a batch is stored: it may wait, or raise."""
        self._news = asyncio.Condition()

    async def append(self, plc: str, values: Sequence[TagValue], gap: Gap | None) -> None:
        if self.before is not None:
            await self.before()
        self.batches.append((tuple(values), gap))
        async with self._news:
            self._news.notify_all()

    def on_meta(self, metas: tuple[TagMeta, ...]) -> None:
        self.metas.append(metas)

    def on_change(self) -> None:
        self.changes += 1

    def values(self, name: str) -> list[Any]:
        return [value.value for values, _ in self.batches for value in values if value.name == name]

    @property
    def gaps(self) -> list[Gap]:
        return [gap for _, gap in self.batches if gap is not None]

    async def until(self, condition: Callable[[], bool], *, within_s: float = 20.0) -> None:
        """Wait until it holds after some batch was stored."""
        async with asyncio.timeout(within_s), self._news:
            await self._news.wait_for(condition)

    async def until_more(self, name: str, count: int, **options: float) -> None:
        """Wait for so many further values of a tag."""
        wanted = len(self.values(name)) + count
        await self.until(lambda: len(self.values(name)) >= wanted, **options)


async def eventually(condition: Callable[[], bool], *, within_s: float = 20.0) -> None:
    """Wait for what announces itself nowhere."""
    async with asyncio.timeout(within_s):
        while not condition():  # noqa: ASYNC110
            await asyncio.sleep(0.01)


@contextlib.asynccontextmanager
async def bridging(config: PlcConfig, stored: Stored, **options: Any) -> AsyncIterator[Bridge]:
    """A bridge that runs."""
    bridge = Bridge(config, append=stored.append, on_meta=stored.on_meta, on_change=stored.on_change, **options)
    task = asyncio.create_task(bridge.run())
    try:
        yield bridge
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task


async def plc_process(processes: Processes, *, port: int = 0, period_s: float = 0.02) -> tuple[Running, int]:
    """A PLC in a process of its own, so that it can be killed; with its port."""
    command = [sys.executable, "-m", "plant.plc", "--port", str(port), "--period", str(period_s), "--fault-every", "0"]
    running = await processes.start("plc", command)
    said = await running.says(r"serving opc\.tcp://127\.0\.0\.1:(\d+)")
    return running, int(said[1])


def is_counting(values: Sequence[int]) -> bool:
    """Every value once, in order."""
    return list(values) == list(range(values[0], values[0] + len(values)))
