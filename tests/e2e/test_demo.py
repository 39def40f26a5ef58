"""The demo is the product's promises shown: it passes, says what it measured, and leaves nothing behind."""

import asyncio
import os
import re
import socket
import sys
from pathlib import Path

import aiodocker
import pytest

from plant.demo.run import NODES

PROMISES = 5


async def containers_left() -> list[str]:
    async with aiodocker.Docker() as docker:
        found = await docker.containers.list(all=True, filters={"label": ["millwright"]})
        owners = [container["Labels"]["millwright"] for container in found]
    return [owner for owner in owners if owner.rpartition("/")[0] in map(str, NODES)]


def processes_left(marker: str) -> list[str]:
    """Command lines that name the demo's own directory."""
    lines = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            words = path.read_bytes().replace(b"\0", b" ").decode(errors="replace")
        except OSError:
            continue
        if marker in words:
            lines.append(words)
    return lines


@pytest.mark.timeout(300)
async def test_demo_shows_every_promise_and_leaves_nothing_behind(tmp_path: Path, docker_engine: object) -> None:
    demo = await asyncio.create_subprocess_exec(
        sys.executable,
        *("-m", "plant", "--once"),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
        env={**os.environ, "TMPDIR": str(tmp_path), "COLUMNS": "200"},
    )
    said, _ = await demo.communicate()
    text = said.decode()
    assert demo.returncode == 0, text
    held = re.findall(r"^held +(.+): (.+)$", text, flags=re.MULTILINE)
    assert len(held) == PROMISES, text
    assert all(re.search(r"\d", measured) for _, measured in held), text
    assert re.search(r"http://127\.0\.0\.1:\d+", text)
    assert all(str(node.site) in text for node in NODES)
    assert await containers_left() == []
    assert processes_left(str(tmp_path)) == []
    assert list(tmp_path.iterdir()) == []


async def test_a_second_demo_says_that_there_is_one_already() -> None:
    with socket.socket(socket.AF_UNIX) as first:
        first.bind("\0millwright-demo")
        second = await asyncio.create_subprocess_exec(
            sys.executable, *("-m", "plant", "--once"), stderr=asyncio.subprocess.PIPE
        )
        _, said = await second.communicate()
    assert second.returncode == 2
    assert b"one runs on this machine already" in said
