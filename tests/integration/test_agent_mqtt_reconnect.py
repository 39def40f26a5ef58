"""What the agent's session does when the connection, the broker or the agent dies; against the real broker."""

import asyncio
import time
from pathlib import Path
from uuid import uuid4

import msgspec
import pytest
from structlog.testing import capture_logs

from agent.mqtt import Incoming, Session
from link.client import Client, LinkError
from tests.support.agents import agent_process, running, said, session_of
from tests.support.mosquitto import MosquittoContainer
from tests.support.observer import observing
from tests.support.ports import free_port
from wire.codec import decode
from wire.messages import Presence
from wire.topics import Kind, NodeName, Topics

TOPICS = Topics()


class Taken:
    """The payloads of commands, as they come."""

    def __init__(self) -> None:
        self.payloads: asyncio.Queue[bytes] = asyncio.Queue()

    async def __call__(self, incoming: Incoming) -> None:
        self.payloads.put_nowait(incoming.payload)

    async def next(self) -> bytes:
        async with asyncio.timeout(15):
            return await self.payloads.get()


async def order(broker: MosquittoContainer, node: NodeName, payload: bytes, *, retain: bool = False) -> None:
    """Publish a command as ops."""
    async with Client(broker.broker, identifier=f"ops-{uuid4()}", clean_start=True, session_expiry_s=0) as ops:
        await ops.send(TOPICS.command_to(str(node)), payload, retain=retain)


async def reconnected(session: Session, *, after: int = 1) -> None:
    """Wait for a connection later than number `after`."""
    async with asyncio.timeout(20):
        while await session.wait_connected() <= after:  # noqa: ASYNC110
            await asyncio.sleep(0.01)  # the loss of the old connection is not known yet


async def until_lost(session: Session, *, within_s: float = 5.0) -> float:
    """Wait until the session knows that its connection is gone; returns how long that took."""
    began = time.monotonic()
    async with asyncio.timeout(within_s):
        while session.connected:  # noqa: ASYNC110
            await asyncio.sleep(0.01)
    return time.monotonic() - began


def presence_of(payload: bytes) -> Presence:
    return decode(Presence, payload)


async def test_a_broker_that_was_away_is_found_again(broker: MosquittoContainer, node: NodeName) -> None:
    topic = TOPICS.of(node, Kind.TAGS, "press")
    async with running(session_of(broker.as_node(node), node)) as session:
        broker.stop()
        await until_lost(session)
        with pytest.raises(LinkError):
            await session.publish(topic, b"into the void")
        broker.start()
        await reconnected(session)
        await session.publish(topic, b"back")
    assert session.connected is False


async def test_retained_state_is_asserted_again_to_a_broker_that_forgot_everything(
    broker: MosquittoContainer, node: NodeName
) -> None:
    topics = [TOPICS.of(node, Kind.APP, f"app-{number}") for number in range(120)]
    cleared = TOPICS.of(node, Kind.ALERT, "disk")
    async with running(session_of(broker.as_node(node), node)) as session:
        for topic in (*topics, cleared):
            session.retain(topic, topic.encode())
        async with observing(broker.broker, TOPICS.below(node)) as before:
            while {message.topic.value for message in before.seen} < {*topics, cleared}:
                await before.until(lambda _: True)
            session.retain(cleared, b"")
            await before.until(lambda message: message.topic.value == cleared and not message.payload)
        broker.kill()
        broker.forget()
        broker.start()
        await reconnected(session)
        async with observing(broker.broker, TOPICS.below(node)) as observer:
            wanted = {*topics, TOPICS.of(node, Kind.PRESENCE)}
            while {message.topic.value for message in observer.seen if message.payload} < wanted:
                await observer.until(lambda _: True)
    assert cleared not in {message.topic.value for message in observer.seen if message.payload}
    assert all(
        message.payload == message.topic.value.encode() for message in observer.seen if "/app/" in message.topic.value
    )


async def test_a_command_published_while_the_node_was_away_is_delivered(
    broker: MosquittoContainer, node: NodeName
) -> None:
    async with running(session_of(broker.as_node(node), node)):
        pass
    await order(broker, node, b"while away")
    broker.stop()
    broker.start()
    taken = Taken()
    async with running(session_of(broker.as_node(node), node, on_command=taken)):
        assert await taken.next() == b"while away"


async def test_a_command_is_delivered_after_a_broker_that_forgot_the_subscription(
    broker: MosquittoContainer, node: NodeName
) -> None:
    taken = Taken()
    async with running(session_of(broker.as_node(node), node, on_command=taken)) as session:
        broker.kill()
        broker.forget()
        broker.start()
        await reconnected(session)
        await order(broker, node, b"after")
        assert await taken.next() == b"after"


