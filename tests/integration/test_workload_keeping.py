"""What the node does by itself: apps come back, stopped ones stay stopped, foreign containers are left alone."""

from pathlib import Path

import aiodocker
import pytest

from tests.support.workload import Running, command, config_for, incoming, running_workload
from tests.support.workload_fixtures import *  # noqa: F403  pytest finds fixtures by name
from tests.support.workload_fixtures import TRAP, containers, running, spec
from wire.app import Healthcheck
from wire.messages import (
    AppReport,
    AppStatus,
    Category,
    Deploy,
    Inspect,
    Inspection,
    Left,
    Phase,
    Ping,
    Pong,
    Remove,
    Restart,
    Start,
    Stop,
)
from wire.topics import NodeName


def runs(report: AppReport) -> bool:
    return report.status is AppStatus.RUNNING and report.state == "running"


async def test_killed_container_comes_back(agent: Running, docker: aiodocker.Docker) -> None:
    await agent.do(Deploy(app="press", spec=spec()))
    (before,) = await running(docker, agent.node)
    await docker.containers.container(before["Id"]).kill()

    await agent.heard.until("press", lambda report: report.state == "exited")
    await agent.heard.until("press", runs)
    (after,) = await running(docker, agent.node)
    assert after["State"]["StartedAt"] > before["State"]["StartedAt"]


async def test_container_stopped_by_hand_comes_back(agent: Running, docker: aiodocker.Docker) -> None:
    await agent.do(Deploy(app="press", spec=spec()))
    (before,) = await running(docker, agent.node)
    await docker.containers.container(before["Id"]).stop(t=1)

    await agent.heard.until("press", lambda report: report.state == "exited")
    await agent.heard.until("press", runs)


async def test_removed_container_is_made_again(agent: Running, docker: aiodocker.Docker) -> None:
    await agent.do(Deploy(app="press", spec=spec()))
    (before,) = await running(docker, agent.node)
    await docker.containers.container(before["Id"]).delete(force=True)

    await agent.heard.until("press", lambda report: report.state in ("absent", "created"))
    await agent.heard.until("press", runs)
    (after,) = await containers(docker, agent.node)
    assert after["Id"] != before["Id"]


async def test_unhealthy_container_is_restarted(agent: Running, docker: aiodocker.Docker) -> None:
    check = Healthcheck(test=("CMD-SHELL", "test ! -e /tmp/sick"), interval_s=0.2, retries=1)
    await agent.do(Deploy(app="press", spec=spec(probe=check, command=("sh", "-c", f"rm -f /tmp/sick; {TRAP[2]}"))))
    (before,) = await running(docker, agent.node)
    sick = await docker.containers.container(before["Id"]).exec(["touch", "/tmp/sick"])
    await sick.start(detach=True)

    await agent.heard.until("press", lambda report: report.health == "unhealthy")
    await agent.heard.until("press", lambda report: runs(report) and report.health == "healthy")
    (after,) = await running(docker, agent.node)
    assert after["State"]["StartedAt"] > before["State"]["StartedAt"]


async def test_app_that_keeps_ending_is_backed_off_and_says_why(agent: Running, docker: aiodocker.Docker) -> None:
    ends = ("sh", "-c", "sleep 0.8; exit 7")
    await agent.do(Deploy(app="press", spec=spec(command=ends)))

    report = await agent.heard.until("press", lambda report: report.status is AppStatus.BACKING_OFF)
    assert report.reason is not None
    assert "exit code 7" in report.reason


@pytest.mark.usefixtures("image", "clean")
async def test_stop_lasts_over_a_new_start_of_the_agent(
    node: NodeName, tmp_path: Path, docker_engine: str, docker: aiodocker.Docker
) -> None:
    config = config_for(node, tmp_path, docker_engine)
    async with running_workload(config) as first:
        await first.do(Deploy(app="press", spec=spec()))
        end = await first.do(Stop(app="press"))
        assert (end.phase, end.left) == (Phase.SUCCEEDED, Left.CHANGED)
        assert await running(docker, node) == []

    async with running_workload(config) as second:
        await second.heard.until("press", lambda report: report.status is AppStatus.STOPPED)
        assert await running(docker, node) == []
        again = await second.do(Stop(app="press"))
        assert (again.phase, again.left) == (Phase.SUCCEEDED, Left.UNCHANGED)

        end = await second.do(Start(app="press"))
        assert (end.phase, end.left) == (Phase.SUCCEEDED, Left.CHANGED)
        assert len(await running(docker, node)) == 1


async def test_started_by_hand_a_stopped_app_is_stopped_again(agent: Running, docker: aiodocker.Docker) -> None:
    await agent.do(Deploy(app="press", spec=spec()))
    await agent.do(Stop(app="press"))
    (only,) = await containers(docker, agent.node)
    await docker.containers.container(only["Id"]).start()

    await agent.heard.until("press", lambda report: report.state == "running")
    await agent.heard.until("press", lambda report: report.state == "exited")
    assert await running(docker, agent.node) == []


