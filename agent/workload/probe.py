"""Whether a container has proved itself: judged from what Docker keeps of it, so that a new agent judges the same."""

from datetime import datetime, timedelta
from typing import assert_never

from msgspec import Struct

from agent.workload.observed import Container
from wire.app import ContainerSpec, Healthcheck, Running
from wire.messages import Category, Fault

LOOK_AGAIN_S = 2.0
"""A net under the engine's events."""
_MAX_WORDS = 500


class Healthy(Struct, frozen=True):
    """It does what it should."""


class Waiting(Struct, frozen=True, kw_only=True):
    """Too early to say; look again by then at the latest."""

    until: datetime


class Failed(Struct, frozen=True, kw_only=True):
    """It won't become healthy; `reason` says why."""

    reason: str


Verdict = Healthy | Waiting | Failed


def judge(container: Container, spec: ContainerSpec, now: datetime) -> Verdict:
    """Judge a container that was started: one that ended, was started again by Docker or is unhealthy has failed."""
    if container.state == "restarting" or container.restarts:
        return Failed(reason=f"{container.name} ended with exit code {container.exit_code} and was restarted by Docker")
    if container.state != "running" or container.started_at is None:
        return Failed(reason=_ended(container))
    verdict = _by_probe(container, container.started_at, spec, now)
    limit = container.started_at + timedelta(seconds=spec.healthy_within_s)
    if isinstance(verdict, Waiting):
        return _within(limit, verdict, container, spec, now)
    return verdict


def fault_of(container: Container, reason: str) -> Fault:
    """A verdict's reason as it goes on the wire."""
    return Fault(
        phase="probe", component="container", element=container.name, category=Category.UNHEALTHY, message=reason
    )


def _by_probe(container: Container, started_at: datetime, spec: ContainerSpec, now: datetime) -> Verdict:
    match spec.probe:
        case Healthcheck():
            return _by_healthcheck(container, now)
        case Running(for_s=for_s):
            return _by_running(started_at, for_s, now)
        case None if container.health is not None:
            return _by_healthcheck(container, now)
        case None:
            return _by_running(started_at, Running().for_s, now)
        case _ as never:
            assert_never(never)


def _by_healthcheck(container: Container, now: datetime) -> Verdict:
    match container.health:
        case "healthy":
            return Healthy()
        case "unhealthy":
            said = container.health_output.strip()[:_MAX_WORDS]
            return Failed(reason=f"{container.name} is unhealthy" + (f": {said}" if said else ""))
        case None:
            return Failed(reason=f"{container.name} has no HEALTHCHECK, neither in its image nor in its probe")
        case _:
            return Waiting(until=now + timedelta(seconds=LOOK_AGAIN_S))


def _by_running(started_at: datetime, for_s: float, now: datetime) -> Verdict:
    proved_at = started_at + timedelta(seconds=for_s)
    return Healthy() if now >= proved_at else Waiting(until=proved_at)


def _within(limit: datetime, verdict: Waiting, container: Container, spec: ContainerSpec, now: datetime) -> Verdict:
    if now >= limit:
        return Failed(reason=f"{container.name} was not healthy within {spec.healthy_within_s:g} s")
    return Waiting(until=min(limit, verdict.until))


def _ended(container: Container) -> str:
    words = f"{container.name} is {container.state} with exit code {container.exit_code}"
    return f"{words}: {container.error}" if container.error else words
