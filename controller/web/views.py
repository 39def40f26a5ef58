"""What the API answers with. Every fact carries when it was seen (`seen_at`) and how old that is (`age_s`).

Ages are in seconds as of the answer; what a node measured some time before its heartbeat is older by that much.
"""

from datetime import datetime

from msgspec import Struct

from controller.fleet.status import Status
from wire.messages import AppStatus, Clock, Engine, Host, Outcome, PlcHealth, Revision, Spool, TagMeta


class ReasonOut(Struct, frozen=True, kw_only=True):
    """One reason for a node's status."""

    about: str
    element: str
    text: str


class PresenceOut(Struct, frozen=True, kw_only=True):
    """Whether the node's connection to the broker stands."""

    seen_at: datetime
    age_s: float
    online: bool
    since: datetime | None
    reason: str | None
    capabilities: tuple[str, ...] = ()


class HostOut(Host, frozen=True, kw_only=True):
    """The machine."""

    seen_at: datetime


class EngineOut(Engine, frozen=True, kw_only=True):
    """The container engine."""

    seen_at: datetime


class SpoolOut(Spool, frozen=True, kw_only=True):
    """What waits on the node for the broker."""

    seen_at: datetime


class PlcOut(PlcHealth, frozen=True, kw_only=True):
    """A connection to a PLC."""

    seen_at: datetime


class AppOut(Struct, frozen=True, kw_only=True):
    """An app: what it should be, what it is, what the engine measures, and why they differ."""

    app: str
    seen_at: datetime
    age_s: float
    status: AppStatus | None
    """None: the heartbeat names it, its own report was never seen."""
    desired: Revision | None
    running: Revision | None
    container: str | None
    state: str
    health: str | None
    restarts: int
    reason: str | None
    cpu_percent: float | None
    memory_bytes: int | None
    measured_age_s: float | None
    """Of processor time and memory, which come with the heartbeat."""


class OutcomeOut(Struct, frozen=True, kw_only=True):
    """A phase of a command on a node."""

    seen_at: datetime
    age_s: float
    outcome: Outcome


class NodeRow(Struct, frozen=True, kw_only=True):
    """One node, as the fleet shows it."""

    site: str
    node: str
    status: Status
    reasons: tuple[ReasonOut, ...]
    seen_at: datetime | None
    """Of the last heartbeat."""
    age_s: float | None
    first_seen_at: datetime
    version: str | None
    mode: str | None
    period_s: float | None
    started_at: datetime | None
    rejected_commands: int
    presence: PresenceOut | None
    host: HostOut | None
    engine: EngineOut | None
    spool: SpoolOut | None
    plcs: tuple[PlcOut, ...]
    apps: tuple[AppOut, ...]


class NodeDetail(NodeRow, frozen=True, kw_only=True):
    """One node with its clock and what became of recent commands."""

    now: datetime
    clock: Clock | None
    outcomes: tuple[OutcomeOut, ...]
    """The last phase of the latest commands, the newest first."""
    timeline: tuple[OutcomeOut, ...]
    """The latest phases of any command, the newest first."""


class IngestOut(Struct, frozen=True, kw_only=True):
    """The controller's own connection to the broker, and what came over it."""

    broker: str
    connected: bool
    since: datetime
    age_s: float
    error: str | None
    messages: int
    messages_per_s: float
    malformed: int


class FleetOut(Struct, frozen=True, kw_only=True):
    """All nodes, and how many stand how."""

    now: datetime
    ingest: IngestOut
    counts: dict[Status, int]
    nodes: tuple[NodeRow, ...]


class AppsOut(Struct, frozen=True, kw_only=True):
    """The apps of one node."""

    site: str
    node: str
    now: datetime
    apps: tuple[AppOut, ...]


class PlcTagsOut(Struct, frozen=True, kw_only=True):
    """What is known of a PLC's tags beside their values."""

    site: str
    node: str
    plc: str
    seen_at: datetime
    age_s: float
    tags: tuple[TagMeta, ...]


class NodeOutcomes(Struct, frozen=True, kw_only=True):
    """What became of a command on one node."""

    site: str
    node: str
    ended: bool
    last: OutcomeOut
    phases: tuple[OutcomeOut, ...]
    """In order."""


class CommandOutcomes(Struct, frozen=True, kw_only=True):
    """What became of a command, on every node that answered."""

    command_id: str
    now: datetime
    nodes: tuple[NodeOutcomes, ...]


class Healthz(Struct, frozen=True, kw_only=True):
    """The controller itself."""

    status: str
    now: datetime
    version: str
    nodes: int
    ingest: IngestOut
