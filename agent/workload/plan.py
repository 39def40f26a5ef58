"""What to do next: from the record and what is observed to steps. Pure; the lane does them, observes and asks again.

Without a job the app is kept as the record wants it. With one, `course` brings the job on or takes it back. Nothing
here remembers: an agent that was killed plans on from the same record and the engine's present state.
"""

from datetime import datetime

from agent.workload.course import go_back, go_on, when_unreachable
from agent.workload.desired import AppRecord
from agent.workload.keep import keep
from agent.workload.observed import Observed
from agent.workload.steps import Step


def plan(record: AppRecord, observed: Observed, now: datetime) -> tuple[Step, ...]:
    """The steps to take now, in order; the first that fails ends them. Empty: all is as it should be."""
    job = record.job
    if not observed.reachable:
        return () if job is None else when_unreachable(job, observed, now)
    if job is None:
        return keep(record, record.goal, observed, now)
    if job.cause is not None:
        return go_back(record, job, observed, now)
    return go_on(record, job, observed, now)
