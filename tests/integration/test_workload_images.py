"""Where images come from: a real registry with a password, or the node."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import aiodocker
import pytest

from agent.config import RegistryConfig
from plant.images import build_image
from tests.support.fixtures import DOCKER_URL
from tests.support.ports import free_port
from tests.support.registry import Registry
from tests.support.workload import Running, config_for, running_workload
from tests.support.workload_fixtures import *  # noqa: F403  pytest finds fixtures by name
from tests.support.workload_fixtures import IMAGE, TRAP, running, spec
from wire.messages import AppStatus, Category, Deploy, Left, Outcome, Phase, Restart
from wire.topics import NodeName


def credentials(registry: Registry, **changes: str) -> RegistryConfig:
    given = {"host": registry.host, "username": registry.username, "password": registry.password} | changes
    return RegistryConfig(**given)


@pytest.fixture
async def pushed(docker: aiodocker.Docker, registry: Registry, image: str) -> AsyncIterator[str]:
    """An image in the registry and not on the node."""
    reference = await registry.push(docker, image, "press-app:1")
    yield reference
    for one in await docker.images.list():
        for tag in one["RepoTags"] or ():
            if tag.startswith(f"{registry.host}/"):
                await docker.images.delete(tag, force=True)


@pytest.fixture
async def agent(
    node: NodeName, tmp_path: Path, docker_engine: str, registry: Registry, clean: None
) -> AsyncIterator[Running]:
    del clean
    secret = tmp_path / "password"
    secret.write_text(f"{registry.password}\n")
    known = RegistryConfig(host=registry.host, username=registry.username, password_file=str(secret))
    async with running_workload(config_for(node, tmp_path, docker_engine, registries=(known,))) as workload:
        yield workload


async def test_image_is_pulled_with_the_registrys_credentials(agent: Running, pushed: str) -> None:
    end = await agent.do(Deploy(app="press", spec=spec(image=pushed)))

    assert (end.phase, end.left) == (Phase.SUCCEEDED, Left.CHANGED)
    report = await agent.heard.until("press", lambda report: report.status is AppStatus.RUNNING)
    assert report.running is not None
    assert report.running.digest is not None
    assert report.running.digest.startswith("sha256:")
    assert report.running.image == pushed


async def deploy_elsewhere(
    node: NodeName, directory: Path, url: str, image: str, known: tuple[RegistryConfig, ...], **more: object
) -> Outcome:
    async with running_workload(config_for(node, directory, url, registries=known, **more)) as workload:
        return await workload.do(Deploy(app="press", spec=spec(image=image)), within_s=8)


@pytest.mark.usefixtures("clean")
async def test_what_a_registry_refuses_is_told_apart(
    node: NodeName, tmp_path: Path, docker_engine: str, registry: Registry, pushed: str
) -> None:
    wrong = credentials(registry, password="not the password")
    missing = pushed.replace("press-app:1", "press-app:7")
    unknown = pushed.replace("press-app:1", "nothing-of-that-name:1")
    cases = [
        (pushed, (wrong,), Category.REGISTRY_REFUSED),
        (pushed, (), Category.REGISTRY_REFUSED),
        (missing, (credentials(registry),), Category.IMAGE_NOT_FOUND),
        (unknown, (credentials(registry),), Category.IMAGE_NOT_FOUND),
    ]
    for number, (image, known, category) in enumerate(cases):
        directory = tmp_path / str(number)
        end = await deploy_elsewhere(node, directory, docker_engine, image, known)
        assert (end.phase, end.left) == (Phase.FAILED, Left.UNCHANGED)
        assert end.error is not None
        assert (end.error.category, end.error.retry) == (category, False), end.error
        assert registry.password not in str(end)


@pytest.mark.usefixtures("clean")
async def test_registry_that_cannot_be_reached_is_tried_until_the_deadline(
    node: NodeName, tmp_path: Path, docker_engine: str
) -> None:
    nobody = f"127.0.0.1:{free_port()}/press-app:1"
    async with running_workload(config_for(node, tmp_path, docker_engine)) as workload:
        end = await workload.do(Deploy(app="press", spec=spec(image=nobody)), within_s=3)

        assert (end.phase, end.left) == (Phase.FAILED, Left.UNCHANGED)
        assert end.error is not None
        assert (end.error.category, end.error.retry) == (Category.REGISTRY_UNREACHABLE, True)
        steps = [one.progress.step for one in workload.heard.of(end.command_id) if one.progress]
        assert "wait for registry" in steps


async def test_registry_that_comes_back_in_time_is_used(agent: Running, registry: Registry, pushed: str) -> None:
    registry.stop()
    try:
        given = await agent.give(Deploy(app="press", spec=spec(image=pushed)), within_s=30)
        await agent.heard.until("press", lambda report: report.reason is not None)
    finally:
        await asyncio.to_thread(registry.start)
    end = await agent.heard.end_of(given)

    assert (end.phase, end.left) == (Phase.SUCCEEDED, Left.CHANGED)


async def test_pull_of_one_app_holds_up_no_other(agent: Running, docker: aiodocker.Docker, image: str) -> None:
    await agent.do(Deploy(app="other", spec=spec(image=image)))
    nobody = f"127.0.0.1:{free_port()}/press-app:1"
    stuck = await agent.give(Deploy(app="press", spec=spec(image=nobody)), within_s=20)
    end = await agent.do(Restart(app="other"))

    assert end.phase is Phase.SUCCEEDED
    assert not any(one.phase.is_end for one in agent.heard.of(stuck))


async def test_image_on_the_node_serves_when_its_registry_is_away(
    agent: Running, docker: aiodocker.Docker, registry: Registry, pushed: str
) -> None:
    await agent.do(Deploy(app="press", spec=spec(image=pushed)))
    registry.stop()
    try:
        end = await agent.do(Deploy(app="press", spec=spec(image=pushed, env={"SPEED": "2"})))
    finally:
        await asyncio.to_thread(registry.start)

    assert (end.phase, end.left) == (Phase.SUCCEEDED, Left.CHANGED)


async def test_tag_that_moved_is_seen_and_deployed(
    agent: Running, docker: aiodocker.Docker, registry: Registry, pushed: str
) -> None:
    await agent.do(Deploy(app="press", spec=spec(image=pushed)))
    (before,) = await running(docker, agent.node)
    newer = f"{IMAGE}-newer"
    await build_image(docker, newer, command=TRAP, files={"/etc/version": b"2"})
    await docker.images.tag(newer, *[registry.host + "/press-app"], tag="1")
    await docker.images.push(f"{registry.host}/press-app", tag="1", auth=registry.auth)
    await docker.images.tag(before["Image"], f"{registry.host}/press-app", tag="1")
    end = await agent.do(Deploy(app="press", spec=spec(image=pushed)))
    await docker.images.delete(newer, force=True)

    assert (end.phase, end.left, end.revision) == (Phase.SUCCEEDED, Left.CHANGED, 2)
    (after,) = await running(docker, agent.node)
    assert after["Image"] != before["Image"]


@pytest.mark.usefixtures("clean", "pushed")
async def test_image_without_a_host_comes_from_the_default_registry(
    node: NodeName, tmp_path: Path, docker_engine: str, registry: Registry
) -> None:
    known = (credentials(registry),)
    end = await deploy_elsewhere(node, tmp_path, docker_engine, "press-app:1", known, default_registry=registry.host)
    assert (end.phase, end.left) == (Phase.SUCCEEDED, Left.CHANGED)


async def test_digest_is_pulled_once_and_then_taken_from_the_node(
    agent: Running, docker: aiodocker.Docker, registry: Registry, pushed: str
) -> None:
    await agent.do(Deploy(app="other", spec=spec(image=pushed)))
    report = await agent.heard.until("other", lambda report: report.status is AppStatus.RUNNING)
    assert report.running is not None
    pinned = f"{registry.host}/press-app@{report.running.digest}"
    registry.stop()
    try:
        end = await agent.do(Deploy(app="press", spec=spec(image=pinned)), within_s=10)
    finally:
        await asyncio.to_thread(registry.start)

    assert (end.phase, end.left) == (Phase.SUCCEEDED, Left.CHANGED)


@pytest.mark.usefixtures("clean")
async def test_image_that_was_deleted_is_fetched_again_for_a_missing_container(
    node: NodeName, tmp_path: Path, docker: aiodocker.Docker, registry: Registry, pushed: str
) -> None:
    config = config_for(node, tmp_path, DOCKER_URL, registries=(credentials(registry),))
    async with running_workload(config) as first:
        await first.do(Deploy(app="press", spec=spec(image=pushed)))
    (before,) = await running(docker, node)
    await docker.containers.container(before["Id"]).delete(force=True)
    await docker.images.delete(pushed, force=True)
    await docker.images.delete(IMAGE, force=True)

    async with running_workload(config) as second:
        await second.heard.until("press", lambda report: report.state == "running", within_s=20)
    (after,) = await running(docker, node)
    assert after["Image"] == before["Image"]
    await build_image(docker, IMAGE, command=TRAP)
