"""The node's one SQLite file: open, migrate, commit.

One connection, used by one thread of its own: a commit waits for the disk, and the event loop doesn't wait with it.
(One writer connection also keeps clear of SQLite's WAL-reset fault of 3.7.0 to 3.51.2, which needs two.) WAL with
`synchronous=FULL`: what was committed survives a power cut.
"""

import asyncio
import sqlite3
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, TypeVar

from agent.errors import PermanentError, TransientError
from wire.messages import Category

_T = TypeVar("_T")
Work = Callable[[sqlite3.Connection], _T]


class Store:
    """Transactions on the node's file. Every room keeps its own tables and names its own schema."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="store")
        self._connection: sqlite3.Connection | None = None

    async def open(self) -> None:
        """Open or create the file; raises PermanentError where that can't be done or the file is damaged."""
        self._connection = await self._in_thread(lambda: _connect(self.path))

    async def migrate(self, room: str, steps: Sequence[str]) -> None:
        """Bring a room's tables to its latest schema: `steps` are SQL scripts that only ever grow at the end."""
        await self.write(lambda db: _migrate(db, room, steps))

    async def write(self, work: Work[_T]) -> _T:
        """Run `work` in one transaction and return when it is on disk; on an exception nothing of it is.

        A cancelled caller does not cancel the transaction: it commits or fails as a whole.
        Raises TransientError when the disk is full or fails.
        """
        return await self._in_thread(lambda: _transaction(self._open_connection(), work))

    async def read(self, work: Work[_T]) -> _T:
        """Run a query; it sees all that was committed."""
        return await self._in_thread(lambda: work(self._open_connection()))

    async def close(self) -> None:
        """Finish what is under way and close; safe to call twice."""
        if self._connection is not None:
            await self._in_thread(self._connection.close)
            self._connection = None
        self._thread.shutdown(wait=False)

    async def _in_thread(self, work: Callable[[], _T]) -> _T:
        try:
            return await asyncio.shield(asyncio.get_running_loop().run_in_executor(self._thread, work))
        except sqlite3.OperationalError as error:
            raise TransientError(str(error), **_about(self.path, error)) from error
        except sqlite3.DatabaseError as error:
            raise PermanentError(str(error), **_about(self.path, error)) from error

    def _open_connection(self) -> sqlite3.Connection:
        if self._connection is None:
            raise RuntimeError("the store is not open")
        return self._connection


def _connect(path: Path) -> sqlite3.Connection:
    path.parent.mkdir(parents=True, exist_ok=True)
    connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
    path.chmod(0o600)
    for pragma in ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON", "busy_timeout=5000"):
        connection.execute(f"PRAGMA {pragma}")
    connection.execute(
        "CREATE TABLE IF NOT EXISTS schema_version (room TEXT PRIMARY KEY, version INTEGER NOT NULL) WITHOUT ROWID"
    )
    return connection


def _transaction(connection: sqlite3.Connection, work: Work[_T]) -> _T:
    connection.execute("BEGIN IMMEDIATE")
    try:
        result = work(connection)
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise
    return result


def _migrate(connection: sqlite3.Connection, room: str, steps: Sequence[str]) -> None:
    row = connection.execute("SELECT version FROM schema_version WHERE room = ?", (room,)).fetchone()
    version = row[0] if row else 0
    if version > len(steps):
        raise sqlite3.DatabaseError(f"{room} has schema {version}, newer than this agent's {len(steps)}")
    for step in steps[version:]:
        for statement in filter(None, map(str.strip, step.split(";"))):
            connection.execute(statement)
    connection.execute("REPLACE INTO schema_version VALUES (?, ?)", (room, len(steps)))


def _about(path: Path, error: sqlite3.Error) -> dict[str, Any]:
    full = "full" in str(error)
    category = Category.NO_SPACE if full else Category.INTERNAL
    return {"phase": "store", "component": "store", "element": str(path), "category": category}
