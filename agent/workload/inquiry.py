"""Commands that change nothing: answered beside all lanes, so that a long deploy holds up no question."""

import asyncio

import structlog

from agent.errors import AgentError
from agent.workload.begin import expired
from agent.workload.bench import Bench
from agent.workload.desired import AppRecord, Goal
from agent.workload.identity import owner
from agent.workload.ledger import INQUIRIES, Entry
from agent.workload.observed import Observed
from agent.workload.outcomes import ended
from agent.workload.report import report
from wire.messages import AppReport, Category, Fault, Inspect, Inspection, Left, Outcome, Phase, Pong, Result

_AGAIN_S = 2.0
_ANSWER_S = 2.0
"""The longest that the engine is waited for: other questions stand behind this one, each with its own deadline."""
_log = structlog.get_logger("agent.inquiry")


class Inquiry:
    """The lane of `ping` and `inspect`."""

    def __init__(self, bench: Bench, version: str) -> None:
        self._bench = bench
        self._version = version
        self._woken = asyncio.Event()

    def wake(self) -> None:
        """A command came."""
        self._woken.set()

    async def run(self) -> None:
        """Answer for ever."""
        while True:
            self._woken.clear()
            try:
                for entry in await self._bench.ledger.waiting(INQUIRIES):
                    await self._answer(entry)
                await self._woken.wait()
            except AgentError as error:
                _log.warning("inquiry_failed", reason=str(error))
                await asyncio.sleep(_AGAIN_S)

    async def _answer(self, entry: Entry) -> None:
        command = entry.command
        if self._bench.now() >= command.expires_at:
            late = expired(command)
            await self._end(entry, phase=late.phase, error=late.fault)
        elif not isinstance(command.args, Inspect):
            await self._end(entry, result=Pong(version=self._version, received_at=entry.received_at))
        elif (apps := await self._inspected(command.args)) is not None:
            await self._end(entry, result=Inspection(apps=apps))
        else:
            await self._end(entry, phase=Phase.REJECTED, error=_unknown(command.args))

    async def _end(
        self, entry: Entry, *, phase: Phase = Phase.SUCCEEDED, error: Fault | None = None, result: Result | None = None
    ) -> None:
        def end(last: Outcome) -> Outcome:
            return ended(last, self._bench.now(), phase=phase, left=Left.UNCHANGED, error=error, result=result)

        await self._bench.ledger.tell("answer", entry.command.id, end)

    async def _inspected(self, args: Inspect) -> tuple[AppReport, ...] | None:
        """What there is to say now, of one app or of all; None for an app that isn't there."""
        there = [
            record for record in await self._bench.ledger.records() if record.job or record.goal is not Goal.REMOVED
        ]
        asked = [record for record in there if args.app in (None, record.app)]
        if not asked and args.app is not None:
            return None
        reports: list[AppReport] = []
        trouble: Fault | None = None
        for record in asked:
            observed = await self._observed(record) if trouble is None else Observed(reachable=False, trouble=trouble)
            trouble = observed.trouble
            reports.append(report(record, observed, self._bench.node, self._bench.now()))
        return tuple(reports)

    async def _observed(self, record: AppRecord) -> Observed:
        """With the engine away, the record has to do; the report says so."""
        mine = owner(self._bench.node, record.app)
        try:
            return Observed(containers=await self._bench.docker.containers(mine, within_s=_ANSWER_S))
        except AgentError as error:
            return Observed(reachable=False, trouble=error.fault)


def _unknown(args: Inspect) -> Fault:
    message = f"this node has no app {args.app!r}"
    return Fault(phase="admit", component="command", element="$.args.app", category=Category.NOT_FOUND, message=message)
