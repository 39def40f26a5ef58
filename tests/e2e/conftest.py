"""End to end: real programs, each a process of its own, on a works made for the test."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from plant.works import Works, WorksPlan
from tests.support.fixtures import *  # noqa: F403  pytest finds fixtures by name
from wire.topics import NodeName

MakeWorks = Callable[..., Awaitable[Works]]


@pytest.fixture
async def make_works(tmp_path: Path, docker_engine: object) -> AsyncIterator[MakeWorks]:
    """Start a works of the given nodes; it is gone after the test, with its containers."""
    async with AsyncExitStack() as stack:

        async def make(*nodes: str, trusted_keys: dict[str, dict[str, str]] | None = None) -> Works:
            trusted = {NodeName.parse(node): keys for node, keys in (trusted_keys or {}).items()}
            names = tuple(map(NodeName.parse, nodes))
            return await stack.enter_async_context(
                Works(WorksPlan(nodes=names, directory=tmp_path, trusted_keys=trusted))
            )

        yield make
