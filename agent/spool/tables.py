"""The log in SQLite. Every function runs on the store's thread; those that write, inside one of its transactions.

`spool_stream` carries what would otherwise be counted by reading the whole log: the next `seq`, what is held, what was
dropped. It changes in the same transactions as the log, so it is right after every crash.
"""

import secrets
import sqlite3
from collections.abc import Collection, Iterable, Iterator, Sequence
from datetime import UTC, datetime, timedelta

from msgspec import Struct

from agent.spool.record import Numbered, Record
from agent.spool.retention import RECORD_OVERHEAD_BYTES, Bounds, Held, Loss, Need, Oldest, doomed, losses, need
from wire.codec import decode, encode
from wire.messages import Gap, TagBatch

SCHEMA = (
    """
    CREATE TABLE spool_epoch (epoch TEXT NOT NULL);
    CREATE TABLE spool_cursor (uplink TEXT PRIMARY KEY, position INTEGER NOT NULL) WITHOUT ROWID;
    CREATE TABLE spool_stream (
        plc TEXT PRIMARY KEY,
        next_seq INTEGER NOT NULL,
        records INTEGER NOT NULL,
        bytes INTEGER NOT NULL,
        dropped_values INTEGER NOT NULL,
        last_at_us INTEGER NOT NULL
    ) WITHOUT ROWID;
    CREATE TABLE spool_log (
        position INTEGER PRIMARY KEY,
        plc TEXT NOT NULL,
        seq INTEGER NOT NULL,
        value_count INTEGER NOT NULL,
        at_us INTEGER NOT NULL,
        marker INTEGER NOT NULL,
        gap BLOB,
        payload BLOB NOT NULL
    );
    """,
)
"""The payload stands last: what is before it can be read without its pages."""

_INSERT = "INSERT INTO spool_log VALUES (?, ?, ?, ?, ?, ?, ?, ?)"
_GROW = """
    INSERT INTO spool_stream VALUES (?, ?, 1, ?, 0, ?)
    ON CONFLICT DO UPDATE SET next_seq = excluded.next_seq, records = records + 1,
        bytes = bytes + excluded.bytes, last_at_us = excluded.last_at_us
"""
_GIVE_WAY = """
    UPDATE spool_stream
    SET records = records - ?, bytes = bytes - ?, dropped_values = dropped_values + ? WHERE plc = ?
"""

_CHUNK_RECORDS = 256
_CHUNK_BYTES = 2 * 1024 * 1024
_DELETED_AT_ONCE = 10_000
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


class Totals(Struct, frozen=True, kw_only=True):
    """What the log holds."""

    records: int = 0
    bytes: int = 0
    dropped_values: int = 0
    oldest: Oldest | None = None


class Opened(Struct, frozen=True, kw_only=True):
    """What an earlier life left."""

    epoch: str
    cursors: dict[str, int]
    next_seq: dict[str, int]
    last_at: dict[str, datetime]
    """When something of each PLC was last stored."""
    head: int
    """No record was ever stored behind this position."""
    head_at: datetime | None
    totals: Totals


def open_log(db: sqlite3.Connection, *, uplinks: Collection[str]) -> Opened:
    """Find or make the epoch and the cursors.

    An uplink that is new begins at the oldest record; one that is no longer wanted is forgotten and holds nothing back.
    """
    _settle_cursors(db, uplinks)
    cursors = dict(db.execute("SELECT uplink, position FROM spool_cursor"))
    last = db.execute("SELECT position, at_us FROM spool_log ORDER BY position DESC LIMIT 1").fetchone()
    return Opened(
        epoch=_epoch(db),
        cursors=cursors,
        next_seq=dict(db.execute("SELECT plc, next_seq FROM spool_stream")),
        last_at={plc: _time(at_us) for plc, at_us in db.execute("SELECT plc, last_at_us FROM spool_stream")},
        head=max(last[0] if last else 0, *cursors.values()),
        head_at=_time(last[1]) if last else None,
        totals=totals(db),
    )


def _epoch(db: sqlite3.Connection) -> str:
    row = db.execute("SELECT epoch FROM spool_epoch").fetchone()
    if row is None:
        row = (secrets.token_hex(8),)
        db.execute("INSERT INTO spool_epoch VALUES (?)", row)
    return str(row[0])


def _settle_cursors(db: sqlite3.Connection, uplinks: Collection[str]) -> None:
    known = dict(db.execute("SELECT uplink, position FROM spool_cursor"))
    beginning = min(known.values(), default=0)
    db.executemany(
        "INSERT INTO spool_cursor VALUES (?, ?)", [(name, beginning) for name in uplinks if name not in known]
    )
    db.executemany("DELETE FROM spool_cursor WHERE uplink = ?", [(name,) for name in known if name not in uplinks])


