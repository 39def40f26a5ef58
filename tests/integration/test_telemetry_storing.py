"""A bridge and a real OPC UA server: stored before acknowledged, in order, and what is lost is said."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta

import pytest
from asyncua import ua

from agent.errors import TransientError
from plant.plc import SimulatedPlc
from tests.support.telemetry import SCANS, Stored, bridging, eventually, is_counting, plc_config
from wire.messages import Category, GapReason


@pytest.fixture
async def plc() -> AsyncIterator[SimulatedPlc]:
    async with SimulatedPlc(seed=1, period_s=0.02, fault_every_s=0.0) as running:
        yield running


def subscription_at(plc: SimulatedPlc):
    """The one subscription, as asyncua's server keeps it."""
    (subscription,) = plc.server.iserver.subscription_service.subscriptions.values()
    return subscription


def full_disk() -> TransientError:
    return TransientError("disk full", phase="store", component="store", element="spool", category=Category.NO_SPACE)


async def test_connected_but_silent_cannot_last(plc: SimulatedPlc, monkeypatch: pytest.MonkeyPatch) -> None:
    """The session answers, the subscription does not: it is given another chance, then made anew."""
    monkeypatch.setattr("agent.telemetry.subscription.KEEP_ALIVE_S", 1.0)
    stored = Stored()
    async with bridging(plc_config(plc.url, SCANS), stored) as bridge:
        await stored.until_more("Press.Scans", 10)
        before = len(stored.values("Press.Scans"))
        subscription_at(plc)._task.cancel()
        await stored.until_more("Press.Scans", 30, within_s=60)
        assert bridge.health().reconnects == 2
        assert "silent" not in (bridge.health().error or "")
    values, (gap,) = stored.values("Press.Scans"), stored.gaps
    assert is_counting(values[:before])
    assert gap.reason is GapReason.SOURCE
    assert gap.until - gap.since > timedelta(seconds=4)


async def test_a_subscription_that_the_server_dropped_is_made_anew_behind_a_gap(plc: SimulatedPlc) -> None:
    stored = Stored()
    async with bridging(plc_config(plc.url, SCANS), stored):
        await stored.until_more("Press.Scans", 10)
        service = plc.server.iserver.subscription_service
        await service.delete_subscriptions(list(service.subscriptions))
        await stored.until_more("Press.Scans", 30, within_s=60)
    assert [gap.reason for gap in stored.gaps] == [GapReason.SOURCE]
    assert stored.values("Press.Scans") == sorted(set(stored.values("Press.Scans")))


async def test_a_message_lost_on_the_way_is_asked_for_again(plc: SimulatedPlc, monkeypatch: pytest.MonkeyPatch) -> None:
    from asyncua.server.internal_subscription import InternalSubscription

    original, swallowed = InternalSubscription._pop_publish_result, []

    def swallowing(self):
        result = original(self)
        if result.NotificationMessage.SequenceNumber == 5 and not swallowed:
            swallowed.append(result)
            result = original(self)
        return result

    monkeypatch.setattr(InternalSubscription, "_pop_publish_result", swallowing)
    stored = Stored()
    async with bridging(plc_config(plc.url, SCANS), stored):
        await stored.until_more("Press.Scans", 60)
    assert swallowed
    assert is_counting(stored.values("Press.Scans"))
    assert stored.gaps == []


async def test_a_message_lost_for_ever_is_a_gap(plc: SimulatedPlc, monkeypatch: pytest.MonkeyPatch) -> None:
    from asyncua.server.internal_subscription import InternalSubscription

    original, swallowed = InternalSubscription._pop_publish_result, []

    def swallowing(self):
        result = original(self)
        if result.NotificationMessage.SequenceNumber == 5 and not swallowed:
            swallowed.append(result)
            self._not_acknowledged_results.pop(5)
            result = original(self)
        return result

    monkeypatch.setattr(InternalSubscription, "_pop_publish_result", swallowing)
    stored = Stored()
    async with bridging(plc_config(plc.url, SCANS), stored):
        await stored.until_more("Press.Scans", 60)
    (gap,) = stored.gaps
    assert gap.reason is GapReason.SOURCE
    values = stored.values("Press.Scans")
    assert values == sorted(set(values))


