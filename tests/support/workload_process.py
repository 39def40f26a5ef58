"""A workload in a process of its own that ends itself with SIGKILL at the n-th boundary.

Processes are forked from one that has everything imported already, which takes milliseconds instead of a second.
"""

import asyncio
import faulthandler
import itertools
import logging
import os
import signal
import subprocess
import sys
import traceback
from pathlib import Path

import aiodocker
import msgspec
import structlog
from msgspec import Struct

from tests.support.workload import Running, config_for, incoming, running_workload
from wire.codec import decode_command
from wire.topics import NodeName

NEVER = -1
_LONGEST_S = 60


class Life(Struct, frozen=True, kw_only=True):
    """One life of an agent: it is given a command and ends when all is at rest."""

    node: NodeName
    directory: str
    docker_url: str
    payload: bytes
    kill_at: int = NEVER


class Cradle:
    """A process that gives life to others, one at a time."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.support.workload_process"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def live(self, life: Life) -> int:
        """Live one life to its end; returns what became of the process: 0, or a signal's number negated."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(msgspec.json.encode(life).decode() + "\n")
        self._process.stdin.flush()
        return int(self._process.stdout.readline())

    def close(self) -> None:
        """End, after the last life has ended."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.close()
        self._process.stdout.close()
        self._process.wait(timeout=10)


def _give_lives() -> None:
    for line in sys.stdin:
        life = msgspec.json.decode(line, type=Life)
        pid = os.fork()
        if pid == 0:
            _live_and_exit(life)
        _, status = os.waitpid(pid, 0)
        print(os.waitstatus_to_exitcode(status), flush=True)


def _live_and_exit(life: Life) -> None:
    try:
        signal.alarm(_LONGEST_S)
        faulthandler.enable((Path(life.directory) / "log").open("a"))
        _main(life)
        os._exit(0)
    except BaseException:
        with (Path(life.directory) / "log").open("a") as log:
            traceback.print_exc(file=log)
        os._exit(1)


def _main(life: Life) -> None:
    with (Path(life.directory) / "log").open("a") as log:
        print(f"--- kill at {life.kill_at}", file=log, flush=True)
        structlog.configure(
            logger_factory=structlog.WriteLoggerFactory(log),
            wrapper_class=structlog.make_filtering_bound_logger(logging.DEBUG),
        )
        asyncio.run(_live(life, log))


async def _live(life: Life, log: object) -> None:
    numbers = itertools.count()

    def boundary(name: str) -> None:
        number = next(numbers)
        print(f"{number}: {name}", file=log, flush=True)  # type: ignore[call-overload]
        if number == life.kill_at:
            os.kill(os.getpid(), signal.SIGKILL)

    config = config_for(life.node, Path(life.directory), life.docker_url)
    async with running_workload(config, boundary=boundary) as running:
        await running.workload.take(incoming(life.payload))
        await running.heard.end_of(decode_command(life.payload).id)
        await _at_rest(running, life)


async def _at_rest(running: Running, life: Life) -> None:
    """No container of the node beside the one that each app shows, and nothing left to publish."""
    async with aiodocker.Docker(life.docker_url) as docker, asyncio.timeout(15):
        while await _surplus(docker, running, life) or await running.workload._ledger.letters():  # noqa: ASYNC110
            await asyncio.sleep(0.02)  # only Docker and the disk know


async def _surplus(docker: aiodocker.Docker, running: Running, life: Life) -> int:
    listed = await docker.containers.list(all=True, filters='{"label":["millwright"]}')
    mine = [one for one in listed if one._container["Labels"]["millwright"].startswith(f"{life.node}/")]
    shown = [app for app, payload in running.heard.retained.items() if payload and running.heard.report(app).container]
    return len(mine) - len(shown)


if __name__ == "__main__":
    _give_lives()
