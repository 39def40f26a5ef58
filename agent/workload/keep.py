"""Keeping an app as it should be: what was removed, killed or is unhealthy comes back, what doesn't belong goes."""

from datetime import datetime, timedelta

from agent.workload.desired import AppRecord, AppRevision, Goal, Image
from agent.workload.observed import Container, Observed, Pulled, PullFailed, Pulling, belonging, made_for
from agent.workload.reference import name_in
from agent.workload.steps import Create, Pull, Remove, Repair, Resolve, Start, Step, Stop, Wait
from wire.app import ContainerSpec

_DEFAULT_GRACE_S = 10.0
_MISSING = "its container is missing"
_NOT_RUNNING = {"created": "its container was never started", "paused": "it is paused"}


def keep(record: AppRecord, goal: Goal, observed: Observed, now: datetime) -> tuple[Step, ...]:
    """Steps toward `goal` for the good revision; all other containers of the app go.

    They are stopped first and removed last: one that Docker can't remove must not keep the good one down.
    """
    mine = belonging(record.good, observed) if goal is not Goal.REMOVED else ()
    strays = [container for container in observed.containers if container not in mine]
    halted = stopped(tuple(strays), record)
    removed = tuple(Remove(id=stray.id) for stray in strays)
    if goal is Goal.STOPPED:
        return (*stopped(mine, record), *halted, *removed)
    if goal is Goal.REMOVED or record.good is None:
        return (*halted, *removed)
    return (*halted, *kept_up(record.good, observed, now), *removed)


def kept_up(revision: AppRevision, observed: Observed, now: datetime) -> tuple[Step, ...]:
    """Repair what is not running, not sooner than the back-off allows."""
    return tuple(step for spec in revision.spec.containers for step in _kept_up(revision, spec, observed, now))


def stopped(containers: tuple[Container, ...], record: AppRecord) -> tuple[Step, ...]:
    """Stop what has a process."""
    return tuple(Stop(id=one.id, grace_s=grace_s(one, record)) for one in containers if one.up)


def cleared_away(container: Container, record: AppRecord) -> tuple[Step, ...]:
    """Stop and remove one container."""
    return (*stopped((container,), record), Remove(id=container.id))


def grace_s(container: Container, record: AppRecord) -> float:
    """How long this container may take to stop; a stray whose description is not known gets Docker's default."""
    known = [revision for revision in (record.good, record.job.trial if record.job else None) if revision]
    for revision in known:
        for spec in revision.spec.containers:
            if (revision.origin, spec.name) == (container.revision, container.container):
                return spec.stop_grace_s
    return _DEFAULT_GRACE_S


def brought_back(revision: AppRevision, spec: ContainerSpec, observed: Observed, now: datetime) -> tuple[Step, ...]:
    """Make a missing container again, fetching its image first where even that is gone."""
    image = revision.images[spec.name]
    if image.id in observed.images:
        return (Create(revision=revision.origin, spec=spec, image=image.id),)
    wanted = pinned(image)
    match observed.pull:
        case Pulling(reference=reference) if reference == wanted:
            return ()
        case Pulled(reference=reference, image=found) if reference == wanted and found.id != image.id:
            return (Resolve(revision=revision.number, container=spec.name, image=found),)
        case PullFailed(reference=reference) as failed if reference == wanted and now < failed.due:
            return (Wait(until=failed.due),)
    return (Pull(reference=wanted),)


def pinned(image: Image) -> str:
    """The reference that brings this very image back, where a registry knows it by digest."""
    return image.reference if image.digest is None else f"{name_in(image.reference)}@{image.digest}"


def _kept_up(revision: AppRevision, spec: ContainerSpec, observed: Observed, now: datetime) -> tuple[Step, ...]:
    container = made_for(revision, spec, observed)
    reason = what_is_wrong(container, spec)
    if reason is None:
        return ()
    if container is not None and container.state == "created" and observed.attempts.reason == _MISSING:
        return (Repair(reason=reason, fresh=False), Start(id=container.id))
    if container is not None and container.state == "removing":
        return (Wait(until=now + timedelta(seconds=1)),)
    due = observed.attempts.not_before
    if due is not None and now < due:
        return (Wait(until=due),)
    if container is None:
        steps = brought_back(revision, spec, observed, now)
        return (Repair(reason=reason), *steps) if any(isinstance(step, Create) for step in steps) else steps
    halt = (Stop(id=container.id, grace_s=spec.stop_grace_s),) if container.up else ()
    return (Repair(reason=reason), *halt, Start(id=container.id))


def what_is_wrong(container: Container | None, spec: ContainerSpec) -> str | None:
    """Why a container has to be brought back; None where it needn't, or its restart policy says that it mustn't."""
    if container is None:
        return _MISSING
    if container.state == "running":
        return "it is unhealthy" if container.health == "unhealthy" else None
    if container.state == "restarting" or _may_rest(container, spec):
        return None
    return _NOT_RUNNING.get(container.state) or f"it is {container.state} with exit code {container.exit_code}"


def _may_rest(container: Container, spec: ContainerSpec) -> bool:
    """It ran, ended, and its restart policy leaves it at that."""
    ended = container.state in ("exited", "dead")
    return ended and (spec.restart == "no" or (spec.restart == "on-failure" and container.exit_code == 0))
