"""What a command does to an app's record when its turn comes: a job, or an end without one."""

from datetime import datetime

from msgspec import Struct
from msgspec.structs import replace

from agent.workload.blueprint import unfit
from agent.workload.desired import AppRecord, AppRevision, Goal, Job
from wire.messages import Category, Command, Deploy, Fault, Phase

_GOALS = {"stop": Goal.STOPPED, "start": Goal.RUNNING, "restart": Goal.RUNNING, "remove": Goal.REMOVED}


class Begun(Struct, frozen=True, kw_only=True):
    """The record with the command as its job; it goes to disk before the first act."""

    record: AppRecord
    job: Job


class NotBegun(Struct, frozen=True, kw_only=True):
    """The command ends here and has changed nothing."""

    phase: Phase
    fault: Fault


def begin(command: Command, record: AppRecord | None, now: datetime) -> Begun | NotBegun:
    """Let the command change the record, or say why it can't."""
    if now >= command.expires_at:
        return expired(command)
    if isinstance(command.args, Deploy):
        return _deploy(command, command.args, record)
    if record is None or record.goal is Goal.REMOVED or (record.good is None and command.verb != "remove"):
        return NotBegun(phase=Phase.REJECTED, fault=_not_found(command))
    job = _job(command, record)
    return Begun(record=replace(record, goal=_GOALS[command.verb], job=job), job=job)


def expired(command: Command) -> NotBegun:
    """Its time was over before its turn came."""
    message = f"it had to begin by {command.expires_at.isoformat()}"
    return NotBegun(phase=Phase.EXPIRED, fault=_fault(Category.EXPIRED, "$.expires_at", message))


def _deploy(command: Command, args: Deploy, record: AppRecord | None) -> Begun | NotBegun:
    wrong = unfit(args.spec)
    if wrong is not None:
        element, message = wrong
        return NotBegun(phase=Phase.REJECTED, fault=_fault(Category.MALFORMED, element, message))
    record = record or AppRecord(app=args.app, goal=Goal.RUNNING)
    if record.issued_at is not None and command.issued_at < record.issued_at:
        message = f"the present desired state was asked for later, at {record.issued_at.isoformat()}"
        return NotBegun(phase=Phase.SUPERSEDED, fault=_fault(Category.SUPERSEDED, "$.issued_at", message))
    return _with_trial(command, args, record)


def _with_trial(command: Command, args: Deploy, record: AppRecord) -> Begun:
    number = record.number + 1
    trial = AppRevision(
        number=number, origin=number, spec=args.spec, command_id=command.id, issued_at=command.issued_at
    )
    goal = Goal.RUNNING if record.goal is Goal.REMOVED else record.goal
    record = replace(record, number=number, goal=goal, fault=None)
    job = replace(_job(command, record), trial=trial)
    return Begun(record=replace(record, job=job), job=job)


def _job(command: Command, record: AppRecord) -> Job:
    return Job(
        command_id=command.id,
        verb=command.verb,
        issued_at=command.issued_at,
        expires_at=command.expires_at,
        former=record.goal,
    )


def _not_found(command: Command) -> Fault:
    message = f"this node has no app {command.app!r} that could be told to {command.verb}"
    return _fault(Category.NOT_FOUND, "$.args.app", message)


def _fault(category: Category, element: str, message: str) -> Fault:
    return Fault(phase="admit", component="command", element=element, category=category, message=message)
