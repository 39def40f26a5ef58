"""The async client against a real broker and nodes that follow a script."""

import asyncio
from contextlib import AsyncExitStack, aclosing
from datetime import UTC, datetime, timedelta

import pytest
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from link.broker import Broker
from link.client import Client, LinkError, PublishRefusedError
from ops.client import NoAnswerError, OpsClient, Patience, Signer
from ops.ids import new_command_id
from ops.retained import retained_messages
from tests.support.mosquitto import MosquittoContainer
from tests.support.ports import free_port
from tests.support.scripted_node import ScriptedNode, fail, outcome, succeed
from wire.codec import encode, encode_command
from wire.continuity import Arrival
from wire.messages import (
    Args,
    Category,
    Command,
    Fault,
    Gap,
    GapReason,
    Left,
    Outcome,
    Phase,
    Ping,
    Presence,
    Stop,
    TagBatch,
    TagValue,
)
from wire.signature import signature_in, verify
from wire.topics import Kind, NodeName, Topics

SOON = Patience(first_s=0.2, longest_s=0.5, grace_s=0.2)
FAULT = Fault(phase="pull", component="registry", element="x:1", category=Category.IMAGE_NOT_FOUND, message="no x:1")


def command(target: object, args: Args | None = None, *, within_s: float = 20.0) -> Command:
    now = datetime.now(UTC)
    return Command(
        id=new_command_id(),
        target=str(target),
        issuer="test",
        issued_at=now,
        expires_at=now + timedelta(seconds=within_s),
        args=args or Ping(),
    )


def as_ops(broker: MosquittoContainer) -> OpsClient:
    return OpsClient(broker.broker, patience=SOON)


async def phases(client: OpsClient, sent: Command) -> list[Phase]:
    return [said.phase async for said in client.send(sent)]


async def test_each_phase_comes_once_and_in_order(broker: MosquittoContainer, node: NodeName) -> None:
    async with ScriptedNode(broker.as_node(node), node) as scripted:
        seen = await phases(as_ops(broker), command(node, Stop(app="hmi")))
    assert seen == [Phase.ACCEPTED, Phase.RUNNING, Phase.SUCCEEDED]
    assert len(scripted.deliveries) == 1


async def test_a_node_that_missed_the_command_is_sent_it_again_with_the_same_id(
    broker: MosquittoContainer, node: NodeName
) -> None:
    def deaf_at_first(sent: Command, before: int) -> list[Outcome]:
        return list(succeed(node)(sent, before)) if before == 2 else []

    sent = command(node)
    async with ScriptedNode(broker.as_node(node), node, deaf_at_first) as scripted:
        assert (await phases(as_ops(broker), sent))[-1] is Phase.SUCCEEDED
    assert [delivered for delivered, _ in scripted.deliveries] == [sent] * 3


async def test_an_accepted_command_is_not_sent_again(broker: MosquittoContainer, node: NodeName) -> None:
    async with ScriptedNode(broker.as_node(node), node, lambda c, _: [outcome(node, c, 0, Phase.ACCEPTED)]) as scripted:
        with pytest.raises(NoAnswerError, match="accepted") as caught:
            await phases(as_ops(broker), command(node, within_s=1.5))
    assert len(scripted.deliveries) == 1
    assert caught.value.pursuit.unfinished == [str(node)]
    assert caught.value.pursuit.silent == []


async def test_what_comes_twice_or_late_is_not_told(broker: MosquittoContainer, node: NodeName) -> None:
    def confused(sent: Command, _: int) -> list[Outcome]:
        order = (0, 2, 1, 2, 0, 3, 3, 1)
        said = [Phase.ACCEPTED, Phase.RUNNING, Phase.RUNNING, Phase.SUCCEEDED]
        return [outcome(node, sent, seq, said[seq]) for seq in order]

    async with ScriptedNode(broker.as_node(node), node, confused):
        seen = [(said.seq, said.phase) async for said in as_ops(broker).send(command(node))]
    assert seen == [(0, Phase.ACCEPTED), (2, Phase.RUNNING), (3, Phase.SUCCEEDED)]


async def test_a_failure_comes_with_its_cause_and_what_the_node_was_left_in(
    broker: MosquittoContainer, node: NodeName
) -> None:
    async with ScriptedNode(broker.as_node(node), node, fail(node, FAULT)):
        *_, end = [said async for said in as_ops(broker).send(command(node))]
    assert (end.phase, end.error, end.left) == (Phase.FAILED, FAULT, Left.ROLLED_BACK)