async def test_a_command_that_was_not_acknowledged_comes_again_after_a_kill(
    broker: MosquittoContainer, node: NodeName
) -> None:
    async with agent_process(broker.as_node(node), node, "hang") as agent:
        await said(agent, "connected")
        await order(broker, node, b"deploy")
        await said(agent, "command")
        agent.kill()
        await agent.wait()
    taken = Taken()
    async with running(session_of(broker.as_node(node), node, on_command=taken)):
        assert await taken.next() == b"deploy"


async def test_an_acknowledged_command_does_not_come_again(broker: MosquittoContainer, node: NodeName) -> None:
    first, second = Taken(), Taken()
    async with running(session_of(broker.as_node(node), node, on_command=first)):
        await order(broker, node, b"once")
        await first.next()
    await order(broker, node, b"next")
    async with running(session_of(broker.as_node(node), node, on_command=second)):
        assert await second.next() == b"next"


async def test_a_retained_command_comes_with_a_new_subscription_and_not_at_every_reconnect(
    broker: MosquittoContainer, node: NodeName
) -> None:
    await order(broker, node, b"retained by mistake", retain=True)
    taken = Taken()
    async with running(session_of(broker.as_node(node), node, on_command=taken)) as session:
        assert await taken.next() == b"retained by mistake"
        await session.publish(TOPICS.of(node, Kind.TAGS, "press"), b"{}")  # now its acknowledgement is out as well
        broker.stop()
        broker.start()
        await reconnected(session)
        await order(broker, node, b"next")
        assert await taken.next() == b"next"


async def test_an_agent_that_dies_is_announced_as_lost_after_the_will_delay(
    broker: MosquittoContainer, node: NodeName
) -> None:
    presence = TOPICS.of(node, Kind.PRESENCE)
    dying = agent_process(broker.as_node(node), node, "take")
    async with observing(broker.broker, presence) as observer, dying as agent:
        await said(agent, "connected")
        online = presence_of((await observer.until(lambda message: bool(message.payload))).payload)
        agent.kill()
        died = time.monotonic()
        lost = presence_of((await observer.until(lambda message: b'"lost"' in message.payload)).payload)
    assert time.monotonic() - died >= 0.9, "the will delay is 1 s"
    assert (lost.online, lost.since, lost.session) == (False, None, online.session)


async def test_an_agent_that_comes_back_in_time_is_not_announced_as_lost(
    broker: MosquittoContainer, node: NodeName
) -> None:
    async with observing(broker.broker, TOPICS.of(node, Kind.PRESENCE)) as observer:
        async with agent_process(broker.as_node(node), node, "take") as agent:
            await observer.until(lambda message: presence_of(message.payload).online)
            agent.kill()
            await agent.wait()
        async with running(session_of(broker.as_node(node), node)):
            await observer.seen_within(2.5)
            said_of_it = [presence_of(message.payload) for message in observer.seen]
    assert [presence.online for presence in said_of_it] == [True, True]
    assert said_of_it[0].session != said_of_it[1].session


async def test_a_silent_connection_is_given_up_and_made_again(broker: MosquittoContainer, node: NodeName) -> None:
    """The keep-alive of 5 s notices what no closed socket tells."""
    topic = TOPICS.of(node, Kind.TAGS, "press")
    async with running(session_of(broker.as_node(node), node, keepalive_s=5)) as session:
        broker.pause()
        with pytest.raises(LinkError):
            await session.publish(topic, b"into the void")
        assert not session.connected
        broker.unpause()
        await reconnected(session)
        await session.publish(topic, b"back")


async def test_a_refusal_is_said_and_tried_again_until_the_password_is_right(
    broker: MosquittoContainer, node: NodeName, tmp_path: Path
) -> None:
    right = broker.as_node(node)
    password = tmp_path / "password"
    address = msgspec.structs.replace(right, password_file=str(password))
    with capture_logs() as logs:
        async with running(session_of(address, node), connected=False) as session:
            await logged(logs, "broker_unreachable")  # no password file at all yet
            password.write_text("guess")
            refusal = await logged(logs, "broker_refused")
            password.write_text(right.secret() or "")
            await reconnected(session, after=0)
    assert "Not authorized" in str(refusal["reason"])


async def logged(logs: list[dict[str, object]], event: str) -> dict[str, object]:
    """Wait until the event was logged."""
    async with asyncio.timeout(15):
        while True:
            for entry in logs:
                if entry["event"] == event:
                    return entry
            await asyncio.sleep(0.01)


async def test_a_stop_without_a_broker_is_prompt(broker: MosquittoContainer, node: NodeName) -> None:
    address = msgspec.structs.replace(broker.as_node(node), port=free_port())
    async with asyncio.timeout(3):
        async with running(session_of(address, node), connected=False):
            await asyncio.sleep(0.2)


async def test_a_stop_is_bounded_when_the_broker_is_silent(broker: MosquittoContainer, node: NodeName) -> None:
    async with running(session_of(broker.as_node(node), node)):
        broker.pause()
        began = time.monotonic()
    assert time.monotonic() - began < 8
