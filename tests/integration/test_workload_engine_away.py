"""The engine goes away and comes back."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import aiodocker
import pytest

from tests.support.engine_proxy import EngineProxy, engine_proxy
from tests.support.workload import Running, config_for, running_workload
from tests.support.workload_fixtures import *  # noqa: F403  pytest finds fixtures by name
from tests.support.workload_fixtures import running, spec
from wire.app import Healthcheck
from wire.messages import AppStatus, Category, Deploy, Left, Phase, Restart
from wire.topics import NodeName


@pytest.fixture
async def engine(tmp_path: Path, docker_engine: str) -> AsyncIterator[EngineProxy]:
    async with engine_proxy(tmp_path, docker_engine) as proxy:
        yield proxy


@pytest.fixture
async def agent(node: NodeName, tmp_path: Path, engine: EngineProxy, image: str, clean: None) -> AsyncIterator[Running]:
    del image, clean
    async with running_workload(config_for(node, tmp_path, engine.url)) as workload:
        yield workload


async def test_command_waits_for_the_engine(agent: Running, engine: EngineProxy) -> None:
    await engine.cut()
    given = await agent.give(Deploy(app="press", spec=spec()))
    await agent.heard.until("press", lambda report: report.state == "unknown")
    await engine.open()

    end = await agent.heard.end_of(given)
    assert (end.phase, end.left) == (Phase.SUCCEEDED, Left.CHANGED)
    steps = [one.progress.step for one in agent.heard.of(given) if one.progress]
    assert "wait for engine" in steps


async def test_command_that_waited_in_vain_ends_by_its_deadline(agent: Running, engine: EngineProxy) -> None:
    await agent.do(Deploy(app="press", spec=spec()))
    await engine.cut()
    end = await agent.do(Restart(app="press"), within_s=1.5)

    assert (end.phase, end.left) == (Phase.FAILED, Left.UNCHANGED)
    assert end.error is not None
    assert (end.error.category, end.error.retry) == (Category.ENGINE_UNREACHABLE, True)
    reading = await agent.workload.engine()
    assert not reading.reachable
    assert reading.error


async def test_engine_lost_in_the_middle_of_a_deploy(
    agent: Running, engine: EngineProxy, docker: aiodocker.Docker
) -> None:
    """The command ends by its deadline, and the old revision serves again when the engine is back."""
    await agent.do(Deploy(app="press", spec=spec()))
    never = Healthcheck(test=("CMD", "false"), interval_s=30, start_period_s=60)
    given = await agent.give(Deploy(app="press", spec=spec(probe=never, env={"SPEED": "2"})), within_s=4)
    await agent.heard.until("press", lambda report: bool(report.running and report.running.number == 2))
    await engine.cut()
    end = await agent.heard.end_of(given)
    assert (end.phase, end.left) == (Phase.FAILED, Left.BROKEN)

    await engine.open()
    report = await agent.heard.until("press", lambda report: report.status is AppStatus.RUNNING)
    assert report.running is not None
    assert report.running.number == 1
    async with asyncio.timeout(10):
        while len(await running(docker, agent.node)) != 1:  # noqa: ASYNC110  only Docker knows
            await asyncio.sleep(0.05)


async def test_what_happened_while_the_engine_was_away_is_seen_when_it_is_back(
    agent: Running, engine: EngineProxy, docker: aiodocker.Docker
) -> None:
    await agent.do(Deploy(app="press", spec=spec()))
    (before,) = await running(docker, agent.node)
    await engine.cut()
    await docker.containers.container(before["Id"]).kill()
    await engine.open()

    await agent.heard.until("press", lambda report: report.state == "exited")
    await agent.heard.until("press", lambda report: report.status is AppStatus.RUNNING)
    assert len(await running(docker, agent.node)) == 1
