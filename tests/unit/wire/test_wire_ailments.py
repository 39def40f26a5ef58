"""What makes a node that is there a degraded one, in words."""

from datetime import UTC, datetime
from typing import Any

import pytest
from msgspec import structs

from wire.ailments import ailments
from wire.messages import AppHealth, AppReport, AppStatus, Clock, Engine, Health, Host, PlcHealth, Spool

NOW = datetime(2026, 5, 4, tzinfo=UTC)
SPOOL = Spool(age_s=0, records=0, bytes=0, max_bytes=1000, oldest_age_s=0, dropped_values=0)
PLC = PlcHealth(plc="press", age_s=0, connected=True, quality=1.0, tags=4, bad_tags=0)
APP = AppHealth(app="hmi", age_s=0, state="running", health="healthy")


def health(**changed: Any) -> Health:
    sizes: dict[str, Any] = dict.fromkeys(Host.__struct_fields__, 1)
    whole: dict[str, Any] = {
        "node": "plant-a/press-1",
        "epoch": "e",
        "seq": 0,
        "at": NOW,
        "period_s": 10.0,
        "started_at": NOW,
        "version": "1",
        "mode": "production",
        "host": Host(**sizes),
        "engine": Engine(age_s=0, reachable=True),
        "spool": SPOOL,
        "clock": Clock(at=NOW),
    }
    return Health(**whole | changed)


def report(status: AppStatus, reason: str | None = None) -> AppReport:
    return AppReport(node="plant-a/press-1", app="hmi", at=NOW, status=status, reason=reason)


def told(said: Health, *reports: AppReport) -> list[str]:
    return [found.text for found in ailments(said, reports)]


def test_a_node_on_which_all_is_well_has_none() -> None:
    assert told(health(plcs=(PLC,), apps=(APP,)), report(AppStatus.RUNNING)) == []


@pytest.mark.parametrize("status", [AppStatus.STOPPED, AppStatus.DEPLOYING, AppStatus.STARTING])
def test_what_is_wanted_or_on_its_way_is_no_ailment(status: AppStatus) -> None:
    assert told(health(), report(status)) == []


@pytest.mark.parametrize(
    ("said", "words"),
    [
        (health(engine=Engine(age_s=0, reachable=False, error="no socket")), "can't be reached: no socket"),
        (health(engine=Engine(age_s=0, reachable=False)), "can't be reached: no answer"),
        (health(plcs=(PlcHealth(plc="p", age_s=0, connected=False, quality=0, tags=0, bad_tags=0),)), "not connected"),
        (health(plcs=(PlcHealth(plc="p", age_s=0, connected=True, quality=0.5, tags=4, bad_tags=0),)), "50% of its"),
        (
            health(spool=Spool(age_s=0, records=9, bytes=950, max_bytes=1000, oldest_age_s=1, dropped_values=0)),
            "95% full",
        ),
        (health(spool=structs.replace(SPOOL, error="the disk is full")), "the spool is stuck: the disk is full"),
        (health(apps=(AppHealth(app="hmi", age_s=0, state="running", health="unhealthy"),)), "hmi is unhealthy"),
        (health(apps=(AppHealth(app="hmi", age_s=0, state="restarting"),)), "hmi is restarting"),
    ],
)
def test_each_ailment_is_told_once_and_by_name(said: Health, words: str) -> None:
    [text] = told(said)
    assert words in text


def test_an_app_s_own_report_comes_before_what_is_measured() -> None:
    said = health(apps=(AppHealth(app="hmi", age_s=0, state="restarting"),))
    assert told(said, report(AppStatus.BACKING_OFF, "exit code 1")) == ["hmi is backing off: exit code 1"]
