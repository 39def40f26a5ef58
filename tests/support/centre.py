"""The controller without its web, in this process, and nodes that speak to it."""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path

from controller.fleet.node import NodeView
from controller.fleet.status import Status
from controller.ingest.ingest import Ingest
from controller.picture import Picture
from controller.store.store import Store
from link.client import Client
from link.reconnect import Spread
from tests.support import fleet
from tests.support.mosquitto import MosquittoContainer
from wire.topics import NodeName, Topics

SOON = Spread(first_s=0.1, longest_s=0.5)


class Centre:
    """Ingest, picture and store, without the web."""

    def __init__(self, broker: MosquittoContainer, path: Path, *, store: type[Store] = Store) -> None:
        self._broker = broker
        self.store = store(f"sqlite+aiosqlite:///{path}")
        self.picture = Picture(now=fleet.now())
        self.ingest: Ingest

    async def run(self) -> None:
        await self.store.open()
        self.picture = Picture(await self.store.load(), now=fleet.now())
        self.ingest = Ingest(
            self._broker.controller,
            topics=Topics(),
            identifier=f"millwright-controller-{await self.store.identity()}",
            store=self.store,
            picture=self.picture,
            now=fleet.now,
            reconnect=SOON,
        )
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(self.ingest.run())
                group.create_task(self._tick())
        finally:
            await self.store.close()

    async def _tick(self) -> None:
        while True:
            await asyncio.sleep(0.05)
            self.picture.tick(fleet.now())

    def view(self, name: NodeName) -> NodeView | None:
        return self.picture.get(name)

    def status(self, name: NodeName) -> Status | None:
        return self.picture.standing(name).status if self.view(name) else None


@contextlib.asynccontextmanager
async def running(centre: Centre) -> AsyncIterator[Centre]:
    task = asyncio.create_task(centre.run())
    await until(lambda: hasattr(centre, "ingest") and centre.ingest.link.connected, task=task)
    try:
        yield centre
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task


async def until(holds: Callable[[], bool], *, within_s: float = 10, task: asyncio.Task[None] | None = None) -> None:
    deadline = time.monotonic() + within_s
    while not holds():
        if task is not None and task.done():
            task.result()
        assert time.monotonic() < deadline, f"still not so after {within_s:g} s"
        await asyncio.sleep(0.01)


@contextlib.asynccontextmanager
async def nodes(broker: MosquittoContainer, *names: NodeName, period_s: float = 10) -> AsyncIterator[list[fleet.Node]]:
    """Nodes that speak through one client."""
    client = Client(broker.admin, identifier=f"nodes-{names[0].site}", clean_start=True, session_expiry_s=0)
    async with client:
        yield [fleet.Node(client, name, period_s=period_s) for name in names]
