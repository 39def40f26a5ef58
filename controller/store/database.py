"""The database underneath: its engine, its settings, and the way to the latest schema."""

from pathlib import Path
from typing import Any

from sqlalchemy import Connection, event, func, inspect, make_url, select
from sqlalchemy.exc import ArgumentError, DBAPIError, NoSuchModuleError, SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

from controller.store.schema import MIGRATIONS, schema_version


class StoreError(Exception):
    """The database can't be used, or not now; the message says which and why."""


def make_engine(url: str) -> AsyncEngine:
    """Take a SQLAlchemy URL with an async driver; raises StoreError for one that is none."""
    try:
        engine = create_async_engine(make_url(url))
    except (ArgumentError, NoSuchModuleError, ImportError, SQLAlchemyError) as error:
        raise StoreError(f"{url!r} is no database's address that can be used: {error}") from error
    if engine.dialect.name == "sqlite":
        event.listen(engine.sync_engine, "connect", _set_pragmas)
    return engine


async def bring_up(engine: AsyncEngine) -> None:
    """Create the file where there is none, and bring its tables to the latest schema; raises StoreError."""
    try:
        if engine.dialect.name == "sqlite" and engine.url.database not in (None, "", ":memory:"):
            Path(str(engine.url.database)).parent.mkdir(parents=True, exist_ok=True)
        async with engine.begin() as connection:
            await connection.run_sync(_migrate)
    except (SQLAlchemyError, OSError) as error:
        raise failed(engine, error) from error


def failed(engine: AsyncEngine, error: Exception) -> StoreError:
    """Translate what the driver raised."""
    cause = error.orig if isinstance(error, DBAPIError) else error
    return StoreError(f"the database {engine.url.render_as_string(hide_password=True)} can't be used: {cause}")


def _set_pragmas(connection: Any, _record: object) -> None:
    cursor = connection.cursor()
    for pragma in ("journal_mode=WAL", "synchronous=FULL", "busy_timeout=5000"):
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()


def _migrate(connection: Connection) -> None:
    version = 0
    if inspect(connection).has_table(schema_version.name):
        version = connection.execute(select(func.max(schema_version.c.version))).scalar_one() or 0
    if version > len(MIGRATIONS):
        raise OSError(f"its schema {version} is newer than this controller's {len(MIGRATIONS)}")
    for number, step in enumerate(MIGRATIONS[version:], start=version + 1):
        step(connection)
        connection.execute(schema_version.insert().values(version=number))
