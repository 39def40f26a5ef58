"""The log in a real file: numbering, restarts, cursors, bounds."""

import asyncio
import shutil
import sqlite3
from collections.abc import AsyncIterator, Awaitable, Callable, Collection
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from agent.config import SpoolConfig
from agent.errors import TransientError
from agent.spool.log import UPLINKS, SpoolLog
from agent.spool.retention import MARKER_BYTES
from agent.store import Store, Work
from tests.support.small_disk import small_disk
from tests.support.streams import AT, Streams, some_values
from wire.messages import Gap, GapReason

KB, MB = 1024, 1024 * 1024
LARGE = SpoolConfig()
SMALL = SpoolConfig(max_bytes=64 * KB)


class Life:
    """One life of an agent's spool: its store, its log, and a clock that a test may set."""

    def __init__(self, path: Path, config: SpoolConfig) -> None:
        self.now = AT
        self.monotonic = 0.0
        self.store = CountingStore(path)
        self.spool = SpoolLog(self.store, config, now=lambda: self.now, monotonic=lambda: self.monotonic)

    async def held(self) -> Streams:
        return Streams([record.payload for record in await self.records()])

    async def records(self) -> list:
        found, more = [], await self.spool.read(after=0)
        while more:
            found += more
            more = await self.spool.read(after=found[-1].position)
        return found

    def later(self, seconds: float) -> None:
        self.now += timedelta(seconds=seconds)
        self.monotonic += seconds


class CountingStore(Store):
    """The real store; counts transactions."""

    transactions = 0

    def submit(self, work: Work) -> asyncio.Future:
        self.transactions += 1
        return super().submit(work)


Open = Callable[..., Awaitable[Life]]


@pytest.fixture
async def life(tmp_path: Path) -> AsyncIterator[Open]:
    """Begin a life on one and the same file; the one before it ends."""
    lives: list[Life] = []

    async def begin(config: SpoolConfig = LARGE, *, uplinks: Collection[str] = UPLINKS, path: Path = tmp_path) -> Life:
        if lives:
            await lives[-1].store.close()
        lives.append(Life(path / "node.sqlite", config))
        await lives[-1].store.open()
        await lives[-1].spool.open(uplinks=uplinks)
        return lives[-1]

    yield begin
    await lives[-1].store.close()


async def counted(store: Store) -> tuple[int, int]:
    """Records and bytes, counted by reading everything."""
    return await store.read(
        lambda db: db.execute("SELECT count(*), ifnull(sum(length(payload) + 48), 0) FROM spool_log").fetchone()
    )


def source_gap(until: datetime) -> Gap:
    return Gap(reason=GapReason.SOURCE, since=AT - timedelta(seconds=9), until=until)


async def test_values_are_read_back_as_they_were_appended_under_a_name_of_their_own(life: Open) -> None:
    one = await life()
    await one.spool.append("press", some_values(3))
    await one.spool.append("oven", some_values(2), source_gap(AT))
    await one.spool.append("press", some_values(1, start=7))
    batches = [record.batch() for record in await one.records()]
    assert [(batch.epoch, batch.plc, batch.seq) for batch in batches] == [
        (one.spool.epoch, "press", 0),
        (one.spool.epoch, "oven", 0),
        (one.spool.epoch, "press", 1),
    ]
    assert batches[0].values == some_values(3)
    assert batches[1].gap == source_gap(AT)
    assert len(one.spool.epoch) == 16


async def test_numbering_and_epoch_go_on_after_a_restart(life: Open) -> None:
    first = await life()
    await first.spool.append("press", some_values(1))
    second = await life()
    await second.spool.append("press", some_values(1))
    assert second.spool.epoch == first.spool.epoch
    assert (await second.held()).covered("press") == [0, 1]
    assert second.spool.stats().records == 2


async def test_numbering_goes_on_although_everything_was_delivered_and_deleted(life: Open) -> None:
    first = await life()
    await first.spool.append("press", some_values(1))
    await first.spool.advance("json", 1)
    second = await life()
    assert await second.records() == []
    await second.spool.append("press", some_values(1))
    (record,) = await second.records()
    assert (record.position, record.batch().seq) == (2, 1)


async def test_a_new_file_is_a_new_epoch(life: Open, tmp_path: Path) -> None:
    first = await life()
    (tmp_path / "other").mkdir()
    assert (await life(path=tmp_path / "other")).spool.epoch != first.spool.epoch


