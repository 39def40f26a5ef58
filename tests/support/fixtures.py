"""Fixtures of the real parts: a container engine, a broker, a registry, example images.

The conftest of `integration` and of `e2e` takes them in; unit tests don't pay for importing them.
"""

import itertools
import os
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping, Sequence

import aiodocker
import docker as docker_sdk
import pytest

from plant.images import build_image
from tests.support.mosquitto import MosquittoContainer
from tests.support.registry import Registry
from wire.app import Healthcheck

DOCKER_URL = os.environ.get("DOCKER_HOST", "unix:///var/run/docker.sock")
BuildExample = Callable[..., Awaitable[str]]
_numbers = itertools.count(1)

__all__ = ["broker", "docker", "docker_engine", "empty_broker", "example_image", "registry", "session_broker"]


@pytest.fixture(scope="session")
def docker_engine() -> str:
    """The URL of a Docker Engine that answers; without one these tests fail, because they would prove nothing."""
    try:
        client = docker_sdk.from_env()
        client.ping()
        client.close()
    except docker_sdk.errors.DockerException as error:
        pytest.fail(f"no Docker Engine answers at {DOCKER_URL}: {error}", pytrace=False)
    return DOCKER_URL


@pytest.fixture
async def docker(docker_engine: str) -> AsyncIterator[aiodocker.Docker]:
    """A client of the engine."""
    async with aiodocker.Docker(docker_engine) as client:
        yield client


@pytest.fixture(scope="session")
def session_broker(docker_engine: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[MosquittoContainer]:
    """One broker for all tests; ask for `broker` instead."""
    container = MosquittoContainer(tmp_path_factory.mktemp("mosquitto"))
    try:
        container.create()
        yield container
    finally:
        container.remove()


@pytest.fixture
def broker(session_broker: MosquittoContainer) -> Iterator[MosquittoContainer]:
    """A broker with the ACL on, running when the test begins; a test may stop, kill or pause it."""
    session_broker.restore()
    yield session_broker
    session_broker.restore()


@pytest.fixture
def empty_broker(session_broker: MosquittoContainer) -> Iterator[MosquittoContainer]:
    """The same, and nothing is left in it by the tests before: for those who read what every node has said."""
    session_broker.restore()
    session_broker.empty()
    yield session_broker
    session_broker.restore()


@pytest.fixture(scope="session")
def registry(docker_engine: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Registry]:
    """A private registry with a password."""
    private = Registry(tmp_path_factory.mktemp("registry"))
    private.start()
    yield private
    private.stop()


@pytest.fixture
async def example_image(docker: aiodocker.Docker) -> AsyncIterator[BuildExample]:
    """Build tiny images: `await example_image(command=…, healthcheck=…, files=…)` returns a tag; removed afterwards."""
    tags: list[str] = []

    async def build(
        *,
        command: Sequence[str] = ("sleep", "3600"),
        healthcheck: Healthcheck | None = None,
        files: Mapping[str, bytes] | None = None,
    ) -> str:
        tag = f"millwright-test/example-{os.getpid()}:{next(_numbers)}"
        await build_image(docker, tag, command=command, healthcheck=healthcheck, files=files)
        tags.append(tag)
        return tag

    yield build
    for tag in tags:
        await docker.images.delete(tag, force=True)
