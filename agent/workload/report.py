"""What the node says about an app: from the record and what is observed. Pure."""

from datetime import datetime

from agent.workload.backoff import Attempts
from agent.workload.desired import AppRecord, AppRevision, Goal
from agent.workload.keep import what_is_wrong
from agent.workload.observed import Container, Observed, PullFailed, belonging
from wire.messages import AppReport, AppStatus, Revision
from wire.topics import NodeName


def report(record: AppRecord, observed: Observed, node: NodeName, at: datetime) -> AppReport:
    """Say what the app should be, what it is, and why they differ."""
    shown = _shown(record, observed)
    trial = record.job.trial if record.job else None
    status, reason = _standing(record, observed, shown)
    return AppReport(
        node=str(node),
        app=record.app,
        at=at,
        status=status,
        desired=_revision(trial or record.good),
        running=_revision(_running(record, observed)),
        container=shown.name if shown else None,
        state="unknown" if not observed.reachable else shown.state if shown else "absent",
        health=shown.health if shown else None,
        restarts=shown.restarts if shown else 0,
        reason=reason,
    )


def _running(record: AppRecord, observed: Observed) -> AppRevision | None:
    trial = record.job.trial if record.job else None
    for revision in (trial, record.good):
        mine = belonging(revision, observed)
        if mine and all(one.state == "running" for one in mine):
            return revision
    return None


def _shown(record: AppRecord, observed: Observed) -> Container | None:
    """The container that stands for the app: the running one, or else the good revision's."""
    mine = belonging(_running(record, observed) or record.good, observed)
    return mine[0] if mine else None


def _standing(record: AppRecord, observed: Observed, shown: Container | None) -> tuple[AppStatus, str | None]:
    if record.job is not None and record.job.trial is not None:
        cause = record.job.cause
        return AppStatus.DEPLOYING, cause.message if cause else _trouble(observed)
    if record.good is None:
        return AppStatus.FAILED, record.fault.message if record.fault else None
    if record.goal is Goal.STOPPED:
        return AppStatus.STOPPED, _trouble(observed)
    if not observed.reachable:
        return AppStatus.STARTING if shown is None else AppStatus.RUNNING, _trouble(observed)
    return _as_it_runs(record.good, observed.attempts, observed, shown)


def _as_it_runs(
    good: AppRevision, attempts: Attempts, observed: Observed, shown: Container | None
) -> tuple[AppStatus, str | None]:
    wrong = what_is_wrong(shown, good.spec.containers[0])
    waiting = attempts.failures > 1 or (attempts.failures > 0 and wrong is not None)
    if wrong is not None and waiting:
        return AppStatus.BACKING_OFF, _trouble(observed) or attempts.reason or wrong
    if shown is None or wrong is not None:
        return AppStatus.UNHEALTHY if shown and shown.health == "unhealthy" else AppStatus.STARTING, wrong
    return _by_state(shown)


def _by_state(shown: Container) -> tuple[AppStatus, str | None]:
    match shown.state, shown.health:
        case "running", "starting":
            return AppStatus.STARTING, None
        case "running", _:
            return AppStatus.RUNNING, None
        case "restarting", _:
            return AppStatus.BACKING_OFF, f"it ended with exit code {shown.exit_code}; Docker restarts it"
        case state, _:
            return (
                AppStatus.STOPPED,
                f"it is {state} with exit code {shown.exit_code}, and its restart policy lets it be",
            )


def _trouble(observed: Observed) -> str | None:
    if isinstance(observed.pull, PullFailed):
        return observed.pull.fault.message
    return observed.trouble.message if observed.trouble else None


def _revision(revision: AppRevision | None) -> Revision | None:
    if revision is None:
        return None
    image = revision.images.get(revision.spec.containers[0].name)
    return Revision(
        number=revision.number,
        image=image.reference if image else revision.spec.containers[0].image,
        digest=image.digest if image else None,
        command_id=revision.command_id,
    )
