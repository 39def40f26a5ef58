"""A cable between an agent and a PLC (or a broker) that can be cut: a TCP relay on a port of its own.

`cut` breaks what runs through it and refuses what comes; `hang` lets nothing through and tells nobody, as a switch
without power does; `mend` ends either.
"""

import asyncio
import contextlib
import math
from typing import Self


class Cable:
    """Relays every connection to `host`:`port`, at a line's speed in each direction. An async context manager."""

    def __init__(self, port: int, *, host: str = "127.0.0.1", bytes_per_s: float = math.inf) -> None:
        self._host, self._target = host, port
        self._server: asyncio.Server | None = None
        self._ends: set[asyncio.StreamWriter] = set()
        self._bytes_per_s = bytes_per_s
        self._whole = True
        self._flowing = asyncio.Event()
        self._flowing.set()
        self.port = 0
        self.connections = 0
        """So many came through since the beginning."""

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._relay, self._host, 0)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_: object) -> None:
        self.cut()
        self._flowing.set()
        if self._server is not None:
            self._server.close()
            await self._server.wait_closed()

    def cut(self) -> None:
        """Break every connection, and any that comes until `mend`."""
        self._whole = False
        for end in self._ends:
            end.transport.abort()

    def hang(self) -> None:
        """Keep every connection and carry nothing until `mend`."""
        self._flowing.clear()

    def mend(self) -> None:
        """Carry again."""
        self._whole = True
        self._flowing.set()

    async def _relay(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if not self._whole:
            writer.transport.abort()
            return
        self.connections += 1
        self._ends.add(writer)
        with contextlib.suppress(OSError):
            far_reader, far_writer = await asyncio.open_connection(self._host, self._target)
            self._ends.add(far_writer)
            async with asyncio.TaskGroup() as group:
                group.create_task(self._carry(reader, far_writer))
                group.create_task(self._carry(far_reader, writer))
            self._ends.discard(far_writer)
        writer.transport.abort()
        self._ends.discard(writer)

    async def _carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One direction; when it ends, both do."""
        with contextlib.suppress(OSError):
            while data := await reader.read(65536):
                await self._flowing.wait()
                writer.write(data)
                await writer.drain()
                await asyncio.sleep(len(data) / self._bytes_per_s)
        writer.transport.abort()
