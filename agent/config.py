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
TopicRoot = Annotated[str, Meta(pattern=r"^[^#+/\s]+(/[^#+/\s]+)*\Z")]
OpcuaUrl = Annotated[str, Meta(pattern=r"^opc\.tcp://\S+\Z")]


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
    """The plant that the node stands in; with the name it is the node's address in the fleet."""
    name: Name
    """The node's name within its site."""
    data_dir: Annotated[str, Meta(min_length=1)] = "/var/lib/millwright"
    """The directory for the node's one SQLite file: spool, ledger, desired state. A real disk, one agent each."""
    mode: Mode = Mode.DEVELOPMENT
    """How much `millwright agent validate` insists on: in production, what is insecure is a failure."""
    log_level: LogLevel = LogLevel.INFO
    """The least important event that is logged."""
    topic_root: TopicRoot = DEFAULT_ROOT
    """What every topic begins with; the same for the whole fleet."""


class BrokerSpread(Spread, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """As a `Spread`; the fleet's broker has many at its door."""

    first_s: Annotated[float, Meta(ge=0, le=86400)] = 10.0
    """The first attempt after a loss comes within this time."""


class PlcSpread(Spread, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """As a `Spread`; a PLC has few, and its queues are short."""

    first_s: Annotated[float, Meta(ge=0, le=86400)] = 1.0
    """The first attempt after a loss comes within this time."""
    longest_s: Annotated[float, Meta(gt=0, le=86400)] = 30.0
    """No two attempts are further apart."""
    settled_after_s: Annotated[float, Meta(ge=0, le=86400)] = 30.0
    """A connection that lasted so long starts the next series afresh."""


class MqttConfig(Broker, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The broker, and how long it should remember this node."""

    session_expiry_s: Annotated[int, Meta(ge=0, le=0xFFFFFFFF)] = 7 * 24 * 3600
    """Commands published while the node was away wait so long at the broker."""
    will_delay_s: Annotated[int, Meta(ge=0, le=86400)] = 5
    """A reconnect within this time is not announced as a loss."""
    reconnect: BrokerSpread = BrokerSpread()
    """A broker that comes back finds the fleet spread over 10 s, and not at its door all at once."""
    """How attempts are spread after a loss, so that a fleet doesn't come back as one storm."""


class CommandConfig(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which commands are believed."""

    require_signature: bool = False
    """Refuse every command that no trusted key has signed."""
    trusted_keys: dict[str, str] = {}
    """Key id to Ed25519 public key, base64 of its 32 bytes."""
    ledger_days: Annotated[int, Meta(ge=1, le=3650)] = 30
    """How long an ended command is remembered, and its repetition answered."""


class RegistryConfig(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Credentials of one registry."""

    host: str
    """As it stands in an image's reference: `registry.example:5000`."""
    username: str
    """Who pulls."""
    password: str | None = None
    """The password or token itself; better is `password_file`."""
    password_file: str | None = None
    """A file with the password or token."""


class WorkloadConfig(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The container engine and the registries."""

    docker_url: str = "unix:///var/run/docker.sock"
    """Where the Docker Engine answers."""
    default_registry: str | None = None
    """Where an image without a registry's host comes from; left out, the engine decides."""
    registries: tuple[RegistryConfig, ...] = ()
    """Credentials, one entry a registry."""
    sweep_s: Positive = 60.0
    """How often everything is looked at, even when Docker reported no event."""


class TagConfig(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One tag: a node of the server's address space and the name under which it travels."""

    node_id: str
    """`ns=2;s=Press.Temperature` or, better, `nsu=http://vendor/plc;s=Press.Temperature`."""
    name: str | None = None
    """The name under which it travels; left out, the node's identifier."""
    sampling_interval_ms: Milliseconds | None = None
    """How often the server looks at it; left out, as often as at all of the PLC's."""
    queue_size: Annotated[int, Meta(ge=1, le=100_000)] = 1000
    """Changes that the server keeps for us between two publishes, and during a cut."""
    deadband: Annotated[float, Meta(ge=0)] = 0.0
    """Absolute: a smaller change of a number is not reported."""
    unit: str | None = None
    """Engineering unit, where the server doesn't say it."""

    @property
    def known_as(self) -> str:
        """The name under which it travels: a text identifier stands for itself, another kind keeps its `i=`."""
        identifier = self.node_id.partition(";")[2] if self.node_id.startswith(("ns=", "nsu=")) else self.node_id
        return self.name or identifier.removeprefix("s=")


class PlcConfig(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One OPC UA server and what is wanted of it."""

    name: Name
    """The name under which its tags travel."""
    url: OpcuaUrl
    """The server's endpoint."""
    username: str | None = None
    """Who we are to the server; left out, anonymous."""
    password: str | None = None
    """The password itself; better is `password_file`."""
    password_file: str | None = None
    """A file with the password."""
    publishing_interval_ms: Annotated[float, Meta(ge=10, le=3_600_000)] = 500.0
    """How often the server sends what has changed."""
    sampling_interval_ms: Milliseconds = 250.0
    """How often the server looks at each tag."""
    timeout_s: Positive = 10.0
    """How long one request to the server may take."""
    reconnect: PlcSpread = PlcSpread()
    """How attempts are spread after a loss."""
    tags: tuple[TagConfig, ...] = ()
    """The tags that are wanted; left out, every variable below the server's Objects folder that isn't OPC UA's own."""
    max_tags: Annotated[int, Meta(ge=1)] = 5000
    """At most so many tags: a server that offers a whole plant must not drown the node."""


class SpoolConfig(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How much is kept while the broker is away; the oldest gives way, counted and marked as a gap."""

    max_bytes: Annotated[int, Meta(ge=64 * 1024)] = 1024 * 1024 * 1024
    """What is stored and not yet acknowledged may take so much of the disk."""
    max_age_s: Positive = 7 * 24 * 3600.0
    """What is older is of no use any more."""


class HealthConfig(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The heartbeat."""

    period_s: Annotated[float, Meta(ge=0.5, le=3600)] = 10.0
    """How often; at once as well when something has changed."""


class Config(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Everything."""

    node: NodeConfig
    """Who this node is and where it keeps its state."""
    mqtt: MqttConfig = MqttConfig()
    """The broker, and how long it should remember this node."""
    commands: CommandConfig = CommandConfig()
    """Which commands are believed."""
    workload: WorkloadConfig = WorkloadConfig()
    """The container engine and the registries."""
    opcua: tuple[PlcConfig, ...] = ()
    """The PLCs: OPC UA servers, one entry each."""
    spool: SpoolConfig = SpoolConfig()
    """How much is kept while the broker is away; the oldest gives way, counted and marked as a gap."""
    health: HealthConfig = HealthConfig()
    """The heartbeat."""

    @property
    def node_name(self) -> NodeName:
        """The node as the wire names it."""
        return NodeName(self.node.site, self.node.name)

    @property
    def topics(self) -> Topics:
        """The topics below this plant's root."""
        return Topics(self.node.topic_root)
