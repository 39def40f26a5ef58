"""The shell around Docker, held against the engine."""

import asyncio
import random
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path

import aiodocker
import pytest

from agent.errors import PermanentError, TransientError
from agent.workload.blueprint import blueprint
from agent.workload.docker import DockerEngine
from agent.workload.inspection import ContainerEvent, Layers, cpu_percent
from agent.workload.reference import parse_reference
from plant.images import build_image
from tests.support.registry import Registry
from tests.support.workload_fixtures import *  # noqa: F403  pytest finds fixtures by name
from tests.support.workload_fixtures import TRAP, spec
from wire.app import ContainerSpec, Healthcheck, Mount, PublishedPort
from wire.messages import Category
from wire.topics import NodeName


@pytest.fixture
async def engine(docker_engine: str, image: str, clean: None) -> AsyncIterator[DockerEngine]:
    del image, clean
    shell = DockerEngine(docker_engine)
    yield shell
    await shell.close()


def container(**changes: object) -> ContainerSpec:
    return spec(**changes).containers[0]


async def create(engine: DockerEngine, node: NodeName, made: ContainerSpec, *, name: str = "") -> str:
    name = name or f"mw-test-{node.site}-{node.node}"
    await engine.create(name, blueprint(node, "press", revision=1, spec=made, image=made.image))
    return name


async def test_container_is_made_as_described(engine: DockerEngine, node: NodeName, docker: aiodocker.Docker) -> None:
    made = container(
        env={"SPEED": "2"},
        ports=(PublishedPort(container=80, host=0x7FFF),),
        mounts=(Mount(source=f"mw-test-{node.node}", target="/data"),),
        memory_bytes=64 * 1024 * 1024,
        cpus=0.5,
        user="1000",
        probe=Healthcheck(test=("CMD", "true"), interval_s=1.5),
        restart="on-failure",
    )
    name = await create(engine, node, made)
    shown = await docker.containers.container(name).show()
    await docker.containers.container(name).delete(force=True, v=True)
    await (await docker.volumes.get(f"mw-test-{node.node}")).delete()

    config, host = shown["Config"], shown["HostConfig"]
    assert config["User"] == "1000"
    assert "SPEED=2" in config["Env"]
    assert config["Healthcheck"]["Test"] == ["CMD", "true"]
    assert config["Healthcheck"]["Interval"] == 1_500_000_000
    assert host["PortBindings"] == {"80/tcp": [{"HostIp": "127.0.0.1", "HostPort": str(0x7FFF)}]}
    assert (host["Memory"], host["NanoCpus"]) == (64 * 1024 * 1024, 500_000_000)
    assert host["RestartPolicy"]["Name"] == "on-failure"
    assert not host["Privileged"]
    assert host["LogConfig"]["Config"]["max-size"] == "10m"


async def test_what_is_observed_of_a_container(engine: DockerEngine, node: NodeName) -> None:
    name = await create(engine, node, container())
    (made,) = await engine.containers(f"{node}/press")
    assert (made.name, made.state, made.revision, made.container) == (name, "created", 1, "main")
    assert made.started_at is None

    await engine.start(name)
    (running,) = await engine.containers(f"{node}/press")
    assert (running.state, running.health, running.restarts) == ("running", None, 0)
    assert running.started_at is not None
    assert abs((datetime.now(UTC) - running.started_at).total_seconds()) < 10
    assert await engine.containers(f"{node}/pres") == ()


async def test_every_act_may_be_done_twice(engine: DockerEngine, node: NodeName) -> None:
    name = await create(engine, node, container())
    await create(engine, node, container())
    for act in (engine.start, engine.start):
        await act(name)
    await engine.stop(name, grace_s=1)
    await engine.stop(name, grace_s=1)
    await engine.remove(name)
    await engine.remove(name)
    await engine.stop(name, grace_s=1)
    assert await engine.containers(f"{node}/press") == ()


