"""A controller whose disk hangs: it receives, says so, and never stores. Run as a program, to be killed."""

import asyncio
from collections.abc import Iterable, Sequence

import structlog

from controller.__main__ import cli
from controller.fleet.event import Event
from controller.fleet.node import Change
from controller.store.store import Store


async def _hold(_store: Store, _changes: Sequence[Change], events: Iterable[Event]) -> None:
    await asyncio.sleep(0.5)  # so that an acknowledgement that came too early would have left by now
    structlog.get_logger("holding").info("holding", messages=len(list(events)))
    await asyncio.Event().wait()


if __name__ == "__main__":
    Store.write = _hold  # type: ignore[method-assign]
    cli()
