"""A bridge and a real OPC UA server, while the link holds."""

import asyncio
import math
from collections.abc import AsyncIterator
from datetime import UTC, datetime

import pytest
from asyncua import ua

from agent.config import TagConfig
from plant.plc import NAMESPACE, SimulatedPlc
from plant.signals import SIGNALS
from tests.support.telemetry import SCANS, Stored, bridging, eventually, is_counting, plc_config, press_tag
from wire.messages import GapReason, TagValue


@pytest.fixture
async def plc() -> AsyncIterator[SimulatedPlc]:
    async with SimulatedPlc(seed=1, period_s=0.02, fault_every_s=0.0) as running:
        yield running


@pytest.fixture
async def still() -> AsyncIterator[SimulatedPlc]:
    """A PLC whose tags change only when they are set."""
    async with SimulatedPlc(period_s=0.0) as running:
        yield running


async def test_every_value_arrives_once_in_order(plc: SimulatedPlc) -> None:
    stored = Stored()
    async with bridging(plc_config(plc.url, SCANS), stored) as bridge:
        await stored.until_more("Press.Scans", 100)
        health = bridge.health()
    assert is_counting(stored.values("Press.Scans"))
    assert stored.gaps == []
    assert (health.connected, health.quality, health.tags, health.bad_tags) == (True, 1.0, 1, 0)
    assert health.values == len(stored.values("Press.Scans"))
    assert health.last_value_age_s < 5


async def test_a_bad_node_does_not_spoil_its_neighbours(plc: SimulatedPlc) -> None:
    stored = Stored()
    bad = [
        press_tag("Press.NoSuchTag"),
        TagConfig(node_id="nsu=urn:nobody;s=x", name="Elsewhere"),
        TagConfig(node_id="rubbish"),
    ]
    async with bridging(plc_config(plc.url, bad[0], SCANS, *bad[1:]), stored) as bridge:
        await stored.until_more("Press.Scans", 10)
        health = bridge.health()
    assert is_counting(stored.values("Press.Scans"))
    assert (health.tags, health.bad_tags, health.quality) == (4, 3, 0.25)
    assert {meta.name: meta.error for meta in stored.metas[-1]} == {
        "Press.NoSuchTag": "BadNodeIdUnknown",
        "Press.Scans": None,
        "Elsewhere": "BadNodeIdUnknown",
        "rubbish": "BadNodeIdInvalid",
    }


async def test_a_refused_tag_is_tried_again_while_connected(still: SimulatedPlc) -> None:
    stored = Stored()
    config = plc_config(still.url, press_tag("Press.Later"))
    async with bridging(config, stored, retry_refused_s=0.1) as bridge:
        await eventually(lambda: bridge.health().bad_tags == 1)
        await still.add("Press.Later", 42, ua.VariantType.Int32)
        await stored.until(lambda: stored.values("Press.Later") == [42])
        await eventually(lambda: bridge.health().bad_tags == 0)
    assert stored.metas[-1][0].error is None
    assert stored.metas[-1][0].data_type == "Int32"


async def test_without_a_tag_list_every_variable_is_followed_and_described(plc: SimulatedPlc) -> None:
    stored = Stored()
    async with bridging(plc_config(plc.url), stored):
        await stored.until(lambda: all(stored.values(signal.name) for signal in SIGNALS))
    metas = {meta.name: meta for meta in stored.metas[-1]}
    assert metas.keys() == {signal.name for signal in SIGNALS}
    temperature = metas["Press.Temperature"]
    assert temperature.node_id == f"nsu={NAMESPACE};s=Press.Temperature"
    assert (temperature.data_type, temperature.unit, temperature.low, temperature.high) == ("Double", "°C", 0.0, 300.0)
    assert temperature.description == "Temperature of the upper plate"
    assert len(stored.values("Press.Vibration")[0]) == 3


async def test_browsing_stops_at_max_tags(plc: SimulatedPlc) -> None:
    stored = Stored()
    async with bridging(plc_config(plc.url, max_tags=3), stored) as bridge:
        await eventually(lambda: bridge.health().connected)
        assert bridge.health().tags == 3


async def test_quality_follows_the_status_of_each_tag_and_a_change_is_announced(still: SimulatedPlc) -> None:
    stored = Stored()
    config = plc_config(still.url, press_tag("Press.Temperature"), press_tag("Press.Speed"))
    async with bridging(config, stored) as bridge:
        await eventually(lambda: bridge.health().quality == 1.0)
        before = stored.changes
        await still.set("Press.Temperature", 3.0, status=ua.StatusCodes.BadSensorFailure)
        await eventually(lambda: bridge.health().quality == 0.5)
        assert stored.changes > before
    last = [value for values, _ in stored.batches for value in values if value.name == "Press.Temperature"][-1]
    assert (last.value, last.status) == (None, ua.StatusCodes.BadSensorFailure)


async def test_status_and_source_time_travel_with_the_value(still: SimulatedPlc) -> None:
    stored = Stored()
    at = datetime(2024, 2, 3, 4, 5, 6, 789000, tzinfo=UTC)
    async with bridging(plc_config(still.url, press_tag("Press.Speed")), stored):
        await stored.until_more("Press.Speed", 1)
        await still.set("Press.Speed", math.nan, status=ua.StatusCodes.UncertainSensorNotAccurate, time=at)
        await stored.until_more("Press.Speed", 1)
    assert stored.batches[-1][0] == (TagValue("Press.Speed", "NaN", ua.StatusCodes.UncertainSensorNotAccurate, at),)


