"""The plan as a table: what is recorded, what is observed, what is done."""

import pytest
from msgspec.structs import replace

from agent.workload.backoff import Attempts
from agent.workload.desired import AppRecord, Goal, Stage
from agent.workload.observed import Observed, Pulled, PullFailed, Pulling
from agent.workload.plan import plan
from agent.workload.steps import Advance, Create, Fail, Finish, Pull, Remove, Repair, Resolve, Start, Step, Stop, Wait
from tests.support.workload_values import app_spec, at, container, fault, image, job, record, revision
from wire.messages import Category, Left, Phase

OLD, NEW, UNRESOLVED = revision(1), revision(2), revision(2, resolved=False)
RUNS = container(OLD)
NOW = at(100)
LATER = 200.0
IMAGES = frozenset({image("1").id, image("2").id})
STOP_OLD, START_OLD = Stop(id="id-1", grace_s=10.0), Start(id="id-1")
STOP_NEW, START_NEW, REMOVE_NEW = Stop(id="id-2", grace_s=10.0), Start(id="id-2"), Remove(id="id-2")
MISSING = "its container is missing"
SUCCEEDED = Finish(phase=Phase.SUCCEEDED, left=Left.CHANGED)
ROLLED_BACK = Finish(phase=Phase.FAILED, left=Left.ROLLED_BACK)
UNCHANGED = Finish(phase=Phase.FAILED, left=Left.UNCHANGED)
BROKEN = Finish(phase=Phase.FAILED, left=Left.BROKEN)


def sees(*containers: object, **more: object) -> Observed:
    return Observed(containers=containers, images=IMAGES, **more)  # type: ignore[arg-type]


def deploying(stage: Stage = Stage.PULL, *, trial: object = NEW, **more: object) -> AppRecord:
    before = {"id-1": RUNS.started} if stage >= Stage.START else {}
    return record(OLD, job=job(until=LATER, stage=stage, trial=trial, **({"before": before} | more)))


KEEPING: dict[str, tuple[AppRecord, Observed, tuple[Step, ...]]] = {
    "what runs is left alone": (record(OLD), sees(RUNS), ()),
    "what is starting is left alone": (record(OLD), sees(container(OLD, health="starting")), ()),
    "a missing container is made": (
        record(OLD),
        sees(),
        (Repair(reason=MISSING), Create(revision=1, spec=OLD.spec.containers[0], image="sha256:1")),
    ),
    "and then started, as one attempt": (
        record(OLD),
        sees(container(OLD, "created"), attempts=Attempts(failures=1, last_at=NOW, reason=MISSING)),
        (Repair(reason="its container was never started", fresh=False), START_OLD),
    ),
    "a missing image is fetched first": (record(OLD), Observed(), (Pull(reference="press:1"),)),
    "by its digest where it has one": (
        record(replace(OLD, images={"main": replace(image("1"), digest="sha256:" + "d" * 64)})),
        Observed(),
        (Pull(reference="press@sha256:" + "d" * 64),),
    ),
    "an ended container is started": (
        record(OLD),
        sees(container(OLD, "exited", exit_code=137)),
        (Repair(reason="it is exited with exit code 137"), START_OLD),
    ),
    "not before its back-off is over": (
        record(OLD),
        sees(container(OLD, "exited"), attempts=Attempts(failures=4, last_at=at(99), reason="x")),
        (Wait(until=at(107)),),
    ),
    "an unhealthy one is stopped and started": (
        record(OLD),
        sees(container(OLD, health="unhealthy")),
        (Repair(reason="it is unhealthy"), STOP_OLD, START_OLD),
    ),
    "a paused one too": (
        record(OLD),
        sees(container(OLD, "paused")),
        (Repair(reason="it is paused"), STOP_OLD, START_OLD),
    ),
    "Docker's own restart is waited for": (record(OLD), sees(container(OLD, "restarting")), ()),
    "one that may rest rests": (
        record(revision(1, spec=app_spec(restart="no"))),
        sees(container(revision(1, spec=app_spec(restart="no")), "exited", exit_code=1)),
        (),
    ),
    "one that failed may not rest on success alone": (
        record(revision(1, spec=app_spec(restart="on-failure"))),
        sees(container(revision(1, spec=app_spec(restart="on-failure")), "exited", exit_code=1)),
        (Repair(reason="it is exited with exit code 1"), START_OLD),
    ),
    "what is left of another revision goes": (record(NEW), sees(RUNS, container(NEW)), (STOP_OLD, Remove(id="id-1"))),
    "stopped first, removed when the good one is up": (
        record(OLD),
        sees(container(OLD, "exited"), container(NEW)),
        (STOP_NEW, Repair(reason="it is exited with exit code 0"), START_OLD, REMOVE_NEW),
    ),
    "a container of a rolled back revision's origin serves": (record(replace(OLD, number=3)), sees(RUNS), ()),
    "a stopped app is stopped": (record(OLD, goal=Goal.STOPPED), sees(RUNS), (STOP_OLD,)),
    "and stays so": (record(OLD, goal=Goal.STOPPED), sees(container(OLD, "exited")), ()),
    "also without its container": (record(OLD, goal=Goal.STOPPED), sees(), ()),
    "of a removed app nothing stays": (record(None, goal=Goal.REMOVED), sees(RUNS), (STOP_OLD, Remove(id="id-1"))),
    "with the engine away nothing is done": (record(OLD), Observed(reachable=False, trouble=fault()), ()),
}

