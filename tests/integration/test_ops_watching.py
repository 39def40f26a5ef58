"""`millwright status`, `tags` and `outcome` as processes of their own."""

import asyncio
import json
from datetime import UTC, datetime

from tests.support.command_line import run, surroundings
from tests.support.mosquitto import MosquittoContainer
from tests.support.scripted_node import ScriptedNode
from wire.messages import (
    Gap,
    GapReason,
    Outcome,
    Phase,
    TagBatch,
    TagValue,
)
from wire.topics import Kind, NodeName


async def test_status_lists_the_fleet_and_json_has_all_of_it(broker: MosquittoContainer, node: NodeName) -> None:
    async with ScriptedNode(broker.as_node(node), node):
        table = await run(surroundings(broker), "status")
        listed = await run(surroundings(broker), "status", node, "--json")
        nothing = await run(surroundings(broker), "status", "no/where")
    [row] = [line for line in table.out.splitlines() if line.startswith(str(node))]
    assert row.split()[1:3] == ["?", "unknown"]
    assert f"! {node}: no heartbeat has been seen" in table.out
    [said] = json.loads(listed.out)["nodes"]
    assert (said["node"], said["status"], said["presence"]["online"]) == (str(node), "unknown", True)
    assert (table.code, listed.code, nothing.code) == (0, 0, 1)


async def test_tags_print_a_line_a_change_and_say_gaps(broker: MosquittoContainer, node: NodeName) -> None:
    now = datetime(2026, 5, 4, 8, 30, tzinfo=UTC)
    lost = Gap(reason=GapReason.SPOOL_FULL, since=now, until=now, first_seq=3, last_seq=4, values=20)
    values = (TagValue(name="Temp", value=1.5, time=now), TagValue(name="State", value=None, status=0x80050000))
    said = [
        TagBatch(epoch="e", plc="p", seq=2, values=values[:1]),
        TagBatch(epoch="e", plc="p", seq=4, gap=lost),
        TagBatch(epoch="e", plc="p", seq=6, values=values),
    ]
    async with ScriptedNode(broker.as_node(node), node) as scripted:
        for session in ("plain", "json"):
            await subscribed(broker, scripted, f"{session}-{node.site}")
        for batch in said:
            await scripted.publish(Kind.TAGS, "p", message=batch)
        plain = await run(surroundings(broker), "tags", node, "--count", 4, "--session", f"plain-{node.site}")
        words = ("--count", 4, "--session", f"json-{node.site}", "--json")
        as_json = await run(surroundings(broker), "tags", node, *words)
    assert plain.code == as_json.code == 0
    assert plain.out.splitlines() == [
        "-                        p  Temp  0",
        "2026-05-04 08:30:00.000  p  Temp  1.5",
        "2026-05-04 08:30:00.000  p  Temp  1.5",
        "-                        p  State  null  Bad (0x80050000)",
    ]
    assert "the node lost 20 values" in plain.err
    assert "seq 5 did not reach us" in plain.err
    lines = [json.loads(line) for line in as_json.out.splitlines()]
    kinds = [set(line) & {"gap", "missed", "value"} for line in lines]
    assert kinds == [{"value"}, {"value"}, {"gap"}, {"missed"}, {"value"}, {"value"}]
    assert lines[3]["missed"] == {"first_seq": 5, "last_seq": 5}


async def subscribed(broker: MosquittoContainer, scripted: ScriptedNode, session: str) -> None:
    """Make a session at the broker, that has seen seq 1 and not acknowledged it."""
    words = ("tags", scripted.node, "--count", 1, "--session", session)
    first = TagBatch(epoch="e", plc="p", seq=1, values=(TagValue(name="Temp", value=0),))
    making = asyncio.create_task(run(surroundings(broker), *words))
    while not making.done():
        await scripted.publish(Kind.TAGS, "p", message=first)
        await asyncio.wait({making}, timeout=0.2)
    assert making.result().code == 0


async def test_an_outcome_is_heard_when_the_node_repeats_it(broker: MosquittoContainer, node: NodeName) -> None:
    async with ScriptedNode(broker.as_node(node), node) as scripted:
        asked = asyncio.create_task(run(surroundings(broker), "outcome", "c-5"))
        end = Outcome(command_id="c-5", node=str(node), seq=3, phase=Phase.SUCCEEDED, at=datetime.now(UTC))
        while not asked.done():
            await scripted.publish(Kind.OUTCOME, "c-5", message=end)
            await asyncio.wait({asked}, timeout=0.3)
        never = await run(surroundings(broker), "outcome", "c-6", "--timeout", "300ms")
    assert asked.result().code == 0
    assert f"✓ {node}  succeeded" in asked.result().out
    assert never.code == 3
    assert "--controller" in never.err
