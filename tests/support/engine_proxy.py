"""A way to the engine that can be cut: a Unix socket that forwards to the real one."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path


class EngineProxy:
    """Docker Engine by another address; `cut` is what its restart or a dead daemon looks like."""

    def __init__(self, path: Path, engine: str) -> None:
        self._path = path
        self._engine = engine.removeprefix("unix://")
        self._server: asyncio.Server | None = None
        self._writers: set[asyncio.StreamWriter] = set()
        self._passing = asyncio.Event()
        self._passing.set()

    @property
    def url(self) -> str:
        return f"unix://{self._path}"

    async def open(self) -> None:
        """Let connections through."""
        self._server = await asyncio.start_unix_server(self._forward, self._path)

    async def cut(self) -> None:
        """Break all connections and take no new ones."""
        assert self._server is not None
        self._server.close()
        for writer in self._writers:
            writer.transport.abort()
        self._path.unlink(missing_ok=True)

    def hang(self) -> None:
        """Take connections and requests, and answer none: what a daemon that is stuck looks like."""
        self._passing.clear()

    def go_on(self) -> None:
        """Pass on what was held, and what comes."""
        self._passing.set()

    async def _forward(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        to_reader, to_writer = await asyncio.open_unix_connection(self._engine)
        self._writers |= {writer, to_writer}
        try:
            with contextlib.suppress(ConnectionError):
                async with asyncio.TaskGroup() as group:
                    group.create_task(self._copy(reader, to_writer))
                    group.create_task(self._copy(to_reader, writer))
        except* ConnectionError:
            pass
        finally:
            for one in (writer, to_writer):
                one.close()
                self._writers.discard(one)

    async def _copy(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(65536):
            await self._passing.wait()
            writer.write(data)
            await writer.drain()
        writer.close()


@asynccontextmanager
async def engine_proxy(directory: Path, engine: str) -> AsyncIterator[EngineProxy]:
    """A proxy that is open, and cut at the end."""
    proxy = EngineProxy(directory / "engine.sock", engine)
    await proxy.open()
    try:
        yield proxy
    finally:
        await proxy.cut()
