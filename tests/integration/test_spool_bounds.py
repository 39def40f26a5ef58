"""The log in a real file, when it is full, too old, or has no disk left."""

import shutil
import sqlite3
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from agent.config import SpoolConfig
from agent.errors import TransientError
from agent.spool.retention import MARKER_BYTES
from agent.store import Store
from tests.support.small_disk import small_disk
from tests.support.spool_life import MB, SMALL, Life, Open, counted, source_gap
from tests.support.streams import AT, some_values
from wire.messages import GapReason


async def test_a_full_log_drops_the_oldest_and_says_so_in_the_stream(life: Open) -> None:
    one = await life(SMALL)
    for n in range(300):
        await one.spool.append(("press", "oven", "saw")[n % 3], some_values(10, start=n))
        stats = one.spool.stats()
        assert stats.bytes <= SMALL.max_bytes + 3 * MARKER_BYTES
        assert (stats.records, stats.bytes) == await counted(one.store)
    held = await one.held()
    for plc in ("press", "oven", "saw"):
        assert held.covered(plc) == list(range(100))
        assert max(held.named[plc]) < min(held.came[plc])
    assert one.spool.stats().bytes > SMALL.max_bytes * 0.9
    assert held.lost_values == one.spool.stats().dropped_values > 0
    assert len([value for plc in held.came for value in held.values(plc)]) + held.lost_values == 3000


async def test_what_was_dropped_stays_counted_after_a_restart(life: Open) -> None:
    one = await life(SMALL)
    for _ in range(120):
        await one.spool.append("press", some_values(10))
    two = await life(SMALL)
    assert two.spool.stats() == one.spool.stats()
    await two.spool.append("press", some_values(10))
    assert (await two.held()).covered("press") == list(range(121))


async def test_a_batch_larger_than_the_whole_log_becomes_a_gap(life: Open) -> None:
    one = await life(SMALL)
    await one.spool.append("press", some_values(5000))
    held = await one.held()
    (named,) = held.named.values()
    assert (named, held.lost_values) == (set(range(max(named) + 1)), 5000)


async def test_a_source_gap_that_gives_way_stays_named_in_the_marker(life: Open) -> None:
    one = await life(SMALL)
    await one.spool.append("press", some_values(10), source_gap(AT))
    for _ in range(120):
        await one.spool.append("press", some_values(10))
    marker = (await one.records())[0].batch()
    assert marker.gap is not None
    assert marker.gap.also == (GapReason.SOURCE,)
    assert marker.gap.since == AT - timedelta(seconds=9)


async def test_what_is_too_old_gives_way_at_the_next_append(life: Open) -> None:
    one = await life(SpoolConfig(max_age_s=1000))
    await one.spool.append("press", some_values(10))
    one.later(999)
    await one.spool.append("press", some_values(10))
    assert one.spool.stats().oldest_age_s == 999
    one.later(2)
    await one.spool.append("press", some_values(10))
    held = await one.held()
    assert (held.named["press"], list(held.came["press"])) == ({0}, [1, 2])
    assert (one.spool.stats().dropped_values, one.spool.stats().oldest_age_s) == (10, 2)


async def test_values_stored_before_the_clock_was_set_are_not_dropped_as_old(life: Open) -> None:
    one = await life(SpoolConfig(max_age_s=1000))
    one.now = datetime.fromtimestamp(0, AT.tzinfo)
    await one.spool.append("press", some_values(1))
    one.now = AT
    await one.spool.append("press", some_values(1))
    assert list((await one.held()).came["press"]) == [0, 1]


async def test_times_do_not_run_backwards_when_a_life_begins_without_the_time(life: Open) -> None:
    one = await life(SpoolConfig(max_age_s=1000))
    await one.spool.append("press", some_values(1))
    two = await life(SpoolConfig(max_age_s=1000))
    two.now = datetime.fromtimestamp(0, AT.tzinfo)
    await two.spool.append("press", some_values(1))
    await two.spool.advance("json", 1)
    three = await life(SpoolConfig(max_age_s=1000))
    three.now = AT + timedelta(seconds=500)
    await three.spool.append("press", some_values(1))
    assert list((await three.held()).came["press"]) == [1, 2]


async def test_what_an_earlier_life_left_is_dropped_when_it_is_too_old(life: Open) -> None:
    one = await life(SpoolConfig(max_age_s=1000))
    await one.spool.append("press", some_values(1))
    two = await life(SpoolConfig(max_age_s=1000))
    two.now = AT + timedelta(seconds=1001)
    await two.spool.append("press", some_values(1))
    assert (await two.held()).named["press"] == {0}


async def test_a_full_disk_holds_the_caller_back_and_leaves_no_hole(life: Open, tmp_path: Path) -> None:
    with small_disk(tmp_path, size_bytes=24 * MB) as disk:
        one = await life(path=disk)
        stored = await fill(one)
        assert "the disk is full" in (one.spool.stats().error or "")
        assert (one.spool.stats().records, one.spool.stats().bytes) == await counted(one.store)
        await one.spool.advance("json", stored // 2)
        await one.spool.append("press", some_values(1, start=99))
        assert one.spool.stats().error is None
        held = await one.held()
        assert held.covered("press") == list(range(stored // 2, stored + 1))
        assert held.values("press")[-1] == 99
        await one.store.close()


async def test_a_disk_that_others_filled_is_waited_for(life: Open, tmp_path: Path) -> None:
    with small_disk(tmp_path, size_bytes=24 * MB) as disk:
        one = await life(path=disk)
        await one.spool.append("press", some_values(10))
        (disk / "somebody's").write_bytes(bytes(shutil.disk_usage(disk).free))
        for _ in range(3):
            with pytest.raises(TransientError):
                await one.spool.append("press", some_values(10))
        (disk / "somebody's").unlink()
        await one.spool.append("press", some_values(10))
        assert (await one.held()).covered("press") == [0, 1]
        await one.store.close()


async def fill(one: Life) -> int:
    """Append until the disk is full; returns how many batches were stored."""
    for stored in range(1000):
        try:
            await one.spool.append("press", some_values(500))
        except TransientError:
            return stored
    raise AssertionError("the disk is not full")


async def test_disk_space_comes_back_after_an_outage(life: Open) -> None:
    one = await life()
    for _ in range(60):
        await one.spool.append("press", some_values(6000))
    grown = await pages(one.store)
    for position in range(1, one.spool.stats().records + 1):
        await one.spool.advance("json", position)
    assert one.spool.stats().bytes == 0
    assert grown * 4096 > 24 * MB
    assert await pages(one.store) * 4096 < 18 * MB


async def pages(store: Store) -> int:
    def count(db: sqlite3.Connection) -> int:
        return int(db.execute("PRAGMA page_count").fetchone()[0])

    return await store.read(count)
