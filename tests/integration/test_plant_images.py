"""Example images and the private registry are what the tests of deployments stand on; held against the real engine."""

import asyncio

import aiodocker
import pytest

from tests.support.fixtures import BuildExample
from tests.support.registry import Registry
from wire.app import Healthcheck

FAST = {"interval_s": 0.5, "timeout_s": 1.0, "retries": 1}


async def health_of(container: aiodocker.containers.DockerContainer) -> str:
    """Wait until Docker has judged the container."""
    async with asyncio.timeout(20):
        while True:
            status = str((await container.show())["State"]["Health"]["Status"])
            if status != "starting":
                return status
            await asyncio.sleep(0.1)


@pytest.mark.parametrize(("test", "expected"), [("test -f /state/ready", "healthy"), ("false", "unhealthy")])
async def test_an_example_image_is_as_healthy_as_its_healthcheck_says(
    docker: aiodocker.Docker, example_image: BuildExample, test: str, expected: str
) -> None:
    check = Healthcheck(test=("CMD-SHELL", test), **FAST)
    image = await example_image(healthcheck=check, files={"/state/ready": b""})
    container = await docker.containers.run({"Image": image})
    try:
        assert await health_of(container) == expected
    finally:
        await container.delete(force=True)


async def test_an_image_pushed_to_the_registry_is_pulled_with_its_password_alone(
    docker: aiodocker.Docker, example_image: BuildExample, registry: Registry
) -> None:
    reference = await registry.push(docker, await example_image(), "press-app:1")
    with pytest.raises(aiodocker.DockerError):
        await docker.images.pull(reference)
    await docker.images.pull(reference, auth=registry.auth)
    try:
        assert (await docker.images.inspect(reference))["RepoDigests"]
    finally:
        await docker.images.delete(reference, force=True)
