"""Fixtures of the workload's integration tests: a node of one's own on the shared engine, cleaned up afterwards."""

import itertools
import os
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiodocker
import pytest

from plant.images import build_image
from tests.support.workload import Running, config_for, running_workload
from wire.app import AppSpec, ContainerSpec
from wire.app import Running as RunningProbe
from wire.topics import NodeName

TRAP = ("sh", "-c", 'trap "exit 0" TERM; sleep 3600 & wait')
"""Ends at once on SIGTERM, which a bare `sleep` as process 1 does not."""
IMAGE = f"millwright-test/workload-{os.getpid()}:1"
_numbers = itertools.count(1)

__all__ = ["agent", "clean", "image", "node"]


def spec(*, command: tuple[str, ...] = TRAP, image: str = IMAGE, **changes: Any) -> AppSpec:
    """An app that is healthy after 0.3 s and stops at once."""
    given = {"probe": RunningProbe(for_s=0.3), "stop_grace_s": 1, "healthy_within_s": 5} | changes
    return AppSpec(containers=(ContainerSpec(image=image, command=command, **given),))


async def containers(docker: aiodocker.Docker, node: NodeName, app: str = "press") -> list[dict[str, Any]]:
    """All containers of an app, inspected."""
    found = await docker.containers.list(all=True, filters=f'{{"label":["millwright={node}/{app}"]}}')
    return [await one.show() for one in found]


async def running(docker: aiodocker.Docker, node: NodeName, app: str = "press") -> list[dict[str, Any]]:
    """Those that run."""
    return [one for one in await containers(docker, node, app) if one["State"]["Running"]]


async def remove_all(docker: aiodocker.Docker, node: NodeName) -> None:
    """Every container of this node goes, also one that the agent was about to remove when it ended."""
    for one in await docker.containers.list(all=True, filters='{"label":["millwright"]}'):
        if one._container["Labels"]["millwright"].startswith(f"{node}/"):
            try:
                await one.delete(force=True)
            except aiodocker.DockerError as error:
                if error.status not in (404, 409):
                    raise


@pytest.fixture
def node() -> NodeName:
    """A node of this test alone, also among test runs that share an engine."""
    return NodeName(f"plant-{os.getpid()}", f"press-{next(_numbers)}")


@pytest.fixture
async def image(docker: aiodocker.Docker) -> AsyncIterator[str]:
    """The image that these tests run."""
    await build_image(docker, IMAGE, command=TRAP)
    yield IMAGE
    await docker.images.delete(IMAGE, force=True)


@pytest.fixture
async def clean(docker: aiodocker.Docker, node: NodeName) -> AsyncIterator[None]:
    """No container of this node is left behind."""
    yield
    await remove_all(docker, node)


@pytest.fixture
async def agent(node: NodeName, tmp_path: Path, docker_engine: str, image: str, clean: None) -> AsyncIterator[Running]:
    """A workload that runs during the test."""
    del image, clean
    async with running_workload(config_for(node, tmp_path, docker_engine)) as workload:
        yield workload
