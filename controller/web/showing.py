"""From what is known to what is shown: pure, with the time given."""

from collections.abc import Iterable
from datetime import datetime
from itertools import groupby
from typing import Any

from msgspec.structs import asdict

from controller.fleet.event import age_s
from controller.fleet.node import Fact, NodeView
from controller.fleet.status import Standing, Status
from controller.web import views
from wire.messages import AppHealth, AppReport, Health, Outcome, PlcHealth
from wire.topics import NodeName


def node_row(view: NodeView, standing: Standing, now: datetime) -> views.NodeRow:
    """Show one node as the fleet lists it."""
    return views.NodeRow(**_node(view, standing, now))


def node_detail(
    view: NodeView, standing: Standing, timeline: Iterable[Fact[Outcome]], now: datetime
) -> views.NodeDetail:
    """Show one node with all that is known of it."""
    return views.NodeDetail(
        **_node(view, standing, now),
        now=now,
        clock=view.health.value.clock if view.health else None,
        outcomes=tuple(outcome(fact, now) for fact in view.outcomes),
        timeline=tuple(outcome(fact, now) for fact in timeline),
    )


def counts(standings: Iterable[Standing]) -> dict[Status, int]:
    """How many stand how; every word is there."""
    found = dict.fromkeys(Status, 0)
    for standing in standings:
        found[standing.status] += 1
    return found


def outcome(fact: Fact[Outcome], now: datetime) -> views.OutcomeOut:
    """Show a phase of a command."""
    return views.OutcomeOut(seen_at=fact.seen_at, age_s=age_s(fact.seen_at, now), outcome=fact.value)


def command(command_id: str, found: Iterable[tuple[NodeName, Fact[Outcome]]], now: datetime) -> views.CommandOutcomes:
    """Show what became of a command; `found` comes by node, then in order."""
    nodes = tuple(
        _node_outcomes(name, [outcome(fact, now) for _, fact in group])
        for name, group in groupby(found, key=lambda pair: pair[0])
    )
    return views.CommandOutcomes(command_id=command_id, now=now, nodes=nodes)


def apps(view: NodeView, now: datetime) -> tuple[views.AppOut, ...]:
    """Show the apps that were reported, and those that a heartbeat alone names."""
    health = view.health
    measured = {app.app: app for app in health.value.apps} if health else {}
    reported = {fact.value.app: fact for fact in view.apps}
    return tuple(
        _app(name, reported.get(name), measured.get(name), health, now) for name in sorted(reported | measured)
    )


def _node_outcomes(name: NodeName, phases: list[views.OutcomeOut]) -> views.NodeOutcomes:
    return views.NodeOutcomes(
        site=name.site,
        node=name.node,
        ended=any(phase.outcome.phase.is_end for phase in phases),
        last=phases[-1],
        phases=tuple(phases),
    )


def _node(view: NodeView, standing: Standing, now: datetime) -> dict[str, Any]:
    health = view.health.value if view.health else None
    presence = view.presence.value if view.presence else None
    return {
        "site": view.name.site,
        "node": view.name.node,
        "status": standing.status,
        "reasons": tuple(
            views.ReasonOut(about=each.about, element=each.element, text=each.text) for each in standing.reasons
        ),
        "first_seen_at": view.first_seen_at,
        "seen_at": view.health.seen_at if view.health else None,
        "age_s": age_s(view.health.seen_at, now) if view.health else None,
        "version": (health.version if health else presence.version if presence else None) or None,
        "mode": health.mode if health else None,
        "period_s": health.period_s if health else None,
        "started_at": health.started_at if health else None,
        "rejected_commands": health.rejected_commands if health else 0,
        "presence": _presence(view, now),
        "apps": apps(view, now),
        **_measured(view.health, now),
    }


def _presence(view: NodeView, now: datetime) -> views.PresenceOut | None:
    if view.presence is None:
        return None
    said = view.presence.value
    return views.PresenceOut(
        seen_at=view.presence.seen_at,
        age_s=age_s(view.presence.seen_at, now),
        online=said.online,
        since=said.since,
        reason=said.reason,
        capabilities=said.capabilities,
    )


def _measured(fact: Fact[Health] | None, now: datetime) -> dict[str, Any]:
    if fact is None:
        return {"host": None, "engine": None, "spool": None, "plcs": ()}
    said = fact.value
    return {
        "host": views.HostOut(**_aged(said.host, fact, now)),
        "engine": views.EngineOut(**_aged(said.engine, fact, now)),
        "spool": views.SpoolOut(**_aged(said.spool, fact, now)),
        "plcs": tuple(_plc(plc, fact, now) for plc in said.plcs),
    }


def _aged(part: Any, fact: Fact[Health], now: datetime) -> dict[str, Any]:
    """A part of a heartbeat: as old as the heartbeat, and as it was when that was sent."""
    return {**asdict(part), "seen_at": fact.seen_at, "age_s": _older(part.age_s, fact, now)}


def _plc(plc: PlcHealth, fact: Fact[Health], now: datetime) -> views.PlcOut:
    last_value = None if plc.last_value_age_s is None else _older(plc.last_value_age_s, fact, now)
    return views.PlcOut(**{**_aged(plc, fact, now), "last_value_age_s": last_value})


def _older(age_when_sent_s: float, fact: Fact[Health], now: datetime) -> float:
    return max(0.0, age_when_sent_s) + age_s(fact.seen_at, now)


def _app(
    name: str, report: Fact[AppReport] | None, measured: AppHealth | None, health: Fact[Health] | None, now: datetime
) -> views.AppOut:
    said = report.value if report else None
    seen_at = report.seen_at if report else health.seen_at if health else now
    return views.AppOut(
        app=name,
        seen_at=seen_at,
        age_s=age_s(seen_at, now),
        status=said.status if said else None,
        desired=said.desired if said else None,
        running=said.running if said else None,
        container=said.container if said else None,
        state=measured.state if measured else said.state if said else "absent",
        health=measured.health if measured else said.health if said else None,
        restarts=measured.restarts if measured else said.restarts if said else 0,
        reason=said.reason if said else None,
        cpu_percent=measured.cpu_percent if measured else None,
        memory_bytes=measured.memory_bytes if measured else None,
        measured_age_s=_older(measured.age_s, health, now) if measured and health else None,
    )