async def test_a_node_that_never_answers_is_named(broker: MosquittoContainer, node: NodeName) -> None:
    with pytest.raises(NoAnswerError, match=f"no answer from {node}") as caught:
        await phases(as_ops(broker), command(node, within_s=0.8))
    assert caught.value.pursuit.silent == [str(node)]


async def test_a_broadcast_waits_for_every_node_of_the_site(broker: MosquittoContainer, node: NodeName) -> None:
    names = [NodeName(node.site, f"n{number}") for number in range(3)]
    async with AsyncExitStack() as stack:
        for name in names:
            await stack.enter_async_context(ScriptedNode(broker.as_node(name), name))
        other = NodeName("elsewhere", node.node)
        beside = await stack.enter_async_context(ScriptedNode(broker.as_node(other), other))
        ends = [said async for said in as_ops(broker).send(command(f"{node.site}/*")) if said.phase.is_end]
    assert sorted(end.node for end in ends) == sorted(map(str, names))
    assert beside.deliveries == []


async def test_a_broadcast_is_repeated_to_the_silent_nodes_alone(broker: MosquittoContainer, node: NodeName) -> None:
    quick, slow = NodeName(node.site, "quick"), NodeName(node.site, "slow")

    def second_time(sent: Command, before: int) -> list[Outcome]:
        return list(succeed(slow)(sent, before)) if before else []

    async with (
        ScriptedNode(broker.as_node(quick), quick) as one,
        ScriptedNode(broker.as_node(slow), slow, second_time) as two,
    ):
        await phases(as_ops(broker), command(f"{node.site}/*"))
    assert (len(one.deliveries), len(two.deliveries)) == (1, 2)


async def test_outcomes_of_other_commands_and_other_nodes_are_not_taken_for_ours(
    broker: MosquittoContainer, node: NodeName
) -> None:
    def pretender(sent: Command, _: int) -> list[Outcome]:
        other = NodeName(node.site, "other")
        honest = outcome(node, sent, 0, Phase.ACCEPTED)
        return [outcome(other, sent, 0, Phase.SUCCEEDED), honest, outcome(node, sent, 1, Phase.REJECTED)]

    async with ScriptedNode(broker.as_node(node), node, pretender):
        seen = [(said.node, said.phase) async for said in as_ops(broker).send(command(node))]
    assert seen == [(str(node), Phase.ACCEPTED), (str(node), Phase.REJECTED)]


async def test_a_command_outlives_the_broker(broker: MosquittoContainer, node: NodeName) -> None:
    ended = asyncio.Event()

    def ends_later(sent: Command, before: int) -> list[Outcome]:
        return list(succeed(node)(sent, before)) if ended.is_set() else [outcome(node, sent, 0, Phase.ACCEPTED)]

    async with ScriptedNode(broker.as_node(node), node, ends_later):
        stream = as_ops(broker).send(command(node, within_s=60))
        async with aclosing(stream):
            assert (await anext(stream)).phase is Phase.ACCEPTED
            await asyncio.to_thread(broker.stop)
            ended.set()
            await asyncio.to_thread(broker.start)
            assert [said.phase async for said in stream][-1] is Phase.SUCCEEDED


async def test_a_signed_command_is_one_that_a_node_believes(broker: MosquittoContainer, node: NodeName) -> None:
    key = Ed25519PrivateKey.generate()

    def check(signature: bytes, message: bytes) -> bool:
        try:
            key.public_key().verify(signature, message)
        except InvalidSignature:
            return False
        return True

    client = OpsClient(broker.broker, signer=Signer("ops", key.sign), patience=SOON)
    sent = command(node)
    async with ScriptedNode(broker.as_node(node), node) as scripted:
        await phases(client, sent)
    [(_, properties)] = scripted.deliveries
    assert verify(encode_command(sent), signature_in(properties), trusted={"ops": check}) == "ops"


async def test_an_unreachable_broker_is_said_at_once(node: NodeName) -> None:
    client = OpsClient(Broker(port=free_port()))
    with pytest.raises(LinkError, match=r"127\.0\.0\.1") as caught:
        await phases(client, command(node))
    assert not caught.value.refused


