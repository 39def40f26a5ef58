"""Every message of the contract: frozen, keyword-only, tolerant of fields that it does not know.

Times are aware and in UTC. A field's unit is in its name. A field that is new in a later version has a default, so
that an older sender is understood. Which topic carries which message stands in `wire/topics.py` and `docs/wire.md`.
"""

from datetime import datetime
from enum import StrEnum
from typing import Annotated, Any

from msgspec import Meta, Struct

from wire.app import AppSpec, Name

Time = Annotated[datetime, Meta(tz=True)]


# --- commands -------------------------------------------------------------------------------------------------------


class Deploy(Struct, frozen=True, kw_only=True):
    """Make `spec` the app's next revision, and go back by itself if that doesn't prove healthy."""

    app: Name
    spec: AppSpec


class Stop(Struct, frozen=True, kw_only=True):
    """Stop the app's containers and keep them stopped."""

    app: Name


class Start(Struct, frozen=True, kw_only=True):
    """Start an app that was stopped."""

    app: Name


class Restart(Struct, frozen=True, kw_only=True):
    """Stop and start the app's containers, whatever their state; an app that was stopped runs afterwards."""

    app: Name


class Remove(Struct, frozen=True, kw_only=True):
    """Stop the app and remove its containers and its desired state. Volumes stay."""

    app: Name


class Inspect(Struct, frozen=True, kw_only=True):
    """Report one app, or all: desired, running, containers, description."""

    app: Name | None = None


class Ping(Struct, frozen=True, kw_only=True):
    """Answer, and change nothing."""


Args = Deploy | Stop | Start | Restart | Remove | Inspect | Ping

VERBS: dict[str, type[Args]] = {
    "deploy": Deploy,
    "stop": Stop,
    "start": Start,
    "restart": Restart,
    "remove": Remove,
    "inspect": Inspect,
    "ping": Ping,
}
"""Every verb and what its `args` must be."""

_VERB_OF = {args: verb for verb, args in VERBS.items()}

CommandId = Name
"""UUIDv7 or any other name that is unique."""


class Command(Struct, frozen=True, kw_only=True):
    """What a person at the centre wants from one node, from a site, or from all.

    It must have ended by `expires_at`: not begun by then it is `expired`; still running it is given up, and the node
    goes back to what it had.
    """

    id: CommandId
    target: str
    """`site/node`, `site/*` or `*`."""
    issuer: str
    issued_at: Time
    expires_at: Time
    args: Args

    @property
    def verb(self) -> str:
        """The word by which `args` goes on the wire."""
        return _VERB_OF[type(self.args)]

    @property
    def app(self) -> str | None:
        """The app that it is about, if it is about one."""
        return None if isinstance(self.args, Ping) else self.args.app


# --- outcomes -------------------------------------------------------------------------------------------------------


class Phase(StrEnum):
    """Where a command stands. The endings are few and fixed; what happens in between may grow."""

    ACCEPTED = "accepted"
    HELD = "held"
    RUNNING = "running"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    REJECTED = "rejected"
    EXPIRED = "expired"
    CANCELLED = "cancelled"
    SUPERSEDED = "superseded"

    @property
    def is_end(self) -> bool:
        """Nothing follows an end."""
        return self not in (Phase.ACCEPTED, Phase.HELD, Phase.RUNNING)


class Left(StrEnum):
    """What the node was left in by a command that ended."""

    UNCHANGED = "unchanged"
    CHANGED = "changed"
    ROLLED_BACK = "rolled_back"
    BROKEN = "broken"


class Category(StrEnum):
    """What kind of fault it was; a program may act on it, a person reads the message."""

    MALFORMED = "malformed"
    TOO_LARGE = "too_large"
    SIGNATURE = "signature"
    TARGET = "target"
    UNKNOWN_VERB = "unknown_verb"
    EXPIRED = "expired"
    SUPERSEDED = "superseded"
    NOT_FOUND = "not_found"
    IMAGE_NOT_FOUND = "image_not_found"
    REGISTRY_REFUSED = "registry_refused"
    REGISTRY_UNREACHABLE = "registry_unreachable"
    PORT_CONFLICT = "port_conflict"
    NO_SPACE = "no_space"
    UNHEALTHY = "unhealthy"
    DEADLINE = "deadline"
    ENGINE = "engine"
    ENGINE_UNREACHABLE = "engine_unreachable"
    INTERNAL = "internal"