def totals(db: sqlite3.Connection) -> Totals:
    """Add up the streams."""
    sums = db.execute(
        "SELECT ifnull(sum(records), 0), ifnull(sum(bytes), 0), ifnull(sum(dropped_values), 0) FROM spool_stream"
    ).fetchone()
    oldest = db.execute("SELECT position, at_us FROM spool_log WHERE NOT marker ORDER BY position LIMIT 1").fetchone()
    return Totals(
        records=sums[0],
        bytes=sums[1],
        dropped_values=sums[2],
        oldest=Oldest(position=oldest[0], at=_time(oldest[1])) if oldest else None,
    )


def append(db: sqlite3.Connection, *, records: Sequence[Numbered], bounds: Bounds, aged_up_to: int) -> Totals:
    """Store batches, and let the oldest give way where the log has become too large or too old."""
    db.executemany(_INSERT, map(_row, records))
    db.executemany(_GROW, map(_growth, records))
    held = totals(db)
    now = records[-1].at
    must_go = need(bounds, held_bytes=held.bytes, oldest=held.oldest, now=now, aged_up_to=aged_up_to)
    if must_go is None:
        return held
    _drop(db, must_go, epoch=records[-1].batch.epoch)
    return totals(db)


def _row(record: Numbered, *, marker: bool = False) -> tuple[object, ...]:
    batch = record.batch
    gap = encode(batch.gap) if batch.gap else None
    return (record.position, batch.plc, batch.seq, len(batch.values), _us(record.at), marker, gap, record.payload)


def _growth(record: Numbered) -> tuple[str, int, int, int]:
    held = len(record.payload) + RECORD_OVERHEAD_BYTES
    return (record.batch.plc, record.batch.seq + 1, held, _us(record.at))


def _drop(db: sqlite3.Connection, must_go: Need, *, epoch: str) -> None:
    dropped = doomed(_held(db), must_go)
    if dropped:
        db.execute("DELETE FROM spool_log WHERE position <= ?", (dropped[-1].position,))
        for loss in losses(dropped):
            _mark(db, loss, epoch)


def _held(db: sqlite3.Connection) -> Iterator[Held]:
    rows = db.execute(
        "SELECT position, plc, seq, value_count, at_us, marker, gap, length(payload) FROM spool_log ORDER BY position"
    )
    for position, plc, seq, value_count, at_us, marker, gap, payload_bytes in rows:
        yield Held(
            position=position,
            plc=plc,
            seq=seq,
            value_count=value_count,
            at=_time(at_us),
            size=payload_bytes + RECORD_OVERHEAD_BYTES,
            gap=decode(Gap, gap) if gap else None,
            marker=bool(marker),
        )


def _mark(db: sqlite3.Connection, loss: Loss, epoch: str) -> None:
    batch = TagBatch(epoch=epoch, plc=loss.plc, seq=loss.seq, gap=loss.gap)
    payload = encode(batch)
    marker = Numbered(position=loss.position, at=loss.at, batch=batch, payload=payload)
    db.execute(_INSERT, _row(marker, marker=True))
    db.execute(
        _GIVE_WAY,
        (loss.records - 1, loss.size - len(payload) - RECORD_OVERHEAD_BYTES, loss.value_count, loss.plc),
    )


def read(db: sqlite3.Connection, *, after: int) -> list[Record]:
    """The next records behind a position, a few megabytes at most; always one where there is one."""
    rows = db.execute("SELECT position, plc, payload FROM spool_log WHERE position > ? ORDER BY position", (after,))
    return list(_some(rows))


def _some(rows: Iterable[tuple[int, str, bytes]]) -> Iterator[Record]:
    room_bytes = _CHUNK_BYTES
    for count, (position, plc, payload) in enumerate(rows, start=1):
        yield Record(position=position, plc=plc, payload=payload)
        room_bytes -= len(payload)
        if room_bytes <= 0 or count == _CHUNK_RECORDS:
            return


def advance(db: sqlite3.Connection, *, uplink: str, position: int) -> tuple[Totals, bool]:
    """Move a cursor and delete what is behind all of them; True where so much is behind that some is left for later."""
    db.execute("UPDATE spool_cursor SET position = max(position, ?) WHERE uplink = ?", (position, uplink))
    behind = db.execute("SELECT min(position) FROM spool_cursor").fetchone()[0]
    first = db.execute("SELECT min(position) FROM spool_log").fetchone()[0]
    if first is None or first > behind:
        return totals(db), False
    last = min(behind, first + _DELETED_AT_ONCE)
    _delete(db, last)
    return totals(db), last < behind


def _delete(db: sqlite3.Connection, last: int) -> None:
    gone = db.execute(
        "SELECT count(*), sum(length(payload)) + count(*) * ?, plc FROM spool_log WHERE position <= ? GROUP BY plc",
        (RECORD_OVERHEAD_BYTES, last),
    ).fetchall()
    db.executemany("UPDATE spool_stream SET records = records - ?, bytes = bytes - ? WHERE plc = ?", gone)
    db.execute("DELETE FROM spool_log WHERE position <= ?", (last,))


def _us(at: datetime) -> int:
    return (at - _EPOCH) // _MICROSECOND


def _time(at_us: int) -> datetime:
    return _EPOCH + timedelta(microseconds=at_us)
