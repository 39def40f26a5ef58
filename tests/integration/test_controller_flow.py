"""The bounds inside the controller: a reader that falls behind, and how arrivals become batches."""

import asyncio
from collections.abc import AsyncIterator

from controller.fleet.event import Event
from controller.ingest.batches import LARGEST, Gathering
from controller.picture import Picture
from controller.web.feed import QUEUE, Feed
from controller.web.views import FleetOut, IngestOut
from tests.support import fleet
from wire.topics import NodeName

NODE = NodeName("plant-a", "press-1")


def ingest() -> IngestOut:
    return IngestOut(
        broker="mqtt://b",
        connected=True,
        since=fleet.now(),
        age_s=0,
        error=None,
        messages=0,
        messages_per_s=0,
        malformed=0,
    )


def make_feed(picture: Picture) -> Feed:
    empty = FleetOut(now=fleet.now(), ingest=ingest(), counts={}, nodes=())
    return Feed(picture, fleet=lambda: empty, ingest=ingest, now=fleet.now)


def change(picture: Picture, seq: int) -> None:
    event = Event(node=NODE, seen_at=fleet.now(), said=fleet.health(NODE, seq=seq))
    picture.show(picture.draft([event]), fleet.now())


async def begun(feed: Feed, last_event_id: str | None = None) -> AsyncIterator[bytes]:
    """A stream that has sent what comes first."""
    stream = feed.events(last_event_id)
    assert (await anext(stream)).startswith(b"retry:")
    await anext(stream)
    return stream


async def test_a_reader_that_falls_behind_is_told_so_and_forgotten() -> None:
    picture = Picture(now=fleet.now())
    feed = make_feed(picture)
    slow = await begun(feed)
    for seq in range(QUEUE + 1):
        change(picture, seq)
    rest = [chunk async for chunk in slow]
    assert len(rest) == 1
    assert rest[0].startswith(b"event: dropped")
    assert len(feed) == 0


async def test_a_reader_that_keeps_up_to_the_last_place_loses_nothing() -> None:
    picture = Picture(now=fleet.now())
    stream = await begun(make_feed(picture))
    for seq in range(QUEUE):
        change(picture, seq)
    assert (await anext(stream)).count(b"event: node") == QUEUE


async def test_a_reader_that_goes_is_forgotten() -> None:
    feed = make_feed(Picture(now=fleet.now()))
    stream = await begun(feed)
    assert len(feed) == 1
    await stream.aclose()  # type: ignore[attr-defined]
    assert len(feed) == 0


async def test_a_number_of_another_life_of_the_controller_means_nothing() -> None:
    feed = make_feed(Picture(now=fleet.now()))
    stream = feed.events("deadbeef-1")
    await anext(stream)
    assert b"event: fleet" in await anext(stream)


async def test_every_stream_ends_when_the_server_stops() -> None:
    feed = make_feed(Picture(now=fleet.now()))
    stream = await begun(feed)
    feed.close()
    async with asyncio.timeout(1):
        assert [chunk async for chunk in stream] == []


async def test_what_arrives_together_is_one_batch_in_its_order() -> None:
    gathering: Gathering[int] = Gathering()
    for number in range(10):
        gathering.add(number)
    async with asyncio.timeout(1):
        assert await anext(gathering.batches()) == list(range(10))


async def test_a_batch_has_a_bound_and_the_rest_follows_at_once() -> None:
    gathering: Gathering[int] = Gathering()
    for number in range(LARGEST + 1):
        gathering.add(number)
    batches = gathering.batches()
    async with asyncio.timeout(1):
        assert len(await anext(batches)) == LARGEST
        assert await anext(batches) == [LARGEST]


async def test_a_stream_without_a_pause_does_not_hold_a_batch_back() -> None:
    gathering: Gathering[int] = Gathering()

    async def trickle() -> None:
        while True:
            gathering.add(0)
            await asyncio.sleep(0.005)

    running = asyncio.create_task(trickle())
    async with asyncio.timeout(2):
        assert len(await anext(gathering.batches())) > 1
    running.cancel()
