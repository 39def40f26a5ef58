"""The controller as a whole, in this process, against a real broker: ingest, store, status by silence, restart."""

import asyncio
from datetime import timedelta
from pathlib import Path

import pytest

from controller.fleet.node import Change
from controller.fleet.status import Status
from controller.ingest import batches
from controller.store.database import StoreError
from controller.store.store import Store
from link.broker import Broker
from link.client import Client
from tests.support import fleet
from tests.support.centre import Centre, nodes, running, until
from tests.support.mosquitto import MosquittoContainer
from wire.codec import encode
from wire.messages import Left, Outcome, Phase
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


async def test_what_a_node_says_is_shown_and_stored(broker: MosquittoContainer, database: Path, name: NodeName) -> None:
    async with running(Centre(broker, database)) as centre, nodes(broker, name) as (node,):
        await node.come()
        await node.beat()
        await node.tell(fleet.report(name, "hmi"))
        await node.end(outcome(name, 0, Phase.ACCEPTED))
        await node.end(outcome(name, 1, Phase.SUCCEEDED))
        await until(lambda: bool((view := centre.view(name)) and view.outcomes and view.apps and view.health))
        assert centre.status(name) is Status.ONLINE
        await until(lambda: centre.picture.get(name).outcomes[0].value.phase is Phase.SUCCEEDED)  # type: ignore[union-attr]
        phases = [fact.value.phase for _, fact in await centre.store.outcomes_of("c1")]
        assert phases == [Phase.ACCEPTED, Phase.SUCCEEDED]


async def test_silence_makes_a_node_stale_then_offline_and_a_heartbeat_brings_it_back(
    broker: MosquittoContainer, database: Path, name: NodeName
) -> None:
    async with running(Centre(broker, database)) as centre, nodes(broker, name, period_s=0.2) as (node,):
        await node.beat()
        await until(lambda: centre.status(name) is Status.ONLINE)
        await until(lambda: centre.status(name) is Status.STALE, within_s=3)
        await until(lambda: centre.status(name) is Status.OFFLINE, within_s=3)
        await node.beat()
        await until(lambda: centre.status(name) is Status.ONLINE)


async def test_a_will_that_the_broker_publishes_makes_a_node_offline_at_once(
    broker: MosquittoContainer, database: Path, name: NodeName
) -> None:
    async with running(Centre(broker, database)) as centre, nodes(broker, name, period_s=600) as (node,):
        await node.come()
        await node.beat()
        process = await with_will(
            broker.admin, fleet.TOPICS.of(name, Kind.PRESENCE), encode(node.presence(online=False))
        )
        await until(lambda: centre.status(name) is Status.ONLINE)
        process.kill()
        await until(lambda: centre.status(name) is Status.OFFLINE)
        await process.wait()


async def with_will(broker: Broker, topic: str, payload: bytes) -> asyncio.subprocess.Process:
    """Another program that is connected, and leaves this will when it is killed."""
    where = ("-h", broker.host, "-p", str(broker.port), "-u", str(broker.username), "-P", str(broker.secret()))
    will = ("--will-topic", topic, "--will-payload", payload.decode(), "--will-qos", "1", "--will-retain")
    process = await asyncio.create_subprocess_exec(
        *("stdbuf", "-oL", "mosquitto_sub", *where, "-V", "5", *will, "-t", "nothing", "-d"),
        stdout=asyncio.subprocess.PIPE,
    )
    assert process.stdout is not None
    async with asyncio.timeout(10):
        while b"CONNACK" not in await process.stdout.readline():
            pass
    return process


async def test_a_restarted_controller_knows_the_fleet_with_true_ages(
    broker: MosquittoContainer, database: Path, name: NodeName
) -> None:
    async with nodes(broker, name, period_s=600) as (node,):
        async with running(Centre(broker, database)) as centre:
            await node.come()
            await node.beat()
            await node.tell(fleet.report(name, "hmi"))
            await until(lambda: bool((view := centre.view(name)) and view.apps and view.health and view.presence))
            before = centre.view(name)
        broker.stop()
        store = Store(f"sqlite+aiosqlite:///{database}")
        await store.open()
        assert await store.load() == [before]
        await store.close()
        broker.start()
        async with running(Centre(broker, database)) as centre:
            await until(lambda: "Health" in centre.ingest.stats().by_kind)
            after = centre.view(name)
            assert before is not None
            assert after is not None
            assert after.health == before.health, "a retained message that is known already makes nothing younger"


async def test_a_new_controller_does_not_take_an_old_retained_heartbeat_for_fresh(
    broker: MosquittoContainer, database: Path, name: NodeName
) -> None:
    async with nodes(broker, name) as (node,):
        await node.beat(at=fleet.now() - timedelta(hours=3))
        async with running(Centre(broker, database)) as centre:
            await until(lambda: centre.view(name) is not None)
            assert centre.status(name) is Status.OFFLINE


