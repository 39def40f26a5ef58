"""What one agent is told: strict, frozen, checked at the start and never changed after it.

Reading it (TOML, environment, secrets, and what to say about a mistake) stands in `agent/load.py`.
"""

from enum import StrEnum
from typing import Annotated

from msgspec import Meta, Struct

from link.broker import Broker
from link.reconnect import Spread
from wire.app import Name
from wire.topics import DEFAULT_ROOT, NodeName, Topics

Positive = Annotated[float, Meta(gt=0)]
Milliseconds = Annotated[float, Meta(ge=0, le=86_400_000)]


class Mode(StrEnum):
    """How much the node insists on."""

    DEVELOPMENT = "development"
    STAGING = "staging"
    PRODUCTION = "production"


class LogLevel(StrEnum):
    """The least important event that is logged."""

    DEBUG = "debug"
    INFO = "info"
    WARNING = "warning"
    ERROR = "error"


class NodeConfig(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Who this node is and where it keeps its state."""

    site: Name
    name: Name
    data_dir: str = "/var/lib/millwright"
    mode: Mode = Mode.DEVELOPMENT
    log_level: LogLevel = LogLevel.INFO
    topic_root: Annotated[str, Meta(pattern=r"^[^#+/\s]+(/[^#+/\s]+)*$")] = DEFAULT_ROOT


class MqttConfig(Broker, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The broker, and how long it should remember this node."""

    session_expiry_s: Annotated[int, Meta(ge=0, le=0xFFFFFFFF)] = 7 * 24 * 3600
    """Commands published while the node was away wait so long at the broker."""
    will_delay_s: Annotated[int, Meta(ge=0, le=86400)] = 5
    """A reconnect within this time is not announced as a loss."""
    reconnect: Spread = Spread()


class CommandConfig(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which commands are believed."""

    require_signature: bool = False
    trusted_keys: dict[str, str] = {}
    """Key id to Ed25519 public key, base64 of its 32 bytes."""
    ledger_days: Annotated[int, Meta(ge=1, le=3650)] = 30
    """How long an ended command is remembered, and its repetition answered."""


class RegistryConfig(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Credentials of one registry."""

    host: str
    """As it stands in an image's reference: `registry.example:5000`."""
    username: str
    password: str | None = None
    password_file: str | None = None


class WorkloadConfig(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The container engine and the registries."""

    docker_url: str = "unix:///var/run/docker.sock"
    default_registry: str | None = None
    """Where an image without a registry's host comes from; None leaves it to the engine."""
    registries: tuple[RegistryConfig, ...] = ()
    sweep_s: Positive = 60.0
    """How often everything is looked at, even when Docker reported no event."""


class TagConfig(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One tag: a node of the server's address space and the name under which it travels."""

    node_id: str
    """`ns=2;s=Press.Temperature` or, better, `nsu=http://vendor/plc;s=Press.Temperature`."""
    name: str | None = None
    """None: the node's identifier."""
    sampling_interval_ms: Milliseconds | None = None
    """None: the PLC's."""
    queue_size: Annotated[int, Meta(ge=1, le=100_000)] = 1000
    """Changes that the server keeps for us between two publishes, and during a cut."""
    deadband: Annotated[float, Meta(ge=0)] = 0.0
    """Absolute: a smaller change of a number is not reported."""
    unit: str | None = None


class PlcConfig(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One OPC UA server and what is wanted of it."""

    name: Name
    url: Annotated[str, Meta(pattern=r"^opc\.tcp://")]
    username: str | None = None
    password: str | None = None
    password_file: str | None = None
    publishing_interval_ms: Annotated[float, Meta(ge=10, le=3_600_000)] = 500.0
    sampling_interval_ms: Milliseconds = 250.0
    timeout_s: Positive = 10.0
    reconnect: Spread = Spread(first_s=1.0, longest_s=30.0, settled_after_s=30.0)
    tags: tuple[TagConfig, ...] = ()
    """Empty: every variable below the server's Objects folder that isn't OPC UA's own, at most `max_tags`."""
    max_tags: Annotated[int, Meta(ge=1)] = 5000


class SpoolConfig(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How much is kept while the broker is away; the oldest gives way, counted and marked as a gap."""

    max_bytes: Annotated[int, Meta(ge=64 * 1024)] = 1024 * 1024 * 1024
    max_age_s: Positive = 7 * 24 * 3600.0


class HealthConfig(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The heartbeat."""

    period_s: Annotated[float, Meta(ge=0.5, le=3600)] = 10.0


class Config(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Everything."""

    node: NodeConfig
    mqtt: MqttConfig = MqttConfig()
    commands: CommandConfig = CommandConfig()
    workload: WorkloadConfig = WorkloadConfig()
    opcua: tuple[PlcConfig, ...] = ()
    spool: SpoolConfig = SpoolConfig()
    health: HealthConfig = HealthConfig()

    @property
    def node_name(self) -> NodeName:
        """The node as the wire names it."""
        return NodeName(self.node.site, self.node.name)

    @property
    def topics(self) -> Topics:
        """The topics below this plant's root."""
        return Topics(self.node.topic_root)
