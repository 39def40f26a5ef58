"""The store against a real file, a real kill and a really full disk."""

import asyncio
import random
import signal
import sqlite3
import subprocess
import sys
import threading
from collections.abc import AsyncIterator
from functools import partial
from pathlib import Path

import pytest

from agent.errors import PermanentError, TransientError
from agent.store import Store
from tests.support.small_disk import small_disk
from wire.messages import Category

SCHEMA = ("CREATE TABLE number (n INTEGER PRIMARY KEY, filling BLOB)",)
MB = 1024 * 1024
ROOT = Path(__file__).parents[2]


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[Store]:
    store = await opened(tmp_path / "node.sqlite")
    yield store
    await store.close()


async def opened(path: Path) -> Store:
    store = Store(path)
    await store.open()
    await store.migrate("test", SCHEMA)
    return store


def insert(db: sqlite3.Connection, n: int, filling: bytes = b"") -> None:
    db.execute("INSERT INTO number VALUES (?, ?)", (n, filling))


def numbers(db: sqlite3.Connection) -> list[int]:
    return [row[0] for row in db.execute("SELECT n FROM number ORDER BY n")]


def column_names(db: sqlite3.Connection) -> list[str]:
    return [row[1] for row in db.execute("PRAGMA table_info(number)")]


async def test_what_was_committed_is_there_after_opening_again(tmp_path: Path) -> None:
    store = await opened(tmp_path / "node.sqlite")
    await store.write(partial(insert, n=1))
    await store.close()
    again = await opened(tmp_path / "node.sqlite")
    assert await again.read(numbers) == [1]
    await again.close()


async def test_work_that_fails_leaves_nothing(store: Store) -> None:
    def half(db: sqlite3.Connection) -> None:
        insert(db, 1)
        raise LookupError("half way")

    with pytest.raises(LookupError):
        await store.write(half)
    assert await store.read(numbers) == []


async def test_a_cancelled_writer_does_not_cancel_the_transaction(store: Store) -> None:
    begun, go_on = threading.Event(), threading.Event()

    def slow(db: sqlite3.Connection) -> None:
        insert(db, 1)
        begun.set()
        assert go_on.wait(timeout=10)

    under_way = asyncio.create_task(store.write(slow))
    queued = asyncio.create_task(store.write(partial(insert, n=2)))
    await asyncio.to_thread(begun.wait, 10)
    for writer in (under_way, queued):
        writer.cancel()
        with pytest.raises(asyncio.CancelledError):
            await writer
    go_on.set()
    assert await store.read(numbers) == [1, 2]


async def test_transactions_end_in_the_order_in_which_they_were_submitted(store: Store) -> None:
    ended: list[int] = []
    for n in range(20):
        store.submit(partial(insert, n=n)).add_done_callback(lambda _, n=n: ended.append(n))
    await store.read(numbers)
    assert ended == list(range(20))


async def test_closing_finishes_what_is_under_way_and_may_be_done_twice(tmp_path: Path) -> None:
    store = await opened(tmp_path / "node.sqlite")
    pending = [asyncio.create_task(store.write(partial(insert, n=n))) for n in range(10)]
    await asyncio.sleep(0)
    await asyncio.gather(store.close(), store.close())
    await asyncio.gather(*pending)
    await store.close()
    again = await opened(tmp_path / "node.sqlite")
    assert await again.read(numbers) == list(range(10))
    await again.close()


async def test_a_closed_store_says_that_it_is_not_open(tmp_path: Path) -> None:
    store = await opened(tmp_path / "node.sqlite")
    await store.close()
    with pytest.raises(RuntimeError, match="not open"):
        await store.write(numbers)


async def test_nobody_else_may_read_the_file(store: Store) -> None:
    assert {path.stat().st_mode & 0o777 for path in store.path.parent.glob("node.sqlite*")} == {0o600}


async def test_a_new_migration_is_added_to_what_is_there(store: Store) -> None:
    await store.write(partial(insert, n=1))
    await store.migrate("test", (*SCHEMA, "ALTER TABLE number ADD COLUMN unit TEXT DEFAULT 'mm'"))
    assert await store.read(column_names) == ["n", "filling", "unit"]
    assert await store.read(numbers) == [1]


async def test_a_migration_that_fails_leaves_the_schema_as_it_was(store: Store) -> None:
    with pytest.raises(sqlite3.OperationalError):
        await store.migrate("test", (*SCHEMA, "ALTER TABLE number ADD COLUMN unit TEXT; CREATE nonsense"))
    assert await store.read(column_names) == ["n", "filling"]
    await store.migrate("test", (*SCHEMA, "ALTER TABLE number ADD COLUMN unit TEXT"))


async def test_a_migration_may_have_a_semicolon_within_a_statement(store: Store) -> None:
    body = "DELETE FROM number WHERE n = 7; DELETE FROM number WHERE n = 8;"
    trigger = f"CREATE TRIGGER t AFTER INSERT ON number BEGIN {body} END"
    await store.migrate("test", (*SCHEMA, f"{trigger};\nINSERT INTO number VALUES (9, 'a;b')\n;\n"))
    await store.write(partial(insert, n=7))
    assert await store.read(numbers) == [9]


