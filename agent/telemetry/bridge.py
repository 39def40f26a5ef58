"""Connect to one PLC and stay: every change of its tags is stored, in order, and acknowledged after that.

After a loss the session is resumed and the subscription goes on where it was; what the server published meanwhile is
asked for again. Where that can't be, a new subscription begins with the current values, and a gap in the stream says
from when to when changes may be missing. What the server refuses is listed, and tried again.
"""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Sequence
from datetime import UTC, datetime

import structlog
from msgspec.structs import replace

from agent.config import PlcConfig
from agent.errors import TransientError
from agent.telemetry.address_space import properties, variables
from agent.telemetry.batch import Tags
from agent.telemetry.errors import PlcError
from agent.telemetry.follow import Follower
from agent.telemetry.meta import described, undescribed
from agent.telemetry.nodeid import NodeIdError, portable, resolve
from agent.telemetry.notification import Notification
from agent.telemetry.opcua import PlcSession
from agent.telemetry.subscription import Items, Subscription
from agent.telemetry.tags import Wanted, wanted_from, wanted_of
from agent.telemetry.vitals import Vitals
from link.reconnect import BackOff
from wire.messages import Gap, GapReason, PlcHealth, TagMeta, TagValue

Append = Callable[[str, Sequence[TagValue], Gap | None], Awaitable[None]]
"""Stores values of a PLC, and a gap before them, and returns when they are on disk."""

FIRST_STORE_DELAY_S, LONGEST_STORE_DELAY_S = 0.1, 5.0

_log = structlog.get_logger(__name__)


