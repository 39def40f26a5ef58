"""A deployment on its way: fetch → create → (from here the old revision may be touched) stop old, start new → probe.

What is done already is seen from the record's stage and from the containers; nothing is remembered.
"""

from datetime import datetime, timedelta

from agent.workload.desired import AppRecord, AppRevision, Goal, Job, Stage
from agent.workload.keep import brought_back, cleared_away, kept_up, stopped
from agent.workload.observed import Container, Observed, Pulled, PullFailed, Pulling, belonging, made_for
from agent.workload.probe import Failed, Healthy, Waiting, fault_of, judge
from agent.workload.steps import Advance, Fail, Finish, Pull, Resolve, Start, Step, Wait
from wire.messages import Category, Fault, Left, Phase

SUCCEEDED = Finish(phase=Phase.SUCCEEDED, left=Left.CHANGED)
NOTHING_TO_DO = Finish(phase=Phase.SUCCEEDED, left=Left.UNCHANGED)


def deploy(record: AppRecord, job: Job, trial: AppRevision, observed: Observed, now: datetime) -> tuple[Step, ...]:
    """Bring the trial one step nearer to being good. What bears its number before anything was made is not of it."""
    if not trial.resolved:
        return _fetched(record, job, trial, observed, now)
    if _runs_already(record, job, trial, observed):
        return (NOTHING_TO_DO,)
    if job.stage < Stage.CREATE:
        leftovers = [one for one in observed.containers if one.revision == trial.number]
        return (*(step for one in leftovers for step in cleared_away(one, record)), Advance(stage=Stage.CREATE))
    new = belonging(trial, observed)
    if len(new) < len(trial.spec.containers):
        return _created(record, job, trial, observed, now)
    unstarted = tuple(one for one in new if one.state == "created")
    others = tuple(one for one in observed.containers if one not in new)
    if unstarted or any(one.up for one in others):  # a restarted engine or a person may have started the old one again
        return _switched(record, job, unstarted, others)
    return proved(job, trial, observed, now) or (SUCCEEDED,)


def proved(job: Job, revision: AppRevision, observed: Observed, now: datetime) -> tuple[Step, ...]:
    """Announce the probe and judge; empty when every container is healthy."""
    waits: list[Step] = []
    for spec in revision.spec.containers:
        container = made_for(revision, spec, observed)
        if container is None:
            return (Fail(fault=vanished(spec.name)),)
        match judge(container, spec, now):
            case Healthy():
                continue
            case Waiting(until=until):
                waits.append(Wait(until=min(until, job.expires_at)))
            case Failed(reason=reason):
                return (Fail(fault=fault_of(container, reason), logs_of=container.id),)
    announced = (Advance(stage=Stage.PROBE),) if waits and job.stage < Stage.PROBE else ()
    return (*announced, *waits)


def vanished(name: str) -> Fault:
    """A container that should be there isn't."""
    message = "it is not there any more"
    return Fault(phase="probe", component="container", element=name, category=Category.UNHEALTHY, message=message)


def starts(containers: tuple[Container, ...]) -> dict[str, str]:
    """When each was started, to see later which were started since."""
    return {container.id: container.started for container in containers}


def _fetched(record: AppRecord, job: Job, trial: AppRevision, observed: Observed, now: datetime) -> tuple[Step, ...]:
    """Resolve the next image; meanwhile the old revision is kept as it was."""
    spec = next(spec for spec in trial.spec.containers if spec.name not in trial.images)
    old = _old_kept(record, job, observed, now)
    match observed.pull:
        case Pulling(reference=spec.image):
            return old
        case Pulled(reference=spec.image, image=image):
            return (Resolve(revision=trial.number, container=spec.name, image=image),)
        case PullFailed(reference=spec.image, fault=fault) if not fault.retry:
            return (Fail(fault=fault),)
        case PullFailed(reference=spec.image) as failed if now < failed.due:
            return (*old, Wait(until=min(failed.due, job.expires_at)))
    return (Pull(reference=spec.image), *old)


def _runs_already(record: AppRecord, job: Job, trial: AppRevision, observed: Observed) -> bool:
    """The good revision is the same in every respect and runs well."""
    good = record.good
    if good is None or job.former is not Goal.RUNNING or job.stage > Stage.PULL:
        return False
    mine = belonging(good, observed)
    same = good.spec == trial.spec and _ids(good) == _ids(trial)
    return same and len(mine) == len(good.spec.containers) and all(one.well for one in mine)


def _created(record: AppRecord, job: Job, trial: AppRevision, observed: Observed, now: datetime) -> tuple[Step, ...]:
    missing = [spec for spec in trial.spec.containers if made_for(trial, spec, observed) is None]
    made = [step for spec in missing for step in brought_back(trial, spec, observed, now)]
    return (*made, *_old_kept(record, job, observed, now), Wait(until=now + timedelta(seconds=1)))


def _switched(
    record: AppRecord, job: Job, new: tuple[Container, ...], others: tuple[Container, ...]
) -> tuple[Step, ...]:
    """Stop the old and start the new, with nothing in between: this is the app's downtime."""
    if job.stage < Stage.START:
        return (Advance(stage=Stage.START, before=starts(others)),)
    return (*stopped(others, record), *(Start(id=one.id) for one in new))


def _old_kept(record: AppRecord, job: Job, observed: Observed, now: datetime) -> tuple[Step, ...]:
    """The old revision is kept up with what is on the node; the one pull of this app is the trial's."""
    if record.good is None or job.former is not Goal.RUNNING or job.stage >= Stage.START:
        return ()
    return tuple(step for step in kept_up(record.good, observed, now) if not isinstance(step, Pull | Resolve))


def _ids(revision: AppRevision) -> dict[str, str]:
    return {name: image.id for name, image in revision.images.items()}
