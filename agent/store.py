"""The node's one SQLite file: open, migrate, commit.

One connection, used by one thread of its own: a commit waits for the disk, and the event loop doesn't wait with it.
(One writer connection also keeps clear of SQLite's WAL-reset fault of 3.7.0 to 3.51.2, which needs two.) WAL with
`synchronous=FULL`: what was committed survives a power cut.

A transaction that was begun ends as a whole, whatever becomes of the caller: a cancelled task gives up waiting for the
thread, not the thread's work. What SQLite says is translated once, by its result code: whether the disk is full, the
file is damaged, or the statement is wrong (a bug, which stays what it is and ends the process).
"""

import asyncio
import shutil
import sqlite3
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import TypeVar

from agent.errors import AgentError, PermanentError, TransientError
from wire.messages import Category

_T = TypeVar("_T")
Work = Callable[[sqlite3.Connection], _T]

_PRAGMAS = (
    "auto_vacuum=INCREMENTAL",
    "journal_mode=WAL",
    "synchronous=FULL",
    "foreign_keys=ON",
    "busy_timeout=5000",
    "journal_size_limit=8388608",
    "cache_size=-8192",
)
"""`auto_vacuum` counts only before the first table is made; it lets `shrink` give pages back. The journal's limit
takes effect after a checkpoint, so that one large transaction doesn't leave a large file behind. 8 MB of cache hold
what the spool takes in until it is delivered and deleted, so that it needn't be read again."""

_NO_SPACE = sqlite3.SQLITE_FULL
_DAMAGED = (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)
_UNUSABLE = (sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_READONLY, sqlite3.SQLITE_PERM, sqlite3.SQLITE_AUTH)
_PASSING = (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED, sqlite3.SQLITE_IOERR, sqlite3.SQLITE_NOMEM)

_IF_DAMAGED = "move it aside and start again; unsent values and remembered commands stay in it"
_IF_UNUSABLE = "make its directory one that the agent may write, on a file system that isn't read-only"


class Store:
    """Transactions on the node's file. Every room keeps its own tables and names its own schema."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="store")
        self._connection: sqlite3.Connection | None = None

    async def open(self) -> None:
        """Open or create the file; raises PermanentError where that can't be done or the file is damaged."""
        self._connection = await asyncio.shield(self._in_thread(partial(_connect, self.path)))

    async def migrate(self, room: str, steps: Sequence[str]) -> None:
        """Bring a room's tables to its latest schema: `steps` are SQL scripts that only ever grow at the end.

        Raises PermanentError where a newer agent has already gone further.
        """
        await self.write(partial(_migrate, path=self.path, room=room, steps=steps))

    def submit(self, work: Work[_T]) -> "asyncio.Future[_T]":
        """Queue `work` as one transaction; the future is done when it is on disk or when nothing of it is.

        Transactions run in the order in which they were submitted, and their futures are done in that order. The
        future belongs to nobody's task, so nobody's cancellation reaches the transaction.
        """
        return self._in_thread(partial(_transaction, self._open_connection(), work))

    async def write(self, work: Work[_T]) -> _T:
        """Run `work` in one transaction and return when it is on disk; on an exception nothing of it is.

        A cancelled caller does not cancel the transaction: it commits or fails as a whole.
        Raises TransientError when the disk is full or fails, PermanentError when the file is damaged.
        """
        return await asyncio.shield(self.submit(work))

    async def read(self, work: Work[_T]) -> _T:
        """Run a query; it sees all that was committed."""
        return await asyncio.shield(self._in_thread(partial(work, self._open_connection())))

    async def shrink(self, *, keep_free_bytes: int, at_most_bytes: int) -> None:
        """Give the file system back what the file no longer needs, some at a time; deleting alone doesn't."""
        work = partial(_shrink, keep_free_bytes=keep_free_bytes, at_most_bytes=at_most_bytes)
        await self.read(work)

    def check_room(self, db: sqlite3.Connection, *, reserve_bytes: int) -> None:
        """For use within work that can wait: raises TransientError where less than a reserve could still be written.

        A file that has filled its disk to the last byte couldn't even delete, because deleting writes too.
        """
        if (left_bytes := shutil.disk_usage(self.path.parent).free) < reserve_bytes:
            left_bytes += _free_pages(db) * _page_bytes(db)
        if left_bytes < reserve_bytes:
            message = f"{self.path}: the disk is full: {left_bytes} bytes left of {reserve_bytes} that are kept free"
            raise _about(TransientError, self.path, message, Category.NO_SPACE)

    async def close(self) -> None:
        """Finish what is under way and close; safe to call twice."""
        connection, self._connection = self._connection, None
        try:
            if connection is not None:
                await asyncio.shield(self._in_thread(connection.close))
        finally:
            self._thread.shutdown(wait=False)

    def _in_thread(self, work: Callable[[], _T]) -> "asyncio.Future[_T]":
        return asyncio.get_running_loop().run_in_executor(self._thread, _translated, work, self.path)

    def _open_connection(self) -> sqlite3.Connection:
        if self._connection is None:
            raise RuntimeError("the store is not open")
        return self._connection


