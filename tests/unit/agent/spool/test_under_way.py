"""What is published and not yet confirmed is bounded by number and by bytes."""

import asyncio

from agent.spool.uplink import UnderWay


async def test_one_more_waits_until_a_message_is_confirmed() -> None:
    under_way = UnderWay(most=2, most_bytes=1000)
    await under_way.enter(1)
    await under_way.enter(1)
    third = asyncio.ensure_future(under_way.enter(1))
    await asyncio.sleep(0)
    assert not third.done()
    under_way.leave(1)
    await third


async def test_bytes_are_bounded_too() -> None:
    under_way = UnderWay(most=100, most_bytes=1000)
    await under_way.enter(600)
    second = asyncio.ensure_future(under_way.enter(600))
    await asyncio.sleep(0)
    assert not second.done()
    under_way.leave(600)
    await second


async def test_a_message_larger_than_all_the_room_goes_alone() -> None:
    under_way = UnderWay(most=100, most_bytes=1000)
    await under_way.enter(5000)
    small = asyncio.ensure_future(under_way.enter(1))
    await asyncio.sleep(0)
    assert not small.done()
    under_way.leave(5000)
    await small
