"""Commands that come twice, late, wrong or with wishes; outcomes while the broker is away."""

from collections.abc import AsyncIterator
from pathlib import Path

import aiodocker
import pytest

from link.client import LinkError, PublishRefusedError
from tests.support.workload import Heard, Running, command, config_for, incoming, running_workload
from tests.support.workload_fixtures import *  # noqa: F403  pytest finds fixtures by name
from tests.support.workload_fixtures import running, spec
from wire.codec import decode, encode_command
from wire.messages import Category, Deploy, Left, Outcome, Phase, Ping, Restart, Stop
from wire.topics import NodeName


async def test_repeated_command_is_answered_and_not_executed_again(agent: Running, docker: aiodocker.Docker) -> None:
    await agent.do(Deploy(app="press", spec=spec()))
    restart = command(agent.node, Restart(app="press"))
    await agent.workload.take(incoming(restart))
    first = await agent.heard.end_of(restart.id)
    (before,) = await running(docker, agent.node)
    agent.heard.outcomes.clear()
    await agent.workload.take(incoming(restart))

    assert await agent.heard.end_of(restart.id) == first
    await agent.do(Ping())
    (after,) = await running(docker, agent.node)
    assert after["State"]["StartedAt"] == before["State"]["StartedAt"]


async def test_known_id_with_other_content_gets_the_recorded_outcome(agent: Running) -> None:
    ping = command(agent.node, Ping())
    await agent.workload.take(incoming(ping))
    first = await agent.heard.end_of(ping.id)
    agent.heard.outcomes.clear()
    await agent.workload.take(incoming(command(agent.node, Stop(app="press"), id=ping.id)))

    assert await agent.heard.end_of(ping.id) == first


async def test_outcomes_go_to_the_response_topic_too(agent: Running) -> None:
    ping = command(agent.node, Ping())
    await agent.workload.take(incoming(ping, response_topic="ops/answers", correlation_data=b"42"))
    await agent.heard.end_of(ping.id)
    await agent.do(Ping())

    answers = [
        (decode(Outcome, payload).phase, data)
        for topic, payload, data in agent.heard.published
        if topic == "ops/answers"
    ]
    assert answers == [(Phase.ACCEPTED, b"42"), (Phase.SUCCEEDED, b"42")]


async def test_refused_response_topic_holds_up_nothing(agent: Running) -> None:
    agent.heard.refuse = lambda topic: PublishRefusedError(topic, "not authorized") if topic == "forbidden" else None
    ping = command(agent.node, Ping())
    await agent.workload.take(incoming(ping, response_topic="forbidden"))

    assert (await agent.heard.end_of(ping.id)).phase is Phase.SUCCEEDED
    assert (await agent.do(Ping())).phase is Phase.SUCCEEDED


@pytest.mark.parametrize("topic", ["a/#", "+/b", "", "a\0b"])
async def test_impossible_response_topic_is_as_good_as_none(agent: Running, topic: str) -> None:
    ping = command(agent.node, Ping())
    await agent.workload.take(incoming(ping, response_topic=topic))

    assert (await agent.heard.end_of(ping.id)).phase is Phase.SUCCEEDED
    assert {topic for topic, _, _ in agent.heard.published} == {f"mw/v1/{agent.node}/outcome/{ping.id}"}


async def test_outcomes_wait_for_the_broker_and_come_in_order(agent: Running) -> None:
    agent.heard.refuse = lambda _topic: LinkError("not connected")
    given = [await agent.give(Ping()) for _ in range(3)]
    agent.heard.refuse = lambda _topic: None

    for command_id in given:
        await agent.heard.end_of(command_id)
    assert [one.seq for command_id in given for one in agent.heard.of(command_id)] == [0, 1] * 3


@pytest.mark.usefixtures("clean")
async def test_outcomes_not_published_in_one_life_are_published_in_the_next(
    node: NodeName, tmp_path: Path, docker_engine: str
) -> None:
    config = config_for(node, tmp_path, docker_engine)
    deaf = Heard()
    deaf.connected.clear()
    async with running_workload(config, heard=deaf) as first:
        given = await first.give(Ping())
    assert deaf.outcomes == []
    async with running_workload(config) as second:
        assert (await second.heard.end_of(given)).phase is Phase.SUCCEEDED


@pytest.fixture
async def idle(node: NodeName, tmp_path: Path) -> AsyncIterator[Running]:
    """A workload whose engine is never there: it must refuse all the same."""
    async with running_workload(config_for(node, tmp_path, f"unix://{tmp_path}/nobody.sock")) as workload:
        yield workload


async def test_mis_addressed_expired_and_malformed_commands_are_answered(idle: Running) -> None:
    elsewhere = command(idle.node, Ping(), target="else/where")
    late = command(idle.node, Ping(), within_s=-1)
    malformed = encode_command(command(idle.node, Ping(), id="bent")).replace(b'"issuer":"test"', b'"issuer":1')
    for message in (elsewhere, late, malformed):
        await idle.workload.take(incoming(message))

    ends = [await idle.heard.end_of(name) for name in (elsewhere.id, late.id, "bent")]
    assert [end.phase for end in ends] == [Phase.REJECTED, Phase.EXPIRED, Phase.REJECTED]
    assert [end.error.category for end in ends if end.error] == [Category.TARGET, Category.EXPIRED, Category.MALFORMED]
    assert {end.left for end in ends} == {Left.UNCHANGED}


async def test_unreadable_messages_are_counted(idle: Running) -> None:
    for payload in (b"", b"{}", b"\xff", b"x" * 300_000, b'{"id":"a/b"}'):
        await idle.workload.take(incoming(payload))
    assert idle.workload.rejected_commands == 5
    assert idle.heard.outcomes == []
