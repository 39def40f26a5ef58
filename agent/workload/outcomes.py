"""The sequence of a command's outcomes: accepted, what happens on the way, one end. Pure."""

from datetime import datetime

from msgspec.structs import replace

from agent.workload.command import Refused
from agent.workload.desired import AppRecord, Job, Stage
from agent.workload.observed import Observed, PullFailed, Pulling
from agent.workload.steps import Finish
from wire.messages import Command, Fault, Left, Outcome, Phase, Progress, Result
from wire.topics import NodeName

_UNDER_WAY = {Stage.CREATE: "create", Stage.START: "start", Stage.PROBE: "probe"}


class OverError(Exception):
    """Nothing follows an end."""


def accepted(command: Command, node: NodeName, at: datetime) -> Outcome:
    """The first outcome of a command that will have its turn."""
    return Outcome(
        command_id=command.id,
        node=str(node),
        seq=0,
        phase=Phase.ACCEPTED,
        at=at,
        verb=command.verb,
        app=command.app,
    )


def refused(refusal: Refused, command_id: str, node: NodeName, at: datetime) -> Outcome:
    """The first and last outcome of a command that won't."""
    return Outcome(
        command_id=command_id,
        node=str(node),
        seq=0,
        phase=refusal.phase,
        at=at,
        verb=refusal.verb,
        app=refusal.app,
        left=Left.UNCHANGED,
        error=refusal.fault,
    )


def running(last: Outcome, at: datetime, *, progress: Progress, revision: int | None = None) -> Outcome:
    """A step on the way. Raises OverError behind an end."""
    return replace(_next(last, at), phase=Phase.RUNNING, progress=progress, revision=revision)


def ended(
    last: Outcome,
    at: datetime,
    *,
    phase: Phase,
    left: Left,
    error: Fault | None = None,
    followed_by: tuple[Fault, ...] = (),
    revision: int | None = None,
    result: Result | None = None,
) -> Outcome:
    """The end. Raises OverError behind another one."""
    return replace(
        _next(last, at),
        phase=phase,
        left=left,
        error=error,
        followed_by=followed_by,
        revision=revision,
        result=result,
        progress=None,
    )


def end_of_job(last: Outcome, at: datetime, job: Job, step: Finish, after: AppRecord) -> Outcome:
    """The end of a job; the revision is the one that the node was left with."""
    return ended(
        last,
        at,
        phase=step.phase,
        left=step.left,
        error=job.cause,
        followed_by=(*job.followed_by, *step.also),
        revision=after.good.number if after.good else None,
    )


def progress_of(job: Job, observed: Observed) -> Progress:
    """What a job is doing, in one word and, for a pull, in bytes."""
    if not observed.reachable:
        return Progress(step="wait for engine")
    if job.cause is not None:
        return Progress(step="go back")
    match observed.pull:
        case Pulling(done_bytes=done, total_bytes=total) if total:
            return Progress(step="pull", done_bytes=done, total_bytes=total)
        case PullFailed():
            return Progress(step="wait for registry")
    return Progress(step=_UNDER_WAY.get(job.stage, "pull" if job.trial else job.verb))


def _next(last: Outcome, at: datetime) -> Outcome:
    if last.phase.is_end:
        raise OverError(f"{last.command_id} has ended: {last.phase}")
    return replace(last, seq=last.seq + 1, at=at)
