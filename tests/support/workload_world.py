"""A model of the engine and of the lane above it: steps change it, time passes, it may fail and the agent may die.

It knows only what the plan relies on: which states a step leads to, that a step may be repeated, and that what a
container does after its start depends on its image.
"""

from datetime import datetime, timedelta
from enum import Enum, auto

from msgspec.structs import replace

from agent.workload.backoff import Attempts, once_more
from agent.workload.desired import AppRecord, Image, Job, at_stage, failing, finished, with_image
from agent.workload.identity import spec_hash
from agent.workload.observed import Container, Observed, Pulled, PullFailed, PullSeen
from agent.workload.plan import plan
from agent.workload.steps import Advance, Create, Fail, Finish, Pull, Remove, Repair, Resolve, Start, Step, Stop, Wait
from wire.messages import Category, Fault

STEP_S = 0.05


class Fate(Enum):
    """What becomes of a container of an image."""

    WELL = auto()
    CRASHES = auto()
    PORT_TAKEN = auto()
    MISSING = auto()
    """The image can't be had."""


class AgentDiedError(Exception):
    """In the middle of it all."""


class RefusedError(Exception):
    """The engine says no, for good."""


class World:
    """One app's containers and images, and the lane's memory."""

    def __init__(self, containers: list[Container], images: set[str], fates: dict[str, Fate], now: datetime) -> None:
        self.containers = {one.id: one for one in containers}
        self.images = images | {one.image for one in containers}
        self.fates = fates
        self.now = now
        self.ends: list[Finish] = []
        self._made = 0
        self._pull: PullSeen | None = None
        self._attempts = Attempts()

    def turn(self, record: AppRecord, *, die_after: int | None = None) -> tuple[AppRecord, bool]:
        """Observe, plan and do, as a lane does; returns the record and whether there was anything to do but wait."""
        steps = plan(record, self.observed(), self.now)
        acts = [step for step in steps if not isinstance(step, Wait)]
        repairing = False
        for number, step in enumerate(acts):
            if number == die_after:
                break
            repairing = repairing or isinstance(step, Repair)
            self.now += timedelta(seconds=STEP_S)
            try:
                record = self._do(step, record)
            except RefusedError as error:
                return self._refused(record, str(error), repairing=repairing), True
        if die_after is not None:
            self._pull, self._attempts = None, Attempts()
        waits = [step.until for step in steps if isinstance(step, Wait)]
        if not acts and waits:
            self.now = max(self.now, min(waits))
        return record, bool(acts or waits)

    def observed(self) -> Observed:
        """What a lane would see."""
        return Observed(
            containers=tuple(self.containers.values()),
            images=frozenset(self.images),
            pull=self._pull,
            attempts=self._attempts,
        )

    def _refused(self, record: AppRecord, reason: str, *, repairing: bool) -> AppRecord:
        if record.job is not None and not repairing:
            return failing(record, _fault(reason), self.now)
        self._attempts = once_more(self._attempts, at=self.now, reason=reason)
        return record

    def _do(self, step: Step, record: AppRecord) -> AppRecord:
        match step:
            case Create() | Start() | Stop() | Remove():
                self._act(step)
            case Pull(reference=reference):
                self._fetch(reference)
            case Repair(reason=reason, fresh=True):
                self._attempts = once_more(self._attempts, at=self.now, reason=reason)
            case Resolve(revision=number, container=container, image=image):
                self._pull = None
                return with_image(record, number, container, image)
            case Advance(stage=stage, before=before):
                return at_stage(record, stage, before)
            case Fail(fault=fault):
                return failing(record, fault, self.now)
            case Finish(phase=phase, left=left):
                self.ends.append(step)
                self._attempts, self._pull = Attempts(), None
                return finished(record, phase, left)
        return record

    def _act(self, step: Create | Start | Stop | Remove) -> None:
        match step:
            case Create():
                self._create(step)
            case Start(id=id_):
                self._start(self.containers[id_])
            case Stop(id=id_):
                self._change(id_, state="exited", exit_code=0)
            case Remove(id=id_):
                assert not self.containers[id_].up, "only a stopped container is removed"
                del self.containers[id_]

    def _create(self, step: Create) -> None:
        assert step.image in self.images, "a container is made of an image that is there"
        if any((one.revision, one.container) == (step.revision, step.spec.name) for one in self.containers.values()):
            raise RefusedError("the name is taken")
        self._made += 1
        made = Container(
            id=f"made-{self._made}",
            name=f"mw-r{step.revision}",
            revision=step.revision,
            container=step.spec.name,
            spec=spec_hash(step.spec),
            image=step.image,
            state="created",
        )
        self.containers[made.id] = made

    def _start(self, container: Container) -> None:
        fate = self.fates.get(container.image, Fate.WELL)
        if fate is Fate.PORT_TAKEN:
            raise RefusedError("port is already allocated")
        state, code = ("exited", 1) if fate is Fate.CRASHES else ("running", 0)
        self._change(
            container.id,
            state=state,
            exit_code=code,
            started=self.now.isoformat(),
            started_at=self.now,
            health=None,
            restarts=0,
        )

    def _change(self, id_: str, **changes: object) -> None:
        self.containers[id_] = replace(self.containers[id_], **changes)

    def _fetch(self, reference: str) -> None:
        image = Image(reference=reference, id=f"sha256:{reference.rpartition(':')[2]}")
        if self.fates.get(image.id) is Fate.MISSING:
            fault = _fault("not found")
            self._pull = PullFailed(reference=reference, fault=fault, at=self.now, tries=1)
            return
        self.images.add(image.id)
        self._pull = Pulled(reference=reference, image=image)


def _fault(message: str) -> Fault:
    return Fault(phase="act", component="engine", element="c", category=Category.ENGINE, message=message)


def job_of(record: AppRecord) -> Job:
    """The job that the record must have."""
    assert record.job is not None
    return record.job