async def test_restart_starts_the_container_anew(agent: Running, docker: aiodocker.Docker) -> None:
    await agent.do(Deploy(app="press", spec=spec()))
    (before,) = await running(docker, agent.node)
    end = await agent.do(Restart(app="press"))

    assert (end.phase, end.left) == (Phase.SUCCEEDED, Left.CHANGED)
    (after,) = await running(docker, agent.node)
    assert after["Id"] == before["Id"]
    assert after["State"]["StartedAt"] > before["State"]["StartedAt"]


async def test_restart_of_what_no_longer_becomes_healthy_says_that_it_is_broken(agent: Running) -> None:
    once = ("sh", "-c", f"test ! -e /tmp/ran || exit 9; touch /tmp/ran; {TRAP[2]}")
    await agent.do(Deploy(app="press", spec=spec(command=once)))
    end = await agent.do(Restart(app="press"))

    assert (end.phase, end.left) == (Phase.FAILED, Left.BROKEN)
    assert end.error is not None
    assert end.error.category is Category.UNHEALTHY
    assert "exit code 9" in end.error.message


async def test_remove_leaves_nothing_and_clears_what_was_retained(agent: Running, docker: aiodocker.Docker) -> None:
    await agent.do(Deploy(app="press", spec=spec()))
    end = await agent.do(Remove(app="press"))

    assert (end.phase, end.left) == (Phase.SUCCEEDED, Left.CHANGED)
    assert await containers(docker, agent.node) == []
    await agent.heard.until_cleared("press")
    again = await agent.do(Stop(app="press"))
    assert again.error is not None
    assert (again.phase, again.error.category) == (Phase.REJECTED, Category.NOT_FOUND)


async def test_stale_deploy_does_not_bring_back_what_was_removed(agent: Running, docker: aiodocker.Docker) -> None:
    await agent.do(Deploy(app="press", spec=spec()))
    late = command(agent.node, Deploy(app="press", spec=spec(env={"SPEED": "2"})))
    await agent.do(Remove(app="press"))
    await agent.workload.take(incoming(late))
    end = await agent.heard.end_of(late.id)

    assert end.error is not None
    assert (end.phase, end.left, end.error.category) == (Phase.SUPERSEDED, Left.UNCHANGED, Category.SUPERSEDED)
    assert await containers(docker, agent.node) == []


async def test_containers_of_another_agent_are_left_alone(
    agent: Running, docker: aiodocker.Docker, node: NodeName
) -> None:
    neighbour = f"{node}0/press"
    body = {"Image": spec().containers[0].image, "Labels": {"millwright": neighbour, "millwright.revision": "1"}}
    foreign = await docker.containers.create(body, name=f"foreign-{node.site}-{node.node}")
    try:
        await foreign.start()
        await agent.do(Deploy(app="press", spec=spec()))
        await agent.do(Remove(app="press"))
        assert (await foreign.show())["State"]["Running"]
    finally:
        await foreign.delete(force=True)


async def test_ping_and_inspect_are_answered_during_a_deploy(agent: Running) -> None:
    never = Healthcheck(test=("CMD", "false"), interval_s=30, start_period_s=60)
    deploy = await agent.give(Deploy(app="press", spec=spec(probe=never)), within_s=4)
    pong = await agent.do(Ping())
    inspection = await agent.do(Inspect(app="press"))

    assert isinstance(pong.result, Pong)
    assert isinstance(inspection.result, Inspection)
    (app,) = inspection.result.apps
    assert app.status is AppStatus.DEPLOYING
    unknown = await agent.do(Inspect(app="nothing"))
    assert unknown.phase is Phase.REJECTED
    assert not any(one.phase.is_end for one in agent.heard.of(deploy))
    await agent.heard.end_of(deploy)


async def test_apps_and_engine_are_measured_for_the_heartbeat(agent: Running) -> None:
    await agent.do(Deploy(app="press", spec=spec()))
    engine = await agent.workload.engine()
    (app,) = await agent.workload.app_health()

    assert engine.reachable
    assert engine.version
    assert (app.app, app.state, app.restarts) == ("press", "running", 0)
    assert app.memory_bytes is not None
    assert app.memory_bytes > 0
    assert app.age_s < 1


async def test_a_container_that_is_not_in_all_its_networks_is_made_again(
    agent: Running, docker: aiodocker.Docker
) -> None:
    """As a kill between making a container and joining it to its second network leaves it."""
    names = tuple(f"{agent.node.site}-{number}" for number in range(2))
    networks = [await docker.networks.create({"Name": name}) for name in names]
    try:
        await agent.do(Deploy(app="press", spec=spec(networks=names)))
        (before,) = await running(docker, agent.node)
        assert set(before["NetworkSettings"]["Networks"]) == set(names)
        await networks[1].disconnect({"Container": before["Id"], "Force": True})
        await docker.containers.container(before["Id"]).kill()

        await agent.heard.until("press", lambda report: report.state in ("exited", "absent", "created"))
        await agent.heard.until("press", runs)
        (after,) = await running(docker, agent.node)
        assert set(after["NetworkSettings"]["Networks"]) == set(names)
        assert (await agent.do(Remove(app="press"))).phase is Phase.SUCCEEDED
    finally:
        for network in networks:
            await network.delete()
