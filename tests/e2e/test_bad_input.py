"""Whatever arrives on a command topic, the agent stays up and answers."""

import asyncio
import base64
import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from msgspec import Struct

from link.client import Client
from tests.e2e.conftest import MakeWorks
from wire.codec import decode
from wire.messages import Category, Health, Outcome, Phase
from wire.signature import sign
from wire.topics import Kind, NodeName, Topics

OPEN = NodeName("e2e-bad", "open")
SIGNED = NodeName("e2e-bad", "signed")
TOPICS = Topics()


class Case(Struct, frozen=True):
    """A payload, and what must become of it; no id means that it can only be counted."""

    payload: bytes
    command_id: str | None = None
    phase: Phase = Phase.REJECTED
    category: Category | None = Category.MALFORMED


def command(command_id: str, **changes: object) -> dict[str, object]:
    now = datetime.now(UTC)
    whole: dict[str, object] = {
        "id": command_id,
        "verb": "ping",
        "target": str(OPEN),
        "issuer": "e2e",
        "issued_at": now.isoformat(),
        "expires_at": (now + timedelta(minutes=2)).isoformat(),
        "args": {},
    }
    return {**whole, **changes}


def payload(command_id: str, **changes: object) -> bytes:
    return json.dumps(command(command_id, **changes)).encode()


def unreadable() -> Iterator[Case]:
    whole = payload("truncated")
    for end in range(1, len(whole), 12):
        yield Case(whole[:end])
    for text in (b"null", b"[]", b"42", b'"ping"', b"\xff\xfe\x00", b"{" * 5000, b"[" * 5000, b"\x00" * 100):
        yield Case(text)
    for bad_id in ("", "a/b", "x" * 65, "#", None, 7, ["id"], "na me"):
        yield Case(payload("x", id=bad_id))
    yield Case(b"x" * (300 * 1024))


def readable() -> Iterator[Case]:
    past = datetime.now(UTC) - timedelta(hours=1)
    changes: list[tuple[dict[str, object], Phase, Category | None]] = [
        ({"verb": "self-destruct"}, Phase.REJECTED, Category.UNKNOWN_VERB),
        ({"verb": 7}, Phase.REJECTED, Category.MALFORMED),
        ({"target": "elsewhere/node"}, Phase.REJECTED, Category.TARGET),
        ({"target": "not a target"}, Phase.REJECTED, Category.TARGET),
        ({"expires_at": past.isoformat()}, Phase.EXPIRED, Category.EXPIRED),
        ({"expires_at": "tomorrow"}, Phase.REJECTED, Category.MALFORMED),
        ({"issued_at": "2026-01-01T00:00:00"}, Phase.REJECTED, Category.MALFORMED),
        ({"issuer": None}, Phase.REJECTED, Category.MALFORMED),
        ({"verb": "deploy", "args": {"app": "x"}}, Phase.REJECTED, Category.MALFORMED),
        ({"verb": "deploy", "args": {"app": "../x", "spec": {"containers": [{"image": "a"}]}}}, Phase.REJECTED, None),
        ({"verb": "deploy", "args": {"app": "x", "spec": {"containers": []}}}, Phase.REJECTED, Category.MALFORMED),
        ({"verb": "restart", "args": {"app": "nobody"}}, Phase.REJECTED, Category.NOT_FOUND),
        ({"verb": "stop", "args": {"app": "nobody"}}, Phase.REJECTED, Category.NOT_FOUND),
        ({"verb": "remove", "args": []}, Phase.REJECTED, Category.MALFORMED),
    ]
    for turn in range(3):
        for number, (change, phase, category) in enumerate(changes):
            name = f"bad-{turn}-{number}"
            yield Case(payload(name, **change), name, phase, category)


