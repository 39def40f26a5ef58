"""What is kept of the fleet: load it at the start, write a batch, look up outcomes. Every method may raise StoreError.

A batch is one transaction, and writing it again changes nothing: a node's row is replaced, an outcome is kept once.
SQLite runs in WAL with `synchronous=FULL`, so what was acknowledged to the broker survives a power cut.
"""

import secrets
from collections import defaultdict
from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from itertools import chain
from typing import Any

from sqlalchemy import Column, Select, Table, bindparam, delete, func, select
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncConnection

from controller.fleet.event import Event
from controller.fleet.node import LATEST_OUTCOMES, Change, Fact, NodeView
from controller.store import rows, schema
from controller.store.database import bring_up, failed, make_engine
from wire.messages import Outcome
from wire.topics import NodeName

_Key = tuple[str, str]
_Found = Mapping[str, Any]


class Store:
    """One database. Writes come from one place, one batch at a time."""

    def __init__(self, url: str) -> None:
        """Take a SQLAlchemy URL with an async driver; raises StoreError for one that is none."""
        self._engine = make_engine(url)

    async def open(self) -> None:
        """Make the database ready; raises StoreError where it can't be used."""
        await bring_up(self._engine)

    async def close(self) -> None:
        """Close every connection; safe to call twice."""
        await self._engine.dispose()

    async def ping(self) -> None:
        """Ask for nothing; raises StoreError where the database doesn't answer."""
        async with self._reading() as connection:
            await connection.execute(select(1))

    async def identity(self) -> str:
        """A name that belongs to this database: a new database is a new subscriber to the broker, and hears all."""
        made = {"name": "identity", "value": secrets.token_hex(4)}
        table = schema.setting
        async with self._writing() as connection:
            await connection.execute(self._insert(table).on_conflict_do_nothing(), [made])
            found = await connection.execute(select(table.c.value).where(table.c.name == "identity"))
            return str(found.scalar_one())

    async def load(self) -> list[NodeView]:
        """Everything that is known of every node, each fact with when it was seen.

        A fact that this version can't read any more is left out: the node says it again.
        """
        async with self._reading() as connection:
            apps = _by_node(await _all(connection, select(schema.app).order_by(schema.app.c.app)))
            plcs = _by_node(await _all(connection, select(schema.plc).order_by(schema.plc.c.plc)))
            outcomes = _by_node(await _all(connection, _latest_outcomes()))
            nodes = await _all(connection, select(schema.node))
        return [rows.view_of(node, apps[key], plcs[key], outcomes[key]) for node in nodes for key in [_key(node)]]

    async def write(self, changes: Sequence[Change], events: Iterable[Event]) -> None:
        """Store a batch: what its events made of their nodes, and every outcome among them; raises StoreError.

        Of a node that was forgotten every row goes first.
        """
        async with self._writing() as connection:
            await _forget(connection, [rows.of_node(change.name) for change in changes if change.forgotten])
            nodes = [rows.node_row(change.after) for change in changes if change.after]
            await self._replace(connection, schema.node, nodes)
            await _delete_apps(connection, _of_each(rows.removed_apps, changes))
            await self._replace(connection, schema.app, _of_each(rows.app_rows, changes))
            await self._replace(connection, schema.plc, _of_each(rows.plc_rows, changes))
            if outcomes := rows.outcome_rows(events):
                await connection.execute(self._insert(schema.outcome).on_conflict_do_nothing(), outcomes)

    async def outcomes_of(self, command_id: str) -> list[tuple[NodeName, Fact[Outcome]]]:
        """Every phase of one command on every node: by node, then in order."""
        table = schema.outcome
        query = select(table).where(table.c.command_id == command_id).order_by(table.c.site, table.c.node, table.c.seq)
        async with self._reading() as connection:
            found = await _all(connection, query)
        return [(NodeName(*_key(row)), fact) for row in found for fact in rows.outcomes_in([row])]

    async def outcomes_at(self, name: NodeName, *, limit: int) -> list[Fact[Outcome]]:
        """The newest phases of any command on one node, the newest first."""
        table = schema.outcome
        query = select(table).where(table.c.site == name.site, table.c.node == name.node)
        newest = query.order_by(table.c.at.desc(), table.c.seq.desc()).limit(limit)
        async with self._reading() as connection:
            return list(rows.outcomes_in(await _all(connection, newest)))

    @asynccontextmanager
    async def _reading(self) -> AsyncIterator[AsyncConnection]:
        """A connection; raises StoreError for whatever the driver raises."""
        try:
            async with self._engine.connect() as connection:
                yield connection
        except SQLAlchemyError as error:
            raise failed(self._engine, error) from error

    @asynccontextmanager
    async def _writing(self) -> AsyncIterator[AsyncConnection]:
        """A connection in a transaction, committed at the end; raises StoreError for whatever the driver raises."""
        try:
            async with self._engine.begin() as connection:
                yield connection
        except SQLAlchemyError as error:
            raise failed(self._engine, error) from error

    async def _replace(self, connection: AsyncConnection, table: Table, values: list[rows.Row]) -> None:
        if not values:
            return
        insert = self._insert(table)
        others: dict[str, Any] = {c.name: insert.excluded[c.name] for c in table.columns if not c.primary_key}
        keys: list[Column[Any]] = list(table.primary_key)
        await connection.execute(insert.on_conflict_do_update(index_elements=keys, set_=others), values)

    def _insert(self, table: Table) -> Any:
        """Both dialects know the same ON CONFLICT, each by its own class."""
        return sqlite.insert(table) if self._engine.dialect.name == "sqlite" else postgresql.insert(table)


async def _delete_apps(connection: AsyncConnection, keys: list[rows.Row]) -> None:
    table = schema.app
    if keys:
        of_one = (table.c[name] == bindparam(f"of_{name}") for name in ("site", "node", "app"))
        await connection.execute(delete(table).where(*of_one), keys)


async def _forget(connection: AsyncConnection, keys: list[rows.Row]) -> None:
    for table in (schema.node, schema.app, schema.plc, schema.outcome) if keys else ():
        of_one = (table.c[name] == bindparam(f"of_{name}") for name in ("site", "node"))
        await connection.execute(delete(table).where(*of_one), keys)


async def _all(connection: AsyncConnection, query: Select[Any]) -> Sequence[_Found]:
    found: Sequence[_Found] = (await connection.execute(query)).mappings().all()
    return found


def _latest_outcomes() -> Select[Any]:
    """The last phase of the newest commands of every node, the newest first."""
    table = schema.outcome
    last = func.max(table.c.seq).over(partition_by=(table.c.site, table.c.node, table.c.command_id))
    ends = select(table, last.label("last")).subquery()
    newest = func.row_number().over(partition_by=(ends.c.site, ends.c.node), order_by=(ends.c.at.desc()))
    ranked = select(ends, newest.label("rank")).where(ends.c.seq == ends.c.last).subquery()
    return select(ranked).where(ranked.c.rank <= LATEST_OUTCOMES).order_by(ranked.c.rank)


def _by_node(found: Iterable[_Found]) -> defaultdict[_Key, list[_Found]]:
    grouped: defaultdict[_Key, list[_Found]] = defaultdict(list)
    for row in found:
        grouped[_key(row)].append(row)
    return grouped


def _key(row: _Found) -> _Key:
    return row["site"], row["node"]


def _of_each(of_one: Callable[[Change], list[rows.Row]], changes: Iterable[Change]) -> list[rows.Row]:
    return list(chain.from_iterable(map(of_one, changes)))
