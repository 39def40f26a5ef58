"""What a lane writes down: the record and, in the same commit, the outcome that announces it."""

from datetime import datetime, timedelta

import structlog
from msgspec.structs import replace

from agent.errors import AgentError
from agent.workload.begin import NotBegun
from agent.workload.bench import Bench
from agent.workload.desired import AppRecord, Job, failing, finished
from agent.workload.ledger import Follow
from agent.workload.observed import Observed
from agent.workload.outcomes import end_of_job, ended, progress_of, running
from agent.workload.steps import Fail, Finish
from wire.messages import Fault, Left, Outcome, Progress

_PROGRESS_S = 0.5
_log = structlog.get_logger("agent.lane")


class Journal:
    """The durable side of one lane; remembers only what was told last, so as not to tell it twice."""

    def __init__(self, app: str, bench: Bench) -> None:
        self._app = app
        self._bench = bench
        self._told: tuple[str, Progress, datetime] | None = None

    async def save(self, name: str, record: AppRecord) -> AppRecord:
        """Write the record alone."""
        await self._bench.ledger.save(name, record)
        return record

    async def announce(self, name: str, record: AppRecord, job: Job) -> AppRecord:
        """Write the record and what the command is doing from now on."""
        follow = self._step(job, progress_of(job, Observed()))
        await self._bench.ledger.save(name, record, command_id=job.command_id, follow=follow)
        return record

    async def tell_progress(self, job: Job, observed: Observed) -> None:
        """Tell what changed on the way: another step at once, more bytes at most twice a second."""
        progress = progress_of(job, observed)
        if self._is_news(job, progress):
            await self._bench.ledger.tell("progress", job.command_id, self._step(job, progress))

    async def not_begun(self, command_id: str, end: NotBegun) -> None:
        """End a command that changed nothing."""
        now = self._bench.now()

        def follow(last: Outcome) -> Outcome:
            return ended(last, now, phase=end.phase, left=Left.UNCHANGED, error=end.fault)

        await self._bench.ledger.tell("not begun", command_id, follow)
        _log.info("command_not_begun", app=self._app, command_id=command_id, phase=end.phase, reason=end.fault.message)

    async def fail(self, step: Fail, record: AppRecord) -> AppRecord:
        """Write down why the job fails, with the last words of the container that failed."""
        words = await self._last_words(step.logs_of) if step.logs_of is not None else ""
        message = f"{step.fault.message}; its last words: {words}" if words else step.fault.message
        return await self.note(replace(step.fault, message=message), record)

    async def note(self, fault: Fault, record: AppRecord) -> AppRecord:
        """Write down what went wrong: as the job's cause, or as what followed."""
        _log.warning("command_failing", app=self._app, phase=fault.phase, category=fault.category, reason=fault.message)
        after = failing(record, fault, self._bench.now())
        return await self.announce("fail", after, after.job) if after.job else after

    async def finish(self, step: Finish, record: AppRecord, job: Job) -> AppRecord:
        """Write down a job's end and what it leaves."""
        now, after = self._bench.now(), finished(record, step.phase, step.left)

        def follow(last: Outcome) -> Outcome:
            return end_of_job(last, now, job, step, after)

        await self._bench.ledger.save("end", after, command_id=job.command_id, follow=follow)
        _log.info("command_ended", app=self._app, command_id=job.command_id, phase=step.phase, left=step.left)
        return after

    def _step(self, job: Job, progress: Progress) -> Follow:
        now, revision = self._bench.now(), job.trial.number if job.trial else None
        self._told = job.command_id, progress, now
        return lambda last: running(last, now, progress=progress, revision=revision)

    def _is_news(self, job: Job, progress: Progress) -> bool:
        if self._told is None or (job.command_id, progress.step) != (self._told[0], self._told[1].step):
            return True
        return progress != self._told[1] and self._bench.now() - self._told[2] >= timedelta(seconds=_PROGRESS_S)

    async def _last_words(self, container: str) -> str:
        try:
            return await self._bench.docker.last_words(container)
        except AgentError as error:
            _log.info("logs_not_read", app=self._app, container=container, reason=str(error))
            return ""
