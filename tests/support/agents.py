"""An agent's session alone, as a process that can be killed: what a power cut looks like to the broker.

`python -m tests.support.agents BROKER_JSON SITE/NODE take|hang` prints what happens, a word a line.
"""

import asyncio
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import msgspec

from agent.config import MqttConfig
from agent.mqtt import Incoming, Session
from link.broker import Broker
from link.reconnect import Spread
from wire.topics import NodeName, Topics

QUICK = Spread(first_s=0.05, longest_s=0.3, settled_after_s=0.0)


def mqtt_config(broker: Broker, *, will_delay_s: int = 1, **changes: object) -> MqttConfig:
    """A session's configuration that tries again quickly."""
    settings = {**msgspec.structs.asdict(broker), "will_delay_s": will_delay_s, "reconnect": QUICK, **changes}
    return MqttConfig(**settings)


async def ignore(_: Incoming) -> None:
    """A command handler that makes nothing of a command."""


def session_of(
    broker: Broker,
    node: NodeName,
    *,
    on_command: Callable[[Incoming], Awaitable[None]] = ignore,
    will_delay_s: int = 1,
    **changes: object,
) -> Session:
    """A session of `node`, not running yet."""
    config = mqtt_config(broker, will_delay_s=will_delay_s, **changes)
    return Session(config, node=node, topics=Topics(), version="1.2.3", capabilities=("ping",), on_command=on_command)


@asynccontextmanager
async def running(session: Session, *, connected: bool = True) -> AsyncIterator[Session]:
    """Run the session, wait for its first connection, and stop it as the agent does, by cancelling it."""
    async with asyncio.TaskGroup() as tasks:
        task = tasks.create_task(session.run())
        try:
            if connected:
                async with asyncio.timeout(10):
                    await session.wait_connected()
            yield session
        finally:
            task.cancel()


@asynccontextmanager
async def agent_process(broker: Broker, node: NodeName, behaviour: str) -> AsyncIterator[asyncio.subprocess.Process]:
    """The same in a process, killed at the end with SIGKILL if it still runs."""
    config = msgspec.json.encode(mqtt_config(broker)).decode()
    command = (sys.executable, "-m", __name__, config, str(node), behaviour)
    process = await asyncio.create_subprocess_exec(*command, stdout=asyncio.subprocess.PIPE)
    try:
        yield process
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


async def said(process: asyncio.subprocess.Process, word: str, *, within_s: float = 15.0) -> None:
    """Wait until the process says so; raises TimeoutError, or EOFError if it ended."""
    assert process.stdout is not None
    async with asyncio.timeout(within_s):
        while line := await process.stdout.readline():
            if line.decode().strip() == word:
                return
    raise EOFError(f"the agent ended without saying {word!r}")


async def _main(config: MqttConfig, node: NodeName, behaviour: str) -> None:
    async def on_command(_: Incoming) -> None:
        print("command", flush=True)
        if behaviour == "hang":
            await asyncio.Event().wait()

    session = Session(config, node=node, topics=Topics(), version="1", capabilities=(), on_command=on_command)
    async with running(session):
        print("connected", flush=True)
        await asyncio.Event().wait()


if __name__ == "__main__":
    _config = msgspec.json.decode(sys.argv[1].encode(), type=MqttConfig)
    asyncio.run(_main(_config, NodeName.parse(sys.argv[2]), sys.argv[3]))