DEPLOYING: dict[str, tuple[AppRecord, Observed, tuple[Step, ...]]] = {
    "an image is fetched": (deploying(trial=UNRESOLVED), sees(RUNS), (Pull(reference="press:2"),)),
    "while it comes the old one is kept up": (
        deploying(trial=UNRESOLVED),
        sees(container(OLD, "exited"), pull=Pulling(reference="press:2")),
        (Repair(reason="it is exited with exit code 0"), START_OLD),
    ),
    "what came is written down": (
        deploying(trial=UNRESOLVED),
        sees(RUNS, pull=Pulled(reference="press:2", image=image("2"))),
        (Resolve(revision=2, container="main", image=image("2")),),
    ),
    "a pull that was refused fails": (
        deploying(trial=UNRESOLVED),
        sees(RUNS, pull=PullFailed(reference="press:2", fault=fault(), at=NOW, tries=1)),
        (Fail(fault=fault()),),
    ),
    "a pull that was cut is tried again, later": (
        deploying(trial=UNRESOLVED),
        sees(RUNS, pull=PullFailed(reference="press:2", fault=fault(retry=True), at=NOW, tries=3)),
        (Wait(until=at(104)),),
    ),
    "the same that runs already is enough": (
        deploying(trial=revision(2, speed="1")),
        sees(RUNS),
        (Finish(phase=Phase.SUCCEEDED, left=Left.UNCHANGED),),
    ),
    "the same from another image is not": (
        deploying(trial=replace(revision(2, speed="1"), images={"main": image("2")})),
        sees(RUNS),
        (Advance(stage=Stage.CREATE),),
    ),
    "the same of which the container is down is not": (
        deploying(trial=revision(2, speed="1")),
        sees(container(OLD, "exited")),
        (Advance(stage=Stage.CREATE),),
    ),
    "what bears its number already goes": (
        deploying(),
        sees(RUNS, container(NEW)),
        (STOP_NEW, REMOVE_NEW, Advance(stage=Stage.CREATE)),
    ),
    "the new container is made beside the old": (
        deploying(Stage.CREATE),
        sees(RUNS),
        (Create(revision=2, spec=NEW.spec.containers[0], image="sha256:2"), Wait(until=at(101))),
    ),
    "the switch is written down before it is made": (
        deploying(Stage.CREATE),
        sees(RUNS, container(NEW, "created")),
        (Advance(stage=Stage.START, before={"id-1": RUNS.started}),),
    ),
    "old stopped, new started": (
        deploying(Stage.START),
        sees(RUNS, container(NEW, "created")),
        (STOP_OLD, START_NEW),
    ),
    "the probe is announced and waited for": (
        deploying(Stage.START),
        sees(container(OLD, "exited"), container(NEW, started=98)),
        (Advance(stage=Stage.PROBE), Wait(until=at(103))),
    ),
    "an old one that was started again meanwhile is stopped again": (
        deploying(Stage.PROBE),
        sees(container(OLD, started=97), container(NEW, started=98)),
        (STOP_OLD,),
    ),
    "healthy is good": (
        deploying(Stage.PROBE),
        sees(container(OLD, "exited"), container(NEW, started=95)),
        (SUCCEEDED,),
    ),
    "out of time is a failure": (
        record(OLD, job=job(until=99, trial=NEW, stage=Stage.CREATE)),
        sees(RUNS, trouble=fault(Category.ENGINE_UNREACHABLE)),
        (Fail(fault=fault(Category.ENGINE_UNREACHABLE)),),
    ),
}

