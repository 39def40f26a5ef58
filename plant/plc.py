"""A simulated PLC: an OPC UA server in front of a press line.

Run as a process of its own, it prints one line as soon as it serves, `serving opc.tcp://127.0.0.1:4840 press-1`:

    python -m plant.plc --port 0 --name press-1 [--seed 7] [--user U --password P] [--period 0.1] [--fault-every 120]

In a test it is an async context manager: `async with SimulatedPlc() as plc: await plc.set("Press.Speed", 3.0)`.
A tag that was `set` keeps what it was given until `release`.

(asyncua's server answers a Republish of an unknown message with an empty one, and forgets a message once it was
republished.)
"""

import argparse
import asyncio
import contextlib
import gc
import logging
import random
import signal
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from typing import Any, Self

from asyncua import Server, ua
from asyncua.common.node import Node
from asyncua.crypto.permission_rules import User, UserRole
from asyncua.server.user_managers import UserManager

from plant.press import Press, advance, draw_from
from plant.signals import SIGNALS

NAMESPACE = "urn:millwright:plant:press"

GOOD: int = ua.StatusCodes.Good


class SimulatedPlc:
    """The server. `port` 0 takes a free one; `period_s` 0 lets the press stand, so that only `set` changes tags.

    `other_namespaces` come before the press's own.
    """

    def __init__(
        self,
        *,
        port: int = 0,
        host: str = "127.0.0.1",
        name: str = "press-1",
        seed: int | None = None,
        username: str | None = None,
        password: str | None = None,
        period_s: float = 0.1,
        fault_every_s: float = 120.0,
        other_namespaces: Sequence[str] = (),
    ) -> None:
        self.name = name
        self.press = Press()
        self._host, self._port = host, port
        self._period_s, self._fault_every_s = period_s, fault_every_s
        self._other_namespaces = other_namespaces
        self._chance = random.Random(seed)
        self._users = None if username is None else _OneUser(username, password or "")
        self._nodes: dict[str, tuple[ua.NodeId, ua.VariantType]] = {}
        self._shown: dict[str, tuple[Any, int]] = {}
        self._set_by_hand: set[str] = set()
        self._server: Server | None = None
        self._simulation: asyncio.Task[None] | None = None

    @property
    def url(self) -> str:
        """Where it serves."""
        return f"opc.tcp://{self._host}:{self._port}"

    async def start(self) -> None:
        """Serve; takes about a second, nearly all of it asyncua filling the standard address space."""
        self._server = server = Server(user_manager=self._users)
        with _without_garbage_collection():
            await server.init()
        server.set_endpoint(self.url)
        server.set_server_name(self.name)
        server.set_security_policy([ua.SecurityPolicyType.NoSecurity])
        token = ua.AnonymousIdentityToken if self._users is None else ua.UserNameIdentityToken
        server.set_identity_tokens([token])
        await self._build(server)
        await server.start()
        self._port = server.bserver.port
        if self._period_s > 0:
            self._simulation = asyncio.create_task(self.simulate(), name=f"press {self.name}")

    async def stop(self) -> None:
        """Close the server and its connections; safe to call twice."""
        if self._simulation is not None:
            await _end(self._simulation)
        server, self._server = self._server, None
        if server is not None:
            clock, server.iserver.time_task = server.iserver.time_task, None
            await _end(clock)  # asyncua would wait for its next tick, up to a second
            await server.stop()

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.stop()

    async def set(self, name: str, value: Any, *, status: int = GOOD, time: datetime | None = None) -> None:
        """Give a tag a value and a StatusCode that it keeps until `release`."""
        self._set_by_hand.add(name)
        await self._write(name, value, status, time or datetime.now(UTC))

    def release(self, name: str) -> None:
        """Let the press drive the tag again."""
        self._set_by_hand.discard(name)
        self._shown.pop(name, None)

    async def add(self, name: str, value: Any, type: ua.VariantType) -> None:  # noqa: A002
        """Add a tag that the press doesn't know; `set` changes it."""
        parent = self.server.get_node(ua.NodeId("Press", self.namespace))
        await self._add_variable(parent, name, type, value, "")

    @property
    def server(self) -> Server:
        """asyncua's server, for a test that looks into it."""
        if self._server is None:
            raise RuntimeError("the PLC is not started")
        return self._server

    @property
    def namespace(self) -> int:
        """The index under which the running server has `NAMESPACE`."""
        return int(self._nodes["Press.Temperature"][0].NamespaceIndex)

    async def simulate(self) -> None:
        """Advance the press for ever."""
        clock = asyncio.get_running_loop().time
        due = clock()
        while True:
            due += self._period_s
            await self.step(self._period_s)
            await asyncio.sleep(max(0.0, due - clock()))

    async def step(self, dt_s: float) -> None:
        """Advance the press once and show what changed."""
        self.press = advance(self.press, dt_s, draw_from(self._chance), fault_every_s=self._fault_every_s)
        now = datetime.now(UTC)
        for signal_ in SIGNALS:
            if signal_.name not in self._set_by_hand:
                value, status = signal_.read(self.press), _status(self.press, signal_.name)
                if self._shown.get(signal_.name) != (value, status):
                    self._shown[signal_.name] = (value, status)
                    await self._write(signal_.name, value, status, now)

    async def _write(self, name: str, value: Any, status: int, time: datetime) -> None:
        node_id, kind = self._nodes[name]
        data_value = ua.DataValue(ua.Variant(value, kind), ua.StatusCode(status), SourceTimestamp=time)
        await self.server.write_attribute_value(node_id, data_value)

    async def _build(self, server: Server) -> None:
        for uri in self._other_namespaces:
            await server.register_namespace(uri)
        namespace = await server.register_namespace(NAMESPACE)
        press = await server.nodes.objects.add_object(ua.NodeId("Press", namespace), f"{namespace}:Press")
        for signal_ in SIGNALS:
            initial = signal_.read(self.press)
            node = await self._add_variable(press, signal_.name, signal_.type, initial, signal_.description)
            if signal_.unit is not None:
                await node.add_property(*_property(node, "EngineeringUnits"), _engineering_units(*signal_.unit))
            if signal_.range is not None:
                await node.add_property(*_property(node, "EURange"), ua.Range(*signal_.range))

    async def _add_variable(self, parent: Node, name: str, kind: ua.VariantType, value: Any, description: str) -> Node:
        node_id = ua.NodeId(name, parent.nodeid.NamespaceIndex)
        browse_name = ua.QualifiedName(name.rpartition(".")[2], parent.nodeid.NamespaceIndex)
        node = await parent.add_variable(node_id, browse_name, ua.Variant(value, kind))
        await node.write_attribute(ua.AttributeIds.Description, ua.DataValue(ua.Variant(ua.LocalizedText(description))))
        self._nodes[name] = (node_id, kind)
        return node


