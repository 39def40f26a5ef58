"""What the node has been told and has decided: kept on disk, changed only by these functions.

A record holds the last revision that proved itself (`good`) and the command under way (`job`). A deployment's new
revision stands in the job as its `trial` until it is committed, so that a crash at any time finds both. The number of
revisions rises with every change, a rollback included; a revision restored by one keeps its `origin`, whose containers
satisfy it.
"""

from datetime import datetime
from enum import IntEnum, StrEnum

from msgspec import Struct
from msgspec.structs import replace

from wire.app import AppSpec
from wire.messages import Fault, Left, Phase


class Goal(StrEnum):
    """What the app should be. A removed app's record stays for a while, so that a stale deploy is seen as stale."""

    RUNNING = "running"
    STOPPED = "stopped"
    REMOVED = "removed"


class Stage(IntEnum):
    """How far a job is; each is written before its first act. From START on the old revision may have been touched."""

    PULL = 0
    CREATE = 1
    START = 2
    PROBE = 3


class Image(Struct, frozen=True, kw_only=True):
    """An image as it was resolved: `id` is the engine's, `digest` the registry's, where it has one."""

    reference: str
    id: str
    digest: str | None = None


class AppRevision(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One revision of an app; `images` by container name, filled as they are resolved."""

    number: int
    origin: int
    spec: AppSpec
    command_id: str
    issued_at: datetime
    images: dict[str, Image] = {}

    @property
    def resolved(self) -> bool:
        """Every image has an id."""
        return all(spec.name in self.images for spec in self.spec.containers)


class Job(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The command under way. `cause` is why it failed: once it is set, the job goes back to `former`."""

    command_id: str
    verb: str
    issued_at: datetime
    expires_at: datetime
    former: Goal
    stage: Stage = Stage.PULL
    trial: AppRevision | None = None
    before: dict[str, str] = {}
    """Container id to Docker's StartedAt when START was announced: a container with another one was started since."""
    cause: Fault | None = None
    failed_at: datetime | None = None
    followed_by: tuple[Fault, ...] = ()


class AppRecord(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Everything that is durable about one app."""

    app: str
    goal: Goal
    number: int = 0
    """The highest revision number given so far."""
    issued_at: datetime | None = None
    """When the deploy or remove was issued that set the present desired state."""
    good: AppRevision | None = None
    job: Job | None = None
    fault: Fault | None = None
    """Why the last deployment failed, where no revision is left to run."""


def at_stage(record: AppRecord, stage: Stage, before: dict[str, str]) -> AppRecord:
    """The job announces a stage."""
    return _with_job(record, stage=stage, before=before or _job(record).before)


def with_image(record: AppRecord, number: int, container: str, image: Image) -> AppRecord:
    """An image of a revision was resolved: of the trial, or of the good one when its image had left the node."""
    trial = record.job.trial if record.job else None
    if trial is not None and trial.number == number:
        return _with_job(record, trial=_resolved(trial, container, image))
    if record.good is not None and record.good.number == number:
        return replace(record, good=_resolved(record.good, container, image))
    raise ValueError(f"{record.app} has no revision {number}")


def _resolved(revision: AppRevision, container: str, image: Image) -> AppRevision:
    return replace(revision, images={**revision.images, container: image})


def failing(record: AppRecord, fault: Fault, at: datetime) -> AppRecord:
    """Something went wrong in the job: the first time it is the cause, later it is what followed."""
    job = _job(record)
    if job.cause is None:
        return _with_job(record, cause=fault, failed_at=at)
    return _with_job(record, followed_by=(*job.followed_by, fault))


def finished(record: AppRecord, phase: Phase, left: Left) -> AppRecord:
    """The job ended: what it tried is kept, or what was before is."""
    job = _job(record)
    over = replace(record, job=None)
    if phase is Phase.SUCCEEDED:
        return _kept(over, job, left)
    return _given_up(over, job, left)


def _kept(record: AppRecord, job: Job, left: Left) -> AppRecord:
    if job.verb == "remove":
        return replace(record, goal=Goal.REMOVED, good=None, issued_at=job.issued_at, fault=None)
    if job.trial is None:
        return record
    good = job.trial if left is Left.CHANGED else record.good
    return replace(record, goal=Goal.RUNNING, good=good, issued_at=job.issued_at, fault=None)


def _given_up(record: AppRecord, job: Job, left: Left) -> AppRecord:
    former = replace(record, goal=job.former)
    if record.good is None:
        return replace(former, fault=job.cause)
    if left is Left.ROLLED_BACK and job.trial is not None:
        number = record.number + 1
        return replace(former, number=number, good=replace(record.good, number=number))
    return former


def _job(record: AppRecord) -> Job:
    if record.job is None:
        raise ValueError(f"no command is under way for {record.app}")
    return record.job


def _with_job(record: AppRecord, **changes: object) -> AppRecord:
    return replace(record, job=replace(_job(record), **changes))
