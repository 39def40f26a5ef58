"""The course of a command: on to its end within its time, or back to what was before.

Back means: the new containers go, the old ones are started again and have to prove themselves as well. A container
whose StartedAt is another than before START was started since.
"""

from datetime import datetime, timedelta

from agent.workload.deployment import NOTHING_TO_DO, SUCCEEDED, deploy, proved, starts, vanished
from agent.workload.desired import AppRecord, AppRevision, Goal, Job, Stage
from agent.workload.keep import brought_back, cleared_away, grace_s, stopped
from agent.workload.observed import Container, Observed, PullFailed, belonging, made_for
from agent.workload.probe import Failed, Waiting, fault_of, judge
from agent.workload.steps import Advance, Fail, Finish, Start, Step, Stop, Wait
from wire.messages import Category, Fault, Left, Phase

_BACK_BY_S = 30.0
"""What going back may take beside the stop grace and the old revision's own time to become healthy."""
_UNCHANGED = Finish(phase=Phase.FAILED, left=Left.UNCHANGED)
_ROLLED_BACK = Finish(phase=Phase.FAILED, left=Left.ROLLED_BACK)
_BROKEN = Finish(phase=Phase.FAILED, left=Left.BROKEN)


def go_on(record: AppRecord, job: Job, observed: Observed, now: datetime) -> tuple[Step, ...]:
    """Toward success, as long as there is time."""
    if now >= job.expires_at:
        return (Fail(fault=out_of_time(job, observed)),)
    if job.trial is not None:
        return deploy(record, job, job.trial, observed, now)
    match job.verb:
        case "stop":
            return _stop(record, job, observed)
        case "remove":
            return _remove(record, job, observed)
        case _:
            return _start(record, job, observed, now)


def go_back(record: AppRecord, job: Job, observed: Observed, now: datetime) -> tuple[Step, ...]:
    """The job failed: leave what was before, and end it. Ends at the first thing that goes wrong on the way."""
    touched = job.stage >= Stage.START and record.good is not None
    if job.followed_by:
        return (_BROKEN if touched else _UNCHANGED,)
    if now >= _back_by(record, job):
        return (Fail(fault=_not_back(job)),)
    if record.good is None or not touched:
        return _trial_cleared(record, job, observed) or (_UNCHANGED,)
    return _trial_stopped(record, job, observed) or _restored(record, job, record.good, observed, now)


def when_unreachable(job: Job, observed: Observed, now: datetime) -> tuple[Step, ...]:
    """The engine is away: wait, and by the deadline end the command with what can be said."""
    if now < job.expires_at:
        return (Wait(until=job.expires_at),)
    if job.cause is None:
        return (Fail(fault=out_of_time(job, observed)),)
    if job.stage < Stage.START:
        return (_UNCHANGED,)
    also = (observed.trouble,) if observed.trouble is not None and observed.trouble != job.cause else ()
    return (Finish(phase=Phase.FAILED, left=Left.BROKEN, also=also),)


def out_of_time(job: Job, observed: Observed) -> Fault:
    """Why a command didn't end in time: what stood in its way, or else that it took too long."""
    if isinstance(observed.pull, PullFailed):
        return observed.pull.fault
    if observed.trouble is not None:
        return observed.trouble
    step = job.stage.name.lower()
    message = f"not done by {job.expires_at.isoformat()}; it was at {step!r}"
    category = Category.DEADLINE
    return Fault(phase=step, component="command", element=job.verb, category=category, message=message, retry=True)


# --- on ---------------------------------------------------------------------------------------------------------------


def _stop(record: AppRecord, job: Job, observed: Observed) -> tuple[Step, ...]:
    steps = stopped(observed.containers, record)
    if steps:
        return _announced(job, observed) or steps
    needed = job.stage >= Stage.START or job.former is not Goal.STOPPED
    return (SUCCEEDED if needed else NOTHING_TO_DO,)


def _remove(record: AppRecord, job: Job, observed: Observed) -> tuple[Step, ...]:
    steps = tuple(step for one in observed.containers for step in cleared_away(one, record))
    return (_announced(job, observed) or steps) if steps else (SUCCEEDED,)


