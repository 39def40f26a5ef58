"""Publishing outcomes: in order, one by one, each until the broker has it; at every connect what is unconfirmed."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Protocol

import structlog

from agent.workload.ledger import Ledger, Letter
from link.client import LinkError, PublishRefusedError

_log = structlog.get_logger("agent.outbox")
_BREATH_S = 0.2
"""Between a lost connection and the next look for one."""


class Publish(Protocol):
    """The session's publish: returns at the PUBACK."""

    async def __call__(
        self, topic: str, payload: bytes, *, qos: int = 1, correlation_data: bytes | None = None
    ) -> None:
        """Raises LinkError, or PublishRefusedError where the broker said no."""


class Outbox:
    """One loop over the ledger's unconfirmed outcomes."""

    def __init__(
        self,
        ledger: Ledger,
        *,
        publish: Publish,
        wait_connected: Callable[[], Awaitable[int]],
        topic_of: Callable[[str], str],
    ) -> None:
        self._ledger = ledger
        self._publish = publish
        self._wait_connected = wait_connected
        self._topic_of = topic_of

    async def run(self) -> None:
        """Publish for ever."""
        while True:
            await self._wait_connected()
            try:
                await self._drain()
                await self._ledger.filled.wait()
            except LinkError as error:
                _log.info("outcomes_wait", reason=str(error))
                await asyncio.sleep(_BREATH_S)

    async def _drain(self) -> None:
        self._ledger.filled.clear()
        while letters := await self._ledger.letters():
            for letter in letters:
                await self._deliver(letter)

    async def _deliver(self, letter: Letter) -> None:
        """To the outcome topic, and to the response topic if there is one; a broker that refuses holds up nothing."""
        await self._send(self._topic_of(letter.command_id), letter, None)
        if letter.reply.topic is not None:
            await self._send(letter.reply.topic, letter, letter.reply.correlation_data)
        await self._ledger.confirmed(letter.position)

    async def _send(self, topic: str, letter: Letter, correlation_data: bytes | None) -> None:
        try:
            await self._publish(topic, letter.payload, qos=1, correlation_data=correlation_data)
        except PublishRefusedError as error:
            _log.warning("outcome_refused", command_id=letter.command_id, topic=topic, reason=error.reason)
