"""The log in a real file: numbering, restarts, cursors."""

import asyncio
from pathlib import Path

from tests.support.spool_life import KB, MB, Open, counted, source_gap
from tests.support.streams import AT, some_values


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
    assert 1 <= len(chunk) < one.spool.stats().records
    assert sum(len(record.payload) for record in chunk[:-1]) < 2 * MB


async def test_a_batch_too_large_for_a_packet_is_stored_as_several(life: Open) -> None:
    one = await life()
    await one.spool.append("press", some_values(30_000), source_gap(AT))
    await one.spool.append("press", some_values(1, start=99_999))
    records = await one.records()
    assert len(records) > 3
    assert max(len(record.payload) for record in records) <= 128 * KB
    held = await one.held()
    assert held.covered("press") == list(range(len(records)))
    assert held.values("press") == [value.value for value in some_values(30_000)] + [99_999]
    assert [record.batch().gap for record in records] == [source_gap(AT)] + [None] * (len(records) - 1)
