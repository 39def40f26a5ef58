"""A whole works on one machine: a broker with the project's own configuration, PLCs, agents and a controller.

Every part is the real program in a process of its own. The demo and the end-to-end tests stand on it.
"""

import json
import os
import socket
import sys
from collections.abc import Iterable, Mapping
from contextlib import AsyncExitStack
from pathlib import Path

import aiodocker
from msgspec import Struct

from link.broker import Broker
from mosquitto.files import BrokerFiles, Listen, plant_users, write_broker_files
from plant.processes import Processes, Running
from wire.topics import NodeName

HEARTBEAT_S = 2.0
PUBLISHING_INTERVAL_MS = 200.0


class WorksPlan(Struct, frozen=True, kw_only=True):
    """What there is to be."""

    nodes: tuple[NodeName, ...]
    directory: Path
    page: str = "127.0.0.1:0"
    """Where the controller serves its page; port 0 takes a free one."""
    trusted_keys: dict[NodeName, dict[str, str]] = {}
    """The nodes that take signed commands alone, each with its trusted keys (key id to public key, base64)."""


class Works:
    """The running works. An async context manager: at its end no process and no container is left."""

    def __init__(self, plan: WorksPlan) -> None:
        self.plan = plan
        self.page_url = ""
        self._logs = plan.directory / "logs"
        self._stack = AsyncExitStack()
        self._processes = Processes(self._logs)
        self._agents: dict[NodeName, Running] = {}
        self._plcs: dict[NodeName, str] = {}
        self._broker: Running | None = None
        self._files: BrokerFiles

    async def __aenter__(self) -> "Works":
        self._logs.mkdir(parents=True, exist_ok=True)
        self._files = write_broker_files(
            self.plan.directory / "broker",
            listen=Listen(free_port()),
            users=plant_users(self.plan.nodes),
        )
        self._stack.push_async_callback(remove_containers, self.plan.nodes)
        await self._stack.enter_async_context(self._processes)
        try:
            await self._start_all()
        except BaseException:
            await self._stack.aclose()
            raise
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._stack.aclose()

    async def _start_all(self) -> None:
        await self.start_broker()
        plcs = [await self._start_plc(seed, node) for seed, node in enumerate(self.plan.nodes)]
        for node, plc in zip(self.plan.nodes, plcs, strict=True):
            self._plcs[node] = (await plc.says(r"opc\.tcp://\S+", within_s=60)).group()
        for node in self.plan.nodes:
            await self.start_agent(node)
        await self._start_controller()

    # --- the broker

    def broker_for(self, user: str) -> Broker:
        """The broker's address with the credentials of `ops`, `controller` or a node."""
        return self._files.broker_for(user)

    async def start_broker(self) -> None:
        """Start the broker, with what it had on disk."""
        command = ["mosquitto", "-c", str(self._files.config)]
        self._broker = await self._processes.start("broker", command)
        await self._broker.says(r"mosquitto version \S+ running")

    async def stop_broker(self) -> None:
        """Stop the broker; everybody's connection is lost."""
        if self._broker is not None:
            await self._broker.stop()

    def ops_options(self) -> list[str]:
        """What the `millwright` command is given to reach this broker."""
        broker = self.broker_for("ops")
        return ["--broker", str(broker), "--username", "ops", "--password-file", str(broker.password_file)]

    # --- PLCs and agents

    async def _start_plc(self, seed: int, node: NodeName) -> Running:
        command = [sys.executable, "-m", "plant.plc", "--port", "0", "--seed", str(seed), "--name", node.node]
        return await self._processes.start(f"plc-{node.site}-{node.node}", command)

    async def start_agent(self, node: NodeName) -> Running:
        """Start a node's agent, again if it was ended, on the data that it left."""
        config = self._write_config(node)
        command = [sys.executable, "-m", "agent", "run", "--config", str(config)]
        agent = await self._processes.start(f"agent-{node.site}-{node.node}", command)
        self._agents[node] = agent
        await agent.says("agent_started")
        return agent

    def agent(self, node: NodeName) -> Running:
        """The node's agent as a process."""
        return self._agents[node]

    def _write_config(self, node: NodeName) -> Path:
        path = self.plan.directory / f"agent-{node.site}-{node.node}.toml"
        path.write_text(_toml(self._agent_config(node)), encoding="utf-8")
        path.chmod(0o600)
        return path

    def _agent_config(self, node: NodeName) -> dict[str, Mapping[str, object]]:
        broker = self.broker_for(str(node))
        plc = {"name": node.node, "url": self._plcs[node], "publishing_interval_ms": PUBLISHING_INTERVAL_MS}
        reconnect = {"first_s": 0.5, "longest_s": 2.0}
        trusted_keys = self.plan.trusted_keys.get(node, {})
        return {
            "node": {
                "site": node.site,
                "name": node.node,
                "data_dir": str(self.plan.directory / f"node-{node.site}-{node.node}"),
            },
            "mqtt": {
                "host": broker.host,
                "port": broker.port,
                "username": broker.username,
                "password_file": broker.password_file,
                "will_delay_s": 1,
                "reconnect": reconnect,
            },
            "commands": {"require_signature": bool(trusted_keys), "trusted_keys": trusted_keys},
            "health": {"period_s": HEARTBEAT_S},
            "[opcua]": {**plc, "reconnect": reconnect},
        }

    # --- the controller

    async def _start_controller(self) -> None:
        broker = self.broker_for("controller")
        database = f"sqlite+aiosqlite:///{self.plan.directory / 'controller.sqlite'}"
        options = {
            "--broker": str(broker),
            "--username": str(broker.username),
            "--password-file": str(broker.password_file),
            "--database": database,
            "--listen": self.plan.page,
        }
        command = [sys.executable, "-m", "controller", "run", *(part for pair in options.items() for part in pair)]
        controller = await self._processes.start("controller", command, env={**os.environ, "NO_COLOR": "1"})
        self.page_url = (await controller.says(r"http://[\d.]+:\d+")).group()


async def remove_containers(nodes: Iterable[NodeName]) -> None:
    """Remove every container that carries the label of an app on these nodes, running or not."""
    async with aiodocker.Docker() as docker:
        for container in await docker.containers.list(all=True, filters={"label": ["millwright"]}):
            owner = container["Labels"]["millwright"]
            if owner.rpartition("/")[0] in map(str, nodes):
                await container.delete(force=True, v=True)


def free_port() -> int:
    """A port of 127.0.0.1 that nobody listens on at the moment."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _toml(tables: Mapping[str, Mapping[str, object]]) -> str:
    """Write tables of plain values; TOML's strings and numbers are JSON's, and a nested table goes inline."""
    lines: list[str] = []
    for name, table in tables.items():
        lines += [f"[{name}]", *(f"{key} = {_toml_value(value)}" for key, value in table.items()), ""]
    return "\n".join(lines)


def _toml_value(value: object) -> str:
    if isinstance(value, Mapping):
        return "{ " + ", ".join(f"{json.dumps(key)} = {_toml_value(item)}" for key, item in value.items()) + " }"
    return json.dumps(value)
