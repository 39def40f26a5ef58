"""Read what a broker has retained, and know when that was all.

MQTT has no mark behind the last retained message. But a broker puts what it has for one client into one queue, so a
message to ourselves that is published after the SUBACK comes behind them all: a fence. Where we may not publish it, or
it doesn't come back, half a second of quiet has to do.
"""

import secrets
import time
from collections.abc import AsyncIterator, Collection

from link.client import Client, PublishRefusedError
from ops.connection import Inbox, subscribe
from wire.topics import Kind, NodeName, Topics

FENCE_WITHIN_S = 5.0
QUIET_S = 0.5
_SITE_OF_NOBODY = "_fence"
"""No name of the contract begins with an underscore, so no node listens there; ops may write `+/+/command`."""


async def retained_messages(
    client: Client, topics: Topics, filters: Collection[str]
) -> AsyncIterator[tuple[str, bytes]]:
    """Subscribe, and yield topic and payload of every message that the broker held; raises LinkError."""
    fence = topics.of(NodeName(_SITE_OF_NOBODY, secrets.token_hex(8)), Kind.COMMAND)
    await subscribe(client, fence, *filters)
    fenced_until = time.monotonic() + FENCE_WITHIN_S if await _put(client, fence) else 0.0
    inbox = Inbox(client)
    try:
        while True:
            to_fence_s = fenced_until - time.monotonic()
            message = await inbox.next(within_s=max(to_fence_s, QUIET_S))
            if message is None:
                return
            client.acknowledge(message)
            if str(message.topic) == fence:
                return
            yield str(message.topic), bytes(message.payload)
    finally:
        inbox.close()


async def _put(client: Client, fence: str) -> bool:
    try:
        await client.send(fence, b"")
    except PublishRefusedError:
        return False
    return True
