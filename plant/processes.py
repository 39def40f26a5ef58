"""Processes of our own: started, waited for by what they say, ended in reverse order.

Every process gets SIGTERM when this one dies (`setpriv --pdeathsig`, util-linux), so that a demo that is killed leaves
nothing running, and a session of its own, so that Ctrl-C reaches this process alone and the order of ending is ours.
"""

import asyncio
import re
import signal
import time
from asyncio.subprocess import Process
from collections.abc import Mapping, Sequence
from pathlib import Path

_GRACE_S = 10.0


class ProcessError(Exception):
    """A process that ended or stayed silent when it should have come up; the message has the end of its log."""


class Running:
    """One process, its log file, and what it has said so far."""

    def __init__(self, name: str, process: Process, log: Path) -> None:
        self.name = name
        self.log = log
        self._process = process

    @property
    def pid(self) -> int:
        """The process's id; it is the leader of a session of its own."""
        return self._process.pid

    @property
    def ended(self) -> bool:
        """Whether it is gone."""
        return self._process.returncode is not None

    async def says(self, pattern: str, *, within_s: float = 30.0) -> re.Match[str]:
        """Wait until its log holds `pattern`; raises ProcessError when it ends or the time is over."""
        deadline = time.monotonic() + within_s
        while time.monotonic() < deadline:
            if found := re.search(pattern, self.log.read_text(errors="replace")):
                return found
            if self.ended:
                raise ProcessError(f"{self.name} ended with {self._process.returncode}:\n{self.tail()}")
            await asyncio.sleep(0.02)
        raise ProcessError(f"{self.name} did not say {pattern!r} within {within_s:g} s:\n{self.tail()}")

    def tail(self, lines: int = 15) -> str:
        """The end of its log."""
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-lines:])

    async def kill(self) -> None:
        """SIGKILL, and wait until it is gone."""
        if not self.ended:
            self._process.kill()
        await self._process.wait()

    async def stop(self) -> int:
        """SIGTERM, and SIGKILL where that doesn't end it in time; returns the exit code."""
        if self.ended:
            return await self._process.wait()
        self._process.send_signal(signal.SIGTERM)
        try:
            async with asyncio.timeout(_GRACE_S):
                return await self._process.wait()
        except TimeoutError:
            await self.kill()
            return await self._process.wait()


class Processes:
    """Starts processes and ends them all, the last first. An async context manager."""

    def __init__(self, log_dir: Path) -> None:
        self._log_dir = log_dir
        self._running: list[Running] = []

    async def start(self, name: str, command: Sequence[str], *, env: Mapping[str, str] | None = None) -> Running:
        """Start `command`; both its streams go to a log file of that name, from its beginning at each start."""
        log = self._log_dir / f"{name}.log"
        with log.open("wb") as file:
            process = await asyncio.create_subprocess_exec(
                "setpriv",
                "--pdeathsig",
                "TERM",
                *command,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=file,
                stderr=file,
                env=env,
                start_new_session=True,
            )
        running = Running(name, process, log)
        self._running.append(running)
        return running

    async def __aenter__(self) -> "Processes":
        return self

    async def __aexit__(self, *_: object) -> None:
        for running in reversed(self._running):
            await running.stop()
