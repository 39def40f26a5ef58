"""An engine, a registry or a container that hangs: commands end all the same, and in time."""

import asyncio
import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.support.engine_proxy import EngineProxy, engine_proxy
from tests.support.workload import Running, config_for, running_workload
from tests.support.workload_fixtures import *  # noqa: F403  pytest finds fixtures by name
from tests.support.workload_fixtures import spec
from wire.messages import AppStatus, Category, Deploy, Inspect, Left, Outcome, Phase, Ping, Restart, Stop
from wire.topics import NodeName

IN_TIME_S = 9.0
"""A deadline of 2 s and the last looks of a node that is busy; far below any time-out of the engine's calls."""


@pytest.fixture
async def engine(tmp_path: Path, docker_engine: str) -> AsyncIterator[EngineProxy]:
    async with engine_proxy(tmp_path, docker_engine) as proxy:
        yield proxy


@pytest.fixture
async def agent(node: NodeName, tmp_path: Path, engine: EngineProxy, image: str, clean: None) -> AsyncIterator[Running]:
    del image, clean
    async with running_workload(config_for(node, tmp_path, engine.url)) as workload:
        yield workload


async def ends_of(agent: Running, *given: str) -> list[Outcome]:
    """The ends of commands that have 2 s; raises TimeoutError where one takes its time."""
    since = time.monotonic()
    ends = [await agent.heard.end_of(one, within_s=IN_TIME_S) for one in given]
    assert time.monotonic() - since < IN_TIME_S
    return ends


async def test_commands_end_in_time_while_the_engine_hangs(agent: Running, engine: EngineProxy) -> None:
    await agent.do(Deploy(app="press", spec=spec()))
    engine.hang()
    given = [await agent.give(args, within_s=2) for args in (Restart(app="press"), Stop(app="press"), Ping())]
    asked = await agent.give(Inspect(), within_s=2)
    restart, stop, ping, _ = await ends_of(agent, *given, asked)

    assert {restart.phase, stop.phase} <= {Phase.FAILED, Phase.EXPIRED}
    assert ping.phase is Phase.SUCCEEDED
    engine.go_on()
    await agent.heard.until("press", lambda report: report.status is AppStatus.RUNNING)


async def test_engine_that_hangs_in_the_middle_of_a_command_is_named(agent: Running, engine: EngineProxy) -> None:
    await agent.do(Deploy(app="press", spec=spec()))
    given = await agent.give(Deploy(app="press", spec=spec(image="127.0.0.1:1/nobody:1")), within_s=2)
    await agent.heard.until("press", lambda report: report.reason is not None)
    engine.hang()
    (end,) = await ends_of(agent, given)

    assert (end.phase, end.left) == (Phase.FAILED, Left.UNCHANGED)
    engine.go_on()


async def test_pull_from_a_registry_that_never_answers_ends_in_time(agent: Running) -> None:
    over = asyncio.Event()

    async def say_nothing(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await over.wait()
        writer.close()

    async with await asyncio.start_server(say_nothing, "127.0.0.1", 0) as registry:
        port = registry.sockets[0].getsockname()[1]
        given = await agent.give(Deploy(app="press", spec=spec(image=f"127.0.0.1:{port}/press:1")), within_s=2)
        (end,) = await ends_of(agent, given)
        over.set()

    assert (end.phase, end.left) == (Phase.FAILED, Left.UNCHANGED)
    assert end.error is not None
    assert end.error.category is Category.DEADLINE


async def test_container_that_takes_long_to_stop_delays_no_end(agent: Running) -> None:
    stubborn = ("sh", "-c", "trap '' TERM; while :; do sleep 0.1; done")
    await agent.do(Deploy(app="press", spec=spec(command=stubborn, stop_grace_s=15)))
    given = [await agent.give(Stop(app="press"), within_s=2) for _ in range(2)]
    first, second = await ends_of(agent, *given)

    assert (first.phase, second.phase) == (Phase.FAILED, Phase.EXPIRED)
    assert first.error is not None
    assert first.error.category is Category.DEADLINE