async def test_what_was_said_while_the_controller_was_away_waits_at_the_broker(
    broker: MosquittoContainer, database: Path, name: NodeName
) -> None:
    async with nodes(broker, name) as (node,):
        async with running(Centre(broker, database)):
            pass
        for seq in range(30):
            await node.end(outcome(name, seq, Phase.RUNNING))
        async with running(Centre(broker, database)) as centre:
            await until(lambda: bool((view := centre.view(name)) and view.outcomes[0].value.seq == 29))
            assert len(await centre.store.outcomes_of("c1")) == 30


async def test_a_broker_that_restarts_is_found_again(
    broker: MosquittoContainer, database: Path, name: NodeName
) -> None:
    async with running(Centre(broker, database)) as centre:
        broker.stop()
        await until(lambda: not centre.ingest.link.connected)
        assert centre.ingest.link.error
        broker.start()
        await until(lambda: centre.ingest.link.connected, within_s=15)
        async with nodes(broker, name) as (node,):
            await node.beat()
            await until(lambda: centre.status(name) is Status.ONLINE)


class Failing(Store):
    """A disk that is full for the first batches."""

    failures = 2

    async def write(self, changes: tuple[Change, ...], events: object) -> None:  # type: ignore[override]
        if changes and self.failures:
            self.failures -= 1
            raise StoreError("disk full")
        await super().write(changes, events)  # type: ignore[arg-type]


async def test_a_batch_that_could_not_be_stored_is_delivered_again_and_not_shown_before(
    broker: MosquittoContainer, database: Path, name: NodeName
) -> None:
    async with running(Centre(broker, database, store=Failing)) as centre, nodes(broker, name) as (node,):
        await node.end(outcome(name, 0, Phase.SUCCEEDED))
        await until(lambda: not centre.ingest.link.connected)
        assert centre.view(name) is None
        await until(lambda: centre.view(name) is not None)
        assert isinstance(centre.store, Failing)
        assert centre.store.failures == 0
        assert len(await centre.store.outcomes_of("c1")) == 1


class Stuck(Store):
    """A database that doesn't come back from its first batch until it is let go."""

    def __init__(self, url: str) -> None:
        super().__init__(url)
        self.let_go = asyncio.Event()

    async def write(self, changes: tuple[Change, ...], events: object) -> None:  # type: ignore[override]
        await self.let_go.wait()
        await super().write(changes, events)  # type: ignore[arg-type]


async def test_a_stuck_database_lets_no_flood_of_qos_0_fill_the_memory_and_loses_no_qos_1(
    broker: MosquittoContainer, database: Path, name: NodeName, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(batches, "CROWDED", 50)
    async with running(Centre(broker, database, store=Stuck)) as centre, nodes(broker, name) as (node,):
        topic, said = fleet.TOPICS.of(name, Kind.HEALTH), encode(fleet.health(name))
        async with asyncio.timeout(10):
            while not centre.ingest.stats().left_out:
                await node._client.send(topic, said, qos=0)
                await asyncio.sleep(0)
        await node.end(outcome(name, 0, Phase.SUCCEEDED))
        assert isinstance(centre.store, Stuck)
        centre.store.let_go.set()
        await until(lambda: bool((view := centre.view(name)) and view.outcomes))


async def test_a_flood_of_malformed_messages_is_counted_and_harms_nobody(
    broker: MosquittoContainer, database: Path, name: NodeName
) -> None:
    bad = [b"{", b"\xff", b"[]", b'{"node":"x"}', b"null", encode(fleet.health(NodeName("else", "where")))]
    async with running(Centre(broker, database)) as centre, nodes(broker, name) as (node,):
        async with Client(broker.admin, identifier="flood", clean_start=True, session_expiry_s=0) as client:
            async with asyncio.TaskGroup() as group:
                for number in range(500):
                    kind = (Kind.HEALTH, Kind.PRESENCE)[number % 2]
                    group.create_task(client.send(fleet.TOPICS.of(name, kind), bad[number % len(bad)]))
            await node.beat()
            await until(lambda: centre.status(name) is Status.ONLINE)
        assert centre.ingest.stats().malformed == 500
        assert centre.ingest.link.connected


async def test_a_removed_app_is_gone_from_the_store_as_well(
    broker: MosquittoContainer, database: Path, name: NodeName
) -> None:
    async with nodes(broker, name) as (node,):
        async with running(Centre(broker, database)) as centre:
            await node.tell(fleet.report(name, "hmi"))
            await until(lambda: bool((view := centre.view(name)) and view.apps))
            await node._client.send(fleet.TOPICS.of(name, Kind.APP, "hmi"), b"", retain=True)
            await until(lambda: bool((view := centre.view(name)) and not view.apps))
        store = Store(f"sqlite+aiosqlite:///{database}")
        await store.open()
        assert [view.apps for view in await store.load()] == [()]
        await store.close()
