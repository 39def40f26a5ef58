"""Retained messages fold into a fleet, and a node is judged at a given time."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import pytest
from rich.console import Console

from ops.fleet import Fleet, NodeRecord, fold, status_of
from ops.fleet_tables import fleet_tables, node_tables
from wire.codec import encode
from wire.messages import (
    AppHealth,
    AppReport,
    AppStatus,
    Clock,
    Engine,
    Health,
    Host,
    PlcHealth,
    Presence,
    Revision,
    Spool,
)
from wire.topics import NodeName, Topics

NOW = datetime(2026, 5, 4, 8, 30, tzinfo=UTC)
PRESS = NodeName("plant-a", "press-1")
BELOW = "mw/v1/plant-a/press-1"


def health(**changed: Any) -> Health:
    sizes: dict[str, Any] = dict.fromkeys(Host.__struct_fields__, 1)
    whole: dict[str, Any] = {
        "node": str(PRESS),
        "epoch": "e",
        "seq": 0,
        "at": NOW,
        "period_s": 10.0,
        "started_at": NOW - timedelta(hours=2),
        "version": "1.2.3",
        "mode": "production",
        "host": Host(**sizes),
        "engine": Engine(age_s=0, reachable=True, version="20.10"),
        "spool": Spool(age_s=0, records=0, bytes=0, max_bytes=1000, oldest_age_s=0, dropped_values=0),
        "clock": Clock(at=NOW),
    }
    return Health(**whole | changed)


def presence(*, online: bool = True, **more: Any) -> Presence:
    return Presence(node=str(PRESS), online=online, session="s", **more)


def report(status: AppStatus = AppStatus.RUNNING, **more: Any) -> AppReport:
    return AppReport(node=str(PRESS), app="hmi", at=NOW, status=status, **more)


def folded(*messages: tuple[str, msgspec.Struct | bytes]) -> Fleet:
    fleet = Fleet()
    for topic, message in messages:
        fleet = fold(fleet, Topics(), topic, message if isinstance(message, bytes) else encode(message))
    return fleet


def test_what_nodes_say_is_put_together_by_node() -> None:
    other = "mw/v1/plant-a/press-2"
    fleet = folded(
        (f"{BELOW}/health", health()),
        (f"{other}/presence", presence()),
        (f"{BELOW}/app/hmi", report()),
        (f"{BELOW}/presence", presence()),
    )
    assert [record.node for record in fleet.records] == [PRESS, NodeName("plant-a", "press-2")]
    assert fleet.nodes[PRESS] == NodeRecord(node=PRESS, presence=presence(), health=health(), apps={"hmi": report()})


def test_an_empty_message_clears_an_app() -> None:
    fleet = folded((f"{BELOW}/app/hmi", report()), (f"{BELOW}/app/hmi", b""))
    assert fleet.nodes[PRESS].apps == {}


@pytest.mark.parametrize(
    ("topic", "payload"),
    [(f"{BELOW}/health", b"{"), (f"{BELOW}/tags/p", b"{}"), ("elsewhere", b""), (f"{BELOW}/presence", b"[]")],
)
def test_what_is_not_understood_changes_nothing(topic: str, payload: bytes) -> None:
    fleet = folded((f"{BELOW}/health", health()))
    assert fold(fleet, Topics(), topic, payload).nodes == fleet.nodes


def test_a_target_means_its_node_even_when_nobody_knows_it() -> None:
    fleet = folded((f"{BELOW}/presence", presence()), ("mw/v1/plant-b/n/presence", presence()))
    assert fleet.meant_by("plant-c/n") == [NodeName("plant-c", "n")]
    assert fleet.meant_by("plant-a/*") == [PRESS]
    assert fleet.meant_by("*") == [PRESS, NodeName("plant-b", "n")]


def judged(after_s: float, **record: Any) -> tuple[str, Sequence[str]]:
    status = status_of(NodeRecord(node=PRESS, **record), NOW + timedelta(seconds=after_s))
    return status.word, status.reasons


def test_a_node_is_online_stale_and_offline_by_the_age_of_its_heartbeat() -> None:
    record = {"presence": presence(), "health": health()}
    assert judged(3, **record) == ("online", ())
    assert judged(26, **record) == ("stale", ("no heartbeat, which is due every 10 s",))
    assert judged(51, **record)[0] == "offline"


def test_an_absence_that_was_announced_is_believed_at_once() -> None:
    assert judged(1, presence=presence(online=False, reason="stopped"), health=health()) == (
        "offline",
        ("it was stopped",),
    )
    assert "lost" in judged(1, presence=presence(online=False, reason="lost"), health=health())[1][0]


def test_a_node_that_never_sent_a_heartbeat_is_unknown() -> None:
    assert judged(1, presence=presence())[0] == "unknown"
    assert judged(1)[0] == "unknown"


def test_a_node_with_an_ailment_is_degraded_and_says_why() -> None:
    word, [reason] = judged(1, health=health(), apps={"hmi": report(AppStatus.FAILED, reason="no such image")})
    assert (word, reason) == ("degraded", "hmi has failed: no such image")


def printed(*, width: int = 200, **record: Any) -> list[str]:
    console = Console(width=width, no_color=True, highlight=False)
    whole = NodeRecord(node=PRESS, **record)
    with console.capture() as capture:
        console.print(fleet_tables(Fleet({PRESS: whole}), NOW + timedelta(seconds=4)))
        console.print(node_tables(whole, NOW + timedelta(seconds=4)))
    return capture.get().splitlines()


def test_every_fact_is_shown_with_its_age() -> None:
    plc = PlcHealth(plc="press", age_s=1.0, connected=True, quality=0.96, tags=24, bad_tags=1, last_value_age_s=2.0)
    app = AppHealth(app="hmi", age_s=0.5, state="running", memory_bytes=28 << 20, cpu_percent=3.2)
    runs = report(desired=Revision(number=4, image="hmi:4"), running=Revision(number=4, image="hmi:4"))
    lines = printed(health=health(plcs=(plc,), apps=(app,)), apps={"hmi": runs})
    text = "\n".join(" ".join(line.split()) for line in lines)
    assert "plant-a/press-1 ● online 4.0 s ago 1/1 running 1/1, 96% good" in text
    assert "press connected 96% 24, 1 refused - 0 6.0 s ago 0 5.0 s ago" in text
    assert "hmi running 4 4 hmi:4 3 % 28 MiB 0 4.0 s ago" in text


def test_a_fleet_that_is_empty_says_so() -> None:
    console = Console(width=80)
    with console.capture() as capture:
        console.print(fleet_tables(Fleet(), NOW))
    assert "knows no node" in capture.get()


def test_a_status_is_never_told_by_colour_alone() -> None:
    assert any("○ offline" in line for line in printed(presence=presence(online=False, reason="lost")))
