"""`millwright` as a process of its own, off a terminal and on one."""

import asyncio
import os
import pty
import sys
from collections.abc import Mapping

from msgspec import Struct

from tests.support.mosquitto import MosquittoContainer


class Ran(Struct, frozen=True):
    """What became of a process."""

    code: int
    out: str
    err: str


def command_line(*words: object) -> list[str]:
    return [sys.executable, "-m", "ops", *map(str, words)]


def surroundings(broker: MosquittoContainer, **more: str) -> Mapping[str, str]:
    ours = {
        "MILLWRIGHT_BROKER": f"mqtt://127.0.0.1:{broker.broker.port}",
        "MILLWRIGHT_USERNAME": "ops",
        "MILLWRIGHT_PASSWORD_FILE": str(broker.broker.password_file),
    }
    return {name: value for name, value in os.environ.items() if not name.startswith("MILLWRIGHT_")} | ours | more


async def run(environment: Mapping[str, str], *words: object) -> Ran:
    """Run to the end, off a terminal."""
    process = await asyncio.create_subprocess_exec(
        *command_line(*words),
        env=environment,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    async with asyncio.timeout(40):
        out, err = await process.communicate()
    assert process.returncode is not None
    return Ran(process.returncode, out.decode(), err.decode())


async def on_a_terminal(environment: Mapping[str, str], *words: object) -> tuple[int, str]:
    """Run to the end on a terminal of 120 columns."""
    ours, theirs = pty.openpty()
    environment = {**environment, "COLUMNS": "120", "LINES": "40"}
    process = await asyncio.create_subprocess_exec(
        *command_line(*words), env=environment, stdin=theirs, stdout=theirs, stderr=theirs
    )
    os.close(theirs)
    screen = asyncio.create_task(asyncio.to_thread(_read_all, ours))
    async with asyncio.timeout(40):
        code = await process.wait()
        return code, (await screen).decode()


def _read_all(terminal: int) -> bytes:
    read = b""
    try:
        while chunk := os.read(terminal, 65536):
            read += chunk
    except OSError:  # how Linux says that the other side is closed
        pass
    finally:
        os.close(terminal)
    return read
