"""What is shown of a node: every fact with its age."""

from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec

from controller.fleet.event import Event
from controller.fleet.node import Fact, NodeView, fold
from controller.fleet.status import Standing, Status, status
from controller.web import showing
from tests.support import fleet
from wire.messages import AppStatus, Outcome, Phase
from wire.topics import NodeName

NODE = NodeName("plant-a", "press-1")
T0 = datetime(2026, 3, 1, 12, tzinfo=UTC)
NOW = T0 + timedelta(seconds=7)


def view(*said: Any) -> NodeView:
    known = None
    for message in said:
        known = fold(known, Event(node=NODE, seen_at=T0, said=message))
    assert known is not None
    return known


def shown(known: NodeView) -> dict[str, Any]:
    row: dict[str, Any] = msgspec.json.decode(msgspec.json.encode(showing.node_row(known, status(known, NOW), NOW)))
    return row


def facts_in(value: Any) -> list[dict[str, Any]]:
    if isinstance(value, list):
        return [fact for item in value for fact in facts_in(item)]
    if not isinstance(value, dict):
        return []
    here = [value] if "seen_at" in value else []
    return here + [fact for item in value.values() for fact in facts_in(item)]


def test_every_fact_that_is_shown_has_a_time_and_an_age() -> None:
    said = fleet.health(NODE, plcs=(fleet.plc(),), apps=(fleet.measured("hmi"),))
    row = shown(view(said, fleet.report(NODE, "hmi")))
    facts = facts_in(row)
    assert len(facts) == 6  # the heartbeat, host, engine, spool, a PLC, an app
    assert all(fact["age_s"] >= 7 for fact in facts)


def test_what_a_node_measured_earlier_is_older_than_its_heartbeat() -> None:
    row = shown(view(fleet.health(NODE, plcs=(fleet.plc(),))))
    assert row["age_s"] == 7
    assert row["host"]["age_s"] == 7.2
    assert row["plcs"][0]["last_value_age_s"] == 7.3


def test_an_app_is_shown_with_what_it_should_be_and_with_what_the_engine_measures() -> None:
    report = fleet.report(NODE, "hmi", status=AppStatus.DEPLOYING, desired=5, running=4, reason="pulling")
    (app,) = shown(view(fleet.health(NODE, apps=(fleet.measured("hmi", restarts=3),)), report))["apps"]
    assert (app["desired"]["number"], app["running"]["number"], app["reason"]) == (5, 4, "pulling")
    assert (app["restarts"], app["memory_bytes"], app["measured_age_s"]) == (3, 87_000_000, 7.4)


def test_an_app_that_only_a_heartbeat_names_is_shown_as_such() -> None:
    (app,) = shown(view(fleet.health(NODE, apps=(fleet.measured("hmi"),))))["apps"]
    assert (app["status"], app["state"]) == (None, "running")


def test_a_node_without_a_heartbeat_has_no_invented_facts() -> None:
    row = shown(view(fleet.report(NODE, "hmi")))
    assert (row["seen_at"], row["age_s"], row["host"], row["plcs"]) == (None, None, None, [])


def test_every_word_is_counted() -> None:
    counts = showing.counts([Standing(Status.ONLINE), Standing(Status.ONLINE), Standing(Status.STALE)])
    assert counts == {"online": 2, "degraded": 0, "stale": 1, "offline": 0, "unknown": 0}


def test_a_commands_phases_are_shown_by_node() -> None:
    def phase(node: str, seq: int, word: Phase) -> tuple[NodeName, Fact[Outcome]]:
        said = Outcome(command_id="c", node=f"plant-a/{node}", seq=seq, phase=word, at=T0)
        return NodeName("plant-a", node), Fact(said, T0)

    found = [phase("n1", 0, Phase.ACCEPTED), phase("n1", 1, Phase.SUCCEEDED), phase("n2", 0, Phase.ACCEPTED)]
    out = showing.command("c", found, NOW)
    assert [(node.node, node.ended, len(node.phases)) for node in out.nodes] == [("n1", True, 2), ("n2", False, 1)]
