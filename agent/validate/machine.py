"""Looking at the machine: where the agent's file will be, SQLite, the clock."""

import asyncio
import os
import shutil
import sqlite3
import tempfile
import time
from collections.abc import AsyncGenerator
from pathlib import Path

import psutil

from agent.config import Config
from agent.health import clock
from agent.health.host import existing
from agent.validate.judgement import of_clock, of_filesystem, of_space, of_sqlite
from agent.validate.probe import Probe
from agent.validate.verdict import Verdict, failed, passed


def data_dir_probe(config: Config) -> Probe:
    """Can be written, is on a disk, has room."""
    return Probe(
        name=config.node.data_dir,
        checks=("data-dir-writable", "data-dir-durable", "data-dir-space"),
        look=lambda: _look_at_data_dir(config),
        when_silent="See whether the disk hangs, or a network mount has lost its server.",
    )


def system_probe() -> Probe:
    """What the machine brings: SQLite and its clock."""
    return Probe(
        name="the machine",
        checks=("sqlite-version", "clock-synchronized"),
        look=_look_at_system,
        when_silent="",
    )


async def _look_at_data_dir(config: Config) -> AsyncGenerator[Verdict, None]:
    data_dir = Path(config.node.data_dir)
    yield await asyncio.to_thread(_write, data_dir)
    place = await asyncio.to_thread(existing, data_dir)
    yield of_filesystem(await asyncio.to_thread(filesystem_of, place), str(data_dir), config.node.mode)
    free_bytes = (await asyncio.to_thread(shutil.disk_usage, place)).free
    yield of_space(str(data_dir), free_bytes, config.spool.max_bytes)


async def _look_at_system() -> AsyncGenerator[Verdict, None]:
    yield of_sqlite(sqlite3.sqlite_version_info)
    yield of_clock(clock.synchronized())


def _write(data_dir: Path) -> Verdict:
    """Write a file to the disk and delete it; where the directory is still to be made, see whether it can be."""
    check = "data-dir-writable"
    place = existing(data_dir)
    try:
        with tempfile.NamedTemporaryFile(dir=place, prefix=".validate-") as file:
            file.write(b"\0" * 4096)
            started_s = time.monotonic()
            os.fsync(file.fileno())
            took_ms = 1000 * (time.monotonic() - started_s)
    except OSError as error:
        remedy = f"Let the agent's user write there: install -d -m 700 -o USER {data_dir}"
        return failed(check, f"{place} can't be written: {error.strerror}", remedy)
    will = "" if place == data_dir.absolute() else f"; {data_dir} will be made at the start"
    return passed(check, f"{place} can be written; 4 KiB are on its disk in {took_ms:.1f} ms{will}")


def filesystem_of(path: Path) -> str:
    """The kernel's word for the file system that holds `path`: ext4, tmpfs, nfs4 …"""
    mounts = {Path(mount.mountpoint): mount.fstype for mount in psutil.disk_partitions(all=True)}
    return next((mounts[above] for above in (path, *path.parents) if above in mounts), "an unknown file system")