async def test_an_unfinished_migration_script_is_not_passed_over(store: Store) -> None:
    with pytest.raises(ValueError, match="not a complete statement"):
        await store.migrate("test", (*SCHEMA, "INSERT INTO number VALUES (1, 'open)"))


async def test_a_newer_schema_is_refused(store: Store) -> None:
    await store.migrate("test", (*SCHEMA, "ALTER TABLE number ADD COLUMN unit TEXT"))
    with pytest.raises(PermanentError, match="test has schema 2, newer than this agent's 1; run the newer agent"):
        await store.migrate("test", SCHEMA)


async def test_a_wrong_statement_is_a_bug_and_not_a_state_of_the_disk(store: Store) -> None:
    with pytest.raises(sqlite3.OperationalError, match="no such table"):
        await store.read(lambda db: db.execute("SELECT * FROM nowhere"))


async def test_a_file_that_is_no_database_is_refused_with_a_remedy(tmp_path: Path) -> None:
    (tmp_path / "node.sqlite").write_bytes(b"not a database" * 1000)
    store = Store(tmp_path / "node.sqlite")
    with pytest.raises(PermanentError, match=r"node\.sqlite: file is not a database; move it aside"):
        await store.open()
    await store.close()


async def test_a_damaged_page_is_reported_with_a_remedy(tmp_path: Path) -> None:
    path = tmp_path / "node.sqlite"
    store = await opened(path)
    for n in range(50):
        await store.write(partial(insert, n=n, filling=bytes(3000)))
    await store.close()
    with path.open("r+b") as file:
        file.seek(8 * 4096)
        file.write(b"\xff" * 30 * 4096)
    again = Store(path)
    await again.open()
    with pytest.raises(PermanentError, match="malformed; move it aside") as damaged:
        await again.read(lambda db: db.execute("SELECT n, filling FROM number").fetchall())
    assert not damaged.value.retry
    await again.close()


async def test_a_directory_that_cannot_be_made_is_refused_with_a_remedy(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    store = Store(tmp_path / "file" / "node.sqlite")
    with pytest.raises(PermanentError, match="make its directory one that the agent may write"):
        await store.open()
    await store.close()


async def test_a_full_disk_is_passing_and_damages_nothing(tmp_path: Path) -> None:
    with small_disk(tmp_path, size_bytes=2 * MB) as disk:
        store = await opened(disk / "node.sqlite")
        await store.write(partial(insert, n=1))
        with pytest.raises(TransientError) as full:
            await store.write(partial(insert, n=2, filling=bytes(8 * MB)))
        assert full.value.category is Category.NO_SPACE
        assert await store.read(numbers) == [1]
        await store.write(partial(insert, n=3))
        assert await store.read(lambda db: db.execute("PRAGMA integrity_check").fetchone()) == ("ok",)
        await store.close()


async def test_shrinking_gives_the_file_system_back_what_was_deleted(store: Store) -> None:
    await store.write(partial(insert, n=1, filling=bytes(4 * MB)))
    await store.write(lambda db: db.execute("DELETE FROM number"))
    await store.shrink(keep_free_bytes=MB, at_most_bytes=2 * MB)
    assert 1.9 * MB < await free_bytes(store) < 2.1 * MB
    await store.shrink(keep_free_bytes=MB, at_most_bytes=100 * MB)
    assert 0.9 * MB < await free_bytes(store) < 1.1 * MB


async def free_bytes(store: Store) -> int:
    return await store.read(lambda db: 4096 * int(db.execute("PRAGMA freelist_count").fetchone()[0]))


async def test_what_was_announced_as_committed_survives_sigkill(tmp_path: Path) -> None:
    for life in range(3):
        announced = await asyncio.to_thread(run_and_kill, tmp_path / "node.sqlite", random.randrange(1, 200))
        store = await opened(tmp_path / "node.sqlite")
        found = await store.read(numbers)
        await store.close()
        assert announced, f"life {life} announced nothing"
        assert set(announced) <= set(found)
        assert found == list(range(len(found)))


def run_and_kill(path: Path, after_lines: int) -> list[int]:
    """Let this file's `_count` run until it announced so many, kill it, and return all that it announced."""
    command = [sys.executable, "-m", "tests.integration.test_store", str(path)]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        announced = [process.stdout.readline() for _ in range(after_lines)]
        process.send_signal(signal.SIGKILL)
        announced += process.stdout.readlines()
    return [int(line) for line in announced if line.endswith("\n")]


async def _count(path: Path) -> None:
    """Commit one number after another and announce each: what the killed process does."""
    store = await opened(path)
    n = len(await store.read(numbers))
    while True:
        await store.write(partial(insert, n=n, filling=bytes(2000)))
        print(n, flush=True)
        n += 1


if __name__ == "__main__":
    asyncio.run(_count(Path(sys.argv[1])))
