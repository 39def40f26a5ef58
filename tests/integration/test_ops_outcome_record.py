"""`millwright outcome` with a controller: what it remembers is told long after the node has fallen silent."""

import asyncio
import os
import sys
from datetime import UTC, datetime
from pathlib import Path

from ops.controller_api import recorded_outcomes
from tests.support.controlling import controller
from tests.support.mosquitto import MosquittoContainer
from tests.support.ports import free_port
from tests.support.scripted_node import ScriptedNode
from wire.messages import Outcome, Phase
from wire.topics import Kind, NodeName


async def ask(url: str, *words: str) -> tuple[int, str, str]:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "ops", "outcome", *words, "--controller", url),
        env={**os.environ, "MILLWRIGHT_BROKER": "mqtt://127.0.0.1:1"},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    async with asyncio.timeout(40):
        out, err = await process.communicate()
    assert process.returncode is not None
    return process.returncode, out.decode(), err.decode()


async def test_a_controller_remembers_what_became_of_a_command(
    broker: MosquittoContainer, node: NodeName, tmp_path: Path
) -> None:
    phases = (Phase.ACCEPTED, Phase.RUNNING, Phase.REJECTED)
    async with (
        controller(broker.controller, tmp_path) as centre,
        ScriptedNode(broker.as_node(node), node) as scripted,  # clears its presence at its end: forgotten then
    ):
        for seq, phase in enumerate(phases):
            said = Outcome(command_id="c-9", node=str(node), seq=seq, phase=phase, at=datetime.now(UTC))
            await scripted.publish(Kind.OUTCOME, "c-9", message=said)
        found = await recorded(centre.url, "c-9", count=len(phases))
        code, out, _ = await ask(centre.url, "c-9")
        unknown = await ask(centre.url, "never-sent", "--timeout", "1s")
    assert [said.phase for said in found] == list(phases)
    assert code == 1
    assert [line.split()[2] for line in out.splitlines()] == list(phases)
    assert unknown[0] == 4, "nobody recorded it, and the broker is away"


async def test_a_controller_that_is_away_is_said_and_not_taken_for_an_answer() -> None:
    code, out, err = await ask(f"http://127.0.0.1:{free_port()}", "c-9")
    assert (code, out) == (3, "")
    assert "--controller" in err
    assert "Traceback" not in err


async def recorded(url: str, command_id: str, *, count: int) -> list[Outcome]:
    """What the controller has stored, once it is so much; it stores a moment after it receives."""
    async with asyncio.timeout(20):
        while len(found := await asyncio.to_thread(recorded_outcomes, url, command_id)) < count:  # noqa: ASYNC110
            await asyncio.sleep(0.1)
    return found
