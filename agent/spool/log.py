"""The log of everything that is not yet at a broker: append, read, advance.

- **Appending returns after the commit.** Appends that arrive during a commit share the next one, so that twenty PLCs
  cost one disk flush and not twenty. The group belongs to no task: a cancelled appender leaves the others untouched.
- **A batch is encoded once**, as it goes on the wire; its name `(epoch, plc, seq)` holds for ever, because `seq` goes
  on after a restart and the epoch is made with the file.
- **What every uplink is past is deleted.** A cursor is saved now and then, not at every PUBACK: after a crash some
  batches go out twice, and subscribers drop them by their name.
- **When the log is full the oldest gives way** (`retention.py`), in the transaction of the append that was one too
  many. A batch that is in flight just then may be delivered *and* be named by a gap: the uplink has it in memory and
  sends it all the same. The other way round can't happen. A marker stands where the last record it speaks for stood:
  an uplink that had read up to there has these records, one that had not will read the marker. And a cursor moves
  only over positions whose content was acknowledged, so what is deleted behind it was delivered, as values or as a gap.
- **A full disk** fails the append with a TransientError and changes nothing; the caller holds back its acknowledgement
  to the PLC and tries again. The last megabytes are left free, so that what was delivered can still be deleted and a
  command still be remembered: a log that filled its disk to the last byte would never get out again.

A node without a battery-backed clock stores values before it knows the time. They are not dropped for looking old:
times never run backwards within the log, and what was stored in this life is not older than this life, whatever the
clock has been set to since.
"""

import asyncio
import sqlite3
import time
from collections.abc import Callable, Collection, Sequence
from datetime import datetime, timedelta
from functools import partial

from msgspec import Struct

from agent.config import SpoolConfig
from agent.spool import tables
from agent.spool.record import Numbered, Record, parts
from agent.spool.retention import Bounds
from agent.store import Store
from wire.messages import Gap, Spool, TagBatch, TagValue

UPLINKS = ("json",)
"""The uplinks that an agent has, unless it is told otherwise."""
_RESERVE_BYTES = 16 * 1024 * 1024
"""Of the disk. SQLite's write-ahead log grows to 4 MB and a commit, and as much again may move into the file."""
_KEEP_FREE_BYTES = 16 * 1024 * 1024
"""In the file, for what comes next; more than that goes back to the file system when the log is nearly empty."""
_SHRINK_BYTES = 4 * 1024 * 1024

_Inserted = tuple[list[Numbered], tables.Totals]


class _Waiting(Struct):
    """An append that waits for its commit."""

    plc: str
    values: tuple[TagValue, ...]
    gap: Gap | None
    stored: "asyncio.Future[None]"


