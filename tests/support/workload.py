"""A workload without a broker: what it publishes is kept, what it retains is kept, commands are given by hand."""

import asyncio
import itertools
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

from msgspec.structs import replace

from agent.config import Config, NodeConfig, WorkloadConfig
from agent.mqtt import Incoming
from agent.store import Store
from agent.workload.workload import Workload
from wire.codec import decode, encode_command
from wire.messages import AppReport, Args, Command, Outcome
from wire.topics import NodeName

_numbers = itertools.count(1)


def command(node: NodeName, args: Args, *, within_s: float = 30.0, **changes: object) -> Command:
    """A command for this node, issued now."""
    now = datetime.now(UTC)
    made = Command(
        id=f"c{next(_numbers)}",
        target=str(node),
        issuer="test",
        issued_at=now,
        expires_at=now + timedelta(seconds=within_s),
        args=args,
    )
    return replace(made, **changes)


def incoming(message: Command | bytes, **about: object) -> Incoming:
    """The same as it comes from the broker."""
    payload = message if isinstance(message, bytes) else encode_command(message)
    return Incoming(topic="mw/v1/plant/node/command", payload=payload, **about)  # type: ignore[arg-type]


def config_for(node: NodeName, directory: Path, docker_url: str, **workload: object) -> Config:
    """A node's configuration with everything but the workload left alone."""
    return Config(
        node=NodeConfig(site=node.site, name=node.node, data_dir=str(directory)),
        workload=WorkloadConfig(docker_url=docker_url, **workload),  # type: ignore[arg-type]
    )


class Heard:
    """What the workload said. `connected` may be cleared to play a broker that is away."""

    def __init__(self) -> None:
        self.outcomes: list[Outcome] = []
        self.published: list[tuple[str, bytes, bytes | None]] = []
        self.retained: dict[str, bytes] = {}
        self.connected = asyncio.Event()
        self.connected.set()
        self._news = asyncio.Condition()
        self._tasks: list[asyncio.Task[None]] = []
        self.refuse: Callable[[str], Exception | None] = lambda _topic: None

    async def publish(self, topic: str, payload: bytes, *, qos: int = 1, correlation_data: bytes | None = None) -> None:
        refusal = self.refuse(topic)
        if refusal is not None:
            raise refusal
        self.published.append((topic, payload, correlation_data))
        if "/outcome/" in topic:
            self.outcomes.append(decode(Outcome, payload))
        await self._notify()

    def retain(self, topic: str, payload: bytes) -> None:
        self.retained[topic.rpartition("/")[2]] = payload
        self._tasks.append(asyncio.get_running_loop().create_task(self._notify()))

    async def _notify(self) -> None:
        async with self._news:
            self._news.notify_all()

    def report(self, app: str) -> AppReport:
        return decode(AppReport, self.retained[app])

    async def wait_connected(self) -> int:
        await self.connected.wait()
        return 1

    async def end_of(self, command_id: str, *, within_s: float = 20.0) -> Outcome:
        """The end of a command; raises TimeoutError with what was heard."""

        def end() -> Outcome | None:
            ends = (one for one in self.outcomes if one.command_id == command_id and one.phase.is_end)
            return next(ends, None)

        try:
            async with asyncio.timeout(within_s), self._news:
                await self._news.wait_for(lambda: end() is not None)
        except TimeoutError:
            raise TimeoutError(f"no end of {command_id} within {within_s} s: {self.of(command_id)}") from None
        found = end()
        assert found is not None
        return found

    async def until(self, app: str, holds: Callable[[AppReport], bool], *, within_s: float = 15.0) -> AppReport:
        """An app's report of which something holds; raises TimeoutError with the last one."""
        try:
            async with asyncio.timeout(within_s), self._news:
                await self._news.wait_for(lambda: bool(self.retained.get(app)) and holds(self.report(app)))
        except TimeoutError:
            raise TimeoutError(f"{app} is not so within {within_s} s: {self.retained.get(app)!r}") from None
        return self.report(app)

    async def until_cleared(self, app: str, *, within_s: float = 15.0) -> None:
        """Nothing is retained for the app any more."""
        async with asyncio.timeout(within_s), self._news:
            await self._news.wait_for(lambda: self.retained.get(app) == b"")

    def of(self, command_id: str) -> list[Outcome]:
        return [one for one in self.outcomes if one.command_id == command_id]


class Running:
    """A running workload and what it says."""

    def __init__(self, node: NodeName, workload: Workload, heard: Heard) -> None:
        self.node = node
        self.workload = workload
        self.heard = heard

    async def give(self, args: Args, *, within_s: float = 30.0, **changes: object) -> str:
        """Give a command; returns its id once it is durable."""
        made = command(self.node, args, within_s=within_s, **changes)
        await self.workload.take(incoming(made))
        return made.id

    async def do(self, args: Args, *, within_s: float = 30.0, **changes: object) -> Outcome:
        """Give a command and wait for its end."""
        return await self.heard.end_of(await self.give(args, within_s=within_s, **changes), within_s=within_s + 10)


@asynccontextmanager
async def running_workload(
    config: Config, *, heard: Heard | None = None, boundary: Callable[[str], None] = lambda _name: None
) -> AsyncIterator[Running]:
    """A workload that runs until the block ends; a bug in it ends the block."""
    heard = heard or Heard()
    store = Store(Path(config.node.data_dir) / "node.sqlite")
    await store.open()
    workload = Workload(
        config,
        store,
        publish=heard.publish,
        wait_connected=heard.wait_connected,
        retain=heard.retain,
        on_change=lambda: None,
        boundary=boundary,
    )
    await workload.open()
    try:
        async with asyncio.TaskGroup() as group:
            task = group.create_task(workload.run())
            yield Running(config.node_name, workload, heard)
            task.cancel()
    finally:
        await store.close()
