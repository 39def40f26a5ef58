"""The broker's own rules, held against the real broker: who comes in, and who may write and read what."""

import asyncio
import sys
from pathlib import Path
from uuid import uuid4

import msgspec
import pytest

from link.broker import Broker
from link.client import Client, LinkError, PublishRefusedError
from mosquitto.credentials import new_authority
from tests.support.mosquitto import MosquittoContainer
from tests.support.observer import observing
from wire.topics import Kind, NodeName, Topics

TOPICS = Topics()
MAX_PACKET_BYTES = 4_194_304
OTHER = NodeName("plant-other", "press-9")
OWN_KINDS = (
    (Kind.PRESENCE, ()),
    (Kind.HEALTH, ()),
    (Kind.APP, ("press-app",)),
    (Kind.OUTCOME, ("cmd-1",)),
    (Kind.TAGS, ("press",)),
    (Kind.TAG, ("press", "temp/oil")),
    (Kind.TAGMETA, ("press",)),
    (Kind.ALERT, ("disk",)),
    (Kind.LOG, ("press-app",)),
)


def connection(broker: Broker) -> Client:
    """A connection that leaves no session."""
    return Client(broker, identifier=f"test-{uuid4()}", clean_start=True, session_expiry_s=0)


async def publish(broker: Broker, topic: str, payload: bytes = b"{}") -> None:
    async with connection(broker) as client:
        await client.send(topic, payload)


@pytest.mark.parametrize(("kind", "names"), OWN_KINDS)
async def test_what_a_node_says_of_itself_reaches_ops_and_the_controller(
    broker: MosquittoContainer, node: NodeName, kind: Kind, names: tuple[str, ...]
) -> None:
    topic = TOPICS.of(node, kind, *names)
    writer = broker.as_node(node)
    below = TOPICS.below(node)
    async with observing(broker.broker, below) as ops, observing(broker.controller, below) as controller:
        await publish(writer, topic, b"x")
        for reader in (ops, controller):
            assert (await reader.until(lambda message: message.payload == b"x")).topic.value == topic


@pytest.mark.parametrize(("kind", "names"), OWN_KINDS)
async def test_a_node_cannot_speak_for_another(
    broker: MosquittoContainer, node: NodeName, kind: Kind, names: tuple[str, ...]
) -> None:
    neighbour = NodeName(node.site, "neighbour")
    for victim in (neighbour, OTHER):
        with pytest.raises(PublishRefusedError, match="Not authorized"):
            await publish(broker.as_node(node), TOPICS.of(victim, kind, *names))


async def test_a_node_cannot_give_commands_to_anybody(broker: MosquittoContainer, node: NodeName) -> None:
    targets = (str(node), str(OTHER), f"{node.site}/*", "*")
    for target in targets:
        with pytest.raises(PublishRefusedError):
            await publish(broker.as_node(node), TOPICS.command_to(target))


async def test_a_node_cannot_invent_topics_of_its_own(broker: MosquittoContainer, node: NodeName) -> None:
    for topic in (f"mw/v1/{node}/firmware", f"mw/v1/{node}", f"mw/v1/{node}/health/deeper", "elsewhere", "$SYS/x"):
        with pytest.raises(PublishRefusedError):
            await publish(broker.as_node(node), topic)


async def test_a_node_reads_its_own_its_sites_and_the_fleets_commands_and_nothing_else(
    broker: MosquittoContainer, node: NodeName
) -> None:
    neighbour = NodeName(node.site, "neighbour")
    own = [TOPICS.command_to(target) for target in (str(node), f"{node.site}/*", "*")]
    others = [TOPICS.command_to(target) for target in (str(neighbour), str(OTHER), f"{OTHER.site}/*")]
    writer = broker.as_node(neighbour)
    async with observing(broker.as_node(node), "#", "$SYS/#") as eavesdropper:
        await publish(writer, TOPICS.of(neighbour, Kind.TAGS, "press"))
        for topic in (*others, *own):
            await publish(broker.broker, topic)
        await eavesdropper.until(lambda message: message.topic.value == own[-1])
    assert [message.topic.value for message in eavesdropper.seen] == own