FAILING: dict[str, tuple[AppRecord, Observed, tuple[Step, ...]]] = {
    "nothing was touched": (deploying(Stage.CREATE, cause=fault(), failed_at=NOW), sees(RUNS), (UNCHANGED,)),
    "the new one is stopped first": (
        deploying(Stage.PROBE, cause=fault(), failed_at=NOW),
        sees(container(OLD, "exited"), container(NEW)),
        (STOP_NEW,),
    ),
    "then the old one is started, before the new one is removed": (
        deploying(Stage.PROBE, cause=fault(), failed_at=NOW),
        sees(container(OLD, "exited"), container(NEW, "exited")),
        (START_OLD,),
    ),
    "or made again": (
        deploying(Stage.PROBE, cause=fault(), failed_at=NOW),
        sees(),
        (Create(revision=1, spec=OLD.spec.containers[0], image="sha256:1"),),
    ),
    "it has to prove itself": (
        deploying(Stage.PROBE, cause=fault(), failed_at=NOW),
        sees(container(OLD, started=99)),
        (Wait(until=at(104)),),
    ),
    "it serves again": (
        deploying(Stage.PROBE, cause=fault(), failed_at=NOW),
        sees(container(OLD, started=90)),
        (ROLLED_BACK,),
    ),
    "one that was never stopped needs no new proof": (
        deploying(Stage.START, cause=fault(), failed_at=NOW),
        sees(replace(RUNS, restarts=3)),
        (ROLLED_BACK,),
    ),
    "what followed ends it, broken": (
        deploying(Stage.PROBE, cause=fault(), failed_at=NOW, followed_by=(fault(),)),
        sees(container(OLD, "exited", started=99)),
        (BROKEN,),
    ),
    "an app that was stopped stays stopped": (
        record(
            OLD,
            goal=Goal.STOPPED,
            job=job(trial=NEW, stage=Stage.PROBE, former=Goal.STOPPED, cause=fault(), failed_at=NOW),
        ),
        sees(container(OLD, "exited")),
        (ROLLED_BACK,),
    ),
    "without an old one nothing is left": (
        record(None, job=job(trial=NEW, stage=Stage.PROBE, cause=fault(), failed_at=NOW)),
        sees(),
        (UNCHANGED,),
    ),
    "a stop that failed starts again": (
        record(
            OLD,
            goal=Goal.STOPPED,
            job=job("stop", stage=Stage.START, before={"id-1": RUNS.started}, cause=fault(), failed_at=NOW),
        ),
        sees(container(OLD, "exited")),
        (START_OLD,),
    ),
    "a restart that failed leaves it broken": (
        record(OLD, job=job("restart", stage=Stage.PROBE, cause=fault(), failed_at=NOW)),
        sees(container(OLD, "exited", started=99)),
        (BROKEN,),
    ),
}

