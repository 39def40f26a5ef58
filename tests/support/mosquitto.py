"""A Mosquitto of our own: the project's configuration and access rules, in a container, on a free loopback port."""

import socket
import time
from pathlib import Path
from typing import Any

from testcontainers.core.config import testcontainers_config
from testcontainers.core.container import DockerContainer

from link.broker import Broker
from mosquitto.files import Listen, plant_users, write_broker_files, write_users
from tests.support.mosquitto_image import ensure_mosquitto_image
from tests.support.ports import free_port, wait_until_listening
from wire.topics import DEFAULT_ROOT, NodeName

testcontainers_config.ryuk_disabled = (
    True  # its image can't be had where tests run offline; fixtures end what they start
)
_ANYWHERE = ""
_MQTT_5_CONNECT = b"\x00\x04MQTT\x05\xc2\x00\x05\x00"
"""Protocol name and version, flags (user name, password, clean start), keep-alive 5 s, no properties."""


class MosquittoContainer:
    """A broker that tests may stop, start, kill and pause; port, users and persisted data stay the same."""

    def __init__(self, directory: Path, *, root: str = DEFAULT_ROOT) -> None:
        self._root = root
        self._nodes: list[NodeName] = []
        self.files = write_broker_files(
            directory,
            listen=Listen(free_port(), _ANYWHERE),
            tls=Listen(free_port(), _ANYWHERE),
            users=plant_users([]),
            root=root,
        )
        self._container = _container(ensure_mosquitto_image(), directory, self._ports)

    @property
    def _ports(self) -> tuple[int, int]:
        assert self.files.listen is not None
        assert self.files.tls is not None
        return self.files.listen.port, self.files.tls.port

    @property
    def broker(self) -> Broker:
        """As ops: reads all, publishes commands."""
        return self.files.broker_for("ops")

    @property
    def controller(self) -> Broker:
        """As the controller."""
        return self.files.broker_for("controller")

    @property
    def admin(self) -> Broker:
        """As one who may do everything, for tests that play many nodes at once."""
        return self.files.broker_for("admin")

    def as_node(self, node: NodeName, *, tls: bool = False) -> Broker:
        """As a node; its user is made now if there is none, so the broker must be running."""
        if node not in self._nodes:
            self._nodes.append(node)
            write_users(self.files, plant_users(self._nodes), root=self._root)
            self._docker.kill(signal="SIGHUP")
            self._wait_until_admitted(str(node))
        return self.files.broker_for(str(node), tls=tls)

    def create(self) -> None:
        """Start for the first time."""
        self._container.start()
        self._wait_until_admitted("ops")

    def remove(self) -> None:
        """End, for good."""
        self._container.stop()

    def start(self) -> None:
        """Start again, with what was persisted."""
        self._docker.start()
        self._wait_until_admitted("ops")

    def stop(self) -> None:
        """End as at a shutdown: sessions, queues and retained messages are saved."""
        self._docker.stop(timeout=10)

    def kill(self) -> None:
        """End as at a power cut: what came since the last save is lost."""
        self._docker.kill()
        self._docker.wait(timeout=10)

    def forget(self) -> None:
        """Delete what was persisted; the broker must not be running."""
        for path in (self.files.directory / "data").iterdir():
            path.unlink()

    def empty(self) -> None:
        """Start again as new: no retained message, no session, and no will that is still to come."""
        self.stop()
        self.forget()
        self.start()

    def pause(self) -> None:
        """Go silent without closing a connection: what a cut network looks like."""
        self._docker.pause()

    def unpause(self) -> None:
        """Go on."""
        self._docker.unpause()

    def restore(self) -> None:
        """Run again, whatever a test did."""
        self._docker.reload()
        if self._docker.status == "paused":
            self.unpause()
        elif self._docker.status != "running":
            self.start()

    def logs(self) -> str:
        """What the broker said."""
        return str(self._docker.logs().decode(errors="replace"))

    @property
    def _docker(self) -> Any:
        return self._container.get_wrapped_container()

    def _wait_until_admitted(self, user: str, *, within_s: float = 10.0) -> None:
        port, _ = self._ports
        wait_until_listening(port, within_s=within_s)
        password = self.files.password_file(user).read_text()
        deadline = time.monotonic() + within_s
        while not _admitted(port, user, password):
            if time.monotonic() > deadline:
                raise TimeoutError(f"{user} is not admitted after {within_s:g} s:\n{self.logs()}")
            time.sleep(0.02)


def _container(image: str, directory: Path, ports: tuple[int, ...]) -> DockerContainer:
    container = DockerContainer(image).with_volume_mapping(directory, str(directory), "rw")
    container.ports = {f"{port}/tcp": ("127.0.0.1", port) for port in ports}  # with_bind_ports takes no address
    return container.with_command(["/usr/sbin/mosquitto", "-c", str(directory / "mosquitto.conf")])


def _admitted(port: int, user: str, password: str) -> bool:
    """Send an MQTT 5 CONNECT and read the reason code of the CONNACK."""
    fields = (f"probe-{user}"[:64], user, password)
    body = _MQTT_5_CONNECT + b"".join(len(field.encode()).to_bytes(2, "big") + field.encode() for field in fields)
    assert len(body) < 128, "the remaining length would need a second byte"
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=2) as connection:
            connection.sendall(bytes([0x10, len(body)]) + body)
            answer = connection.recv(4)
    except OSError:
        return False
    return len(answer) == 4 and answer[0] == 0x20 and answer[3] == 0
