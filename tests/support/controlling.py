"""The controller as its users start it: a process of its own, found by what it logs."""

import asyncio
import contextlib
import json
import os
import signal
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

from link.broker import Broker


class Controller:
    """A running `controller run`; `url` is where it serves."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self.process = process
        self.url = ""
        self.log: list[dict[str, Any]] = []
        self._reader = asyncio.create_task(self._read())
        self._news = asyncio.Condition()

    async def says(self, event: str, *, within_s: float = 15) -> dict[str, Any]:
        """Wait until it has logged an event."""
        async with asyncio.timeout(within_s), self._news:
            await self._news.wait_for(lambda: self._reader.done() or any(e.get("event") == event for e in self.log))
        found = [each for each in self.log if each.get("event") == event]
        assert found, f"it ended without {event}: {self.log}"
        return found[-1]

    async def _read(self) -> None:
        assert self.process.stderr is not None
        async for line in self.process.stderr:
            async with self._news:
                self.log.append(_event(line))
                self._news.notify_all()
        async with self._news:
            self._news.notify_all()

    async def end(self, number: signal.Signals = signal.SIGTERM) -> int:
        """Tell it to end; returns its exit code."""
        if self.process.returncode is None:
            self.process.send_signal(number)
        async with asyncio.timeout(15):
            code = await self.process.wait()
            await self._reader
        return code


async def start(
    broker: Broker, directory: Path, *more: str, program: tuple[str, ...] = ("-m", "controller")
) -> Controller:
    """Start a controller with its data in `directory`, on a free port."""
    secret = directory / "password"
    directory.mkdir(parents=True, exist_ok=True)
    secret.write_text(broker.secret() or "")
    given = ("--broker", str(broker), "--username", str(broker.username), "--password-file", str(secret))
    where = ("--data-dir", str(directory), "--listen", "127.0.0.1:0")
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, *program, "run", *given, *where, *more),
        stderr=asyncio.subprocess.PIPE,
        env={**os.environ, "NO_COLOR": "1"},
    )
    return Controller(process)


@contextlib.asynccontextmanager
async def controller(broker: Broker, directory: Path, *more: str) -> AsyncIterator[Controller]:
    """A controller that serves and is connected to its broker; ended afterwards."""
    started = await start(broker, directory, *more)
    try:
        started.url = (await started.says("controller_serving"))["url"]
        await started.says("broker_connected")
        yield started
    finally:
        if started.process.returncode is None:
            await started.end()


def _event(line: bytes) -> dict[str, Any]:
    try:
        found: dict[str, Any] = json.loads(line)
    except ValueError:
        return {"event": line.decode(errors="replace").rstrip()}
    return found