async def test_appends_that_wait_share_a_commit(life: Open) -> None:
    one = await life()
    before = one.store.transactions
    async with asyncio.TaskGroup() as bridges:
        for n in range(20):
            bridges.create_task(one.spool.append(f"plc-{n}", some_values(1)))
    assert one.store.transactions - before == 2
    assert len(await one.records()) == 20


async def test_a_cancelled_append_takes_nobody_with_it_and_leaves_no_hole(life: Open) -> None:
    one = await life()
    appends = [asyncio.create_task(one.spool.append("press", some_values(1, start=n))) for n in range(30)]
    await asyncio.sleep(0)
    for append in appends[::3]:
        append.cancel()
    ended = await asyncio.gather(*appends, return_exceptions=True)
    assert [isinstance(end, asyncio.CancelledError) for end in ended] == [n % 3 == 0 for n in range(30)]
    await one.spool.append("press", some_values(1, start=99))
    held = await one.held()
    assert held.covered("press") == list(range(len(held.covered("press"))))
    assert set(held.values("press")) >= {float(n) for n in range(30) if n % 3} | {99.0}


async def test_what_every_uplink_is_past_is_deleted_and_nothing_else(life: Open) -> None:
    one = await life(uplinks=("json", "sparkplug"))
    for _ in range(5):
        await one.spool.append("press", some_values(1))
    await one.spool.advance("json", 4)
    assert len(await one.records()) == 5
    await one.spool.advance("sparkplug", 2)
    assert [record.position for record in await one.records()] == [3, 4, 5]
    assert (one.spool.stats().records, one.spool.stats().bytes) == await counted(one.store)


async def test_a_cursor_never_goes_back(life: Open) -> None:
    one = await life()
    for _ in range(3):
        await one.spool.append("press", some_values(1))
    await one.spool.advance("json", 3)
    await one.spool.advance("json", 1)
    assert (await life()).spool.cursor("json") == 3


async def test_an_uplink_that_is_no_longer_wanted_holds_nothing_back(life: Open) -> None:
    one = await life(uplinks=("json", "sparkplug"))
    await one.spool.append("press", some_values(1))
    two = await life(uplinks=("json",))
    await two.spool.advance("json", 1)
    assert await two.records() == []


async def test_a_new_uplink_begins_with_the_oldest_that_is_held(life: Open) -> None:
    one = await life()
    for _ in range(3):
        await one.spool.append("press", some_values(1))
    await one.spool.advance("json", 1)
    two = await life(uplinks=("json", "sparkplug"))
    assert two.spool.cursor("sparkplug") == 1


async def test_waiting_for_more_ends_with_the_next_append(life: Open) -> None:
    one = await life()
    await one.spool.append("press", some_values(1))
    await asyncio.wait_for(one.spool.beyond(0), 1)
    waiting = asyncio.create_task(one.spool.beyond(1))
    await asyncio.sleep(0)
    assert not waiting.done()
    await one.spool.append("press", some_values(1))
    await asyncio.wait_for(waiting, 5)


async def test_a_chunk_is_a_few_megabytes_at_most(life: Open) -> None:
    one = await life()
    for _ in range(5):
        await one.spool.append("press", some_values(12_000))
    chunk = await one.spool.read(after=0)
    assert 1 <= len(chunk) < 5
    assert sum(len(record.payload) for record in chunk[:-1]) < 2 * MB


async def test_a_batch_too_large_for_a_packet_is_stored_as_several(life: Open) -> None:
    one = await life()
    await one.spool.append("press", some_values(30_000), source_gap(AT))
    await one.spool.append("press", some_values(1, start=99_999))
    records = await one.records()
    assert len(records) > 3
    assert max(len(record.payload) for record in records) <= MB
    held = await one.held()
    assert held.covered("press") == list(range(len(records)))
    assert held.values("press") == [value.value for value in some_values(30_000)] + [99_999]
    assert [record.batch().gap for record in records] == [source_gap(AT)] + [None] * (len(records) - 1)


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
    assert (held.named, held.lost_values) == ({"press": {0}}, 5000)


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
    for position in range(1, 61):
        await one.spool.advance("json", position)
    assert one.spool.stats().bytes == 0
    assert grown * 4096 > 24 * MB
    assert await pages(one.store) * 4096 < 18 * MB


async def pages(store: Store) -> int:
    def count(db: sqlite3.Connection) -> int:
        return int(db.execute("PRAGMA page_count").fetchone()[0])

    return await store.read(count)