def _connect(path: Path) -> sqlite3.Connection:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise _permanent(path, f"{error}; {_IF_UNUSABLE}") from error
    connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
    try:
        path.chmod(0o600)
        for pragma in _PRAGMAS:
            connection.execute(f"PRAGMA {pragma}")
        connection.execute(
            "CREATE TABLE IF NOT EXISTS schema_version (room TEXT PRIMARY KEY, version INTEGER NOT NULL) WITHOUT ROWID"
        )
    except BaseException:
        connection.close()
        raise
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


def _migrate(connection: sqlite3.Connection, *, path: Path, room: str, steps: Sequence[str]) -> None:
    row = connection.execute("SELECT version FROM schema_version WHERE room = ?", (room,)).fetchone()
    version = row[0] if row else 0
    if version > len(steps):
        message = f"{path}: {room} has schema {version}, newer than this agent's {len(steps)}; run the newer agent"
        raise _permanent(path, message)
    for step in steps[version:]:
        for statement in _statements(step):
            connection.execute(statement)
    connection.execute("REPLACE INTO schema_version VALUES (?, ?)", (room, len(steps)))


def _statements(script: str) -> Iterator[str]:
    """Take a script apart; `executescript` would commit what came before it."""
    statement = ""
    for part in script.strip().removesuffix(";").split(";"):
        statement += part + ";"
        if sqlite3.complete_statement(statement):
            yield statement
            statement = ""
    if statement:
        raise ValueError(f"not a complete statement: {statement}")


def _shrink(connection: sqlite3.Connection, *, keep_free_bytes: int, at_most_bytes: int) -> None:
    page_bytes = _page_bytes(connection)
    pages = min(_free_pages(connection) * page_bytes - keep_free_bytes, at_most_bytes) // page_bytes
    if pages > 0:  # a script, because `execute` would take one step of it: one page
        connection.executescript(f"PRAGMA incremental_vacuum({pages})")


def _page_bytes(connection: sqlite3.Connection) -> int:
    return int(connection.execute("PRAGMA page_size").fetchone()[0])


def _free_pages(connection: sqlite3.Connection) -> int:
    return int(connection.execute("PRAGMA freelist_count").fetchone()[0])


def _translated(work: Callable[[], _T], path: Path) -> _T:
    try:
        return work()
    except sqlite3.DatabaseError as error:
        translation = _translation(error, path)
        if translation is None:
            raise
        raise translation from error


def _translation(error: sqlite3.DatabaseError, path: Path) -> AgentError | None:
    """What SQLite's result code means for whoever asked; None where the statement is wrong, which is a bug."""
    code = getattr(error, "sqlite_errorcode", sqlite3.SQLITE_ERROR) & 0xFF
    if code == _NO_SPACE:
        return _about(TransientError, path, f"{path}: {error}", Category.NO_SPACE)
    if code in _PASSING:
        return _about(TransientError, path, f"{path}: {error}", Category.INTERNAL)
    if code in _DAMAGED:
        return _permanent(path, f"{path}: {error}; {_IF_DAMAGED}")
    if code in _UNUSABLE:
        return _permanent(path, f"{path}: {error}; {_IF_UNUSABLE}")
    return None


def _permanent(path: Path, message: str) -> AgentError:
    return _about(PermanentError, path, message, Category.INTERNAL)


def _about(kind: type[AgentError], path: Path, message: str, category: Category) -> AgentError:
    return kind(message, phase="store", component="store", element=str(path), category=category)