class Fault(Struct, frozen=True, kw_only=True):
    """Why something failed: while `phase`, `component` failed for `element`."""

    phase: str
    """What was being done: `admit`, `pull`, `create`, `start`, `probe` …"""
    component: str
    """Who failed: `command`, `registry`, `engine`, `container` …"""
    element: str
    """For what: an image, a container, a field."""
    category: Category
    message: str
    retry: bool = False
    """Whether the same command may succeed later."""


class Progress(Struct, frozen=True, kw_only=True):
    """How far a running command is."""

    step: str
    done_bytes: int | None = None
    total_bytes: int | None = None


class Pong(Struct, frozen=True, kw_only=True, tag_field="of", tag="ping"):
    """The answer to a ping: the agent's version and when the command reached it."""

    version: str
    received_at: Time


class Inspection(Struct, frozen=True, kw_only=True, tag_field="of", tag="inspect"):
    """The answer to an inspect."""

    apps: tuple["AppReport", ...]


Result = Pong | Inspection


class Outcome(Struct, frozen=True, kw_only=True):
    """One phase of one command on one node."""

    command_id: str
    node: str
    seq: int
    """Counts this command's outcomes on this node from 0, so that what is late or double shows."""
    phase: Phase
    at: Time
    verb: str | None = None
    app: str | None = None
    revision: int | None = None
    progress: Progress | None = None
    left: Left | None = None
    """Stands in every end."""
    error: Fault | None = None
    """The first cause; stands in `failed`, `rejected`, `expired` and `superseded`."""
    followed_by: tuple[Fault, ...] = ()
    """What went wrong after the first cause, in order."""
    result: Result | None = None


# --- what a node says of itself --------------------------------------------------------------------------------------


class Presence(Struct, frozen=True, kw_only=True):
    """Whether the node is connected. Retained; the will is the same message with `online` false."""

    node: str
    online: bool
    session: str
    """One connection of one agent: what a will of an older connection says can be told from the present one."""
    since: Time | None = None
    """None in a will: the receiver's clock alone knows when the node was lost."""
    reason: str | None = None
    """Why it is away: `stopped` for an intended stop, `lost` in the will."""
    version: str = ""
    capabilities: tuple[str, ...] = ()
    """The verbs that it takes."""


class Host(Struct, frozen=True, kw_only=True):
    """The machine that the agent runs on."""

    age_s: float
    cpu_percent: float
    memory_used_bytes: int
    memory_total_bytes: int
    disk_used_bytes: int
    disk_total_bytes: int
    network_sent_bytes: int
    network_received_bytes: int
    load_1m: float
    load_5m: float
    load_15m: float
    temperature_c: float | None = None
    """The hottest sensor, where there is one."""


class Engine(Struct, frozen=True, kw_only=True):
    """The container engine beside the agent."""

    age_s: float
    reachable: bool
    version: str | None = None
    error: str | None = None


class AppHealth(Struct, frozen=True, kw_only=True):
    """An app's container as the engine measures it."""

    app: str
    age_s: float
    state: str
    """Docker's own word: created, running, restarting, exited … or `absent`."""
    health: str | None = None
    """Docker's own word: starting, healthy, unhealthy; None without a HEALTHCHECK."""
    cpu_percent: float | None = None
    memory_bytes: int | None = None
    restarts: int = 0


class PlcHealth(Struct, frozen=True, kw_only=True):
    """A connection to a PLC and the quality of what comes over it."""

    plc: str
    age_s: float
    connected: bool
    quality: Annotated[float, Meta(ge=0, le=1)]
    """The share of its tags whose last value was Good; 0.0 while not connected."""
    tags: int
    bad_tags: int
    """Wanted, but refused by the server."""
    response_time_ms: float | None = None
    """Round trip of the last read of the server's state."""
    errors: int = 0
    reconnects: int = 0
    values: int = 0
    """Received since the agent started."""
    last_value_age_s: float | None = None
    error: str | None = None
    """Why it is not connected."""


