"""One connection to a broker for the command line: opened with a plain error, read without losing a message."""

import asyncio
import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import aiomqtt

from link.broker import Broker
from link.client import Client, LinkError
from link.reconnect import Spread

RECONNECT = Spread(first_s=0.5, longest_s=10.0, settled_after_s=30.0)
"""A person is waiting, and there is one of them: sooner than a fleet may."""


@asynccontextmanager
async def connected(
    broker: Broker, *, session: str | None = None, session_expiry_s: int = 0, receive_maximum: int = 100
) -> AsyncIterator[Client]:
    """Open a connection; raises LinkError, `refused` where the broker said no to who we are.

    With a `session` name the broker keeps subscriptions and messages for `session_expiry_s` while we are away.
    """
    try:
        async with Client(
            broker,
            identifier=session or f"millwright-{secrets.token_hex(6)}",
            clean_start=session is None,
            session_expiry_s=session_expiry_s,
            receive_maximum=receive_maximum,
        ) as client:
            yield client
    except LinkError as error:
        raise LinkError(f"{broker}: {error}", refused=error.refused) from error
    except OSError as error:
        raise LinkError(f"{broker}: {error}") from error


async def subscribe(client: Client, *filters: str) -> None:
    """Subscribe to all of them at once, with QoS 1; raises LinkError, `refused` where the broker says no to one."""
    await client.subscribe([(topics, 1) for topics in filters])


class Inbox:
    """The messages of one connection, waited for with a limit; a wait that ends early loses nothing.

    (A cancelled wait of aiomqtt's own iterator can drop the message that just came.)
    """

    def __init__(self, client: Client) -> None:
        self._client = client
        self._next: asyncio.Task[aiomqtt.Message] | None = None

    async def next(self, *, within_s: float | None = None) -> aiomqtt.Message | None:
        """The next message, or None when none came within the time; raises LinkError on a loss."""
        if self._next is None:
            self._next = asyncio.create_task(_first(self._client), name="inbox")
        await asyncio.wait({self._next}, timeout=None if within_s is None else max(0.0, within_s))
        if not self._next.done():
            return None
        arrived, self._next = self._next, None
        return arrived.result()

    def close(self) -> None:
        """Stop waiting."""
        if self._next is not None:
            self._next.cancel()
            self._next = None


async def _first(client: Client) -> aiomqtt.Message:
    return await anext(client.messages)
