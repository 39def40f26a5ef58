"""The session with one OPC UA server, over asyncua's transport and services.

What is asyncua's: bytes, secure channel, service calls. What is ours: when to connect, to resume, to give up. A
session that the server still holds is resumed on a new channel (OPC UA Part 4, 6.7), so that its subscription goes on
with all that it queued. A server that restarted is told by its StartTime: asyncua's server counts its session tokens
from the same number in each life, and an old token would open somebody else's session.

Every failure leaves here as a `PlcError`.
"""

import asyncio
import contextlib
import logging
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, TypeVar

from asyncua import Client, ua
from asyncua.ua.ua_binary import struct_from_binary

from agent.config import PlcConfig
from agent.telemetry.errors import UNREADABLE, PlcError, plc_error

SESSION_KEPT_S = 120.0
"""How long the server is asked to keep a session, and the subscription, that nobody uses."""

CLOSING_S = 2.0

logging.getLogger("asyncua").setLevel(logging.ERROR)  # it formats every notification at INFO, every refusal above

_T = TypeVar("_T")
_SERVER_STATE = ua.NodeId(ua.ObjectIds.Server_ServerStatus_State)
_START_TIME = ua.NodeId(ua.ObjectIds.Server_ServerStatus_StartTime)
_NAMESPACES = ua.NodeId(ua.ObjectIds.Server_NamespaceArray)


class PlcSession:
    """One session; `open` it again after a loss, and it goes on where the server lets it."""

    def __init__(self, config: PlcConfig) -> None:
        self._config = config
        self._client = _client(config)
        self._started_at: Any = None
        self.namespaces: tuple[str, ...] = ()
        self.response_time_s: float | None = None

    async def open(self) -> bool:
        """Connect; True if the server still held the session of last time. Raises PlcError."""
        with self.translated("connect"):
            async with asyncio.timeout(4 * self._config.timeout_s):
                await self._open_channel()
                resumed = await self._resume()
                self.namespaces = tuple(await self._read_one(_NAMESPACES))
        return resumed

    async def close(self) -> None:
        """Tell the server that the session and its subscription are over, if it still listens; never raises."""
        with contextlib.suppress(OSError, *UNREADABLE):
            async with asyncio.timeout(CLOSING_S):
                if self._client.uaclient.has_transport:
                    await self._client.uaclient.close_session(True)
                    await self._client.close_secure_channel()
        self.drop()

    def drop(self) -> None:
        """Close the socket alone: what is under way fails, the server keeps the session."""
        self._client.disconnect_socket()

    async def tend(self, *, every_s: float) -> None:
        """Renew the channel in time and measure the server's response; drops the socket when either fails."""
        renew_at = self._renewal()
        try:
            while True:
                await asyncio.sleep(every_s)
                await self._measure()
                if time.monotonic() >= renew_at:
                    await self._renew()
                    renew_at = self._renewal()
        except PlcError:
            self.drop()

    async def call(self, request: Any, response: type[_T], *, element: str = "") -> _T:
        """One service call; raises PlcError with the StatusCode where the server refuses."""
        data = await self.send(request, element=element)
        with self.translated(type(request).__name__, element):
            answer: Any = struct_from_binary(response, data)
            answer.ResponseHeader.ServiceResult.check()
        return answer  # type: ignore[no-any-return]

    async def send(self, request: Any, *, element: str = "", timeout_s: float | None = None) -> Any:
        """One service call, its answer as bytes (a Buffer); `timeout_s` 0 waits for ever. Raises PlcError."""
        with self.translated(type(request).__name__, element):
            protocol = self._client.uaclient.protocol
            if protocol is None:
                raise ConnectionError("not connected")
            return await protocol.send_request(request, self._config.timeout_s if timeout_s is None else timeout_s)

    async def read(self, nodes: Sequence[tuple[ua.NodeId, ua.AttributeIds]]) -> list[ua.DataValue]:
        """Attributes of nodes, in order; a bad one has a bad StatusCode."""
        request = ua.ReadRequest()
        request.Parameters.TimestampsToReturn = ua.TimestampsToReturn.Neither
        request.Parameters.NodesToRead = [
            ua.ReadValueId(NodeId=node_id, AttributeId=attribute) for node_id, attribute in nodes
        ]
        answer: Any = await self.call(request, ua.ReadResponse)
        return list(answer.Results or ())

    async def _open_channel(self) -> None:
        self.drop()
        await self._client.connect_socket()
        await self._client.send_hello()
        await self._client.open_secure_channel()

    async def _resume(self) -> bool:
        """Enter the session of last time, True, or a new one, False."""
        if await self._reactivated() and await self._read_one(_START_TIME) == self._started_at:
            return True
        self._client.uaclient.session.reset_authentication_token()
        await self._client.create_session()
        await self._activate()
        self._started_at = await self._read_one(_START_TIME)
        return False

    async def _reactivated(self) -> bool:
        if not self._client.uaclient.has_session:
            return False
        self._client.uaclient.session.rebind_authentication_token()
        try:
            await self._activate()
        except ua.UaStatusCodeError:
            return False
        return True

    async def _activate(self) -> None:
        await self._client.activate_session(username=self._config.username, password=_password(self._config))

    async def _read_one(self, node_id: ua.NodeId) -> Any:
        (found,) = await self.read([(node_id, ua.AttributeIds.Value)])
        found.StatusCode.check()
        return found.Value.Value

    async def _measure(self) -> None:
        started = time.monotonic()
        await self.read([(_SERVER_STATE, ua.AttributeIds.Value)])
        self.response_time_s = time.monotonic() - started

    def _renewal(self) -> float:
        return time.monotonic() + 0.75 * float(self._client.secure_channel_timeout) / 1000

    async def _renew(self) -> None:
        with self.translated("renew channel"):
            await self._client.open_secure_channel(renew=True)
            self._client.uaclient.revolve_security_token()

    @contextlib.contextmanager
    def translated(self, phase: str, element: str = "") -> Iterator[None]:
        """What the socket, asyncua or a senseless answer raises within it leaves as a PlcError."""
        try:
            yield
        except (OSError, *UNREADABLE) as error:
            raise plc_error(error, phase=phase, element=element or self._config.url) from error


def _client(config: PlcConfig) -> Client:
    client = Client(config.url, timeout=config.timeout_s)
    client.name = client.description = "Millwright"
    client.application_uri = client.product_uri = "urn:millwright:agent"
    client.session_timeout = int(SESSION_KEPT_S * 1000)
    return client


def _password(config: PlcConfig) -> str | None:
    if config.password_file is None:
        return config.password
    try:
        return Path(config.password_file).read_text().strip()
    except OSError as error:
        raise PlcError(str(error), phase="read password", element=config.password_file) from error