async def test_a_notification_is_acknowledged_only_after_it_was_stored(plc: SimulatedPlc) -> None:
    """While storing is blocked, the server still holds what was published; once stored, it lets it go."""
    stored, entered, go_on = Stored(), asyncio.Event(), asyncio.Event()

    async def blocked() -> None:
        entered.set()
        await go_on.wait()

    stored.before = blocked
    async with bridging(plc_config(plc.url, SCANS), stored):
        await asyncio.wait_for(entered.wait(), 10)
        held = subscription_at(plc)._not_acknowledged_results
        await eventually(lambda: len(held) == 4)
        await asyncio.sleep(0.5)
        assert list(held) == [1, 2, 3, 4]
        stored.before = None
        go_on.set()
        await eventually(lambda: not {1, 2, 3, 4} & held.keys())
        await stored.until_more("Press.Scans", 50)
    assert is_counting(stored.values("Press.Scans"))


async def test_a_full_disk_holds_values_back_at_the_server_and_loses_none(plc: SimulatedPlc) -> None:
    stored, failures = Stored(), []

    async def failing() -> None:
        failures.append(1)
        raise full_disk()

    async with bridging(plc_config(plc.url, SCANS), stored) as bridge:
        await stored.until_more("Press.Scans", 10)
        before = len(stored.values("Press.Scans"))
        stored.before = failing
        await eventually(lambda: len(failures) >= 4)
        assert "disk full" in bridge.health().error
        assert bridge.health().connected
        assert len(stored.values("Press.Scans")) == before
        stored.before = None
        await stored.until_more("Press.Scans", 100)
        assert bridge.health().error is None
    assert is_counting(stored.values("Press.Scans"))
    assert stored.gaps == []


async def test_a_gap_begins_where_values_end_however_long_storing_took(plc: SimulatedPlc) -> None:
    stored, blocked, go_on = Stored(), asyncio.Event(), asyncio.Event()

    async def block() -> None:
        blocked.set()
        await go_on.wait()

    async with bridging(plc_config(plc.url, SCANS), stored):
        await stored.until_more("Press.Scans", 10)
        stored.before = block
        await asyncio.wait_for(blocked.wait(), 10)
        service = plc.server.iserver.subscription_service
        await asyncio.sleep(1.5)  # what changes meanwhile waits at the server, and goes with the subscription
        await service.delete_subscriptions(list(service.subscriptions))
        stored.before = None
        go_on.set()
        await stored.until(lambda: bool(stored.gaps))
    (gap,) = stored.gaps
    last_values, _ = stored.batches[stored.batches.index(((), gap)) - 1]
    assert gap.since <= last_values[-1].time + timedelta(seconds=0.5)
    assert gap.until - gap.since > timedelta(seconds=1)


async def test_a_malformed_response_is_counted_and_said_and_the_stream_goes_on(
    plc: SimulatedPlc, monkeypatch: pytest.MonkeyPatch
) -> None:
    from asyncua.server.uaprocessor import UaProcessor

    original, broken = UaProcessor.forward_publish_response, []

    async def breaking(self, result, request):
        number = result.NotificationMessage.SequenceNumber
        if number == 5 and not broken:
            broken.append(number)
            result = ua.PublishResult(SubscriptionId=result.SubscriptionId)
            result.NotificationMessage.SequenceNumber = number
            unreadable = ua.ExtensionObject(
                TypeId=ua.FourByteNodeId(ua.ObjectIds.DataChangeNotification_Encoding_DefaultBinary),
                Body=b"\x01\x00\x00\x00\xff",
            )
            result.NotificationMessage.NotificationData = [unreadable]
        await original(self, result, request)

    monkeypatch.setattr(UaProcessor, "forward_publish_response", breaking)
    stored = Stored()
    async with bridging(plc_config(plc.url, SCANS), stored) as bridge:
        await stored.until_more("Press.Scans", 60)
        health = bridge.health()
    assert broken
    assert (health.connected, health.errors) == (True, 1)
    assert [gap.reason for gap in stored.gaps] == [GapReason.SOURCE]


async def test_what_an_earlier_life_of_the_agent_missed_is_a_gap(plc: SimulatedPlc) -> None:
    stored = Stored()
    last = datetime.now(UTC) - timedelta(minutes=5)
    async with bridging(plc_config(plc.url, SCANS), stored, resume_from=last):
        await stored.until_more("Press.Scans", 5)
    (gap,) = stored.gaps
    assert (gap.reason, gap.since) == (GapReason.SOURCE, last)
    assert stored.batches[0] == ((), gap)