async def test_a_wrong_password_is_said_as_a_refusal(broker: MosquittoContainer, node: NodeName) -> None:
    wrong = Broker(port=broker.broker.port, username="ops", password="wrong")
    with pytest.raises(LinkError) as caught:
        await phases(OpsClient(wrong), command(node))
    assert caught.value.refused


async def test_who_may_not_give_commands_is_told_so(broker: MosquittoContainer, node: NodeName) -> None:
    with pytest.raises(PublishRefusedError):
        await phases(OpsClient(broker.as_node(node), patience=SOON), command("elsewhere/press-1"))


async def test_the_fleet_is_read_whole_from_what_is_retained(broker: MosquittoContainer, node: NodeName) -> None:
    """More than the broker lets be in flight at once, and more than the receive maximum."""
    names = [NodeName(node.site, f"n{number:03}") for number in range(250)]
    said = {Topics().of(name, Kind.PRESENCE): Presence(node=str(name), online=True, session="s") for name in names}
    async with Client(broker.admin, identifier="many", clean_start=True, session_expiry_s=0) as admin:
        for topic, presence in said.items():
            await admin.send(topic, encode(presence), retain=True)
        fleet = await as_ops(broker).fleet(site=node.site)
        for topic in said:
            await admin.send(topic, b"", retain=True)
    assert sorted(fleet.nodes) == names
    assert (await as_ops(broker).fleet(site=node.site)).nodes == {}


async def test_who_may_put_no_fence_reads_until_it_is_quiet(broker: MosquittoContainer, node: NodeName) -> None:
    """A node may read its commands and publish none: what is retained there comes all the same, a little later."""
    topic = Topics().of(node, Kind.COMMAND)
    async with Client(broker.admin, identifier="admin", clean_start=True, session_expiry_s=0) as admin:
        await admin.send(topic, b"kept", retain=True)
        async with Client(broker.as_node(node), identifier="n", clean_start=True, session_expiry_s=0) as reader:
            found = [message async for message in retained_messages(reader, Topics(), [topic])]
        await admin.send(topic, b"", retain=True)
    assert found == [(topic, b"kept")]


def batch(seq: int, *, gap: Gap | None = None) -> TagBatch:
    return TagBatch(epoch="e-1", plc="plc-1", seq=seq, values=(TagValue(name="t", value=seq),), gap=gap)


async def test_a_tag_stream_is_told_once_each_with_what_is_missing(broker: MosquittoContainer, node: NodeName) -> None:
    now = datetime.now(UTC)
    dropped = Gap(reason=GapReason.SPOOL_FULL, since=now, until=now, first_seq=7, last_seq=9, values=30)
    async with ScriptedNode(broker.as_node(node), node) as scripted, aclosing(as_ops(broker).tags(node)) as stream:
        first = asyncio.ensure_future(anext(stream))
        arrivals = [await _first_of(scripted, first)]
        for seq in (1, 2, 2, 5, 6):
            await scripted.publish(Kind.TAGS, "plc-1", message=batch(seq))
        await scripted.publish(Kind.TAGS, "plc-1", message=batch(9, gap=dropped))
        arrivals += [await anext(stream) for _ in range(5)]
    assert [(arrival.batch.seq, arrival.missed) for arrival in arrivals] == [
        (0, None),
        (1, None),
        (2, None),
        (5, (3, 4)),
        (6, None),
        (9, None),
    ]
    assert arrivals[-1].gap == dropped


async def _first_of(scripted: ScriptedNode, first: asyncio.Future[Arrival]) -> Arrival:
    """Say the first batch until somebody listens."""
    while not first.done():
        await scripted.publish(Kind.TAGS, "plc-1", message=batch(0))
        await asyncio.wait({first}, timeout=0.1)
    return first.result()


async def test_a_session_misses_nothing_between_two_runs(broker: MosquittoContainer, node: NodeName) -> None:
    client, session = as_ops(broker), f"historian-{node.site}"
    async with ScriptedNode(broker.as_node(node), node) as scripted:
        async with aclosing(client.tags(node, "plc-1", session=session)) as stream:
            await _first_of(scripted, asyncio.ensure_future(anext(stream)))
        for seq in (1, 2, 3):
            await scripted.publish(Kind.TAGS, "plc-1", message=batch(seq))
        async with aclosing(client.tags(node, "plc-1", session=session)) as stream:
            again = [(await anext(stream)).batch.seq for _ in range(4)]
    assert again == [0, 1, 2, 3], "0 was told but not asked beyond, so it is the broker's still"