class Spool(Struct, frozen=True, kw_only=True):
    """What is stored and not yet acknowledged by a broker."""

    age_s: float
    records: int
    bytes: int
    max_bytes: int
    oldest_age_s: float
    dropped_values: int
    """Values that had to give way since this spool was made; each loss is a gap in its stream."""
    error: str | None = None
    """Why nothing is stored, or nothing leaves though the broker is there: a full disk, a refused publish."""


class Clock(Struct, frozen=True, kw_only=True):
    """The node's own clock, for whoever compares times of two machines."""

    at: Time
    synchronized: bool | None = None
    """What the kernel says of it; None where it doesn't say."""


class Health(Struct, frozen=True, kw_only=True):
    """The heartbeat: on a period, and at once when something changed."""

    node: str
    epoch: str
    """One life of the agent's process; `seq` counts from 0 in it."""
    seq: int
    at: Time
    period_s: float
    """When nothing is heard for several of these, the node is stale, then offline."""
    started_at: Time
    version: str
    mode: str
    host: Host
    engine: Engine
    spool: Spool
    clock: Clock
    apps: tuple[AppHealth, ...] = ()
    plcs: tuple[PlcHealth, ...] = ()
    rejected_commands: int = 0
    """Messages on a command topic in which not even an id could be read."""


class AppStatus(StrEnum):
    """How an app stands on its node."""

    DEPLOYING = "deploying"
    RUNNING = "running"
    STARTING = "starting"
    STOPPED = "stopped"
    UNHEALTHY = "unhealthy"
    BACKING_OFF = "backing_off"
    FAILED = "failed"


class Revision(Struct, frozen=True, kw_only=True):
    """A revision of an app: the number rises with every change on the node, a rollback included."""

    number: int
    image: str
    digest: str | None = None
    command_id: str | None = None


class AppReport(Struct, frozen=True, kw_only=True):
    """What an app should be and what it is, and why they differ. Retained; cleared when the app is removed."""

    node: str
    app: str
    at: Time
    status: AppStatus
    desired: Revision | None = None
    running: Revision | None = None
    container: str | None = None
    """Docker's name for it."""
    state: str = "absent"
    health: str | None = None
    restarts: int = 0
    reason: str | None = None
    """Why it is not as desired."""


# --- tags -----------------------------------------------------------------------------------------------------------


class TagValue(Struct, frozen=True, omit_defaults=True):
    """One change of one tag, as the PLC's server gave it."""

    name: str
    value: Any = None
    """JSON for the OPC UA value: numbers, booleans, text, arrays; base64 for a ByteString; `"NaN"`, `"Infinity"` and
    `"-Infinity"` for what JSON has no number (OPC UA Part 6, 5.4.2.4); null where the quality is Bad."""
    status: int = 0
    """OPC UA StatusCode; left out when it is 0, Good."""
    time: Time | None = None
    """SourceTimestamp, to the microsecond; left out where the server gave none."""


class GapReason(StrEnum):
    """Where values were lost."""

    SPOOL_FULL = "spool_full"
    SOURCE = "source"
    OVERFLOW = "overflow"


class Gap(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A loss that is known, said at its place in the stream."""

    reason: GapReason
    since: Time
    until: Time
    first_seq: int | None = None
    """With `last_seq`: these batches of the stream were dropped on the node."""
    last_seq: int | None = None
    values: int | None = None
    """How many values; None where nobody can know. With `also` at least so many."""
    also: tuple[GapReason, ...] = ()
    """Losses for other reasons between `since` and `until`, whose own gaps were among the dropped batches."""


class TagBatch(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Changes of one PLC, in the order in which they were stored.

    `(epoch, plc, seq)` names a batch for ever; within an epoch `seq` has no holes but those that a `gap` names, so a
    subscriber proves that it has everything, and drops what it has already.
    """

    epoch: str
    plc: str
    seq: int
    values: tuple[TagValue, ...] = ()
    gap: Gap | None = None


class TagMeta(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What is known of one tag beside its values."""

    name: str
    node_id: str
    data_type: str | None = None
    unit: str | None = None
    low: float | None = None
    high: float | None = None
    description: str | None = None
    error: str | None = None
    """The server's StatusCode name, where it refuses the tag."""


class PlcMeta(Struct, frozen=True, kw_only=True):
    """The tags of one PLC. Retained."""

    node: str
    plc: str
    at: Time
    tags: tuple[TagMeta, ...]