AWAY = {"reachable": False, "trouble": fault(Category.ENGINE_UNREACHABLE)}
OTHERS: dict[str, tuple[AppRecord, Observed, tuple[Step, ...]]] = {
    "restart is written down first": (
        record(OLD, job=job("restart", until=LATER)),
        sees(RUNS),
        (Advance(stage=Stage.START, before={"id-1": RUNS.started}),),
    ),
    "restart stops and starts what ran before": (
        record(OLD, job=job("restart", until=LATER, stage=Stage.START, before={"id-1": RUNS.started})),
        sees(RUNS),
        (STOP_OLD, START_OLD),
    ),
    "restart is done once it was started since": (
        record(OLD, job=job("restart", until=LATER, stage=Stage.START, before={"id-1": RUNS.started})),
        sees(container(OLD, started=90)),
        (SUCCEEDED,),
    ),
    "start of what runs changes nothing": (
        record(OLD, job=job("start", until=LATER)),
        sees(RUNS),
        (Finish(phase=Phase.SUCCEEDED, left=Left.UNCHANGED),),
    ),
    "stop of what is stopped changes nothing": (
        record(OLD, goal=Goal.STOPPED, job=job("stop", until=LATER, former=Goal.STOPPED)),
        sees(container(OLD, "exited")),
        (Finish(phase=Phase.SUCCEEDED, left=Left.UNCHANGED),),
    ),
    "remove takes all": (
        record(OLD, goal=Goal.REMOVED, job=job("remove", until=LATER, stage=Stage.START)),
        sees(RUNS, container(NEW, "exited")),
        (STOP_OLD, Remove(id="id-1"), REMOVE_NEW),
    ),
    "with the engine away a command waits": (deploying(), Observed(**AWAY), (Wait(until=at(LATER)),)),  # type: ignore[arg-type]
    "until its deadline": (
        record(OLD, job=job(until=99, trial=NEW)),
        Observed(**AWAY),  # type: ignore[arg-type]
        (Fail(fault=fault(Category.ENGINE_UNREACHABLE)),),
    ),
    "then it has changed nothing": (
        record(OLD, job=job(until=99, trial=NEW, cause=fault(), failed_at=NOW)),
        Observed(**AWAY),  # type: ignore[arg-type]
        (UNCHANGED,),
    ),
    "or nobody knows": (
        record(OLD, job=job(until=99, trial=NEW, stage=Stage.START, cause=fault(), failed_at=NOW)),
        Observed(**AWAY),  # type: ignore[arg-type]
        (Finish(phase=Phase.FAILED, left=Left.BROKEN, also=(fault(Category.ENGINE_UNREACHABLE),)),),
    ),
}


@pytest.mark.parametrize(
    "table", [KEEPING, DEPLOYING, FAILING, OTHERS], ids=["keeping", "deploying", "failing", "others"]
)
def test_plan(table: dict[str, tuple[AppRecord, Observed, tuple[Step, ...]]]) -> None:
    for name, (known, observed, steps) in table.items():
        assert plan(known, observed, NOW) == steps, name


def test_going_back_that_takes_too_long_is_given_up() -> None:
    stuck = deploying(Stage.PROBE, cause=fault(), failed_at=at(0))
    (step,) = plan(stuck, sees(container(OLD, "exited")), at(101))
    assert isinstance(step, Fail)
    assert step.fault.category is Category.DEADLINE


def test_failing_container_is_named_and_its_log_asked_for() -> None:
    crashed = sees(container(OLD, "exited"), container(NEW, "exited", exit_code=3))
    (step,) = plan(deploying(Stage.PROBE), crashed, NOW)
    assert isinstance(step, Fail)
    assert step.logs_of == "id-2"
    assert "exit code 3" in step.fault.message
