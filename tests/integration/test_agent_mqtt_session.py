"""One connection of the agent's session, against the real broker with its access rules on."""

import asyncio
from uuid import uuid4

import pytest

from agent.errors import PermanentError, TransientError
from agent.mqtt import Incoming
from link.client import Client, LinkError, PublishRefusedError
from tests.support.agents import running, session_of
from tests.support.mosquitto import MosquittoContainer
from tests.support.observer import observing
from wire.codec import decode
from wire.messages import Category, Presence
from wire.topics import Kind, NodeName, Topics

TOPICS = Topics()


def about(payload: bytes) -> dict[str, object]:
    return {"phase": "admit", "component": "ledger", "element": payload.decode(), "category": Category.NO_SPACE}


class Commands:
    """Takes commands, and remembers them; `failures` are raised first, one a call."""

    def __init__(self, *failures: Exception) -> None:
        self.seen: list[Incoming] = []
        self._failures = list(failures)
        self._came = asyncio.Event()

    async def __call__(self, incoming: Incoming) -> None:
        if self._failures:
            raise self._failures.pop(0)
        self.seen.append(incoming)
        self._came.set()

    async def until(self, count: int) -> list[bytes]:
        async with asyncio.timeout(15):
            while len(self.seen) < count:
                self._came.clear()
                await self._came.wait()
        return [incoming.payload for incoming in self.seen]


async def order(broker: MosquittoContainer, topic: str, *payloads: bytes) -> None:
    """Publish commands as ops."""
    async with Client(broker.broker, identifier=f"ops-{uuid4()}", clean_start=True, session_expiry_s=0) as ops:
        for payload in payloads:
            await ops.send(topic, payload)


async def test_presence_is_retained_online_and_becomes_stopped_on_a_clean_stop(
    broker: MosquittoContainer, node: NodeName
) -> None:
    presence_topic = TOPICS.of(node, Kind.PRESENCE)
    async with running(session_of(broker.as_node(node), node)), observing(broker.broker, presence_topic) as late:
        online = decode(Presence, (await late.until(lambda _: True)).payload)
    async with observing(broker.broker, presence_topic) as later:
        stopped = decode(Presence, (await later.until(lambda _: True)).payload)
    assert (online.online, online.version, online.capabilities) == (True, "1.2.3", ("ping",))
    assert (stopped.online, stopped.reason, stopped.session) == (False, "stopped", online.session)
    assert online.since is not None
    assert stopped.since is not None
    assert online.since <= stopped.since


async def test_a_clean_stop_is_not_followed_by_the_will(broker: MosquittoContainer, node: NodeName) -> None:
    async with observing(broker.broker, TOPICS.of(node, Kind.PRESENCE)) as observer:
        async with running(session_of(broker.as_node(node), node, will_delay_s=1)):
            pass
        await observer.until(lambda message: decode(Presence, message.payload).reason == "stopped")
        assert await observer.seen_within(2.5) == []


async def test_commands_come_one_by_one_in_order_from_all_three_topics(
    broker: MosquittoContainer, node: NodeName
) -> None:
    commands = Commands()
    async with running(session_of(broker.as_node(node), node, on_command=commands)):
        async with Client(broker.broker, identifier=f"ops-{uuid4()}", clean_start=True, session_expiry_s=0) as ops:
            for number, target in enumerate((str(node), f"{node.site}/*", "*", str(node)) * 60):
                await ops.send(TOPICS.command_to(target), b"%d" % number)
        payloads = await commands.until(240)
    assert payloads == [b"%d" % number for number in range(240)]


async def test_a_command_comes_with_all_that_belongs_to_it(broker: MosquittoContainer, node: NodeName) -> None:
    commands = Commands()
    topic = TOPICS.command_to(str(node))
    properties = [("key-id", "ops-1"), ("signature", "c2ln")]
    async with running(session_of(broker.as_node(node), node, on_command=commands)):
        async with Client(broker.broker, identifier=f"ops-{uuid4()}", clean_start=True, session_expiry_s=0) as ops:
            await ops.send(
                topic, b"\xff\x00", user_properties=properties, response_topic="answers/1", correlation_data=b"\x01"
            )
        await commands.until(1)
    assert commands.seen == [
        Incoming(
            topic=topic,
            payload=b"\xff\x00",
            user_properties=tuple(properties),
            response_topic="answers/1",
            correlation_data=b"\x01",
        )
    ]


async def test_a_command_that_could_not_be_stored_is_taken_again_before_those_behind_it(
    broker: MosquittoContainer, node: NodeName
) -> None:
    commands = Commands(TransientError("disk full", **about(b"1")))
    async with running(session_of(broker.as_node(node), node, on_command=commands)):
        await order(broker, TOPICS.command_to(str(node)), b"1", b"2", b"3")
        assert await commands.until(3) == [b"1", b"2", b"3"]


async def test_a_command_that_cannot_be_stored_is_not_acknowledged_and_comes_again_at_the_next_connect(
    broker: MosquittoContainer, node: NodeName
) -> None:
    commands = Commands(PermanentError("the ledger is damaged", **about(b"1")))
    async with running(session_of(broker.as_node(node), node, on_command=commands)):
        await order(broker, TOPICS.command_to(str(node)), b"1", b"2")
        assert await commands.until(1) == [b"2"]
    again = Commands()
    async with running(session_of(broker.as_node(node), node, on_command=again)):
        assert await again.until(1) == [b"1"]