class Bridge:
    """One PLC. `resume_from`: when an earlier life of the agent last stored something of it; None: never."""

    def __init__(
        self,
        plc: PlcConfig,
        *,
        append: Append,
        on_meta: Callable[[tuple[TagMeta, ...]], None],
        on_change: Callable[[], None],
        resume_from: datetime | None = None,
        measure_every_s: float = 5.0,
        retry_refused_s: float = 60.0,
    ) -> None:
        self._plc = plc
        self._append = append
        self._on_meta = on_meta
        self._on_change = on_change
        self._measure_every_s = measure_every_s
        self._retry_refused_s = retry_refused_s
        self._vitals = Vitals(resume_from)
        self._session = PlcSession(plc)
        self._subscription: Subscription | None = None
        self._heard_since_open = False
        self._wanted: dict[int, Wanted] = dict(enumerate(wanted_of(plc), start=1))
        self._tags = Tags([tag.name for tag in self._wanted.values()])
        self._refused: dict[int, str] = {}
        self._good = 0
        self._log = _log.bind(plc=plc.name, url=plc.url)

    async def run(self) -> None:
        """For ever; on cancel the session is closed, bounded."""
        back_off = BackOff(self._plc.reconnect)
        try:
            while True:
                lost = await self._connection(back_off)
                self._vitals.lost(str(lost))
                self._log.warning("plc_lost", error=str(lost), phase=lost.phase, failures=back_off.failures)
                self._on_change()
                await asyncio.sleep(back_off.delay_s())
        finally:
            await self._session.close()

    def health(self) -> PlcHealth:
        """How it is, now."""
        return self._vitals.health(
            self._plc.name,
            good=self._tags.good,
            tags=len(self._wanted),
            refused=len(self._refused),
            response_time_s=self._session.response_time_s,
        )

    async def _connection(self, back_off: BackOff) -> PlcError:
        """One connection from its beginning to its end; returns why it ended."""
        try:
            follower = await self._enter()
        except PlcError as error:
            self._session.drop()
            return error
        back_off.connected()
        self._vitals.entered()
        self._log.info("plc_connected", tags=len(self._wanted), refused=len(self._refused))
        self._on_change()
        async with asyncio.TaskGroup() as group:
            tend = group.create_task(self._session.tend(every_s=self._measure_every_s), name="tend")
            retry = group.create_task(self._retry_refused(), name="retry refused")
            lost = await follower.run(group)
            self._session.drop()
            tend.cancel()
            retry.cancel()
        return lost

    async def _enter(self) -> Follower:
        """Open the session and stand behind a subscription, the one that was or a new one. Raises PlcError."""
        resumed = await self._session.open()
        kept = self._subscription if resumed else None
        trusted = self._heard_since_open
        self._subscription, self._heard_since_open = None, False
        if kept is not None and trusted and await kept.is_there(self._session):
            self._subscription = kept
            follower = self._follower(kept)
            await follower.catch_up()
            return follower
        if kept is not None:
            with contextlib.suppress(PlcError):
                await kept.delete(self._session)
        self._subscription = await self._subscribe()
        return self._follower(self._subscription)

    def _follower(self, subscription: Subscription) -> Follower:
        return Follower(self._session, subscription, self._take, lambda at: self._heard(subscription, at))

    def _heard(self, subscription: Subscription, at: datetime) -> None:
        self._heard_since_open = True
        self._vitals.heard(at, subscription.interval_s)

    async def _subscribe(self) -> Subscription:
        self._wanted = dict(enumerate(await self._find_wanted(), start=1))
        self._tags = Tags([tag.name for tag in self._wanted.values()], before=self._tags)
        subscription = await Subscription.create(self._session, self._plc)
        self._listed(await subscription.monitor(self._session, self._wanted))
        if self._vitals.complete_until is not None:
            gap = self._gap(GapReason.SOURCE)
            await self._store((), gap)
            self._vitals.complete_until = gap.until
        await self._describe()
        return subscription

    async def _find_wanted(self) -> Sequence[Wanted]:
        if not self._plc.tags:
            with self._session.translated("browse"):
                return wanted_from(await variables(self._session, most=self._plc.max_tags), self._plc)
        return [self._by_uri(tag) for tag in self._wanted.values()]

    def _by_uri(self, tag: Wanted) -> Wanted:
        """`ns=2` means the namespace that is second when the agent first connects."""
        try:
            node_id = resolve(tag.node_id, self._session.namespaces)
        except NodeIdError:
            return tag
        return replace(tag, node_id=portable(node_id, self._session.namespaces))

    def _listed(self, items: Items) -> None:
        self._refused = dict(items)
        self._tags.filter_here(items.unfiltered)
        if items:
            names = [f"{self._wanted[handle].name}: {error}" for handle, error in items.items()]
            self._log.warning("plc_tags_refused", count=len(names), first=names[:10])

    async def _describe(self) -> None:
        """Tell what is known of each tag. That a server can't say it is no reason not to follow its values."""
        served = [handle for handle in self._wanted if handle not in self._refused]
        nodes = [resolve(self._wanted[handle].node_id, self._session.namespaces) for handle in served]
        try:
            with self._session.translated("describe"):
                known = dict(zip(served, await properties(self._session, nodes), strict=True))
        except PlcError as error:
            if error.status is None:
                raise
            self._log.warning("plc_meta_refused", error=str(error))
            known = {}
        self._on_meta(
            tuple(
                described(tag, known[handle]) if handle in known else undescribed(tag, self._refused.get(handle))
                for handle, tag in self._wanted.items()
            )
        )

    async def _retry_refused(self) -> None:
        """Ask again for what was refused: a node may have come since."""
        try:
            while True:
                await asyncio.sleep(self._retry_refused_s)
                if self._refused and self._subscription is not None:
                    await self._ask_again(self._subscription)
        except PlcError:
            self._session.drop()

    async def _ask_again(self, subscription: Subscription) -> None:
        items = await subscription.monitor(self._session, {handle: self._wanted[handle] for handle in self._refused})
        if items.keys() != self._refused.keys():
            self._listed(items)
            await self._describe()
            self._on_change()

    async def _take(self, notification: Notification, lost: bool) -> None:
        batch = self._tags.batch(notification.changes)
        gap = None
        if lost or notification.malformed is not None:
            gap = self._gap(GapReason.SOURCE)
            self._vitals.errors += 1
        elif batch.overflow:
            gap = self._gap(GapReason.OVERFLOW)
        if notification.malformed is not None:
            self._log.warning("plc_notification_malformed", error=notification.malformed)
        if batch.values or gap is not None:
            await self._store(batch.values, gap)
        if self._tags.good != self._good:
            self._good = self._tags.good
            self._on_change()

    def _gap(self, reason: GapReason) -> Gap:
        until = datetime.now(UTC)
        since = self._vitals.complete_until
        self._log.warning("plc_values_lost", reason=reason.value, since=since, until=until)
        return Gap(reason=reason, since=until if since is None else min(since, until), until=until)

    async def _store(self, values: Sequence[TagValue], gap: Gap | None) -> None:
        """Return when it is on disk, however long that takes: what waits behind it waits at the server."""
        delay_s = FIRST_STORE_DELAY_S
        while True:
            try:
                await self._append(self._plc.name, values, gap)
                break
            except TransientError as error:
                self._vitals.errors += 1
                self._vitals.error = f"values can't be stored: {error}"
                self._log.warning("plc_store_failed", error=str(error), retry_in_s=delay_s)
            await asyncio.sleep(delay_s)
            delay_s = min(2 * delay_s, LONGEST_STORE_DELAY_S)
        if self._vitals.connected:
            self._vitals.error = None
        if values:
            self._vitals.stored(len(values))