class SpoolLog:
    """One log for all PLCs. Its counters are kept in memory; asking for `stats` costs no disk access."""

    def __init__(
        self,
        store: Store,
        config: SpoolConfig,
        *,
        now: Callable[[], datetime],
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self.epoch = ""
        """One life of the spool's file, known once it is open."""
        self._store = store
        self._bounds = Bounds(max_bytes=config.max_bytes, max_age=timedelta(seconds=config.max_age_s))
        self._now = now
        self._monotonic = monotonic
        self._born = monotonic()
        self._totals = tables.Totals()
        self._cursors: dict[str, int] = {}
        self._next_seq: dict[str, int] = {}
        self._last_at: dict[str, datetime] = {}
        self._head = 0
        self._head_at: datetime | None = None
        self._head_at_birth = 0
        self._grown = asyncio.Event()
        self._waiting: list[_Waiting] = []
        self._committing = False
        self._errors: dict[str, str] = {}

    async def open(self, *, uplinks: Collection[str] = UPLINKS) -> None:
        """Take up what an earlier life left. What is stored is kept until all of `uplinks` are past it."""
        await self._store.migrate("spool", tables.SCHEMA)
        opened = await self._store.write(partial(tables.open_log, uplinks=uplinks))
        self.epoch = opened.epoch
        self._cursors = opened.cursors
        self._next_seq = opened.next_seq
        self._last_at = opened.last_at
        self._head = self._head_at_birth = opened.head
        self._head_at = opened.head_at
        self._totals = opened.totals

    async def append(self, plc: str, values: Sequence[TagValue], gap: Gap | None = None) -> None:
        """Store a batch of one PLC; returns when it is on disk. One too large for a packet becomes several, together.

        A cancelled append may have been stored or not. As many appends may wait as there are callers: each PLC's
        bridge waits for one at a time. Raises TransientError when the disk is full: nothing was stored, try again.
        """
        waiting = _Waiting(plc, tuple(values), gap, asyncio.get_running_loop().create_future())
        self._waiting.append(waiting)
        if not self._committing:
            self._commit()
        await waiting.stored

    def stored_until(self, plc: str) -> datetime | None:
        """When an earlier life of the agent last stored something of a PLC; None: never."""
        return self._last_at.get(plc)

    def cursor(self, uplink: str) -> int:
        """The position up to which an uplink's records were acknowledged, as last saved."""
        return self._cursors[uplink]

    async def beyond(self, position: int) -> None:
        """Wait until there is a record behind a position."""
        while self._head <= position:
            await self._grown.wait()

    async def read(self, *, after: int) -> list[Record]:
        """The next records behind a position, oldest first: a few megabytes at most, none only where there are none."""
        return await self._store.read(partial(tables.read, after=after))

    async def advance(self, uplink: str, position: int) -> None:
        """Save that an uplink is past a position, and delete what all uplinks are past.

        Raises TransientError on a full disk: the cursor stays where it was.
        """
        more = True
        while more:
            done = self._store.submit(partial(tables.advance, uplink=uplink, position=position))
            done.add_done_callback(self._advanced)
            _, more = await asyncio.shield(done)
        self._cursors[uplink] = max(position, self._cursors[uplink])
        if self._totals.bytes < _KEEP_FREE_BYTES:
            await self._store.shrink(keep_free_bytes=_KEEP_FREE_BYTES, at_most_bytes=_SHRINK_BYTES)

    def note(self, source: str, error: str | None) -> None:
        """Say why something is stuck, or with None that it isn't any more; it stands in `stats` until then."""
        if error is None:
            self._errors.pop(source, None)
        else:
            self._errors[source] = error

    def stats(self) -> Spool:
        """What is stored and not yet acknowledged by every uplink."""
        oldest = self._totals.oldest
        return Spool(
            age_s=0.0,
            records=self._totals.records,
            bytes=self._totals.bytes,
            max_bytes=self._bounds.max_bytes,
            oldest_age_s=max(0.0, (self._now() - oldest.at).total_seconds()) if oldest else 0.0,
            dropped_values=self._totals.dropped_values,
            error="; ".join(self._errors.values()) or None,
        )

    def _advanced(self, done: "asyncio.Future[tuple[tables.Totals, bool]]") -> None:
        """Count in a callback: these come in the order of the commits, which what awaits them need not."""
        if done.exception() is None:
            self._totals, _ = done.result()

    def _commit(self) -> None:
        """Begin a transaction with all who wait; there is one at a time, so that `seq` follows the commits."""
        group, self._waiting = self._waiting, []
        done = self._store.submit(partial(self._insert, group))
        self._committing = True
        done.add_done_callback(partial(self._committed, group))

    def _insert(self, group: list[_Waiting], db: sqlite3.Connection) -> _Inserted:
        """Runs on the store's thread. What it reads of this object changes only when no group is under way."""
        self._store.check_room(db, reserve_bytes=_RESERVE_BYTES)
        lived_long = self._monotonic() - self._born >= self._bounds.max_age.total_seconds()
        records = self._numbered(group)
        aged_up_to = records[-1].position if lived_long else self._head_at_birth
        return records, tables.append(db, records=records, bounds=self._bounds, aged_up_to=aged_up_to)

    def _numbered(self, group: list[_Waiting]) -> list[Numbered]:
        at = self._now() if self._head_at is None else max(self._now(), self._head_at)
        next_seq = dict(self._next_seq)
        records: list[Numbered] = []
        for one in group:
            seq = next_seq.get(one.plc, 0)
            for batch, payload in parts(
                TagBatch(epoch=self.epoch, plc=one.plc, seq=seq, values=one.values, gap=one.gap)
            ):
                position = self._head + len(records) + 1
                records.append(Numbered(position=position, at=at, batch=batch, payload=payload))
                next_seq[one.plc] = batch.seq + 1
        return records

    def _committed(self, group: list[_Waiting], done: "asyncio.Future[_Inserted]") -> None:
        error = done.exception()
        self.note("append", None if error is None else str(error))
        if error is None:
            self._grow(*done.result())
        for waiting in group:
            if not waiting.stored.done():
                waiting.stored.set_result(None) if error is None else waiting.stored.set_exception(error)
        self._committing = False
        if self._waiting:
            self._commit()

    def _grow(self, records: list[Numbered], totals: tables.Totals) -> None:
        self._totals = totals
        self._next_seq.update({record.batch.plc: record.batch.seq + 1 for record in records})
        self._head, self._head_at = records[-1].position, records[-1].at
        self._grown.set()
        self._grown = asyncio.Event()
