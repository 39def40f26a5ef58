"""The simulated PLC, asked by an ordinary OPC UA client."""

import asyncio
import signal
import sys
from collections.abc import AsyncIterator

import pytest
from asyncua import Client, ua

from plant.plc import NAMESPACE, SimulatedPlc
from plant.press import PressState
from plant.signals import SIGNALS


@pytest.fixture
async def plc() -> AsyncIterator[SimulatedPlc]:
    async with SimulatedPlc(seed=1, period_s=0.02, fault_every_s=0.0) as running:
        yield running


async def node_of(client: Client, name: str):
    index = await client.get_namespace_index(NAMESPACE)
    return client.get_node(f"ns={index};s={name}")


async def test_every_signal_can_be_read(plc: SimulatedPlc) -> None:
    async with Client(plc.url) as client:
        for wanted in SIGNALS:
            value = await (await node_of(client, wanted.name)).read_data_value()
            assert value.StatusCode.is_good()
            assert value.Value.VariantType == wanted.type


async def test_scan_counter_rises_by_one(plc: SimulatedPlc) -> None:
    class Heard:
        def __init__(self) -> None:
            self.counts: list[int] = []
            self.enough = asyncio.Event()

        def datachange_notification(self, node: object, value: int, data: object) -> None:
            self.counts.append(value)
            if len(self.counts) >= 20:
                self.enough.set()

    heard = Heard()
    async with Client(plc.url) as client:
        subscription = await client.create_subscription(50, heard)
        await subscription.subscribe_data_change(await node_of(client, "Press.Scans"), queuesize=100)
        async with asyncio.timeout(10):
            await heard.enough.wait()
    counts = heard.counts
    assert counts == list(range(counts[0], counts[0] + len(counts)))


async def test_a_tag_set_by_hand_keeps_its_value_and_status_until_released(plc: SimulatedPlc) -> None:
    async with Client(plc.url) as client:
        node = await node_of(client, "Press.Temperature")
        await plc.set("Press.Temperature", 3.0, status=ua.StatusCodes.UncertainSensorNotAccurate)
        await plc.step(0.1)
        shown = await node.read_data_value(raise_on_bad_status=False)
        assert (shown.Value.Value, shown.StatusCode.value) == (3.0, ua.StatusCodes.UncertainSensorNotAccurate)
        plc.release("Press.Temperature")
        await plc.step(0.1)
        assert (await node.read_value()) > 100.0


async def test_a_fault_makes_its_sensor_bad() -> None:
    async with SimulatedPlc(seed=1, period_s=0.0, fault_every_s=0.001) as plc, Client(plc.url) as client:
        states = []
        for _ in range(2000):
            await plc.step(0.1)
            states.append(plc.press.state)
            if plc.press.fault == "Press.Temperature":
                break
        assert PressState.RUNNING in states
        shown = await (await node_of(client, "Press.Temperature")).read_data_value(raise_on_bad_status=False)
        assert shown.StatusCode.value == ua.StatusCodes.BadSensorFailure
        assert await (await node_of(client, "Press.State")).read_value() == PressState.FAULT


async def test_units_and_ranges_are_described(plc: SimulatedPlc) -> None:
    async with Client(plc.url) as client:
        node = await node_of(client, "Press.Temperature")
        units = await (await node.get_child("0:EngineeringUnits")).read_value()
        limits = await (await node.get_child("0:EURange")).read_value()
    assert (units.DisplayName.Text, units.UnitId) == ("°C", 4408652)
    assert (limits.Low, limits.High) == (0.0, 300.0)


async def test_only_the_configured_user_gets_in() -> None:
    async with SimulatedPlc(username="millwright", password="secret") as plc:
        stranger = Client(plc.url)
        with pytest.raises(ua.UaStatusCodeError):
            await stranger.connect()
        known = Client(plc.url)
        known.set_user("millwright")
        known.set_password("secret")
        async with known:
            assert await (await node_of(known, "Press.Scans")).read_value() >= 0


async def test_as_a_process_it_says_where_it_serves_and_ends_on_sigterm() -> None:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "plant.plc", "--name", "press-9", stdout=asyncio.subprocess.PIPE
    )
    try:
        async with asyncio.timeout(30):
            line = (await process.stdout.readline()).decode().split()
        assert (line[0], line[2]) == ("serving", "press-9")
        async with Client(line[1]) as client:
            assert await (await node_of(client, "Press.Scans")).read_value() >= 0
        process.send_signal(signal.SIGTERM)
        async with asyncio.timeout(10):
            assert await process.wait() == 0
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
