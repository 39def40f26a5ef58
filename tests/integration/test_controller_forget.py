"""A node that is taken out of the fleet: the controller forgets it, and everything of it."""

import sqlite3
from pathlib import Path

import pytest

from tests.support import fleet
from tests.support.centre import Centre, nodes, running, until
from tests.support.mosquitto import MosquittoContainer
from wire.messages import Left, Outcome, Phase, PlcMeta
from wire.topics import Kind, NodeName


@pytest.fixture
def broker(empty_broker: MosquittoContainer) -> MosquittoContainer:
    """A controller hears every node, so no node of another test may be there."""
    return empty_broker


@pytest.fixture
def name(request: pytest.FixtureRequest) -> NodeName:
    """A node of this test alone."""
    return NodeName("site-" + str(abs(hash(request.node.name)) % 10**8), "press-1")


@pytest.fixture
def database(tmp_path: Path) -> Path:
    return tmp_path / "controller.sqlite"


def outcome(name: NodeName, seq: int, phase: Phase, command_id: str = "c1") -> Outcome:
    return Outcome(command_id=command_id, node=str(name), seq=seq, phase=phase, at=fleet.now(), left=Left.CHANGED)


async def test_a_node_whose_presence_is_cleared_is_forgotten_with_every_row(
    broker: MosquittoContainer, database: Path, name: NodeName
) -> None:
    stays = NodeName(name.site, "press-2")
    tags = PlcMeta(node=str(name), plc="press", at=fleet.now(), tags=())
    async with nodes(broker, name, stays) as (node, other):
        async with running(Centre(broker, database)) as centre:
            await other.beat()
            await node.come()
            await node.beat()
            await node.tell(fleet.report(name, "hmi"))
            await node.say(tags, Kind.TAGMETA, "press")
            await node.end(outcome(name, 0, Phase.SUCCEEDED))
            await until(lambda: bool((view := centre.view(name)) and view.apps and view.plcs and view.outcomes))
            topics = ((Kind.HEALTH,), (Kind.APP, "hmi"), (Kind.TAGMETA, "press"), (Kind.PRESENCE,))
            for topic in topics:
                await node.clear(*topic)
            await until(lambda: centre.view(name) is None)
            for topic in topics:
                await node.clear(*topic)
            await other.tell(fleet.report(stays, "last"))
            await until(lambda: bool((view := centre.view(stays)) and view.apps))
            assert centre.view(name) is None, "clearing the topics of an unknown node makes none"
        with sqlite3.connect(database) as stored:
            for table in ("node", "app", "plc", "outcome"):
                found = stored.execute(f"SELECT node FROM {table} WHERE node = ?", [name.node])
                assert found.fetchall() == [], table
        stored.close()
        async with running(Centre(broker, database)) as centre:
            await until(lambda: "AppReport" in centre.ingest.stats().by_kind)
            assert [view.name for view in centre.picture] == [stays]


async def test_a_node_that_was_cleared_while_the_controller_was_away_is_forgotten_and_may_come_again(
    broker: MosquittoContainer, database: Path, name: NodeName
) -> None:
    async with nodes(broker, name) as (node,):
        async with running(Centre(broker, database)) as centre:
            await node.come()
            await node.end(outcome(name, 0, Phase.SUCCEEDED, "old"))
            await until(lambda: bool((view := centre.view(name)) and view.outcomes))
        await node.end(outcome(name, 0, Phase.SUCCEEDED, "late"))
        await node.clear(Kind.PRESENCE)
        await node.beat()
        async with running(Centre(broker, database)) as centre:
            await until(lambda: bool((view := centre.view(name)) and view.health and not view.presence))
            assert await centre.store.outcomes_of("old") == []
            assert await centre.store.outcomes_of("late") == []
            assert await centre.store.load() == [centre.view(name)]
