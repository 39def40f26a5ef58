"""Publish what the log holds, in order, for ever.

An uplink reads behind its cursor and keeps about a hundred messages in flight. When the connection is lost it waits for
the next one and goes on from the last record that is acknowledged without a hole: some go out twice, none is left
out. A message that the broker refuses (an ACL, a quota) is kept and tried again with growing delay: the broker said
that it threw the values away, so they are safe here alone, and `Spool.error` says why nothing leaves.
"""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress

import structlog

from agent.errors import TransientError
from agent.spool.log import SpoolLog
from agent.spool.record import Record
from agent.spool.window import Window
from link.client import WINDOW, LinkError, PublishRefusedError
from link.reconnect import BackOff, Spread

Publish = Callable[[str, bytes], Awaitable[None]]

WINDOW_BYTES = 1024 * 1024
_SAVE_EVERY_S = 0.25
_SAVE_EVERY_BYTES = 1024 * 1024
"""Whichever comes first; a crash publishes again what was acknowledged since. Deleting what SQLite still has in its
cache costs a third less than deleting what it must read again (measured, 1,000 values a batch)."""
_SAVE_AGAIN_S = 5.0
_SAVE_AT_END_S = 5.0

_log = structlog.get_logger("agent.spool")


class UnderWay:
    """How much is published and not yet confirmed: about a hundred messages, and about a megabyte.

    The second bound is for narrow lines: what is handed to the connection waits there, and commands, heartbeats and
    their confirmations wait behind it.
    """

    def __init__(self, *, most: int = WINDOW, most_bytes: int = WINDOW_BYTES) -> None:
        self._most = most
        self._most_bytes = most_bytes
        self._count = self._bytes = 0
        self._left = asyncio.Event()

    async def enter(self, size: int) -> None:
        """Wait until there is room; a message that is larger than all the room goes alone."""
        while self._count and (self._count >= self._most or self._bytes + size > self._most_bytes):
            self._left.clear()
            await self._left.wait()
        self._count += 1
        self._bytes += size

    def leave(self, size: int) -> None:
        """A message is confirmed."""
        self._count -= 1
        self._bytes -= size
        self._left.set()


class Uplink:
    """One subscriber to the log, publishing over one session."""

    def __init__(
        self,
        spool: SpoolLog,
        name: str,
        publish: Publish,
        topic_of: Callable[[str], str],
        wait_connected: Callable[[], Awaitable[int]],
        *,
        retry: Spread = Spread(first_s=0.5, longest_s=30.0, settled_after_s=10.0),  # noqa: B008  frozen
    ) -> None:
        """`name`: one that the log was opened with; `publish` returns at the PUBACK; `topic_of` gives a PLC's topic."""
        self._spool = spool
        self._name = name
        self._publish = publish
        self._topic_of = topic_of
        self._wait_connected = wait_connected
        self._retry = retry
        self._window = Window(after=0)
        self._moved = asyncio.Event()
        self._unsaved_bytes = 0
        self._much_unsaved = asyncio.Event()

    async def run(self) -> None:
        """Publish for ever; when cancelled, save how far it came."""
        self._window = Window(after=self._spool.cursor(self._name))
        back_off = BackOff(self._retry)
        while True:
            await self._wait_connected()
            back_off.connected()
            try:
                await self._follow()
            except* (LinkError, PublishRefusedError, TransientError) as failures:
                refused = failures.subgroup(PublishRefusedError)
                self._report((refused or failures).exceptions[0])
            await asyncio.sleep(back_off.delay_s())

    async def _follow(self) -> None:
        """Publish what stands behind the acknowledged prefix and all that is appended, until something fails."""
        self._window = Window(after=self._window.prefix)
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(self._save_now_and_then(), name=f"uplink:{self._name}:save")
                await self._send_all(group)
        finally:
            with suppress(TimeoutError):
                async with asyncio.timeout(_SAVE_AT_END_S):
                    await self._save()

    async def _send_all(self, group: asyncio.TaskGroup) -> None:
        under_way = UnderWay()
        position = self._window.prefix
        while True:
            await self._spool.beyond(position)
            for record in await self._spool.read(after=position):
                await under_way.enter(len(record.payload))
                self._window.send(record.position)
                group.create_task(self._send(record, under_way), name=f"uplink:{self._name}:{record.position}")
                position = record.position

    async def _send(self, record: Record, under_way: UnderWay) -> None:
        await self._publish(self._topic_of(record.plc), record.payload)
        under_way.leave(len(record.payload))
        self._unsaved_bytes += len(record.payload)
        if self._unsaved_bytes >= _SAVE_EVERY_BYTES:
            self._much_unsaved.set()
        if self._window.acknowledge(record.position):
            self._spool.note(self._name, None)
            self._moved.set()

    async def _save_now_and_then(self) -> None:
        while True:
            await self._moved.wait()
            self._moved.clear()
            if not await self._save():
                self._moved.set()
                await asyncio.sleep(_SAVE_AGAIN_S)
            with suppress(TimeoutError):
                async with asyncio.timeout(_SAVE_EVERY_S):
                    await self._much_unsaved.wait()

    async def _save(self) -> bool:
        """Save the cursor; False where the disk refuses, and then publishing goes on and it is tried again."""
        self._unsaved_bytes = 0
        self._much_unsaved.clear()
        if self._window.prefix == self._spool.cursor(self._name):
            return True
        try:
            await self._spool.advance(self._name, self._window.prefix)
        except TransientError as error:
            _log.warning("cursor_not_saved", uplink=self._name, error=str(error))
            return False
        return True

    def _report(self, failure: Exception) -> None:
        if isinstance(failure, PublishRefusedError):
            _log.error("publish_refused", uplink=self._name, topic=failure.topic, reason=failure.reason)
            self._spool.note(self._name, str(failure))
        else:
            _log.info("uplink_interrupted", uplink=self._name, error=str(failure))