def _start(record: AppRecord, job: Job, observed: Observed, now: datetime) -> tuple[Step, ...]:
    """Start or restart: bring the good revision up once since the command began, then probe it."""
    good = record.good
    if good is None:
        return (Fail(fault=vanished(record.app)),)
    if job.stage < Stage.START:
        well = _runs_well(good, observed) and job.verb == "start" and job.former is Goal.RUNNING
        return (NOTHING_TO_DO,) if well else _announced(job, observed)
    return _started_anew(record, job, good, observed, now) or proved(job, good, observed, now) or (SUCCEEDED,)


def _runs_well(revision: AppRevision, observed: Observed) -> bool:
    mine = belonging(revision, observed)
    return len(mine) == len(revision.spec.containers) and all(one.well for one in mine)


def _announced(job: Job, observed: Observed) -> tuple[Step, ...]:
    return (Advance(stage=Stage.START, before=starts(observed.containers)),) if job.stage < Stage.START else ()


# --- back -------------------------------------------------------------------------------------------------------------


def _trial_cleared(record: AppRecord, job: Job, observed: Observed) -> tuple[Step, ...]:
    return tuple(step for one in _others(record, job, observed) for step in cleared_away(one, record))


def _trial_stopped(record: AppRecord, job: Job, observed: Observed) -> tuple[Step, ...]:
    """Enough for the old one to serve again; what is stopped is removed when the command is over."""
    return stopped(_others(record, job, observed), record)


def _others(record: AppRecord, job: Job, observed: Observed) -> tuple[Container, ...]:
    if job.trial is None:
        return ()
    mine = belonging(record.good, observed)
    return tuple(one for one in observed.containers if one not in mine)


def _restored(record: AppRecord, job: Job, good: AppRevision, observed: Observed, now: datetime) -> tuple[Step, ...]:
    if job.former is not Goal.RUNNING:
        return stopped(observed.containers, record) or (_ROLLED_BACK,)
    if job.verb in ("start", "restart"):  # there is nothing to go back to: what failed is the good revision itself
        return (_BROKEN,)
    return _started_anew(record, job, good, observed, now) or _proved_again(job, good, observed, now) or (_ROLLED_BACK,)


def _proved_again(job: Job, good: AppRevision, observed: Observed, now: datetime) -> tuple[Step, ...]:
    """Judge the old containers; empty when they serve. One that was never stopped need not prove itself anew."""
    waits: list[Step] = []
    for spec in good.spec.containers:
        container = made_for(good, spec, observed)
        if container is None or (_is_as_before(container, job) and container.well):
            continue
        match judge(container, spec, now):
            case Failed(reason=reason):
                return (Fail(fault=fault_of(container, reason), logs_of=container.id),)
            case Waiting(until=until):
                waits.append(Wait(until=until))
    return tuple(waits)


def _back_by(record: AppRecord, job: Job) -> datetime:
    containers = record.good.spec.containers if record.good else ()
    own_s = max((spec.stop_grace_s + spec.healthy_within_s for spec in containers), default=0.0)
    return (job.failed_at or job.expires_at) + timedelta(seconds=own_s + _BACK_BY_S)


def _not_back(job: Job) -> Fault:
    message = "going back took too long; it goes on without the command"
    return Fault(phase="roll back", component="command", element=job.verb, category=Category.DEADLINE, message=message)


# --- both -------------------------------------------------------------------------------------------------------------


def _started_anew(
    record: AppRecord, job: Job, good: AppRevision, observed: Observed, now: datetime
) -> tuple[Step, ...]:
    """Make and start what the good revision lacks; a restart takes down what ran before. Empty when that is done."""
    steps: list[Step] = []
    for spec in good.spec.containers:
        container = made_for(good, spec, observed)
        if container is None:
            steps.extend(brought_back(good, spec, observed, now) or (Wait(until=_back_by(record, job)),))
        elif _is_as_before(container, job):
            again = container.up and job.cause is None
            halt = (Stop(id=container.id, grace_s=grace_s(container, record)),) if again else ()
            steps.extend((*halt, Start(id=container.id)) if again or not container.up else ())
    return tuple(steps)


def _is_as_before(container: Container, job: Job) -> bool:
    """It was not started since the job announced START."""
    return container.state == "created" or job.before.get(container.id) == container.started
