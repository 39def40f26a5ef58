"""Deployments against a real Docker Engine."""

import asyncio

import aiodocker
import pytest

from tests.support.ports import free_port
from tests.support.workload import Running
from tests.support.workload_fixtures import *  # noqa: F403  pytest finds fixtures by name
from tests.support.workload_fixtures import containers, running, spec
from wire.app import Healthcheck, Mount, PublishedPort
from wire.messages import AppStatus, Category, Deploy, Left, Phase

CRASH = ("sh", "-c", "echo the pump is dry; exit 3")


async def test_deploy_runs_the_container_and_tells_each_step(agent: Running, docker: aiodocker.Docker) -> None:
    end = await agent.do(Deploy(app="press", spec=spec()))

    assert (end.phase, end.left, end.revision, end.error) == (Phase.SUCCEEDED, Left.CHANGED, 1, None)
    (only,) = await running(docker, agent.node)
    assert only["Config"]["Labels"]["millwright.revision"] == "1"
    told = agent.heard.of(end.command_id)
    assert told[0].phase is Phase.ACCEPTED
    assert [one.seq for one in told] == sorted({one.seq for one in told})
    assert [one.progress.step for one in told if one.progress][-1] == "probe"
    report = await agent.heard.until("press", lambda app: app.status is AppStatus.RUNNING)
    assert report.desired == report.running


async def test_deploy_replaces_the_old_container_and_removes_it(agent: Running, docker: aiodocker.Docker) -> None:
    await agent.do(Deploy(app="press", spec=spec()))
    end = await agent.do(Deploy(app="press", spec=spec(env={"SPEED": "2"})))

    assert (end.phase, end.left, end.revision) == (Phase.SUCCEEDED, Left.CHANGED, 2)
    await agent.heard.until("press", lambda app: app.status is AppStatus.RUNNING)
    await until_only_one(docker, agent)
    (only,) = await containers(docker, agent.node)
    assert only["Config"]["Labels"]["millwright.revision"] == "2"
    assert "SPEED=2" in only["Config"]["Env"]


async def until_only_one(docker: aiodocker.Docker, agent: Running) -> None:
    async with asyncio.timeout(5):
        while len(await containers(docker, agent.node)) > 1:  # noqa: ASYNC110  only Docker knows
            await asyncio.sleep(0.05)


async def test_identical_deploy_changes_nothing(agent: Running, docker: aiodocker.Docker) -> None:
    await agent.do(Deploy(app="press", spec=spec()))
    (before,) = await running(docker, agent.node)
    end = await agent.do(Deploy(app="press", spec=spec()))

    assert (end.phase, end.left, end.revision) == (Phase.SUCCEEDED, Left.UNCHANGED, 1)
    (after,) = await running(docker, agent.node)
    assert (after["Id"], after["State"]["StartedAt"]) == (before["Id"], before["State"]["StartedAt"])


async def test_revision_that_crashes_is_rolled_back_with_its_exit_code_and_last_words(
    agent: Running, docker: aiodocker.Docker
) -> None:
    await agent.do(Deploy(app="press", spec=spec()))
    (before,) = await running(docker, agent.node)
    end = await agent.do(Deploy(app="press", spec=spec(command=CRASH, healthy_within_s=20)))

    assert (end.phase, end.left, end.revision) == (Phase.FAILED, Left.ROLLED_BACK, 3)
    assert end.error is not None
    assert end.error.category is Category.UNHEALTHY
    assert "exit code 3" in end.error.message
    assert "the pump is dry" in end.error.message
    (after,) = await running(docker, agent.node)
    assert after["Id"] == before["Id"]
    await until_only_one(docker, agent)
    report = await agent.heard.until("press", lambda app: app.status is AppStatus.RUNNING)
    assert report.running is not None
    assert report.running.number == 3


async def test_revision_that_its_healthcheck_finds_unhealthy_is_rolled_back_at_once(
    agent: Running, docker: aiodocker.Docker
) -> None:
    await agent.do(Deploy(app="press", spec=spec()))
    check = Healthcheck(test=("CMD-SHELL", "echo no pressure; exit 1"), interval_s=0.2, retries=2)
    end = await agent.do(Deploy(app="press", spec=spec(probe=check, healthy_within_s=60)), within_s=20)

    assert (end.phase, end.left) == (Phase.FAILED, Left.ROLLED_BACK)
    assert end.error is not None
    assert "no pressure" in end.error.message
    assert len(await running(docker, agent.node)) == 1


