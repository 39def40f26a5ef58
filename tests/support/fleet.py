"""A node made of messages alone: what it says is given, and goes through a real broker."""

import uuid
from datetime import UTC, datetime, timedelta

from msgspec import Struct
from msgspec.structs import replace

from link.client import Client
from wire.codec import encode
from wire.messages import (
    AppHealth,
    AppReport,
    AppStatus,
    Clock,
    Engine,
    Health,
    Host,
    Outcome,
    PlcHealth,
    Presence,
    Revision,
    Spool,
)
from wire.topics import Kind, NodeName, Topics

GIB = 1024**3
TOPICS = Topics()


def now() -> datetime:
    """An aware time in UTC."""
    return datetime.now(UTC)


def host(cpu_percent: float = 12.0, memory_used_bytes: int = GIB) -> Host:
    """A small industrial computer."""
    return Host(
        age_s=0.2,
        cpu_percent=cpu_percent,
        memory_used_bytes=memory_used_bytes,
        memory_total_bytes=4 * GIB,
        disk_used_bytes=11 * GIB,
        disk_total_bytes=32 * GIB,
        network_sent_bytes=123_456_789,
        network_received_bytes=987_654,
        load_1m=0.42,
        load_5m=0.31,
        load_15m=0.28,
        temperature_c=51.5,
    )


def spool(records: int = 0, size: int = 0, dropped: int = 0, oldest_age_s: float = 0.0) -> Spool:
    """A spool of 1 GiB."""
    return Spool(
        age_s=0.0, records=records, bytes=size, max_bytes=GIB, oldest_age_s=oldest_age_s, dropped_values=dropped
    )


def plc(name: str = "press", *, quality: float = 1.0, connected: bool = True, error: str | None = None) -> PlcHealth:
    """A press line's PLC."""
    return PlcHealth(
        plc=name,
        age_s=0.1,
        connected=connected,
        quality=quality if connected else 0.0,
        tags=24,
        bad_tags=0,
        response_time_ms=3.4 if connected else None,
        values=120_000,
        last_value_age_s=0.3 if connected else 340.0,
        reconnects=0 if connected else 7,
        error=error,
    )


def health(node: NodeName, *, seq: int = 0, epoch: str = "e1", period_s: float = 10.0, **others: object) -> Health:
    """A heartbeat of a node that is well, unless `others` say otherwise."""
    at = now()
    given = {
        "started_at": at - timedelta(hours=30),
        "version": "0.1.0",
        "mode": "production",
        "host": host(),
        "engine": Engine(age_s=0.1, reachable=True, version="20.10.24"),
        "spool": spool(),
        "clock": Clock(at=at, synchronized=True),
        "at": at,
        **others,
    }
    return Health(node=str(node), epoch=epoch, seq=seq, period_s=period_s, **given)  # type: ignore[arg-type]


def report(
    node: NodeName,
    app: str,
    *,
    status: AppStatus = AppStatus.RUNNING,
    desired: int = 1,
    running: int | None = 1,
    reason: str | None = None,
) -> AppReport:
    """What a node says of an app."""
    return AppReport(
        node=str(node),
        app=app,
        at=now(),
        status=status,
        desired=_revision(app, desired),
        running=None if running is None else _revision(app, running),
        container=f"mw-{app}-{running or desired}",
        state="running" if running else "exited",
        health="healthy" if status is AppStatus.RUNNING else None,
        reason=reason,
    )


def measured(app: str, *, state: str = "running", health: str | None = "healthy", restarts: int = 0) -> AppHealth:
    """What the engine measures of an app."""
    return AppHealth(
        app=app, age_s=0.4, state=state, health=health, cpu_percent=3.2, memory_bytes=87_000_000, restarts=restarts
    )


def _revision(app: str, number: int) -> Revision:
    digest = f"sha256:{uuid.uuid5(uuid.NAMESPACE_URL, f'{app}/{number}').hex * 2}"
    image = f"registry.plant.example/{app}:1.{number}"
    return Revision(number=number, image=image, digest=digest, command_id=f"deploy-{app}-{number}")


class Node:
    """Publishes for one node, through one client that may be shared."""

    def __init__(self, client: Client, name: NodeName, *, period_s: float = 10.0) -> None:
        self.name = name
        self.epoch = uuid.uuid4().hex[:8]
        self.session = uuid.uuid4().hex[:8]
        self.seq = 0
        self.period_s = period_s
        self._client = client

    async def say(self, message: Struct, kind: Kind, *names: str, retain: bool = True) -> None:
        """Publish any message below this node."""
        await self._client.send(TOPICS.of(self.name, kind, *names), encode(message), retain=retain)

    async def clear(self, kind: Kind, *names: str) -> None:
        """Take back what the broker keeps on a topic of this node."""
        await self._client.send(TOPICS.of(self.name, kind, *names), b"", retain=True)

    def presence(self, *, online: bool = True, reason: str | None = None) -> Presence:
        """What this node's presence is; with `online` false, its will."""
        since = now() - timedelta(hours=30) if online else None
        verbs = ("deploy", "stop", "start", "restart", "remove", "inspect", "ping")
        said = Presence(node=str(self.name), online=online, session=self.session, since=since, version="0.1.0")
        return replace(said, reason=reason, capabilities=verbs)

    async def come(self) -> None:
        """Say that it is connected."""
        await self.say(self.presence(), Kind.PRESENCE)

    async def go(self, reason: str = "lost") -> None:
        """What the broker says for it by its will."""
        await self.say(self.presence(online=False, reason=reason), Kind.PRESENCE)

    async def beat(self, **others: object) -> Health:
        """Send the next heartbeat."""
        said = health(self.name, seq=self.seq, epoch=self.epoch, period_s=self.period_s, **others)
        self.seq += 1
        await self.say(said, Kind.HEALTH)
        return said

    async def tell(self, said: AppReport) -> None:
        """Report an app."""
        await self.say(said, Kind.APP, said.app)

    async def end(self, outcome: Outcome) -> None:
        """Report a phase of a command."""
        await self.say(outcome, Kind.OUTCOME, outcome.command_id, retain=False)