class _OneUser(UserManager):  # type: ignore[misc]  # asyncua is not followed
    """Lets one user in, and nobody else."""

    def __init__(self, username: str, password: str) -> None:
        self._known = (username, password)

    def get_user(
        self,
        _server: object,
        username: str | None = None,
        password: str | None = None,
        certificate: object = None,  # noqa: ARG002 (asyncua's signature)
    ) -> User | None:
        return User(role=UserRole.User, name=username) if (username, password) == self._known else None


def _status(press: Press, name: str) -> int:
    if press.fault != name:
        return GOOD
    failed = ua.StatusCodes.BadSensorFailure, ua.StatusCodes.UncertainSensorNotAccurate
    return int(failed[0] if name == "Press.Temperature" else failed[1])


def _property(node: Node, name: str) -> tuple[ua.NodeId, ua.QualifiedName]:
    """A NodeId of the press's namespace and a browse name of OPC UA's own."""
    return ua.NodeId(f"{node.nodeid.Identifier}.{name}", node.nodeid.NamespaceIndex), ua.QualifiedName(name, 0)


def _engineering_units(shown: str, common_code: str) -> ua.EUInformation:
    """OPC UA Part 8, 5.6.3: the UnitId is the common code's characters as a number."""
    return ua.EUInformation(
        NamespaceUri="http://www.opcfoundation.org/UA/units/un/cefact",
        UnitId=int.from_bytes(common_code.encode(), "big"),
        DisplayName=ua.LocalizedText(shown),
        Description=ua.LocalizedText(shown),
    )


async def _end(task: asyncio.Task[None]) -> None:
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await task


@contextlib.contextmanager
def _without_garbage_collection() -> Iterator[None]:
    """The address space is 150,000 objects that stay: collecting while it fills costs as much as filling it."""
    gc.disable()
    try:
        yield
    finally:
        gc.enable()


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m plant.plc", description="A simulated PLC of a press line.")
    parser.add_argument("--port", type=int, default=0, help="0 takes a free one")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--name", default="press-1")
    parser.add_argument("--seed", type=int)
    parser.add_argument("--user")
    parser.add_argument("--password")
    parser.add_argument("--period", type=float, default=0.1, help="seconds between two scans")
    parser.add_argument("--fault-every", type=float, default=120.0, help="mean seconds between faults, 0 for never")
    return parser.parse_args()


async def serve(plc: SimulatedPlc) -> None:
    """Serve until SIGTERM or SIGINT."""
    ended = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, ended.set)
    async with plc:
        print(f"serving {plc.url} {plc.name}", flush=True)
        await ended.wait()


def main() -> None:
    """Run one PLC as this process."""
    logging.basicConfig(level=logging.ERROR)
    wanted = _arguments()
    plc = SimulatedPlc(
        port=wanted.port,
        host=wanted.host,
        name=wanted.name,
        seed=wanted.seed,
        username=wanted.user,
        password=wanted.password,
        period_s=wanted.period,
        fault_every_s=wanted.fault_every,
    )
    asyncio.run(serve(plc))


if __name__ == "__main__":
    main()
