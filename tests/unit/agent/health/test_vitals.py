"""What a heartbeat says of readings taken at different times."""

from datetime import UTC, datetime

import pytest
from msgspec.structs import replace

from agent.health.vitals import Life, Reading, Vitals, engine_in, heartbeat, host_in
from wire.codec import decode, encode
from wire.messages import AppHealth, Engine, Health, Host, PlcHealth, Spool

AT = datetime(2026, 3, 1, 12, tzinfo=UTC)
LIFE = Life(node="a/b", epoch="e1", started_at=AT, version="1.0", mode="development", period_s=10.0)
HOST = Host(
    age_s=0.0,
    cpu_percent=12.5,
    memory_used_bytes=1,
    memory_total_bytes=2,
    disk_used_bytes=3,
    disk_total_bytes=4,
    network_sent_bytes=5,
    network_received_bytes=6,
    load_1m=0.1,
    load_5m=0.2,
    load_15m=0.3,
)
ENGINE = Engine(age_s=0.0, reachable=True, version="20.10")
SPOOL = Spool(age_s=0.25, records=0, bytes=0, max_bytes=1, oldest_age_s=0.0, dropped_values=0)
PLC = PlcHealth(plc="p", age_s=1.5, connected=True, quality=1.0, tags=3, bad_tags=0)
APP = AppHealth(app="web", age_s=0.5, state="running")
VITALS = Vitals(
    host=Reading(value=HOST, at_s=100.0),
    engine=Reading(value=ENGINE, at_s=100.0),
    apps=Reading(value=(APP,), at_s=100.0),
    synchronized=True,
    plcs=(PLC,),
    spool=SPOOL,
    rejected_commands=7,
)


def beat(vitals: Vitals, now_s: float = 100.0, seq: int = 0) -> Health:
    return heartbeat(LIFE, vitals, seq=seq, at=AT, now_s=now_s)


def test_heartbeat_carries_everything_and_goes_over_the_wire() -> None:
    health = beat(VITALS, seq=4)
    assert decode(Health, encode(health)) == health
    assert (health.node, health.epoch, health.seq, health.started_at) == ("a/b", "e1", 4, AT)
    assert (health.plcs, health.spool, health.rejected_commands) == ((PLC,), SPOOL, 7)
    assert (health.clock.at, health.clock.synchronized) == (AT, True)


def test_age_counts_from_the_measurement() -> None:
    health = beat(VITALS, now_s=112.5)
    assert health.host.age_s == 12.5
    assert health.engine.age_s == 12.5
    assert health.apps[0].age_s == pytest.approx(13.0)


def test_ages_that_a_room_gives_itself_are_kept() -> None:
    health = beat(VITALS, now_s=112.5)
    assert health.plcs[0].age_s == 1.5
    assert health.spool.age_s == 0.25


def test_engine_that_does_not_answer_is_unreachable_and_as_old_as_its_last_answer() -> None:
    silent = replace(VITALS.engine, error="no answer for 2.0 s")
    engine = engine_in(silent, 130.0)
    assert engine == Engine(age_s=30.0, reachable=False, version="20.10", error="no answer for 2.0 s")


def test_engine_that_never_answered_is_unreachable_and_as_old_as_the_waiting() -> None:
    engine = engine_in(Reading(at_s=100.0, error="no answer for 5.0 s"), 105.0)
    assert engine == Engine(age_s=5.0, reachable=False, error="no answer for 5.0 s")


def test_engine_that_says_itself_that_it_is_away_is_believed() -> None:
    away = Engine(age_s=0.0, reachable=False, error="refused")
    assert engine_in(Reading(value=away, at_s=100.0), 100.0) == away


def test_apps_of_a_silent_engine_are_shown_with_their_age() -> None:
    apps = replace(VITALS.apps, error="no answer within 10 s")
    (app,) = beat(replace(VITALS, apps=apps), now_s=160.0).apps
    assert (app.state, app.age_s) == ("running", 60.5)


def test_host_that_was_never_measured_has_no_figures() -> None:
    host = host_in(Reading(at_s=100.0, error="no answer for 3.0 s"), 103.0)
    assert (host.age_s, host.memory_total_bytes, host.disk_total_bytes) == (3.0, 0, 0)


def test_nothing_is_younger_than_now() -> None:
    assert beat(VITALS, now_s=99.0).host.age_s == 0.0