async def test_a_node_does_not_read_what_another_retained(broker: MosquittoContainer, node: NodeName) -> None:
    neighbour = NodeName(node.site, "neighbour")
    presence = TOPICS.of(neighbour, Kind.PRESENCE)
    async with connection(broker.as_node(neighbour)) as client:
        await client.send(presence, b"{}", retain=True)
    async with observing(broker.as_node(node), "#", presence) as eavesdropper:
        await publish(broker.broker, TOPICS.command_to(str(node)))
        await eavesdropper.until(lambda message: message.topic.value.endswith("/command"))
    assert len(eavesdropper.seen) == 1


@pytest.mark.parametrize("user", ["ops", "controller"])
async def test_the_centre_gives_commands_and_cannot_speak_for_a_node(
    broker: MosquittoContainer, node: NodeName, user: str
) -> None:
    centre = broker.files.broker_for(user)
    for target in (str(node), f"{node.site}/*", "*"):
        await publish(centre, TOPICS.command_to(target))
    with pytest.raises(PublishRefusedError):
        await publish(centre, TOPICS.of(node, Kind.HEALTH))


async def test_a_message_that_the_broker_would_not_take_is_refused_and_the_connection_stays(
    broker: MosquittoContainer, node: NodeName
) -> None:
    topic = TOPICS.of(node, Kind.TAGS, "press")
    overhead = 5 + 2 + len(topic) + 2 + 1
    async with connection(broker.as_node(node)) as client:
        with pytest.raises(PublishRefusedError, match="Packet too large"):
            await client.send(topic, bytes(MAX_PACKET_BYTES - overhead + 1))
        await client.send(topic, bytes(MAX_PACKET_BYTES - overhead))


async def test_who_ignores_the_size_limit_is_thrown_out(broker: MosquittoContainer, node: NodeName) -> None:
    async with connection(broker.as_node(node)) as client:
        client._max_packet_bytes = sys.maxsize
        with pytest.raises(LinkError):
            await client.send(TOPICS.of(node, Kind.TAGS, "press"), bytes(MAX_PACKET_BYTES))


@pytest.mark.parametrize("tls", [False, True])
async def test_a_wrong_or_missing_password_is_refused(broker: MosquittoContainer, node: NodeName, tls: bool) -> None:
    right = broker.as_node(node, tls=tls)
    wrong = msgspec.structs.replace(right, password_file=None, password="guess")
    nobody = msgspec.structs.replace(right, password_file=None, username=None)
    for broker_address in (wrong, nobody):
        with pytest.raises(LinkError) as refusal:
            await publish(broker_address, "x")
        assert refusal.value.refused


async def test_the_tls_listener_proves_itself_to_the_plants_authority(
    broker: MosquittoContainer, node: NodeName
) -> None:
    await publish(broker.as_node(node, tls=True), TOPICS.of(node, Kind.HEALTH))


async def test_a_broker_with_another_authority_is_not_talked_to(
    broker: MosquittoContainer, node: NodeName, tmp_path: Path
) -> None:
    other_ca = tmp_path / "other.crt"
    other_ca.write_bytes(new_authority().certificate)
    suspicious = msgspec.structs.replace(broker.as_node(node, tls=True), ca_file=str(other_ca))
    with pytest.raises(LinkError, match="certificate verify failed"):
        await publish(suspicious, TOPICS.of(node, Kind.HEALTH))


async def test_a_certificate_for_another_name_is_not_believed(broker: MosquittoContainer, node: NodeName) -> None:
    by_another_name = msgspec.structs.replace(broker.as_node(node, tls=True), host="127.0.0.2")
    with pytest.raises(LinkError):
        await publish(by_another_name, TOPICS.of(node, Kind.HEALTH))


async def test_retained_messages_and_sessions_outlive_a_restart_of_the_broker(
    broker: MosquittoContainer, node: NodeName
) -> None:
    topic = TOPICS.of(node, Kind.HEALTH)
    identifier = f"away-{uuid4()}"
    async with Client(broker.broker, identifier=identifier, clean_start=False, session_expiry_s=600) as away:
        await away.subscribe(TOPICS.below(node), qos=1)
    async with connection(broker.as_node(node)) as client:
        await client.send(topic, b"kept", retain=True)
    broker.stop()
    broker.start()
    async with observing(broker.broker, topic) as late:
        assert (await late.until(lambda message: message.retain)).payload == b"kept"
    async with Client(broker.broker, identifier=identifier, clean_start=False, session_expiry_s=0) as away:
        assert away.session_present
        async with asyncio.timeout(5):
            assert [message.payload for message in await away.received()] == [b"kept"]
