"""The ledger: which commands came, what became of them, what the apps should be, which outcomes are still to be told.

Everything about one step goes into one transaction: the record, the command's state, and the outcome that announces
it. So after a crash either all of a step is known or nothing of it. An id once entered is never executed again; it is
forgotten only when it has ended long ago *and* its time is over, so that its repetition would be refused as expired.
"""

import asyncio
import hashlib
import sqlite3
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import TypeVar

from msgspec import Struct

from agent.store import Store
from agent.workload.command import Refused
from agent.workload.desired import AppRecord, Goal
from agent.workload.outcomes import accepted, refused
from wire.codec import decode, decode_command, encode
from wire.messages import Command, Inspect, Outcome, Phase, Ping
from wire.topics import NodeName

_T = TypeVar("_T")

INQUIRIES = ""
"""The lane of commands that change no app."""

SCHEMA = (
    """
    CREATE TABLE command (
        arrival INTEGER PRIMARY KEY AUTOINCREMENT,
        id TEXT NOT NULL UNIQUE,
        lane TEXT NOT NULL,
        content BLOB NOT NULL,
        payload BLOB NOT NULL,
        received_at TEXT NOT NULL,
        expires_at REAL NOT NULL,
        response_topic TEXT,
        correlation_data BLOB,
        ended_at REAL,
        outcome BLOB NOT NULL
    );
    CREATE INDEX open_command ON command (lane, arrival) WHERE ended_at IS NULL;
    CREATE TABLE outbox (
        position INTEGER PRIMARY KEY AUTOINCREMENT,
        command_id TEXT NOT NULL,
        phase TEXT NOT NULL,
        payload BLOB NOT NULL,
        response_topic TEXT,
        correlation_data BLOB
    );
    CREATE INDEX outbox_of ON outbox (command_id, phase);
    CREATE TABLE app (app TEXT PRIMARY KEY, record BLOB NOT NULL) WITHOUT ROWID
    """,
)


def lane_of(command: Command) -> str:
    """Commands of one app wait for each other; questions wait for nobody."""
    return INQUIRIES if isinstance(command.args, Inspect | Ping) else command.args.app


class Reply(Struct, frozen=True, kw_only=True):
    """Where else than to the outcome topic a command's sender wants its outcomes."""

    topic: str | None = None
    correlation_data: bytes | None = None


class Entry(Struct, frozen=True, kw_only=True):
    """A command that has not ended."""

    command: Command
    received_at: datetime


class Letter(Struct, frozen=True, kw_only=True):
    """An outcome that the broker has not confirmed."""

    position: int
    command_id: str
    payload: bytes
    reply: Reply


class Entered(Struct, frozen=True, kw_only=True):
    """What the ledger said to a message: `fresh` for a new id; `same` unless a known id came with other content."""

    fresh: bool
    same: bool = True


Follow = Callable[[Outcome], Outcome]
"""From a command's last outcome to its next."""


class Ledger:
    """The node's commands, records and outbox, on its store. `boundary` is told before and after every commit."""

    def __init__(
        self, store: Store, node: NodeName, *, boundary: Callable[[str], None], now: Callable[[], datetime]
    ) -> None:
        self._store = store
        self._node = node
        self._boundary = boundary
        self._now = now
        self.filled = asyncio.Event()
        """Set whenever there may be something to publish."""

    async def open(self) -> None:
        """Bring the tables to their schema."""
        await self._store.migrate("workload", SCHEMA)
        self.filled.set()

    async def enter(self, command: Command, payload: bytes, reply: Reply) -> Entered:
        """Take a command in, or answer a known id with what is recorded for it."""
        at = self._now()
        row = (command.id, lane_of(command), _content(payload), payload, at.isoformat(), command.expires_at.timestamp())
        first = accepted(command, self._node, at)
        return await self._commit("enter", lambda db: _enter(db, row, None, first, reply))

    async def refuse(self, refusal: Refused, command_id: str, payload: bytes, reply: Reply) -> Entered:
        """Record and answer a refusal; one that doesn't claim its id is answered and not recorded."""
        at = self._now()
        only = refused(refusal, command_id, self._node, at)
        if not refusal.claims:
            return await self._commit("refuse", lambda db: _answer_unclaimed(db, only, reply))
        row = (command_id, INQUIRIES, _content(payload), b"", at.isoformat(), at.timestamp())
        return await self._commit("refuse", lambda db: _enter(db, row, at.timestamp(), only, reply))

    async def waiting(self, lane: str) -> tuple[Entry, ...]:
        """The lane's commands that have not ended, in the order of their arrival."""
        query = "SELECT payload, received_at FROM command WHERE lane = ? AND ended_at IS NULL ORDER BY arrival"
        rows = await self._store.read(lambda db: db.execute(query, (lane,)).fetchall())
        return tuple(
            Entry(command=decode_command(payload), received_at=datetime.fromisoformat(at)) for payload, at in rows
        )

    async def lanes(self) -> tuple[str, ...]:
        """Every lane with a record or a command that has not ended."""
        query = "SELECT app FROM app UNION SELECT lane FROM command WHERE ended_at IS NULL"
        return tuple(row[0] for row in await self._store.read(lambda db: db.execute(query).fetchall()))

    async def record(self, app: str) -> AppRecord | None:
        """An app's record."""
        query = "SELECT record FROM app WHERE app = ?"
        row = await self._store.read(lambda db: db.execute(query, (app,)).fetchone())
        return decode(AppRecord, row[0]) if row else None

    async def records(self) -> tuple[AppRecord, ...]:
        """All records, those of removed apps too."""
        rows = await self._store.read(lambda db: db.execute("SELECT record FROM app ORDER BY app").fetchall())
        return tuple(decode(AppRecord, row[0]) for row in rows)

    async def save(
        self, name: str, record: AppRecord, *, command_id: str | None = None, follow: Follow | None = None
    ) -> None:
        """Write a record and, with it, the command's next outcome, which may be its end."""

        def work(db: sqlite3.Connection) -> None:
            db.execute("REPLACE INTO app VALUES (?, ?)", (record.app, encode(record)))
            if command_id is not None and follow is not None:
                _tell(db, command_id, follow, self._now())

        await self._commit(name, work)

    async def tell(self, name: str, command_id: str, follow: Follow) -> None:
        """Write a command's next outcome alone."""
        await self._commit(name, lambda db: _tell(db, command_id, follow, self._now()))

    async def letters(self) -> tuple[Letter, ...]:
        """What is to be published, oldest first."""
        columns = "position, command_id, payload, response_topic, correlation_data"
        query = f"SELECT {columns} FROM outbox ORDER BY position LIMIT 100"  # noqa: S608  constants
        rows = await self._store.read(lambda db: db.execute(query).fetchall())
        return tuple(
            Letter(
                position=row[0], command_id=row[1], payload=row[2], reply=Reply(topic=row[3], correlation_data=row[4])
            )
            for row in rows
        )

    async def confirmed(self, position: int) -> None:
        """The broker has a letter."""
        await self._commit("confirmed", lambda db: db.execute("DELETE FROM outbox WHERE position = ?", (position,)))

    async def forget(self, days: int) -> None:
        """Drop what ended more than `days` ago and could not be repeated any more, and what was removed by then."""
        now = self._now()
        limit = (now - timedelta(days=days)).timestamp()
        await self._commit("forget", lambda db: _forget(db, limit, now.timestamp()))

    async def _commit(self, name: str, work: Callable[[sqlite3.Connection], _T]) -> _T:
        self._boundary(f"before {name}")
        result = await self._store.write(work)
        self._boundary(f"after {name}")
        self.filled.set()
        return result


