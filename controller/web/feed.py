"""The stream of changes, as Server-Sent Events.

A reader that comes gets the whole fleet, or, where it says which number it saw last, the nodes that changed since.
Then every change, encoded once for all readers. A node is sent as it is now, so that missing an intermediate state
loses nothing; one that was forgotten is sent as gone.

The queue of a reader is bounded: one that doesn't keep up is told so, and its stream ends. Its browser connects again
with the last number it saw and gets each changed node once.
"""

import asyncio
import secrets
from collections import deque
from collections.abc import AsyncIterator, Callable
from datetime import datetime

import msgspec

from controller.picture import Picture
from controller.web.showing import node_row
from controller.web.views import FleetOut, IngestOut
from wire.topics import NodeName

QUEUE = 512
"""Events that may wait for one reader."""
CLOCK_S = 5.0
"""How often a reader hears something even when nothing changed."""
RETRY_MS = 2000

_encode = msgspec.json.Encoder().encode


class _ClockOut(msgspec.Struct):
    """Sent on a period: the server's time, and how the controller's own connection stands."""

    now: datetime
    ingest: IngestOut


class _Reader:
    """One open stream. Its queue holds at most `QUEUE` events; when it is full the reader is dropped."""

    def __init__(self) -> None:
        self._queue: deque[bytes] = deque()
        self._news = asyncio.Event()
        self._over = False
        self.dropped = False

    def offer(self, event: bytes) -> None:
        """Give it an event; one too many ends it."""
        if len(self._queue) >= QUEUE:
            self.dropped = True
            self.end()
        else:
            self._queue.append(event)
            self._news.set()

    def end(self) -> None:
        """No more events."""
        self._over = True
        self._queue.clear()
        self._news.set()

    async def next(self) -> bytes | None:
        """All events that wait, or the next one; None at the end."""
        await self._news.wait()
        self._news.clear()
        if self._over:
            return None
        events = b"".join(self._queue)
        self._queue.clear()
        return events


class Feed:
    """Gives every reader what changes in the picture."""

    def __init__(
        self,
        picture: Picture,
        *,
        fleet: Callable[[], FleetOut],
        ingest: Callable[[], IngestOut],
        now: Callable[[], datetime],
    ) -> None:
        self._picture = picture
        self._fleet = fleet
        self._ingest = ingest
        self._now = now
        self._life = secrets.token_hex(4)
        self._readers: set[_Reader] = set()
        self.closed = False
        picture.listen(self._changed)

    def __len__(self) -> int:
        return len(self._readers)

    async def events(self, last_event_id: str | None) -> AsyncIterator[bytes]:
        """Everything that a reader is sent, until it goes, falls behind, or the server stops."""
        reader = _Reader()
        self._readers.add(reader)
        try:
            yield b"retry: %d\n\n" % RETRY_MS
            yield self._first(last_event_id)
            while not self.closed and (events := await reader.next()) is not None:
                yield events
            if reader.dropped:
                yield _event("dropped", {"why": "this reader fell behind; connect again"}, None)
        finally:
            self._readers.discard(reader)

    async def run(self) -> None:
        """Tell the time to every reader, for ever."""
        while True:
            await asyncio.sleep(CLOCK_S)
            clock = b": still here\n" + _event("clock", _ClockOut(self._now(), self._ingest()), None)
            for reader in self._readers:
                reader.offer(clock)

    def close(self) -> None:
        """End every stream: the server is about to stop."""
        self.closed = True
        for reader in self._readers:
            reader.end()

    def _first(self, last_event_id: str | None) -> bytes:
        seen = self._number_in(last_event_id)
        if seen is None:
            return _event("fleet", self._fleet(), self._id(self._picture.number))
        now = self._now()
        missed = (self._node(name, now) for name in self._picture.changed_after(seen))
        return _event("clock", _ClockOut(now, self._ingest()), None) + b"".join(missed)

    def _number_in(self, last_event_id: str | None) -> int | None:
        """The number that a reader saw last, if it saw it in this life of the controller."""
        life, _, number = (last_event_id or "").partition("-")
        return int(number) if life == self._life and number.isascii() and number.isdigit() else None

    def _changed(self, names: tuple[NodeName, ...], now: datetime) -> None:
        if not self._readers:
            return
        for name in names:
            event = self._node(name, now)
            for reader in self._readers:
                reader.offer(event)

    def _node(self, name: NodeName, now: datetime) -> bytes:
        view = self._picture.get(name)
        event_id = self._id(self._picture.number_of(name))
        if view is None:
            return _event("gone", {"now": now, "site": name.site, "node": name.node}, event_id)
        row = node_row(view, self._picture.standing(name), now)
        return _event("node", {"now": now, "node": row}, event_id)

    def _id(self, number: int) -> bytes:
        return f"{self._life}-{number}".encode()


def _event(name: str, data: object, event_id: bytes | None) -> bytes:
    lines = b"event: %b\ndata: %b\n\n" % (name.encode(), _encode(data))
    return lines if event_id is None else b"id: %b\n%b" % (event_id, lines)