async def test_the_overflow_bit_is_a_gap(still: SimulatedPlc) -> None:
    stored = Stored()
    async with bridging(plc_config(still.url, press_tag("Press.Speed")), stored):
        await stored.until_more("Press.Speed", 1)
        await still.set("Press.Speed", 9.0, status=0x480)
        await stored.until_more("Press.Speed", 1)
    values, gap = stored.batches[-1]
    assert gap.reason is GapReason.OVERFLOW
    assert gap.since <= gap.until
    assert values[0].value == 9.0


async def test_deadband_is_applied_by_the_server(still: SimulatedPlc) -> None:
    stored = Stored()
    async with bridging(plc_config(still.url, press_tag("Press.Speed", deadband=2.0)), stored):
        await stored.until_more("Press.Speed", 1)
        for value in (1.0, 9.0, 10.0, 20.0):
            await still.set("Press.Speed", value)
        await stored.until(lambda: stored.values("Press.Speed")[-1] == 20.0)
        (subscription,) = still.server.iserver.subscription_service.subscriptions.values()
        (item,) = subscription.monitored_item_srv._monitored_items.values()
        assert item.filter.DeadbandValue == 2.0
    assert stored.values("Press.Speed") == [0.0, 9.0, 20.0]


async def test_deadband_is_applied_here_where_the_server_refuses_filters(
    still: SimulatedPlc, monkeypatch: pytest.MonkeyPatch
) -> None:
    from asyncua.server.monitored_item_service import MonitoredItemService

    original = MonitoredItemService._create_data_change_monitored_item

    async def refusing(self, params):
        if not getattr(params.RequestedParameters.Filter, "DeadbandValue", 0):
            return await original(self, params)
        return ua.MonitoredItemCreateResult(
            StatusCode=ua.StatusCode(ua.StatusCodes.BadMonitoredItemFilterUnsupported), FilterResult=None
        )

    monkeypatch.setattr(MonitoredItemService, "_create_data_change_monitored_item", refusing)
    stored = Stored()
    async with bridging(plc_config(still.url, press_tag("Press.Speed", deadband=2.0)), stored) as bridge:
        await stored.until_more("Press.Speed", 1)
        for value in (1.0, 9.0, 10.0, 20.0):
            await still.set("Press.Speed", value)
        await stored.until(lambda: stored.values("Press.Speed")[-1] == 20.0)
        assert bridge.health().bad_tags == 0
    assert stored.values("Press.Speed") == [0.0, 9.0, 20.0]


async def test_calls_are_halved_for_a_server_that_takes_few_nodes_at_once(
    still: SimulatedPlc, monkeypatch: pytest.MonkeyPatch
) -> None:
    from asyncua.common.utils import ServiceError
    from asyncua.server.subscription_service import SubscriptionService

    original, sizes = SubscriptionService.create_monitored_items, []

    async def limited(self, params):
        sizes.append(len(params.ItemsToCreate))
        if len(params.ItemsToCreate) > 4:
            raise ServiceError(ua.StatusCodes.BadTooManyOperations)
        return await original(self, params)

    monkeypatch.setattr(SubscriptionService, "create_monitored_items", limited)
    stored = Stored()
    async with bridging(plc_config(still.url), stored) as bridge:
        await eventually(lambda: bridge.health().quality == 1.0)
        assert bridge.health().tags == len(SIGNALS)
    assert sizes[:3] == [11, 5, 2]
    assert len(stored.metas[-1]) == len(SIGNALS)


async def test_browsing_goes_on_behind_continuation_points(
    still: SimulatedPlc, monkeypatch: pytest.MonkeyPatch
) -> None:
    """asyncua's server answers a Browse with all there is and knows no BrowseNext: here it does."""
    from asyncua.server.internal_session import InternalSession
    from asyncua.server.uaprocessor import UaProcessor
    from asyncua.ua.ua_binary import struct_from_binary

    original = UaProcessor._process_message
    rest: dict[bytes, list] = {}

    def portion(references: list) -> ua.BrowseResult:
        result = ua.BrowseResult(References=references[:3])
        if references[3:]:
            result.ContinuationPoint = str(len(rest)).encode()
            rest[result.ContinuationPoint] = references[3:]
        return result

    async def browse(self, params):
        return [portion(result.References) for result in self.iserver.view_service.browse(params)]

    async def process(self, type_id, header, sequence, body):
        if type_id.Identifier != ua.ObjectIds.BrowseNextRequest_Encoding_DefaultBinary:
            return await original(self, type_id, header, sequence, body)
        params = struct_from_binary(ua.BrowseNextParameters, body)
        assert not params.ReleaseContinuationPoints
        response = ua.BrowseNextResponse()
        response.Parameters.Results = [portion(rest.pop(point)) for point in params.ContinuationPoints]
        self.send_response(header.RequestHandle, sequence, response)
        return True

    monkeypatch.setattr(InternalSession, "browse", browse)
    monkeypatch.setattr(UaProcessor, "_process_message", process)
    stored = Stored()
    async with bridging(plc_config(still.url), stored) as bridge:
        await eventually(lambda: bridge.health().connected)
        assert bridge.health().tags == len(SIGNALS)


async def test_response_time_is_measured(plc: SimulatedPlc) -> None:
    async with bridging(plc_config(plc.url, SCANS), Stored(), measure_every_s=0.05) as bridge:
        await eventually(lambda: bridge.health().response_time_ms is not None)
        assert 0 < bridge.health().response_time_ms < 4000


async def test_a_stopped_bridge_leaves_no_subscription_and_no_session(plc: SimulatedPlc) -> None:
    stored = Stored()
    async with bridging(plc_config(plc.url, SCANS), stored):
        await stored.until_more("Press.Scans", 1)
        assert plc.server.iserver.subscription_service.subscriptions
    await asyncio.sleep(0)
    assert not plc.server.iserver.subscription_service.subscriptions
    assert not plc.server.iserver._external_sessions