async def test_revision_that_its_healthcheck_finds_healthy_goes_live(agent: Running) -> None:
    check = Healthcheck(test=("CMD", "true"), interval_s=0.2)
    end = await agent.do(Deploy(app="press", spec=spec(probe=check)))

    assert (end.phase, end.left) == (Phase.SUCCEEDED, Left.CHANGED)
    report = await agent.heard.until("press", lambda app: app.status is AppStatus.RUNNING)
    assert report.health == "healthy"


async def test_revision_not_healthy_in_time_is_rolled_back(agent: Running) -> None:
    await agent.do(Deploy(app="press", spec=spec()))
    check = Healthcheck(test=("CMD", "false"), interval_s=30, start_period_s=60)
    end = await agent.do(Deploy(app="press", spec=spec(probe=check, healthy_within_s=0.5)))

    assert (end.phase, end.left) == (Phase.FAILED, Left.ROLLED_BACK)
    assert end.error is not None
    assert "not healthy within 0.5 s" in end.error.message


async def test_broken_first_revision_leaves_nothing(agent: Running, docker: aiodocker.Docker) -> None:
    end = await agent.do(Deploy(app="press", spec=spec(command=CRASH)))

    assert (end.phase, end.left, end.revision) == (Phase.FAILED, Left.UNCHANGED, None)
    assert await containers(docker, agent.node) == []
    report = await agent.heard.until("press", lambda app: app.status is AppStatus.FAILED)
    assert report.reason is not None
    assert "exit code 3" in report.reason


async def test_port_that_is_taken_is_named_and_the_old_revision_serves_again(
    agent: Running, docker: aiodocker.Docker
) -> None:
    port = free_port()
    taken = (PublishedPort(container=80, host=port),)
    await agent.do(Deploy(app="other", spec=spec(ports=taken)))
    await agent.do(Deploy(app="press", spec=spec()))
    end = await agent.do(Deploy(app="press", spec=spec(ports=taken)))

    assert (end.phase, end.left) == (Phase.FAILED, Left.ROLLED_BACK)
    assert end.error is not None
    assert end.error.category is Category.PORT_CONFLICT
    assert str(port) in end.error.message
    assert len(await running(docker, agent.node)) == 1


async def test_command_that_runs_past_its_deadline_is_given_up_and_rolled_back(
    agent: Running, docker: aiodocker.Docker
) -> None:
    await agent.do(Deploy(app="press", spec=spec()))
    check = Healthcheck(test=("CMD", "false"), interval_s=30, start_period_s=60)
    end = await agent.do(Deploy(app="press", spec=spec(probe=check, healthy_within_s=60)), within_s=1.5)

    assert (end.phase, end.left) == (Phase.FAILED, Left.ROLLED_BACK)
    assert end.error is not None
    assert end.error.category is Category.DEADLINE
    assert len(await running(docker, agent.node)) == 1


async def test_command_that_never_got_its_turn_expires_on_time(agent: Running) -> None:
    check = Healthcheck(test=("CMD", "false"), interval_s=30, start_period_s=60)
    first = await agent.give(Deploy(app="press", spec=spec(probe=check, healthy_within_s=60)), within_s=3)
    second = await agent.do(Deploy(app="press", spec=spec()), within_s=1)

    assert (second.phase, second.left) == (Phase.EXPIRED, Left.UNCHANGED)
    assert not any(one.phase.is_end for one in agent.heard.of(first))
    await agent.heard.end_of(first)


async def test_volume_and_directory_that_is_missing(agent: Running, docker: aiodocker.Docker) -> None:
    mounts = (Mount(source="/no/such/directory", target="/data"),)
    end = await agent.do(Deploy(app="press", spec=spec(mounts=mounts)))

    assert (end.phase, end.left) == (Phase.FAILED, Left.UNCHANGED)
    assert end.error is not None
    assert "/no/such/directory" in end.error.message
    assert await containers(docker, agent.node) == []


@pytest.mark.parametrize("network", ["host", "container:x"])
async def test_the_hosts_network_is_refused(agent: Running, network: str) -> None:
    end = await agent.do(Deploy(app="press", spec=spec(networks=(network,))))

    assert (end.phase, end.left) == (Phase.REJECTED, Left.UNCHANGED)
    assert end.error is not None
    assert end.error.category is Category.MALFORMED
