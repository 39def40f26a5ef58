"""A bridge and a real OPC UA server, when the link or the server fails: nothing lost in silence, nothing twice."""

import asyncio
import os
import signal
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from asyncua import Client

from agent.config import TagConfig
from plant.cable import Cable
from plant.plc import SimulatedPlc
from plant.processes import Processes
from tests.support.telemetry import SCANS, Stored, bridging, eventually, is_counting, plc_config, plc_process
from wire.messages import GapReason


@pytest.fixture
async def processes(tmp_path: Path) -> AsyncIterator[Processes]:
    async with Processes(tmp_path) as running:
        yield running


@pytest.fixture
async def plc() -> AsyncIterator[SimulatedPlc]:
    async with SimulatedPlc(seed=1, period_s=0.02, fault_every_s=0.0) as running:
        yield running


def url_of(cable: Cable) -> str:
    return f"opc.tcp://127.0.0.1:{cable.port}"


def subscription_at(plc: SimulatedPlc):
    """The one subscription, as asyncua's server keeps it."""
    (subscription,) = plc.server.iserver.subscription_service.subscriptions.values()
    return subscription


class Deaf:
    """A subscriber that listens to nothing."""

    def datachange_notification(self, *_: object) -> None:
        pass


async def test_a_cut_of_three_seconds_loses_nothing_and_doubles_nothing(processes: Processes) -> None:
    _, port = await plc_process(processes)
    stored = Stored()
    async with Cable(port) as cable, bridging(plc_config(url_of(cable), SCANS), stored) as bridge:
        await stored.until_more("Press.Scans", 30)
        cable.cut()
        await eventually(lambda: not bridge.health().connected)
        await asyncio.sleep(3)
        before = len(stored.values("Press.Scans"))
        cable.mend()
        await stored.until_more("Press.Scans", 250)
        assert len(stored.values("Press.Scans")) > before
        assert bridge.health().reconnects == 1
    assert is_counting(stored.values("Press.Scans"))
    assert stored.gaps == []


async def test_what_was_under_way_when_the_link_broke_arrives_though_nothing_follows() -> None:
    """No later notification shows the hole: the server has to be asked."""
    stored = Stored()
    async with (
        SimulatedPlc(period_s=0.0) as plc,
        Cable(int(plc.url.rpartition(":")[2])) as cable,
        bridging(plc_config(url_of(cable), SCANS), stored),
    ):
        await stored.until_more("Press.Scans", 1)
        cable.hang()
        await plc.set("Press.Scans", 7)
        await eventually(lambda: 2 in subscription_at(plc)._not_acknowledged_results)
        cable.cut()
        cable.mend()
        await stored.until(lambda: stored.values("Press.Scans") == [0, 7])
    assert stored.gaps == []


async def test_many_short_cuts_lose_nothing_and_double_nothing(processes: Processes) -> None:
    _, port = await plc_process(processes)
    stored = Stored()
    async with Cable(port) as cable, bridging(plc_config(url_of(cable), SCANS), stored) as bridge:
        for _ in range(8):
            await stored.until_more("Press.Scans", 15)
            cable.cut()
            cable.mend()
        await eventually(lambda: bridge.health().connected)
        await stored.until_more("Press.Scans", 50)
    assert is_counting(stored.values("Press.Scans"))
    assert stored.gaps == []


async def test_what_was_stored_before_a_cut_is_acknowledged_after_it(plc: SimulatedPlc) -> None:
    """The requests that carried acknowledgements may be lost with the link: the server must not hold them for ever."""
    stored = Stored()
    async with Cable(int(plc.url.rpartition(":")[2])) as cable, bridging(plc_config(url_of(cable), SCANS), stored):
        for _ in range(5):
            await stored.until_more("Press.Scans", 10)
            cable.cut()
            cable.mend()
        await stored.until_more("Press.Scans", 30)
        await plc.set("Press.Scans", 7)
        held = subscription_at(plc)._not_acknowledged_results
        await eventually(lambda: stored.values("Press.Scans")[-1] == 7 and not held, within_s=10)


