"""Deployments against a real Docker Engine."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiodocker
import pytest

from plant.images import build_image
from tests.support.ports import free_port
from tests.support.workload import Running, config_for, running_workload
from wire.app import AppSpec, ContainerSpec, Healthcheck, PublishedPort
from wire.app import Running as RunningProbe
from wire.messages import AppStatus, Category, Deploy, Left, Phase, Remove, Restart, Start, Stop
from wire.topics import NodeName

TRAP = ("sh", "-c", 'trap "exit 0" TERM; sleep 3600 & wait')
"""Ends at once on SIGTERM, which a bare `sleep` as process 1 does not."""
IMAGE = "millwright-test/workload:1"


def spec(*, command: tuple[str, ...] = TRAP, image: str = IMAGE, **changes: Any) -> AppSpec:
    given = {"probe": RunningProbe(for_s=0.3), "stop_grace_s": 1, "healthy_within_s": 5} | changes
    return AppSpec(containers=(ContainerSpec(image=image, command=command, **given),))


@pytest.fixture
async def image(docker: aiodocker.Docker) -> str:
    await build_image(docker, IMAGE, command=TRAP)
    return IMAGE


async def containers(docker: aiodocker.Docker, node: NodeName, app: str = "press") -> list[dict[str, Any]]:
    filters = f'{{"label":["millwright={node}/{app}"]}}'
    found = await docker.containers.list(all=True, filters=filters)
    return [await one.show() for one in found]


@pytest.fixture
async def clean(docker: aiodocker.Docker, node: NodeName) -> AsyncIterator[None]:
    yield
    for one in await docker.containers.list(all=True, filters='{"label":["millwright"]}'):
        if (await one.show())["Config"]["Labels"]["millwright"].startswith(f"{node}/"):
            await one.delete(force=True)


@pytest.fixture
async def agent(node: NodeName, tmp_path: Path, docker_engine: str, clean: None, image: str) -> AsyncIterator[Running]:
    async with running_workload(config_for(node, tmp_path, docker_engine)) as running:
        yield running


async def test_deploy_runs_the_container_and_says_so(agent: Running, docker: aiodocker.Docker) -> None:
    end = await agent.do(Deploy(app="press", spec=spec()))

    assert (end.phase, end.left, end.revision, end.error) == (Phase.SUCCEEDED, Left.CHANGED, 1, None)
    (only,) = await containers(docker, agent.node)
    assert only["State"]["Running"]
    assert [one.phase for one in agent.heard.of(end.command_id)][0] is Phase.ACCEPTED
    assert agent.heard.report("press").status is AppStatus.RUNNING
