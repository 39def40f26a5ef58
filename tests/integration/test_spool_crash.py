"""The log under SIGKILL while it appends, drops and deletes: its counters and its streams stay true."""

import asyncio
import random
import subprocess
import sys
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path

from agent.config import SpoolConfig
from agent.spool.log import SpoolLog
from agent.spool.record import Record
from agent.store import Store
from tests.support.streams import Streams, some_values

ROOT = Path(__file__).parents[2]
PLCS = ("press", "oven", "saw")
SMALL = SpoolConfig(max_bytes=64 * 1024)


async def open_spool(directory: Path) -> tuple[Store, SpoolLog]:
    store = Store(directory / "node.sqlite")
    await store.open()
    spool = SpoolLog(store, SMALL, now=lambda: datetime.now(UTC))
    await spool.open()
    return store, spool


async def test_what_was_announced_as_stored_is_held_or_named_by_a_gap_after_a_kill(tmp_path: Path) -> None:
    stored: Counter[str] = Counter()
    for lines in (60, 1, random.randrange(1, 600)):
        stored.update(await asyncio.to_thread(run_and_kill, tmp_path, lines))
        store, spool = await open_spool(tmp_path)
        records = await everything(spool)
        await store.close()
        assert_true_to(stored, records)
        stats = spool.stats()
        assert stats.records == len(records)
        assert stats.bytes == sum(len(record.payload) + 48 for record in records)


async def everything(spool: SpoolLog) -> list[Record]:
    records: list[Record] = []
    while more := await spool.read(after=records[-1].position if records else 0):
        records += more
    return records


def assert_true_to(stored: Counter[str], records: list[Record]) -> None:
    streams = Streams(record.payload for record in records)
    for plc in PLCS:
        covered = streams.covered(plc)
        assert covered == list(range(covered[0], covered[-1] + 1))
        assert covered[-1] + 1 >= stored[plc]


def run_and_kill(directory: Path, after_lines: int) -> list[str]:
    """Let `_fill` run until it announced so many batches, kill it, and return the PLCs of all that it announced."""
    command = [sys.executable, "-m", "tests.integration.test_spool_crash", str(directory)]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            announced = [process.stdout.readline() for _ in range(after_lines)]
        finally:
            process.kill()
        announced += process.stdout.readlines()
    return [line.strip() for line in announced if line.endswith("\n")]


async def _fill(directory: Path) -> None:
    """What is killed: three bridges that append for ever, and an uplink that is always a little behind."""
    _, spool = await open_spool(directory)

    async def bridge(plc: str) -> None:
        while True:
            await spool.append(plc, some_values(random.randrange(1, 40)))
            print(plc, flush=True)

    async def uplink() -> None:
        position = spool.cursor("json")
        while True:
            await spool.beyond(position + 200)
            position += 20
            await spool.advance("json", position)

    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(uplink())
        for plc in PLCS:
            tasks.create_task(bridge(plc))


if __name__ == "__main__":
    asyncio.run(_fill(Path(sys.argv[1])))