async def test_a_cut_while_storing_doubles_nothing(processes: Processes) -> None:
    """What is being stored when the link breaks is stored once, and not asked for again."""
    _, port = await plc_process(processes)
    stored, entered, go_on = Stored(), asyncio.Event(), asyncio.Event()

    async def slow() -> None:
        entered.set()
        await go_on.wait()

    async with Cable(port) as cable, bridging(plc_config(url_of(cable), SCANS), stored):
        await stored.until_more("Press.Scans", 5)
        stored.before = slow
        await asyncio.wait_for(entered.wait(), 10)
        cable.cut()
        await asyncio.sleep(0.5)
        cable.mend()
        go_on.set()
        await stored.until_more("Press.Scans", 100)
    assert is_counting(stored.values("Press.Scans"))
    assert stored.gaps == []


async def test_a_restarted_server_is_followed_again_behind_a_gap(processes: Processes) -> None:
    running, port = await plc_process(processes)
    stored = Stored()
    async with bridging(plc_config(f"opc.tcp://127.0.0.1:{port}", SCANS), stored) as bridge:
        await stored.until_more("Press.Scans", 30)
        await running.kill()
        killed_at = datetime.now(UTC)
        await eventually(lambda: not bridge.health().connected)
        assert bridge.health().quality == 0.0
        first_life = len(stored.values("Press.Scans"))
        await plc_process(processes, port=port)
        await stored.until_more("Press.Scans", 30)
    values, (gap,) = stored.values("Press.Scans"), stored.gaps
    assert is_counting(values[:first_life])
    assert is_counting(values[first_life:])
    assert gap.reason is GapReason.SOURCE
    assert killed_at - timedelta(seconds=2) < gap.since < killed_at < gap.until


async def test_after_a_restart_nobody_elses_session_is_entered(processes: Processes) -> None:
    """asyncua's server counts tokens and subscriptions from the same numbers in each life."""
    running, port = await plc_process(processes)
    stored = Stored()
    async with Cable(port) as cable, bridging(plc_config(url_of(cable), SCANS), stored) as bridge:
        await stored.until_more("Press.Scans", 10)
        cable.cut()
        await running.kill()
        await eventually(lambda: not bridge.health().connected)
        await plc_process(processes, port=port)
        async with Client(f"opc.tcp://127.0.0.1:{port}") as stranger:
            subscription = await stranger.create_subscription(100, Deaf())
            await subscription.subscribe_data_change(stranger.get_node("i=2258"))
            cable.mend()
            await stored.until_more("Press.Scans", 30)
    assert len(stored.gaps) == 1


async def test_a_server_that_hangs_is_left_and_nothing_is_lost_when_it_goes_on(processes: Processes) -> None:
    running, port = await plc_process(processes)
    stored = Stored()
    config = plc_config(f"opc.tcp://127.0.0.1:{port}", SCANS, timeout_s=1.0)
    async with bridging(config, stored, measure_every_s=0.2) as bridge:
        await stored.until_more("Press.Scans", 30)
        os.kill(running.pid, signal.SIGSTOP)
        try:
            await eventually(lambda: not bridge.health().connected, within_s=6)
        finally:
            os.kill(running.pid, signal.SIGCONT)
        await stored.until_more("Press.Scans", 60)
    assert is_counting(stored.values("Press.Scans"))
    assert stored.gaps == []


async def test_namespaces_that_changed_places_are_mapped_anew(processes: Processes) -> None:
    """`ns=2` is kept by its URI from the first session on."""
    stored = Stored()
    async with SimulatedPlc(period_s=0.02) as first:
        port = int(first.url.rpartition(":")[2])
        tag = f"ns={first.namespace};s=Press.Scans"
        async with bridging(plc_config(first.url, TagConfig(node_id=tag)), stored):
            await stored.until_more("Press.Scans", 5)
            await first.stop()
            second = SimulatedPlc(port=port, period_s=0.02, other_namespaces=("urn:came:before",))
            async with second:
                await stored.until_more("Press.Scans", 20)
                assert second.namespace == first.namespace + 1
    assert stored.metas[-1][0].node_id == "nsu=urn:millwright:plant:press;s=Press.Scans"