async def test_name_of_another_container_is_not_taken_over(engine: DockerEngine, node: NodeName) -> None:
    await create(engine, node, container())
    with pytest.raises(PermanentError, match="already in use"):
        await create(engine, node, container(env={"SPEED": "2"}))


async def test_restarts_count_from_the_last_start_by_hand(engine: DockerEngine, node: NodeName) -> None:
    """What `probe` relies on: Docker counts its own restarts, and an explicit start sets the count to zero."""
    thrice = f"echo >> /tmp/runs; test $(wc -l < /tmp/runs) -gt 3 || exit 5; {TRAP[2]}"
    name = await create(engine, node, container(command=("sh", "-c", thrice)))
    await engine.start(name)
    async with asyncio.timeout(10):
        while (await engine.containers(f"{node}/press"))[0].restarts < 3:  # noqa: ASYNC110  only Docker knows
            await asyncio.sleep(0.05)
    await engine.stop(name, grace_s=1)
    await engine.start(name)
    (again,) = await engine.containers(f"{node}/press")
    assert (again.state, again.restarts) == ("running", 0)


async def test_last_words_are_read_and_bounded(engine: DockerEngine, node: NodeName) -> None:
    loud = ("sh", "-c", "for i in $(seq 500); do echo line $i of a long complaint about pressure; done; exit 1")
    name = await create(engine, node, container(command=loud, restart="no"))
    await engine.start(name)
    async with asyncio.timeout(10):
        while (await engine.containers(f"{node}/press"))[0].state == "running":  # noqa: ASYNC110  only Docker knows
            await asyncio.sleep(0.05)
    words = await engine.last_words(name)
    assert words.endswith("line 500 of a long complaint about pressure")
    assert len(words) <= 2000
    assert await engine.last_words("nobody") == ""


async def test_events_are_reported_from_the_time_asked_for(engine: DockerEngine, node: NodeName) -> None:
    since = datetime.now(UTC).timestamp()
    name = await create(engine, node, container())
    seen: list[ContainerEvent] = []
    started = asyncio.Event()

    def on_event(event: ContainerEvent) -> None:
        if event.owner == f"{node}/press":
            seen.append(event)
        if event.action == "start":
            started.set()

    async with asyncio.TaskGroup() as group:
        listening = group.create_task(engine.listen(on_event, since=since))
        await engine.start(name)
        async with asyncio.timeout(10):
            await started.wait()
        listening.cancel()
    assert [event.action for event in seen] == ["create", "start"]


async def test_usage_makes_a_percentage(engine: DockerEngine, node: NodeName) -> None:
    name = await create(engine, node, container(command=("sh", "-c", "while :; do :; done")))
    await engine.start(name)
    before = await engine.usage(name)
    percent: float | None = None
    async with asyncio.timeout(10):
        while not percent:
            await asyncio.sleep(0.2)
            percent = cpu_percent(before, await engine.usage(name))
    assert percent > 5
    assert before.memory_bytes is not None


async def test_pull_tells_its_bytes(
    engine: DockerEngine, docker: aiodocker.Docker, registry: Registry, node: NodeName
) -> None:
    local = f"millwright-test/large-{node.site}:1"
    await build_image(docker, local, command=TRAP, files={"/model": random.randbytes(4_000_000)})
    pushed = await registry.push(docker, local, f"large-{node.site}:1")
    await docker.images.delete(local, force=True)
    seen: list[Layers] = []
    await engine.pull(parse_reference(pushed), registry.auth, seen.append)
    await docker.images.delete(pushed, force=True)

    assert seen[-1].done == seen[-1].total > 4_000_000
    assert [layers.done for layers in seen] == sorted(layers.done for layers in seen)


async def test_engine_that_is_not_there_is_a_transient_error(tmp_path: Path) -> None:
    nobody = DockerEngine(f"unix://{tmp_path}/nobody.sock")
    with pytest.raises(TransientError) as caught:
        await nobody.containers("a/b/c")
    assert caught.value.category is Category.ENGINE_UNREACHABLE
    with pytest.raises(TransientError):
        await nobody.listen(lambda _event: None, since=0.0)
    await nobody.close()
