"""The composition root of the controller: what is made of what, and the one TaskGroup that everything runs in.

A failure that a room expects is handled in that room. Anything else is a bug: it crosses the group, ends the process
with a trace, and whoever supervises it starts it again from what is in the store.
"""

import asyncio
import signal
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from importlib.metadata import version

import structlog
from msgspec import Struct

from controller.fleet.event import age_s
from controller.ingest.ingest import Ingest
from controller.picture import Picture
from controller.store.store import Store
from controller.web.api import Source
from controller.web.feed import Feed
from controller.web.server import Server, bind, url_of
from controller.web.site import make_site
from controller.web.views import IngestOut
from link.broker import Broker
from wire.topics import DEFAULT_ROOT, Topics

VERSION = version("millwright")
TICK_S = 1.0
"""How often silence is judged."""

_log = structlog.get_logger("controller")


class Settings(Struct, frozen=True, kw_only=True):
    """What one controller is told."""

    broker: Broker
    database: str
    """A SQLAlchemy URL with an async driver."""
    listen: str = "127.0.0.1:8080"
    """Where the page and the API are served; port 0 takes a free one."""
    topic_root: str = DEFAULT_ROOT


def _now() -> datetime:
    return datetime.now(UTC)


async def run(settings: Settings) -> None:
    """Run one controller until it is cancelled or told to end by SIGTERM or SIGINT.

    Raises ListenError or StoreError where the address or the database can't be used.
    """
    bound = bind(settings.listen)
    store = Store(settings.database)
    try:
        await store.open()
        await _run(settings, store, bound)
    finally:
        bound.close()
        await store.close()


async def _run(settings: Settings, store: Store, bound: socket.socket) -> None:
    picture = Picture(await store.load(), now=_now())
    identity = await store.identity()
    _log.info("controller_started", version=VERSION, nodes=len(picture), broker=str(settings.broker))
    ingest = Ingest(
        settings.broker,
        topics=Topics(settings.topic_root),
        identifier=f"millwright-controller-{identity}",
        store=store,
        picture=picture,
        now=_now,
    )
    source = Source(picture=picture, store=store, ingest=lambda: _shown(ingest), now=_now)
    feed = Feed(picture, fleet=source.fleet, ingest=source.ingest, now=_now)
    url = url_of(bound)
    site = make_site(source, feed, version=VERSION)
    server = Server(site, on_started=lambda: _log.info("controller_serving", url=url))
    await _serve(ingest, picture, feed, server, bound)
    _log.info("controller_stopped")


async def _serve(ingest: Ingest, picture: Picture, feed: Feed, server: Server, bound: socket.socket) -> None:
    """Run every loop until the server has been told to stop and has."""

    def stop() -> None:
        feed.close()
        server.should_exit = True

    with _on_signal(stop):
        async with asyncio.TaskGroup() as group:
            loops = [
                group.create_task(ingest.run(), name="ingest"),
                group.create_task(_tick(picture), name="clock"),
                group.create_task(feed.run(), name="feed"),
            ]
            await group.create_task(server.serve([bound]), name="web")
            for loop in loops:
                loop.cancel()


async def _tick(picture: Picture) -> None:
    """Judge the silence of every node, for ever."""
    while True:
        await asyncio.sleep(TICK_S)
        for name in picture.tick(_now()):
            standing = picture.standing(name)
            reasons = [reason.text for reason in standing.reasons]
            _log.info("status_changed", node=str(name), status=standing.status.value, reasons=reasons)


@contextmanager
def _on_signal(stop: Callable[[], None]) -> Iterator[None]:
    loop = asyncio.get_running_loop()
    signals = (signal.SIGTERM, signal.SIGINT)
    for number in signals:
        loop.add_signal_handler(number, stop)
    try:
        yield
    finally:
        for number in signals:
            loop.remove_signal_handler(number)


def _shown(ingest: Ingest) -> IngestOut:
    link, stats = ingest.link, ingest.stats()
    return IngestOut(
        broker=link.broker,
        connected=link.connected,
        since=link.since,
        age_s=age_s(link.since, _now()),
        error=link.error,
        messages=stats.messages,
        messages_per_s=stats.messages_per_s,
        malformed=stats.malformed,
    )
