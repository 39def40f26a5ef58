"""The machine that the agent runs on, measured with psutil.

Disks and sensors can hang (a network mount, a stuck bus), so every measurement runs in a thread of its own, one at a
time. The thread is a daemon, because an executor's would be waited for when the process ends.
"""

import asyncio
import contextlib
import math
import os
import threading
from collections.abc import Callable, Iterable
from functools import partial
from pathlib import Path

import psutil

from wire.messages import Host

_HOTTEST_PLAUSIBLE_C = 150.0
_COLDEST_PLAUSIBLE_C = -60.0


class Machine:
    """Measures the machine; the processor's load is that of the time between two measurements."""

    def __init__(self, data_dir: Path) -> None:
        self._data_dir = data_dir
        self._cpu = cpu_seconds()
        self._under_way: asyncio.Future[Host] | None = None

    async def measure(self) -> Host:
        """Measure everything now. Raises OSError where the kernel refuses to say, or hasn't said when last asked."""
        if self._under_way is not None and not self._under_way.done():
            raise OSError("the last measurement hangs")
        self._under_way = answer = asyncio.get_running_loop().create_future()
        answer.add_done_callback(lambda done: done.exception())  # whoever asked may have given up
        threading.Thread(target=self._answer, args=(answer,), name="machine", daemon=True).start()
        return await asyncio.shield(answer)

    def _answer(self, answer: "asyncio.Future[Host]") -> None:
        say: Callable[[], None]
        try:
            say = partial(answer.set_result, self._measure())
        except Exception as error:  # raised where it is awaited
            say = partial(answer.set_exception, error)
        with contextlib.suppress(RuntimeError):  # the loop may have ended meanwhile
            answer.get_loop().call_soon_threadsafe(say)

    def _measure(self) -> Host:
        before, self._cpu = self._cpu, cpu_seconds()
        memory = psutil.virtual_memory()
        disk = psutil.disk_usage(str(existing(self._data_dir)))
        sent, received = network_totals()
        load_1m, load_5m, load_15m = os.getloadavg()
        return Host(
            age_s=0.0,
            cpu_percent=busy_percent(before, self._cpu),
            memory_used_bytes=memory.total - memory.available,
            memory_total_bytes=memory.total,
            disk_used_bytes=disk.used,
            disk_total_bytes=disk.total,
            network_sent_bytes=sent,
            network_received_bytes=received,
            load_1m=load_1m,
            load_5m=load_5m,
            load_15m=load_15m,
            temperature_c=hottest(temperatures()),
        )


def cpu_seconds() -> tuple[float, float]:
    """Processor time of all cores since the machine started: (all, idle). Waiting for a disk is idle."""
    times = psutil.cpu_times()
    # Linux counts a guest's time in user and nice as well.
    guests = getattr(times, "guest", 0.0) + getattr(times, "guest_nice", 0.0)
    return sum(times) - guests, times.idle + getattr(times, "iowait", 0.0)


def busy_percent(before: tuple[float, float], after: tuple[float, float]) -> float:
    """The share of all cores' time between two readings that was used: 0.0 to 100.0."""
    passed_s = after[0] - before[0]
    idle_s = after[1] - before[1]
    if passed_s <= 0:
        return 0.0
    return round(min(100.0, max(0.0, 100.0 * (1 - idle_s / passed_s))), 1)


def hottest(sensors_c: Iterable[float | None]) -> float | None:
    """The highest believable temperature, None without any: unconnected sensors report -128, 255 and the like."""
    believed = [
        value
        for value in sensors_c
        if value is not None and math.isfinite(value) and _COLDEST_PLAUSIBLE_C < value < _HOTTEST_PLAUSIBLE_C
    ]
    return max(believed, default=None)


def temperatures() -> list[float | None]:
    """Every sensor's reading; empty on a machine or a system without sensors."""
    read = getattr(psutil, "sensors_temperatures", None)
    return [sensor.current for sensors in read().values() for sensor in sensors] if read else []


def network_totals() -> tuple[int, int]:
    """Bytes sent and received by all interfaces but loopback, since the machine started."""
    counters = psutil.net_io_counters(pernic=True)
    outside = [counter for name, counter in counters.items() if not name.startswith("lo")]
    return sum(one.bytes_sent for one in outside), sum(one.bytes_recv for one in outside)


def existing(path: Path) -> Path:
    """The path, or the nearest directory above it that exists: the disk on which it would be made."""
    return next(each for each in (path.absolute(), *path.absolute().parents) if each.exists())
