"""Values of the workload's pure modules, made short: an app of one container, records, containers, times."""

from datetime import UTC, datetime, timedelta
from typing import Any

from msgspec.structs import replace

from agent.workload.desired import AppRecord, AppRevision, Goal, Image, Job
from agent.workload.identity import spec_hash
from agent.workload.observed import Container
from wire.app import AppSpec, ContainerSpec
from wire.app import Running as RunningProbe
from wire.messages import Args, Category, Command, Fault

T0 = datetime(2026, 1, 1, tzinfo=UTC)
NEVER = "0001-01-01T00:00:00Z"


def at(seconds: float) -> datetime:
    """So many seconds after the beginning of the test's time."""
    return T0 + timedelta(seconds=seconds)


def app_spec(speed: str = "1", **changes: Any) -> AppSpec:
    given = {"image": f"press:{speed}", "env": {"SPEED": speed}, "probe": RunningProbe(for_s=5)} | changes
    return AppSpec(containers=(ContainerSpec(**given),))


def image(speed: str) -> Image:
    return Image(reference=f"press:{speed}", id=f"sha256:{speed}")


def revision(number: int, *, speed: str | None = None, resolved: bool = True, **changes: Any) -> AppRevision:
    speed = speed or str(number)
    spec = changes.pop("spec", app_spec(speed))
    made = AppRevision(
        number=number,
        origin=number,
        spec=spec,
        command_id=f"deploy-{number}",
        issued_at=T0,
        images={"main": image(speed)} if resolved else {},
    )
    return replace(made, **changes)


def container(of: AppRevision, state: str = "running", *, started: float = 0.0, **changes: Any) -> Container:
    """A container of a revision; started at that second, unless it never was."""
    spec = of.spec.containers[0]
    is_started = state != "created"
    made = Container(
        id=f"id-{of.origin}",
        name=f"mw-{of.origin}",
        revision=of.origin,
        container=spec.name,
        spec=spec_hash(spec),
        image=of.images[spec.name].id,
        state=state,
        started=at(started).isoformat() if is_started else NEVER,
        started_at=at(started) if is_started else None,
    )
    return replace(made, **changes)


def record(
    good: AppRevision | None = None, *, goal: Goal = Goal.RUNNING, job: Job | None = None, **more: Any
) -> AppRecord:
    trial = job.trial.number if job and job.trial else 0
    number = max(good.number if good else 0, trial)
    return AppRecord(app="press", goal=goal, number=number, good=good, job=job, **more)


def job(verb: str = "deploy", *, until: float = 60.0, former: Goal = Goal.RUNNING, **more: Any) -> Job:
    return Job(command_id="now", verb=verb, issued_at=T0, expires_at=at(until), former=former, **more)


def command(args: Args, *, issued: float = 0.0, until: float = 60.0, **more: Any) -> Command:
    given = Command(id="now", target="plant/press", issuer="ops", issued_at=at(issued), expires_at=at(until), args=args)
    return replace(given, **more)


def fault(category: Category = Category.UNHEALTHY, message: str = "it broke", *, retry: bool = False) -> Fault:
    return Fault(phase="probe", component="container", element="c", category=category, message=message, retry=retry)
