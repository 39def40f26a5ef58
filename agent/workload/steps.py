"""What a lane can do, as data. Every one may be repeated: done twice is done once."""

from datetime import datetime

from msgspec import Struct

from agent.workload.desired import Image, Stage
from wire.app import ContainerSpec
from wire.messages import Fault, Left, Phase


class Pull(Struct, frozen=True, kw_only=True):
    """Begin to fetch an image, beside everything else."""

    reference: str


class Resolve(Struct, frozen=True, kw_only=True):
    """Write down which image a container of a revision gets."""

    revision: int
    """The revision's number."""
    container: str
    image: Image


class Advance(Struct, frozen=True, kw_only=True):
    """Write down that the job enters a stage, before the stage's first act."""

    stage: Stage
    before: dict[str, str] = {}


class Create(Struct, frozen=True, kw_only=True):
    """Make a container, not started."""

    revision: int
    """The number that it is labelled with: a revision's origin."""
    spec: ContainerSpec
    image: str


class Start(Struct, frozen=True, kw_only=True):
    """Start a container."""

    id: str


class Stop(Struct, frozen=True, kw_only=True):
    """Stop a container, killing it after its grace."""

    id: str
    grace_s: float


class Remove(Struct, frozen=True, kw_only=True):
    """Remove a stopped container; volumes stay."""

    id: str


class Repair(Struct, frozen=True, kw_only=True):
    """The rest of this turn's steps are an attempt to bring the app back: if one fails, no command fails for it."""

    reason: str
    fresh: bool = True
    """False: the attempt that made the container goes on, and is not counted again."""


class Fail(Struct, frozen=True, kw_only=True):
    """Write down why the job fails; `logs_of` is a container whose last lines belong to the message."""

    fault: Fault
    logs_of: str | None = None


class Finish(Struct, frozen=True, kw_only=True):
    """Write down the command's end and what it leaves, in one commit with the record."""

    phase: Phase
    left: Left
    also: tuple[Fault, ...] = ()
    """What went wrong at the very end, behind what is recorded already."""


class Wait(Struct, frozen=True, kw_only=True):
    """Nothing to do until then, unless something happens."""

    until: datetime


Step = Pull | Resolve | Advance | Create | Start | Stop | Remove | Repair | Fail | Finish | Wait