def _enter(
    db: sqlite3.Connection, row: tuple[object, ...], ended_at: float | None, first: Outcome, reply: Reply
) -> Entered:
    known = db.execute("SELECT content, outcome FROM command WHERE id = ?", (first.command_id,)).fetchone()
    if known is not None:
        _post(db, decode(Outcome, known[1]), reply)
        return Entered(fresh=False, same=known[0] == row[2])
    db.execute(
        "INSERT INTO command (id, lane, content, payload, received_at, expires_at, response_topic, correlation_data,"
        " ended_at, outcome) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (*row, reply.topic, reply.correlation_data, ended_at, encode(first)),
    )
    _post(db, first, reply)
    return Entered(fresh=True)


def _answer_unclaimed(db: sqlite3.Connection, only: Outcome, reply: Reply) -> Entered:
    """Answer what nobody trusted has signed, but never in the place of a command that is known."""
    known = db.execute("SELECT 1 FROM command WHERE id = ?", (only.command_id,)).fetchone()
    if known is not None:
        return Entered(fresh=False, same=False)
    _post(db, only, reply)
    return Entered(fresh=True)


def _tell(db: sqlite3.Connection, command_id: str, follow: Follow, at: datetime) -> None:
    query = "SELECT outcome, response_topic, correlation_data FROM command WHERE id = ?"
    last, topic, correlation_data = db.execute(query, (command_id,)).fetchone()
    following = follow(decode(Outcome, last))
    db.execute("UPDATE command SET outcome = ? WHERE id = ?", (encode(following), command_id))
    if following.phase.is_end:
        db.execute("UPDATE command SET ended_at = ?, payload = x'' WHERE id = ?", (at.timestamp(), command_id))
    _post(db, following, Reply(topic=topic, correlation_data=correlation_data))


def _post(db: sqlite3.Connection, outcome: Outcome, reply: Reply) -> None:
    """Put an outcome into the outbox; an older step of the same command that still waits there gives way, and so does
    the same answer to an earlier repetition."""
    payload = encode(outcome)
    db.execute(
        "DELETE FROM outbox WHERE command_id = ? AND phase = ? AND payload = ? AND response_topic IS ?"
        " AND correlation_data IS ?",
        (outcome.command_id, outcome.phase, payload, reply.topic, reply.correlation_data),
    )
    if outcome.phase is Phase.RUNNING:
        db.execute("DELETE FROM outbox WHERE command_id = ? AND phase = ?", (outcome.command_id, Phase.RUNNING))
    db.execute(
        "INSERT INTO outbox (command_id, phase, payload, response_topic, correlation_data) VALUES (?, ?, ?, ?, ?)",
        (outcome.command_id, outcome.phase, payload, reply.topic, reply.correlation_data),
    )


def _forget(db: sqlite3.Connection, ended_before: float, expired_before: float) -> None:
    db.execute("DELETE FROM command WHERE ended_at < ? AND expires_at < ?", (ended_before, expired_before))
    for app, record in db.execute("SELECT app, record FROM app").fetchall():
        removed = decode(AppRecord, record)
        if removed.goal is Goal.REMOVED and removed.job is None and _is_before(removed.issued_at, ended_before):
            db.execute("DELETE FROM app WHERE app = ?", (app,))


def _is_before(at: datetime | None, limit: float) -> bool:
    return at is not None and at.timestamp() < limit


def _content(payload: bytes) -> bytes:
    return hashlib.sha256(payload).digest()