class Answers:
    """Outcomes and heartbeats as they come in."""

    def __init__(self) -> None:
        self.ends: dict[tuple[str, str], Outcome] = {}
        self.rejected: dict[NodeName, int] = {}
        self.changed = asyncio.Event()

    async def listen(self, client: Client) -> None:
        async for message in client.messages:
            client.acknowledge(message)
            address = TOPICS.parse(str(message.topic))
            assert address is not None
            assert isinstance(message.payload, bytes)
            if address.kind is Kind.OUTCOME:
                outcome = decode(Outcome, message.payload)
                if outcome.phase.is_end:
                    self.ends[outcome.node, outcome.command_id] = outcome
            else:
                self.rejected[address.node] = decode(Health, message.payload).rejected_commands
            self.changed.set()

    async def until_end(self, node: NodeName, command_id: str) -> Outcome:
        async with asyncio.timeout(30):
            while (end := self.ends.get((str(node), command_id))) is None:
                self.changed.clear()
                await self.changed.wait()
        return end

    async def until_rejected(self, node: NodeName, count: int) -> None:
        async with asyncio.timeout(30):
            while self.rejected.get(node, 0) < count:
                self.changed.clear()
                await self.changed.wait()


@pytest.mark.timeout(180)
async def test_a_hundred_bad_commands_leave_the_agents_up_and_each_is_answered(make_works: MakeWorks) -> None:
    key = Ed25519PrivateKey.generate()
    public = base64.b64encode(key.public_key().public_bytes_raw()).decode()
    works = await make_works(str(OPEN), str(SIGNED), trusted_keys={str(SIGNED): {"ops-1": public}})
    pids = {node: works.agent(node).pid for node in (OPEN, SIGNED)}
    answers = Answers()
    async with (
        Client(works.broker_for("ops"), identifier="e2e", clean_start=True, session_expiry_s=0) as client,
        asyncio.TaskGroup() as group,
    ):
        await client.subscribe([(TOPICS.every(kind), 1) for kind in (Kind.OUTCOME, Kind.HEALTH)])  # type: ignore[arg-type]
        listening = group.create_task(answers.listen(client))
        count = await _send_bad_commands(client, answers)
        count += await _send_unsigned_and_forged(client, answers, key)
        await _check_repetition(client, answers)
        assert count >= 100
        listening.cancel()
    assert {node: works.agent(node).pid for node in pids} == pids
    assert not any(works.agent(node).ended for node in pids)


async def _send_bad_commands(client: Client, answers: Answers) -> int:
    counted, answered = list(unreadable()), list(readable())
    topic = TOPICS.of(OPEN, Kind.COMMAND)
    for case in [*counted, *answered]:
        await client.send(topic, case.payload)
    for case in answered:
        assert case.command_id is not None
        end = await answers.until_end(OPEN, case.command_id)
        assert end.phase is case.phase, end
        assert end.left == "unchanged"
        assert end.error is not None
        assert case.category in (None, end.error.category), end
    await answers.until_rejected(OPEN, len(counted))
    assert answers.rejected[OPEN] == len(counted)
    return len(counted) + len(answered)


async def _send_unsigned_and_forged(client: Client, answers: Answers, key: Ed25519PrivateKey) -> int:
    topic = TOPICS.of(SIGNED, Kind.COMMAND)
    good = payload("signed", target=str(SIGNED))
    properties = sign(good, key_id="ops-1", using=key.sign).as_properties()
    other = Ed25519PrivateKey.generate()
    for number in range(10):
        await client.send(topic, payload(f"unsigned-{number}", target=str(SIGNED)))
        forged = payload(f"forged-{number}", target=str(SIGNED))
        await client.send(topic, forged, user_properties=sign(forged, key_id="ops-1", using=other.sign).as_properties())
        await client.send(topic, payload(f"altered-{number}", target=str(SIGNED)), user_properties=properties)
    await client.send(topic, good, user_properties=properties)
    assert (await answers.until_end(SIGNED, "signed")).phase is Phase.SUCCEEDED
    for number in range(10):
        for name in ("unsigned", "forged", "altered"):
            end = await answers.until_end(SIGNED, f"{name}-{number}")
            assert end.error is not None
            assert (end.phase, end.error.category) == (Phase.REJECTED, Category.SIGNATURE)
    return 30


async def _check_repetition(client: Client, answers: Answers) -> None:
    """A repeated id is answered with the recorded end and not executed again: the pong keeps its first time."""
    topic = TOPICS.of(OPEN, Kind.COMMAND)
    await client.send(topic, payload("twice"))
    first = await answers.until_end(OPEN, "twice")
    answers.ends.clear()
    await client.send(topic, payload("twice"))
    assert await answers.until_end(OPEN, "twice") == first
