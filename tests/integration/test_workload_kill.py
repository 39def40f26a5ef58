"""SIGKILL at every boundary of every kind of command, then a new start: it ends as if nothing had happened.

For n = 0, 1, 2 … an agent is started that kills itself at its n-th boundary (before and after every commit and every
act on the engine), until one lives to the end. After each death another agent is started on the same disk; the command
is given to it once more, as the broker would, and must end as it should, with one container running.
"""

import itertools
import os
import signal
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import docker as docker_sdk
import pytest
from msgspec import Struct

from tests.support.workload import command
from tests.support.workload_fixtures import *  # noqa: F403  pytest finds fixtures by name
from tests.support.workload_fixtures import spec
from tests.support.workload_process import NEVER, Cradle, Life
from wire.app import AppSpec
from wire.app import Running as RunningProbe
from wire.codec import decode, encode_command
from wire.messages import Args, Deploy, Left, Outcome, Phase, Remove, Restart, Start, Stop
from wire.topics import NodeName

pytestmark = pytest.mark.timeout(240)
WORKERS = 4
OLD = "old"


def app(speed: str, **changes: Any) -> AppSpec:
    return spec(**({"probe": RunningProbe(for_s=0.1), "env": {"SPEED": speed}} | changes))


def broken(number: int) -> AppSpec:
    return app(f"broken {number}", command=("sh", "-c", "exit 3"), restart="no", probe=RunningProbe(for_s=4))


class Act(Struct, frozen=True, kw_only=True):
    """A command during which the agent dies, and what must be so in the end."""

    args: Args
    speed: str | None
    """Which revision must be the one that runs; None if nothing may run."""
    starts: int = 1
    """How often a container is started for it, in however many lives: a command takes effect once."""
    phase: Phase = Phase.SUCCEEDED
    left: Left = Left.CHANGED


def deploy_over_old(number: int) -> tuple[Act, ...]:
    return (Act(args=Deploy(app="press", spec=app(f"{number}")), speed=f"{number}"),)


def broken_deploy(number: int) -> tuple[Act, ...]:
    deploy = Deploy(app="press", spec=broken(number))
    return (Act(args=deploy, speed=OLD, starts=2, phase=Phase.FAILED, left=Left.ROLLED_BACK),)


def restart(_number: int) -> tuple[Act, ...]:
    return (Act(args=Restart(app="press"), speed=OLD),)


def stop_and_start(_number: int) -> tuple[Act, ...]:
    return (Act(args=Stop(app="press"), speed=None, starts=0), Act(args=Start(app="press"), speed=OLD))


def remove_and_first_deploy(number: int) -> tuple[Act, ...]:
    deploy = Deploy(app="press", spec=app(f"{number}"))
    return (Act(args=Remove(app="press"), speed=None, starts=0), Act(args=deploy, speed=f"{number}"))


class Worker:
    """One node that dies and recovers; several work side by side."""

    def __init__(self, name: str, directory: Path, docker_url: str) -> None:
        directory.mkdir()
        self.node = NodeName(f"kill-{os.getpid()}", name)
        self.directory = directory
        self._url = docker_url
        self._cradle = Cradle()
        self._sdk = docker_sdk.DockerClient(base_url=docker_url)

    def close(self) -> None:
        for container in self.containers():
            self._sdk.api.remove_container(container["Id"], force=True)
        self._sdk.close()
        self._cradle.close()

    def containers(self) -> list[dict[str, Any]]:
        found = self._sdk.api.containers(all=True, filters={"label": f"millwright={self.node}/press"})
        return [self._sdk.api.inspect_container(one["Id"]) for one in found]

    def die_and_recover(self, act: Act, kill_at: int) -> bool:
        """Whether the agent came as far as that boundary, and so died."""
        given, since = command(self.node, act.args), time.time()
        code = self._live(encode_command(given), kill_at)
        assert code in (0, -signal.SIGKILL), self.log()
        if code:
            assert self._live(encode_command(given), NEVER) == 0, self.log()
        self._check(act, given.id)
        assert self._starts(since) <= act.starts, self.log()
        return code != 0

    def _live(self, payload: bytes, kill_at: int) -> int:
        life = Life(
            node=self.node, directory=str(self.directory), docker_url=self._url, payload=payload, kill_at=kill_at
        )
        return self._cradle.live(life)

    def _check(self, act: Act, command_id: str) -> None:
        end = recorded(self.directory, command_id)
        assert (end.phase, end.left) == (act.phase, act.left), self.log()
        there = self.containers()
        running = [speed_of(one) for one in there if one["State"]["Running"]]
        assert running == ([] if act.speed is None else [act.speed]), self.log()
        assert len(there) <= 1, self.log()

    def _starts(self, since: float) -> int:
        """As far as the engine still remembers; it keeps the last 256 events."""
        filters = {"label": f"millwright={self.node}/press", "event": "start"}
        events = self._sdk.events(since=f"{since:.6f}", until=f"{time.time():.6f}", filters=filters)
        return len(list(events))

    def log(self) -> str:
        return f"{self.node}\n" + (self.directory / "log").read_text()[-5000:]


def recorded(directory: Path, command_id: str) -> Outcome:
    with sqlite3.connect(directory / "node.sqlite") as db:
        (outcome,) = db.execute("SELECT outcome FROM command WHERE id = ?", (command_id,)).fetchone()
    return decode(Outcome, outcome)


def speed_of(container: dict[str, Any]) -> str:
    env = dict(entry.split("=", 1) for entry in container["Config"]["Env"])
    return str(env["SPEED"])


@pytest.fixture
def workers(docker_engine: str, image: str, tmp_path: Path) -> Iterator[list[Worker]]:
    made = [Worker(f"worker-{number}", tmp_path / str(number), docker_engine) for number in range(WORKERS)]
    yield made
    for worker in made:
        worker.close()


@pytest.mark.parametrize("acts", [deploy_over_old, broken_deploy, restart, stop_and_start, remove_and_first_deploy])
def test_killed_at_every_boundary(acts: Callable[[int], tuple[Act, ...]], workers: list[Worker]) -> None:
    numbers, over = itertools.count(), threading.Event()

    def work(worker: Worker) -> int:
        worker.die_and_recover(Act(args=Deploy(app="press", spec=app(OLD)), speed=OLD), NEVER)
        deaths = 0
        while not over.is_set():
            number = next(numbers)
            died = [worker.die_and_recover(act, number) for act in acts(number)]
            deaths += sum(died)
            if not any(died):
                over.set()
        return deaths

    with ThreadPoolExecutor(WORKERS) as pool:
        deaths = sum(pool.map(work, workers))
    print(f"{acts.__name__}: {deaths} deaths")
    assert deaths >= 10
