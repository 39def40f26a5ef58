"""The machine and its clock, as the kernel has them."""

import asyncio
import os
import shutil
import threading
import time
from pathlib import Path

import psutil
import pytest

from agent.health import clock
from agent.health.host import Machine, network_totals


@pytest.fixture
async def machine(tmp_path: Path) -> Machine:
    return Machine(tmp_path)


async def test_figures_are_the_machines(machine: Machine, tmp_path: Path) -> None:
    host = await machine.measure()
    disk = shutil.disk_usage(tmp_path)
    assert host.age_s == 0.0
    assert host.memory_total_bytes == psutil.virtual_memory().total
    assert 0 < host.memory_used_bytes < host.memory_total_bytes
    assert host.disk_total_bytes == disk.total
    assert host.disk_used_bytes == pytest.approx(disk.used, rel=0.1)
    assert host.load_1m == pytest.approx(os.getloadavg()[0], abs=1.0)
    assert 0.0 <= host.cpu_percent <= 100.0


async def test_processor_load_is_that_since_the_last_measurement(machine: Machine) -> None:
    await machine.measure()
    busy_until = time.process_time() + 0.3
    await asyncio.to_thread(_burn, busy_until)
    host = await machine.measure()
    assert host.cpu_percent > 100.0 / (psutil.cpu_count() or 1) / 4


def _burn(until_s: float) -> None:
    while time.process_time() < until_s:
        pass


async def test_data_directory_need_not_exist_yet(tmp_path: Path) -> None:
    machine = Machine(tmp_path / "not" / "yet")
    assert (await machine.measure()).disk_total_bytes == shutil.disk_usage(tmp_path).total


async def test_measurement_that_hangs_is_not_waited_for(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    recovered = threading.Event()
    monkeypatch.setattr(psutil, "disk_usage", lambda path: recovered.wait(20) and shutil.disk_usage(path))
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.1):
            await machine.measure()
    hanging = [thread for thread in threading.enumerate() if thread.name == "machine"]
    assert [thread.daemon for thread in hanging] == [True], "the process could not end before it does"
    with pytest.raises(OSError, match="hangs"):
        await machine.measure()
    recovered.set()
    await asyncio.to_thread(hanging[0].join)
    assert (await machine.measure()).disk_total_bytes > 0


async def test_loopback_is_not_counted_as_network() -> None:
    async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(await reader.readexactly(4_000_000))
        writer.close()

    before = psutil.net_io_counters(pernic=True)["lo"].bytes_sent
    ours = network_totals()
    async with await asyncio.start_server(echo, "127.0.0.1", 0) as server:
        reader, writer = await asyncio.open_connection(*server.sockets[0].getsockname())
        writer.write(bytes(4_000_000))
        await reader.readexactly(4_000_000)
        writer.close()
    assert psutil.net_io_counters(pernic=True)["lo"].bytes_sent - before > 8_000_000
    assert network_totals()[0] - ours[0] < 8_000_000


def test_kernel_answers_about_its_clock() -> None:
    assert clock.synchronized() in {True, False}


def test_machine_without_adjtimex_says_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(clock, "_adjtimex", lambda: None)
    assert clock.synchronized() is None
