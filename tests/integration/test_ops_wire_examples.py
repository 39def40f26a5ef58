"""What docs/wire.md tells a stranger to type works as it stands there, with the tools that it names."""

import asyncio
import os
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from tests.support.mosquitto import MosquittoContainer
from tests.support.scripted_node import ScriptedNode
from tests.unit.wire.wire_document import code
from wire.codec import encode_command
from wire.messages import Gap, GapReason, Ping, TagBatch, TagValue
from wire.signature import signature_in, verify
from wire.topics import Kind, NodeName

PRESS = NodeName("plant-a", "press-1")
"""The node that the document's examples name."""


def surroundings(broker: MosquittoContainer) -> Mapping[str, str]:
    assert broker.broker.password_file is not None
    ours = {
        "BROKER_HOST": "127.0.0.1",
        "BROKER_PORT": str(broker.broker.port),
        "BROKER_PASSWORD": Path(broker.broker.password_file).read_text().strip(),
        "USER": "maria",
    }
    return {**os.environ, **ours}


@asynccontextmanager
async def started(*words: str, environment: Mapping[str, str], at: Path) -> AsyncIterator[asyncio.subprocess.Process]:
    """A process, ended when the block is left."""
    process = await asyncio.create_subprocess_exec(*words, env=environment, cwd=at, stdout=asyncio.subprocess.PIPE)
    try:
        yield process
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


async def typed(script: str, broker: MosquittoContainer, at: Path) -> None:
    async with started("bash", "-euc", script, environment=surroundings(broker), at=at) as shell:
        assert await asyncio.wait_for(shell.wait(), 20) == 0


async def test_a_command_sent_by_hand_reaches_the_node(broker: MosquittoContainer, tmp_path: Path) -> None:
    [(_, script)] = code("shell", "unsigned")
    async with ScriptedNode(broker.as_node(PRESS), PRESS) as node:
        await typed(script, broker, tmp_path)
        command, _ = await node.first_delivery(within_s=10)
    assert (command.id, command.target, command.issuer, command.args) == ("by-hand-1", str(PRESS), "maria", Ping())
    assert command.expires_at > datetime.now(UTC)


async def test_a_command_signed_by_hand_is_believed(broker: MosquittoContainer, tmp_path: Path) -> None:
    key = Ed25519PrivateKey.generate()
    (tmp_path / "ops.pem").write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    [(_, script)] = code("shell", "signed")
    async with ScriptedNode(broker.as_node(PRESS), PRESS) as node:
        await typed(script, broker, tmp_path)
        command, properties = await node.first_delivery(within_s=10)
        [payload] = node.payloads

    def check(signature: bytes, message: bytes) -> bool:
        key.public_key().verify(signature, message)
        return True

    assert command.id == "by-hand-2"
    assert verify(payload, signature_in(properties), trusted={"ops": check}) == "ops"
    assert payload != encode_command(command), "the person's own spelling is what was signed"


async def test_the_subscriber_of_the_document_finds_exactly_what_is_missing(
    broker: MosquittoContainer, tmp_path: Path
) -> None:
    now = datetime.now(UTC)
    dropped = Gap(reason=GapReason.SPOOL_FULL, since=now, until=now, first_seq=2, last_seq=4, values=9)
    [(_, program)] = code("python", "subscriber")
    async with ScriptedNode(broker.as_node(PRESS), PRESS) as node:
        python = (sys.executable, "-c", program)
        async with started(*python, environment=surroundings(broker), at=tmp_path) as historian:
            lines = [await _first_line(node, historian)]
            for seq in (1, 1, 0, 4, 5, 7, 8, 12):
                await node.publish(Kind.TAGS, "press", message=_batch(seq, dropped if seq == 4 else None))
            while lines[-1] != "have 12 to 12":
                lines.append(await _line(historian))
    assert lines == [
        "have 0 to 0",
        "have 1 to 1",
        "have 2 to 4",
        "have 5 to 5",
        "missing 6 to 6",
        "have 7 to 7",
        "have 8 to 8",
        "missing 9 to 11",
        "have 12 to 12",
    ]


def _batch(seq: int, gap: Gap | None = None) -> TagBatch:
    return TagBatch(epoch="e", plc="press", seq=seq, values=(TagValue(name="t", value=seq),), gap=gap)


async def _line(historian: asyncio.subprocess.Process) -> str:
    assert historian.stdout is not None
    line = await asyncio.wait_for(historian.stdout.readline(), 20)
    assert line, "the program of the document has ended"
    return line.decode().rstrip("\n")


async def _first_line(node: ScriptedNode, historian: asyncio.subprocess.Process) -> str:
    """Say the first batch until the historian has subscribed; it tells each once."""
    first = asyncio.ensure_future(_line(historian))
    while not first.done():
        await node.publish(Kind.TAGS, "press", message=_batch(0))
        await asyncio.wait({first}, timeout=0.1)
    return first.result()
