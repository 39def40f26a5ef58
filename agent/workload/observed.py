"""What the engine shows of one app, as values."""

from datetime import datetime, timedelta

from msgspec import Struct

from agent.workload.backoff import Attempts, delay_s
from agent.workload.desired import AppRevision, Image
from agent.workload.identity import spec_hash
from wire.app import ContainerSpec
from wire.messages import Fault

UP = ("running", "restarting", "paused")
"""Docker's states in which a container has to be stopped before it is removed."""


class Container(Struct, frozen=True, kw_only=True):
    """One container that carries this app's label. Words are Docker's own."""

    id: str
    name: str
    revision: int
    container: str
    """Which of the app's containers it is."""
    spec: str
    """The hash of the description that it was made from."""
    image: str
    """The id of its image."""
    state: str
    health: str | None = None
    health_output: str = ""
    """What the last health check printed."""
    started: str = ""
    """Docker's StartedAt, to the nanosecond: another value is another start."""
    started_at: datetime | None = None
    """The same as a time; None if it never was started."""
    exit_code: int = 0
    restarts: int = 0
    """How often Docker started it again by itself since it was last started by us."""
    error: str = ""
    networks: frozenset[str] = frozenset()
    """The names of those that it is joined to."""

    @property
    def up(self) -> bool:
        """It has a process, or Docker is about to give it one."""
        return self.state in UP

    @property
    def well(self) -> bool:
        """It runs, and no health check says otherwise."""
        return self.state == "running" and self.health in (None, "healthy")


class Pulling(Struct, frozen=True, kw_only=True):
    """A pull under way."""

    reference: str
    done_bytes: int = 0
    total_bytes: int = 0


class Pulled(Struct, frozen=True, kw_only=True):
    """A pull that brought its image."""

    reference: str
    image: Image


class PullFailed(Struct, frozen=True, kw_only=True):
    """A pull that failed, for the `tries`-th time in a row, at `at`."""

    reference: str
    fault: Fault
    at: datetime
    tries: int

    @property
    def due(self) -> datetime:
        """When it may be tried again."""
        return self.at + timedelta(seconds=delay_s(self.tries))


PullSeen = Pulling | Pulled | PullFailed


class Observed(Struct, frozen=True, kw_only=True):
    """What is known of the outside at one moment."""

    containers: tuple[Container, ...] = ()
    images: frozenset[str] = frozenset()
    """Of the images that are needed to make a missing container, those on the node."""
    pull: PullSeen | None = None
    attempts: Attempts = Attempts()
    reachable: bool = True
    """False: the engine doesn't answer, and nothing but `trouble` is known."""
    trouble: Fault | None = None
    """What stands in the way and may pass by itself."""


def made_for(revision: AppRevision, spec: ContainerSpec, observed: Observed) -> Container | None:
    """The container that stands for `spec` in this revision, if there is one.

    Docker makes a container and joins it to further networks in several steps: one that was left between them is none.
    """
    image = revision.images.get(spec.name)
    wanted = (revision.origin, spec.name, spec_hash(spec), image.id if image else None)
    for container in observed.containers:
        is_made = (container.revision, container.container, container.spec, container.image) == wanted
        if is_made and container.networks.issuperset(spec.networks):
            return container
    return None


def belonging(revision: AppRevision | None, observed: Observed) -> tuple[Container, ...]:
    """All containers of a revision, in its order."""
    if revision is None:
        return ()
    found = (made_for(revision, spec, observed) for spec in revision.spec.containers)
    return tuple(container for container in found if container is not None)
