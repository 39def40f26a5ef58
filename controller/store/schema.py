"""The tables, and the steps that bring any older file to them.

A message is kept as its own JSON, beside the columns by which it is found; times are UTC. Text and numbers only, so
that the same tables stand in SQLite and in PostgreSQL.
"""

from collections.abc import Callable
from datetime import UTC, datetime

from sqlalchemy import Column, Connection, DateTime, Dialect, Index, Integer, MetaData, String, Table, Text
from sqlalchemy.types import TypeDecorator

NAME = String(64)


class UtcTime(TypeDecorator[datetime]):
    """An aware time, in UTC whatever the database keeps of zones."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, _dialect: Dialect) -> datetime | None:
        return None if value is None else value.astimezone(UTC)

    def process_result_value(self, value: datetime | None, _dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


metadata = MetaData()

schema_version = Table("schema_version", metadata, Column("version", Integer, primary_key=True, autoincrement=False))

setting = Table(
    "setting", metadata, Column("name", String(64), primary_key=True), Column("value", Text, nullable=False)
)

node = Table(
    "node",
    metadata,
    Column("site", NAME, primary_key=True),
    Column("node", NAME, primary_key=True),
    Column("first_seen_at", UtcTime, nullable=False),
    Column("presence", Text),
    Column("presence_seen_at", UtcTime),
    Column("past_sessions", Text, nullable=False),
    Column("health", Text),
    Column("health_seen_at", UtcTime),
    Column("past_epochs", Text, nullable=False),
    Column("dropped_at", UtcTime),
)

app = Table(
    "app",
    metadata,
    Column("site", NAME, primary_key=True),
    Column("node", NAME, primary_key=True),
    Column("app", NAME, primary_key=True),
    Column("report", Text, nullable=False),
    Column("seen_at", UtcTime, nullable=False),
)

plc = Table(
    "plc",
    metadata,
    Column("site", NAME, primary_key=True),
    Column("node", NAME, primary_key=True),
    Column("plc", NAME, primary_key=True),
    Column("meta", Text, nullable=False),
    Column("seen_at", UtcTime, nullable=False),
)

outcome = Table(
    "outcome",
    metadata,
    Column("site", NAME, primary_key=True),
    Column("node", NAME, primary_key=True),
    Column("command_id", NAME, primary_key=True),
    Column("seq", Integer, primary_key=True, autoincrement=False),
    Column("at", UtcTime, nullable=False),
    Column("body", Text, nullable=False),
    Column("seen_at", UtcTime, nullable=False),
    Index("outcome_by_command", "command_id"),
    Index("outcome_by_node_and_time", "site", "node", "at"),
)


def _first_tables(connection: Connection) -> None:
    metadata.create_all(connection)


MIGRATIONS: tuple[Callable[[Connection], None], ...] = (_first_tables,)
"""Step n brings version n to n + 1. A step that was released is never edited; a change is a new one at the end, and
from the second on the first names its own tables."""
