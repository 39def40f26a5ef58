"""One app's lane: read the record, observe, plan, do, and again, until there is nothing to do; then wait to be woken.

Commands of one app take their turns here, in the order in which they came; other apps have lanes of their own. The lane
holds nothing that must survive it: what it remembers (attempts, trouble, a pull) only slows it down.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import assert_never

import structlog
from msgspec.structs import replace

from agent.errors import AgentError, TransientError
from agent.workload.act import act
from agent.workload.backoff import Attempts, delay_s, once_more, settled
from agent.workload.begin import NotBegun, begin
from agent.workload.bench import Bench
from agent.workload.desired import AppRecord, Goal, at_stage, with_image
from agent.workload.fetch import Fetch
from agent.workload.identity import owner
from agent.workload.journal import Journal
from agent.workload.ledger import Entry
from agent.workload.observed import Observed, belonging
from agent.workload.plan import plan
from agent.workload.report import report
from agent.workload.steps import Advance, Create, Fail, Finish, Pull, Remove, Repair, Resolve, Start, Step, Stop, Wait
from wire.messages import Category, Fault

_log = structlog.get_logger("agent.lane")
_LONGEST_PAUSE_S = 15.0
"""Between two attempts at something that is away, unless an event wakes the lane."""
_LAST_LOOK_S = 3.0
_NEVER = datetime.max.replace(tzinfo=UTC)
"""Nothing to wait for but being woken."""


class Lane:
    """Keeps one app as the record wants it, and brings its commands to their ends."""

    def __init__(self, app: str, bench: Bench) -> None:
        self.app = app
        self._bench = bench
        self._journal = Journal(app, bench)
        self._woken = asyncio.Event()
        self._attempts = Attempts()
        self._trouble: Fault | None = None
        self._stumbles = 0
        self._asking: asyncio.Timeout | None = None

    def wake(self) -> None:
        """Something happened that may concern this app."""
        self._woken.set()

    def hurry(self, expires_at: datetime) -> None:
        """A command came: what the engine is being asked for waits no longer than the command may."""
        self.wake()
        if self._asking is not None and not self._asking.expired():
            due, when = asyncio.get_running_loop().time() + self._left_s(expires_at), self._asking.when()
            self._asking.reschedule(due if when is None else min(when, due))

    @property
    def is_woken(self) -> bool:
        """Something happened that the lane has not looked at yet."""
        return self._woken.is_set()

    async def run(self) -> None:
        """Go round until the app is gone and no command waits for its turn."""
        async with asyncio.TaskGroup() as group:
            bench = self._bench
            self._fetch = Fetch(group, bench.docker, bench.config, now=bench.now, on_change=self.wake)
            until: datetime | None = bench.now()
            while until is not None or self.is_woken:
                self._woken.clear()
                try:
                    until = await self._turn()
                except AgentError as error:
                    until = self._stumbled(error)
                await self._rest(until)
            self._fetch.forget()

    async def _rest(self, until: datetime | None) -> None:
        pause_s = 0.0 if until is None else (until - self._bench.now()).total_seconds()
        if pause_s <= 0:
            return
        try:
            async with asyncio.timeout(min(pause_s, self._bench.config.sweep_s)):
                await self._woken.wait()
        except TimeoutError:
            return

    async def _turn(self) -> datetime | None:
        """Do what is to be done now; when to look again, or None if the app is gone.

        By the next deadline of a command at the latest: none ends late because the engine or a registry hangs.
        """
        waiting = await self._bench.ledger.waiting(self.app)
        record = await self._bench.ledger.record(self.app)
        now = self._bench.now()
        job_id = record.job.command_id if record and record.job else None
        queue = [entry for entry in waiting if entry.command.id != job_id]
        due = [entry for entry in queue if job_id is None or now >= entry.command.expires_at]
        if due:
            await self._begin(due[0], record)
            return now
        if record is None:
            return None
        deadlines = [entry.command.expires_at for entry in queue]
        if record.job is not None and record.job.cause is None and now < record.job.expires_at:
            deadlines.append(record.job.expires_at)
        limit = min(deadlines, default=_NEVER)
        try:
            until = await self._brought_on(record, limit)
        except TimeoutError:  # the engine has not answered by then; it is asked again, and may have done it meanwhile
            return self._bench.now()
        if record.goal is Goal.REMOVED and not waiting and until == _NEVER:
            return None
        return min(until, limit)

    async def _begin(self, entry: Entry, record: AppRecord | None) -> None:
        """Let a command have its turn, or end it where it can't have one."""
        command, now = entry.command, self._bench.now()
        begun = begin(command, record, now)
        if isinstance(begun, NotBegun):
            await self._journal.not_begun(command.id, begun)
            return
        self._fetch.forget()
        self._trouble = None
        await self._journal.announce("begin", begun.record, begun.job)
        _log.info("command_begun", app=self.app, command_id=command.id, verb=command.verb, issuer=command.issuer)

    async def _brought_on(self, record: AppRecord, limit: datetime) -> datetime:
        """Observe, plan and do; when to look again. Raises TimeoutError when the engine takes longer than `limit`."""
        async with self._by(limit):
            observed = await self._observe(record)
        if record.job is not None:
            await self._journal.tell_progress(record.job, observed)
        now = self._bench.now()
        steps = plan(record, observed, now)
        self._report(record, observed, now)
        acts = [step for step in steps if not isinstance(step, Wait)]
        repairing = False
        for step in acts:
            repairing = repairing or isinstance(step, Repair)
            try:
                record = await self._do(step, record, limit)
            except AgentError as error:
                return await self._failed(error, record, repairing=repairing)
        if acts:
            self._trouble, self._stumbles = None, 0
            return now
        rest = min((step.until for step in steps if isinstance(step, Wait)), default=_NEVER)
        return rest if observed.reachable else min(rest, self._pause())

    async def _observe(self, record: AppRecord) -> Observed:
        bench = self._bench
        known = Observed(pull=self._fetch.seen, attempts=self._attempts, trouble=self._trouble)
        try:
            async with self._last_look(record):
                containers = await bench.docker.containers(owner(bench.node, self.app))
                observed = replace(known, containers=containers)
                images = await self._images(record, observed)
        except AgentError as error:
            self._stumbled(error)
            return replace(known, reachable=False, trouble=error.fault)
        self._engine_answers()
        mine = belonging(record.good, observed)
        well_since = max((one.started_at for one in mine if one.well and one.started_at), default=None)
        self._attempts = settled(self._attempts, well_since=well_since, now=bench.now())
        return replace(observed, images=images, attempts=self._attempts, trouble=self._trouble)

    def _engine_answers(self) -> None:
        """Whatever else stands in the way, the engine doesn't."""
        if self._trouble is not None and self._trouble.phase == "observe":
            self._trouble, self._stumbles = None, 0

    async def _images(self, record: AppRecord, observed: Observed) -> frozenset[str]:
        """Of the images that the record needs, those on the node. What has a container is there."""
        trial = record.job.trial if record.job else None
        there = {one.image for one in observed.containers}
        wanted = {image.id for one in (trial, record.good) if one for image in one.images.values()}
        return frozenset([id_ for id_ in wanted if id_ in there or await self._bench.docker.image(id_)])

    @asynccontextmanager
    async def _by(self, limit: datetime) -> AsyncIterator[None]:
        try:
            async with asyncio.timeout(None if limit == _NEVER else self._left_s(limit)) as self._asking:
                yield
        finally:
            self._asking = None

    def _left_s(self, limit: datetime) -> float:
        return (limit - self._bench.now()).total_seconds()

    @asynccontextmanager
    async def _last_look(self, record: AppRecord) -> AsyncIterator[None]:
        """Behind its deadline a command waits only a moment to see what it leaves."""
        late = record.job is not None and self._bench.now() >= record.job.expires_at
        try:
            async with asyncio.timeout(_LAST_LOOK_S if late else None):
                yield
        except TimeoutError as error:
            message, about = f"no answer within {_LAST_LOOK_S:g} s", Category.ENGINE_UNREACHABLE
            raise TransientError(
                message, phase="observe", component="engine", element=self.app, category=about
            ) from error

    async def _do(self, step: Step, record: AppRecord, limit: datetime) -> AppRecord:
        """Do one step; returns the record as it is then."""
        match step:
            case Create() | Start() | Stop() | Remove():
                async with self._by(limit):
                    await act(step, self.app, self._bench)
            case Pull(reference=reference):
                self._fetch.start(reference)
            case Repair(fresh=False):
                pass
            case Repair(reason=reason):
                _log.info("app_repaired", app=self.app, reason=reason, attempt=self._attempts.failures + 1)
                self._attempts = once_more(self._attempts, at=self._bench.now(), reason=reason)
            case Resolve(revision=number, container=container, image=image):
                self._fetch.forget()
                return await self._journal.save("resolve", with_image(record, number, container, image))
            case Advance() | Fail() | Finish():
                return await self._do_to_job(step, record)
            case Wait():
                pass
            case _ as never:
                assert_never(never)
        return record

    async def _do_to_job(self, step: Advance | Fail | Finish, record: AppRecord) -> AppRecord:
        job = record.job
        if job is None:
            return record
        match step:
            case Advance(stage=stage, before=before):
                after = at_stage(record, stage, before)
                return await self._journal.announce(f"stage {stage.name}", after, after.job or job)
            case Fail():
                return await self._journal.fail(step, record)
            case Finish():
                self._fetch.forget()
                self._attempts = Attempts()
                return await self._journal.finish(step, record, job)
            case _ as never:
                assert_never(never)

    async def _failed(self, error: AgentError, record: AppRecord, *, repairing: bool) -> datetime:
        """A step failed: what may pass is tried again; anything else fails the job, or waits for its back-off."""
        if isinstance(error, TransientError):
            return self._stumbled(error)
        if record.job is not None and not repairing:
            await self._journal.note(error.fault, record)
            return self._bench.now()
        _log.warning("app_not_repaired", app=self.app, phase=error.phase, reason=str(error))
        self._attempts = once_more(self._attempts, at=self._bench.now(), reason=str(error))
        return self._bench.now() if record.job else self._attempts.not_before or self._bench.now()

    def _stumbled(self, error: AgentError) -> datetime:
        if self._trouble != error.fault:
            _log.warning("lane_waits", app=self.app, phase=error.phase, category=error.category, reason=str(error))
        self._trouble = error.fault
        self._stumbles += 1
        return self._pause()

    def _pause(self) -> datetime:
        return self._bench.now() + timedelta(seconds=min(delay_s(self._stumbles) / 4, _LONGEST_PAUSE_S))

    def _report(self, record: AppRecord, observed: Observed, now: datetime) -> None:
        over = record.goal is Goal.REMOVED and record.job is None
        self._bench.report(self.app, None if over else report(record, observed, self._bench.node, now))
