"""The workload: takes commands, and runs what the node should run."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from importlib.metadata import version

import structlog
from msgspec.structs import replace

from agent.config import Config
from agent.mqtt import Incoming
from agent.store import Store
from agent.workload.bench import Bench, Boundary
from agent.workload.command import Admitted, Refused, Trust, admit
from agent.workload.docker import DockerEngine
from agent.workload.gauges import Gauges
from agent.workload.inquiry import Inquiry
from agent.workload.keys import trusted_checks
from agent.workload.ledger import Entered, Ledger, Reply, lane_of
from agent.workload.outbox import Outbox, Publish
from agent.workload.reconcile import Reconcile
from wire.codec import encode
from wire.messages import AppHealth, AppReport, Engine
from wire.signature import signature_in
from wire.topics import Kind

_CLOSE_S = 5.0
_log = structlog.get_logger("agent.workload")


def _nothing(_name: str) -> None:
    """In production nothing happens between two steps; a test may end the process here."""


def _utc_now() -> datetime:
    return datetime.now(UTC)


class Workload:
    """Commands in, containers kept, outcomes and app reports out.

    `publish` returns at the PUBACK (LinkError when not connected, PublishRefusedError where the broker says no);
    `retain` says what a topic should hold; `on_change` is called when an app's state changed. Raises ConfigError for a
    trusted key that is none.
    """

    def __init__(
        self,
        config: Config,
        store: Store,
        *,
        publish: Publish,
        wait_connected: Callable[[], Awaitable[int]],
        retain: Callable[[str, bytes], None],
        on_change: Callable[[], None],
        boundary: Boundary = _nothing,
        now: Callable[[], datetime] = _utc_now,
    ) -> None:
        self._node, self._topics, self._now = config.node_name, config.topics, now
        self._retain, self._on_change = retain, on_change
        self._trust = _trust(config)
        self._reported: dict[str, AppReport | None] = {}
        bench = _bench(config, store, boundary=boundary, now=now, report=self._report)
        self._ledger, self._docker = bench.ledger, bench.docker
        self._gauges = Gauges(bench)
        inquiry = Inquiry(bench, version("millwright"))
        self._reconcile = Reconcile(bench, inquiry, ledger_days=config.commands.ledger_days)
        self._outbox = Outbox(
            bench.ledger, publish=publish, wait_connected=wait_connected, topic_of=self._outcome_topic
        )
        self.rejected_commands = 0
        """Messages on a command topic in which not even an id could be read, since the start."""

    async def open(self) -> None:
        """Bring the tables to their schema."""
        await self._ledger.open()

    async def run(self) -> None:
        """Bring every command to its end and keep every app, for ever."""
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(self._outbox.run(), name="outbox")
                group.create_task(self._reconcile.run(), name="reconcile")
        finally:
            async with asyncio.timeout(_CLOSE_S):
                await self._docker.close()

    async def take(self, incoming: Incoming) -> None:
        """Take a message from a command topic; when this returns, it or its refusal is on disk, or it was counted.

        A known id is answered with what is recorded for it. Raises AgentError where the disk fails: nothing was taken.
        """
        verdict = admit(incoming.payload, signature_in(incoming.user_properties), self._trust, self._now())
        reply = _reply(incoming)
        match verdict:
            case Admitted(command=command):
                entered = await self._ledger.enter(command, incoming.payload, reply)
                if entered.fresh:
                    self._reconcile.wake(lane_of(command), command.expires_at)
                _log_entered(command.id, entered, verb=command.verb, issuer=command.issuer)
            case Refused(command_id=None, fault=fault):
                self.rejected_commands += 1
                _log.warning("command_unreadable", topic=incoming.topic, category=fault.category, reason=fault.message)
            case Refused(command_id=str() as command_id, fault=fault) as refusal:
                entered = await self._ledger.refuse(refusal, command_id, incoming.payload, reply)
                _log_entered(command_id, entered, verb=refusal.verb, refused=fault.category, reason=fault.message)

    async def engine(self) -> Engine:
        """The container engine, for the heartbeat."""
        return await self._gauges.engine()

    async def app_health(self) -> tuple[AppHealth, ...]:
        """Every app's container, for the heartbeat."""
        return await self._gauges.apps()

    def _report(self, app: str, report: AppReport | None) -> None:
        """Say what changed of an app; the time alone is no change."""
        said = self._reported.get(app)
        if app in self._reported and _same(said, report):
            return
        self._reported[app] = report
        self._retain(self._topics.of(self._node, Kind.APP, app), b"" if report is None else encode(report))
        self._on_change()

    def _outcome_topic(self, command_id: str) -> str:
        return self._topics.of(self._node, Kind.OUTCOME, command_id)


def _bench(
    config: Config,
    store: Store,
    *,
    boundary: Boundary,
    now: Callable[[], datetime],
    report: Callable[[str, AppReport | None], None],
) -> Bench:
    return Bench(
        node=config.node_name,
        config=config.workload,
        ledger=Ledger(store, config.node_name, boundary=boundary, now=now),
        docker=DockerEngine(config.workload.docker_url),
        boundary=boundary,
        now=now,
        report=report,
    )


def _trust(config: Config) -> Trust:
    return Trust(
        node=config.node_name,
        require_signature=config.commands.require_signature,
        trusted=trusted_checks(config.commands.trusted_keys),
    )


def _same(said: AppReport | None, report: AppReport | None) -> bool:
    return said == report if said is None or report is None else replace(said, at=report.at) == report


def _reply(incoming: Incoming) -> Reply:
    """Where the sender wants to be answered; a topic that nobody can publish to is as good as none."""
    topic = incoming.response_topic
    if not topic or any(letter in topic for letter in "+#\0"):
        return Reply()
    return Reply(topic=topic, correlation_data=incoming.correlation_data)


def _log_entered(command_id: str, entered: Entered, **about: object) -> None:
    log = _log.bind(command_id=command_id, **about)
    if entered.fresh:
        log.info("command_taken")
    elif entered.same:
        log.info("command_repeated")
    else:
        log.warning("command_id_reused")