async def test_a_bug_in_handling_a_command_ends_the_session(broker: MosquittoContainer, node: NodeName) -> None:
    session = session_of(broker.as_node(node), node, on_command=Commands(ZeroDivisionError()))
    async with asyncio.timeout(15):
        running_session = asyncio.create_task(session.run())
        await session.wait_connected()
        await order(broker, TOPICS.command_to(str(node)), b"1")
        with pytest.raises(ExceptionGroup) as ended:
            await running_session
    assert ended.value.subgroup(ZeroDivisionError)


async def test_retained_state_is_published_the_latest_winning(broker: MosquittoContainer, node: NodeName) -> None:
    topic = TOPICS.of(node, Kind.HEALTH)
    session = session_of(broker.as_node(node), node)
    session.retain(topic, b"before the connection")
    async with observing(broker.broker, topic) as observer, running(session):
        await observer.until(lambda message: message.payload == b"before the connection")
        for number in range(500):
            session.retain(topic, b"%d" % number)
        await observer.until(lambda message: message.payload == b"499")
        assert len(observer.seen) < 10, "what was overtaken needs no publishing"
    async with observing(broker.broker, topic) as late:
        assert (await late.until(lambda message: message.retain)).payload == b"499"


async def test_an_empty_payload_clears_a_retained_topic(broker: MosquittoContainer, node: NodeName) -> None:
    topic = TOPICS.of(node, Kind.APP, "press-app")
    async with observing(broker.broker, topic) as observer, running(session_of(broker.as_node(node), node)) as session:
        session.retain(topic, b"running")
        await observer.until(lambda message: message.payload == b"running")
        session.retain(topic, b"")
        await observer.until(lambda message: message.payload == b"")
    async with observing(broker.broker, topic) as late:
        assert await late.seen_within(0.3) == []


async def test_what_was_wanted_just_before_a_stop_is_published_before_the_stop(
    broker: MosquittoContainer, node: NodeName
) -> None:
    topics = [TOPICS.of(node, Kind.TAG, "press", f"tag {number}") for number in range(300)]
    async with observing(broker.broker, TOPICS.below(node)) as observer:
        async with running(session_of(broker.as_node(node), node)) as session:
            for topic in topics:
                session.retain(topic, b"1")
        await observer.until(lambda message: b"stopped" in message.payload)
    assert {message.topic.value for message in observer.seen} >= set(topics)


async def test_publish_returns_when_the_broker_has_it_and_carries_properties(
    broker: MosquittoContainer, node: NodeName
) -> None:
    topic = TOPICS.of(node, Kind.OUTCOME, "cmd-1")
    async with observing(broker.broker, topic) as observer, running(session_of(broker.as_node(node), node)) as session:
        await session.publish(topic, b"{}", user_properties=(("a", "b"),), correlation_data=b"7", response_topic="r/1")
        message = await observer.until(lambda _: True)
    properties = message.properties
    assert (properties.UserProperty, properties.CorrelationData, properties.ResponseTopic) == (
        [("a", "b")],
        b"7",
        "r/1",
    )
    assert not message.retain


async def test_a_publish_that_the_broker_forbids_says_so(broker: MosquittoContainer, node: NodeName) -> None:
    neighbour = NodeName(node.site, "neighbour")
    async with running(session_of(broker.as_node(node), node)) as session:
        with pytest.raises(PublishRefusedError, match="Not authorized") as refusal:
            await session.publish(TOPICS.of(neighbour, Kind.HEALTH), b"{}")
        assert refusal.value.topic == TOPICS.of(neighbour, Kind.HEALTH)
        await session.publish(TOPICS.of(node, Kind.TAGS, "press"), b"{}")
    assert session.connected is False


async def test_forbidden_retained_state_does_not_hold_up_the_rest(broker: MosquittoContainer, node: NodeName) -> None:
    own = TOPICS.of(node, Kind.HEALTH)
    session = session_of(broker.as_node(node), node)
    session.retain(TOPICS.of(NodeName(node.site, "neighbour"), Kind.HEALTH), b"{}")
    session.retain(own, b"{}")
    async with observing(broker.broker, own) as observer, running(session):
        await observer.until(lambda message: message.topic.value == own)


async def test_publish_without_a_connection_fails_at_once(broker: MosquittoContainer, node: NodeName) -> None:
    session = session_of(broker.as_node(node), node)
    with pytest.raises(LinkError):
        async with asyncio.timeout(0.1):
            await session.publish(TOPICS.of(node, Kind.HEALTH), b"{}")


async def test_a_hundred_publishes_are_in_flight_side_by_side(broker: MosquittoContainer, node: NodeName) -> None:
    topic = TOPICS.of(node, Kind.TAGS, "press")
    async with observing(broker.broker, topic) as observer, running(session_of(broker.as_node(node), node)) as session:
        async with asyncio.TaskGroup() as tasks:
            for number in range(1000):
                tasks.create_task(session.publish(topic, b"%d" % number))
        await observer.until(lambda message: message.payload == b"999")
    assert [message.payload for message in observer.seen] == [b"%d" % number for number in range(1000)]


async def test_over_tls_with_user_name_and_password(broker: MosquittoContainer, node: NodeName) -> None:
    address = broker.as_node(node, tls=True)
    assert address.port != broker.as_node(node).port
    async with observing(broker.broker, TOPICS.of(node, Kind.TAGS, "press")) as observer:
        async with running(session_of(address, node)) as session:
            await session.publish(TOPICS.of(node, Kind.TAGS, "press"), b"{}")
        await observer.until(lambda message: message.payload == b"{}")
