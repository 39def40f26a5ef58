"""The one word for a node, with the time given."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from controller.fleet.event import Event, age_s, seen_at
from controller.fleet.node import NodeView, fold
from controller.fleet.status import Status, status
from tests.support import fleet
from wire.messages import AppHealth, AppReport, AppStatus, Engine, PlcHealth, Presence, Spool
from wire.topics import NodeName

NODE = NodeName("plant-a", "press-1")
T0 = datetime(2026, 3, 1, 12, tzinfo=UTC)


def at(seconds: float) -> datetime:
    return T0 + timedelta(seconds=seconds)


def presence(*, online: bool = True, session: str = "s1", reason: str | None = None) -> Presence:
    return Presence(node=str(NODE), online=online, session=session, reason=reason)


def known(*said: object, seconds: float = 0) -> NodeView:
    view = None
    for message in said:
        view = fold(view, Event(node=NODE, seen_at=at(seconds), said=message))  # type: ignore[arg-type]
    assert view is not None
    return view


def words(view: NodeView, seconds: float) -> list[str]:
    return [reason.text for reason in status(view, at(seconds)).reasons]


@pytest.mark.parametrize(
    ("age", "expected"),
    [(0, Status.ONLINE), (25, Status.ONLINE), (25.1, Status.STALE), (50, Status.STALE), (50.1, Status.OFFLINE)],
)
def test_missed_heartbeats_make_a_node_stale_then_offline(age: float, expected: Status) -> None:
    assert status(known(fleet.health(NODE, period_s=10)), at(age)).status is expected


def test_silence_counts_in_periods_that_the_node_itself_promised() -> None:
    assert status(known(fleet.health(NODE, period_s=2)), at(6)).status is Status.STALE


def test_a_node_that_promises_a_heartbeat_a_year_is_not_online_for_days() -> None:
    assert status(known(fleet.health(NODE, period_s=31_536_000)), at(6 * 3600)).status is Status.OFFLINE


def test_the_will_makes_a_node_offline_at_once() -> None:
    view = known(fleet.health(NODE), presence(online=False, reason="lost"))
    assert status(view, at(0.1)).status is Status.OFFLINE
    assert words(view, 0.1) == ["its connection to the broker was lost"]


def test_a_farewell_says_that_it_was_on_purpose() -> None:
    assert words(known(presence(online=False, reason="stopped")), 0) == ["it was stopped"]


def test_a_heartbeat_after_the_will_is_the_better_witness() -> None:
    view = known(presence(online=False))
    view = fold(view, Event(node=NODE, seen_at=at(5), said=fleet.health(NODE)))
    assert status(view, at(6)).status is Status.ONLINE


def test_a_node_without_a_heartbeat_is_unknown_whatever_its_presence_claims() -> None:
    assert status(known(presence()), at(0)).status is Status.UNKNOWN


def test_an_app_report_alone_does_not_make_a_node_known() -> None:
    assert status(known(fleet.report(NODE, "app")), at(0)).status is Status.UNKNOWN


@pytest.mark.parametrize(
    ("plc", "degraded"),
    [
        (fleet.plc(), False),
        (fleet.plc(quality=0.9), False),
        (fleet.plc(quality=0.89), True),
        (fleet.plc(connected=False, error="refused"), True),
    ],
)
def test_a_plc_that_is_away_or_of_low_quality_degrades_its_node(plc: PlcHealth, degraded: bool) -> None:
    found = status(known(fleet.health(NODE, plcs=(plc,))), at(1))
    assert found.status is (Status.DEGRADED if degraded else Status.ONLINE)
    assert [reason.element for reason in found.reasons] == (["press"] if degraded else [])


@pytest.mark.parametrize("bad", [AppStatus.UNHEALTHY, AppStatus.BACKING_OFF, AppStatus.FAILED])
def test_an_app_that_does_not_do_what_it_should_degrades_its_node(bad: AppStatus) -> None:
    view = known(fleet.health(NODE), fleet.report(NODE, "hmi", status=bad, reason="exit code 1"))
    assert status(view, at(1)).status is Status.DEGRADED
    assert "exit code 1" in words(view, 1)[0]


@pytest.mark.parametrize("good", [AppStatus.RUNNING, AppStatus.STOPPED, AppStatus.STARTING, AppStatus.DEPLOYING])
def test_an_app_that_does_what_somebody_asked_for_does_not(good: AppStatus) -> None:
    view = known(fleet.health(NODE), fleet.report(NODE, "hmi", status=good))
    assert status(view, at(1)).status is Status.ONLINE


@pytest.mark.parametrize(
    "measured",
    [fleet.measured("hmi", health="unhealthy"), fleet.measured("hmi", state="restarting", health=None)],
)
def test_what_the_engine_measures_degrades_a_node_before_its_app_reports(measured: AppHealth) -> None:
    assert status(known(fleet.health(NODE, apps=(measured,))), at(1)).status is Status.DEGRADED


def test_an_app_is_complained_of_once() -> None:
    report: AppReport = fleet.report(NODE, "hmi", status=AppStatus.FAILED)
    bad = fleet.health(NODE, apps=(fleet.measured("hmi", state="restarting"),))
    assert words(known(bad, report), 1) == ["hmi has failed"]


def test_an_engine_that_does_not_answer_degrades_its_node() -> None:
    engine = Engine(age_s=0, reachable=False, error="no such socket")
    assert "no such socket" in words(known(fleet.health(NODE, engine=engine)), 1)[0]


@pytest.mark.parametrize(
    "spool", [replace(fleet.spool(), error="disk full"), fleet.spool(records=9, size=int(0.95 * fleet.GIB))]
)
def test_a_spool_that_is_stuck_or_nearly_full_degrades_its_node(spool: Spool) -> None:
    assert status(known(fleet.health(NODE, spool=spool)), at(1)).status is Status.DEGRADED


def test_dropped_values_are_shown_for_a_while_and_not_for_ever() -> None:
    before = fleet.health(NODE, seq=0, period_s=600, spool=fleet.spool(dropped=5))
    after = fleet.health(NODE, seq=1, period_s=600, spool=fleet.spool(dropped=6))
    assert status(known(before), at(1)).status is Status.ONLINE
    assert status(known(before, after), at(299)).status is Status.DEGRADED
    assert status(known(before, after), at(301)).status is Status.ONLINE


def test_a_stale_node_still_says_what_ailed_it() -> None:
    view = known(fleet.health(NODE, plcs=(fleet.plc(connected=False, error="cut"),)))
    found = status(view, at(30))
    assert found.status is Status.STALE
    assert [reason.about for reason in found.reasons] == ["heartbeat", "plc"]


@given(
    age=st.floats(0, 1e7),
    period_s=st.floats(allow_nan=False, allow_infinity=False),
    online=st.booleans(),
    quality=st.floats(0, 1),
)
def test_no_node_is_online_whose_heartbeat_is_older_than_the_limit(
    age: float, period_s: float, online: bool, quality: float
) -> None:
    said = fleet.health(NODE, period_s=period_s, plcs=(fleet.plc(quality=quality),))
    found = status(known(presence(online=online), said), at(age)).status
    limit = 2.5 * min(max(period_s, 0), 3600)
    if age > limit + 1e-3:
        assert found not in (Status.ONLINE, Status.DEGRADED)


@given(seconds=st.floats(-1e8, 1e8), said=st.none() | st.floats(-1e8, 1e8), replayed=st.booleans())
def test_every_fact_has_an_age_that_is_not_negative(seconds: float, said: float | None, replayed: bool) -> None:
    seen = seen_at(T0, None if said is None else at(said), replayed=replayed)
    assert seen <= T0
    assert age_s(seen, at(seconds)) >= 0


def test_a_replayed_heartbeat_of_hours_ago_is_not_fresh() -> None:
    seen = seen_at(T0, at(-3 * 3600), replayed=True)
    view = fold(None, Event(node=NODE, seen_at=seen, said=fleet.health(NODE)))
    assert status(view, T0).status is Status.OFFLINE


def test_a_live_heartbeat_is_fresh_whatever_the_nodes_clock_says() -> None:
    seen = seen_at(T0, datetime(1970, 1, 1, tzinfo=UTC), replayed=False)
    assert seen == T0
