"""What `python -m mosquitto` writes is what Debian's own Mosquitto starts with, as a system user of its own."""

import base64
import os
import pwd
import signal
import stat
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from link.broker import Broker
from link.client import Client, LinkError
from mosquitto.credentials import new_authority, new_server, password_entry
from mosquitto.files import BrokerFiles, Listen, known_nodes, plant_users, write_broker_files
from tests.support.ports import free_port, wait_until_listening
from wire.topics import NodeName

PRESS_1, PRESS_2 = NodeName("plant-a", "press-1"), NodeName("plant-a", "press-2")
RUN_AS = "mosquitto" if os.geteuid() == 0 else pwd.getpwuid(os.geteuid()).pw_name


@pytest.fixture
def directory() -> Iterator[Path]:
    """A directory that the broker's system user may enter."""
    with tempfile.TemporaryDirectory() as path:
        Path(path).chmod(0o755)
        yield Path(path)


def write(directory: Path, ports: tuple[int, int], *arguments: str) -> BrokerFiles:
    """Write as a plant would, by the command."""
    options = ("--port", str(ports[0]), "--tls-port", str(ports[1]), "--run-as", RUN_AS, *arguments)
    subprocess.run([sys.executable, "-m", "mosquitto", directory, *options], check=True, capture_output=True)
    return BrokerFiles(directory=directory, listen=Listen(ports[0]), tls=Listen(ports[1], ""))


@contextmanager
def mosquitto(files: BrokerFiles) -> Iterator[subprocess.Popen[bytes]]:
    """The host's broker, as its own system user."""
    assert files.listen is not None
    process = subprocess.Popen(["/usr/sbin/mosquitto", "-c", files.config], stderr=subprocess.DEVNULL)
    try:
        wait_until_listening(files.listen.port)
        yield process
    finally:
        process.terminate()
        process.wait(timeout=10)


async def admitted(broker: Broker) -> bool:
    try:
        async with Client(broker, identifier="probe", clean_start=True, session_expiry_s=0):
            return True
    except LinkError as error:
        if not error.refused:
            raise
        return False


async def until_admitted(broker: Broker, expected: bool) -> None:
    """The broker reads its files again some time after the signal."""
    for _ in range(200):
        if await admitted(broker) is expected:
            return
    pytest.fail(f"{broker.username} is {'not ' if expected else ''}admitted")


async def test_a_plant_adds_and_shuts_out_nodes_while_its_broker_runs(directory: Path) -> None:
    ports = free_port(), free_port()
    files = write(directory, ports, "--node", str(PRESS_1))
    with mosquitto(files) as broker:
        assert await admitted(files.broker_for(str(PRESS_1), tls=True))
        first_password = files.password_file(str(PRESS_1)).read_text()

        write(directory, ports, "--node", str(PRESS_2))
        broker.send_signal(signal.SIGHUP)
        await until_admitted(files.broker_for(str(PRESS_2), tls=True), True)
        assert files.password_file(str(PRESS_1)).read_text() == first_password
        assert await admitted(files.broker_for(str(PRESS_1), tls=True))

        press_1 = Broker(port=ports[0], username=str(PRESS_1), password=first_password)
        write(directory, ports, "--without", str(PRESS_1))
        broker.send_signal(signal.SIGHUP)
        await until_admitted(press_1, False)
        assert await admitted(files.broker_for(str(PRESS_2), tls=True))


async def test_the_broker_keeps_what_it_has_as_its_own_user(directory: Path) -> None:
    files = write(directory, (free_port(), free_port()), "--node", str(PRESS_1))
    node, topic = files.broker_for(str(PRESS_1)), f"mw/v1/{PRESS_1}/health"
    with mosquitto(files):
        async with Client(node, identifier="node", clean_start=True, session_expiry_s=0) as client:
            await client.send(topic, b"kept", retain=True)
    assert (directory / "data" / "mosquitto.db").owner() == RUN_AS
    write(directory, (files.listen.port if files.listen else 0, free_port()))
    with mosquitto(files):
        async with Client(files.broker_for("ops"), identifier="ops", clean_start=True, session_expiry_s=0) as client:
            await client.subscribe(topic)
            assert (await anext(client.messages)).payload == b"kept"


def test_what_is_secret_is_nobody_elses_to_read(tmp_path: Path) -> None:
    write_broker_files(tmp_path, listen=Listen(1883), tls=Listen(8883), users=plant_users([PRESS_1]))
    secrets = [path for path in tmp_path.rglob("*") if path.is_file() and "crt" not in path.name]
    open_to_others = {path.name for path in secrets if stat.S_IMODE(path.stat().st_mode) & 0o077}
    assert open_to_others == {"mosquitto.conf"}
    assert known_nodes(tmp_path) == (PRESS_1,)


def test_passwords_stand_hashed_in_what_the_broker_reads(tmp_path: Path) -> None:
    files = write_broker_files(tmp_path, listen=Listen(1883), users=plant_users([PRESS_1]))
    hashed = (tmp_path / "passwords").read_text()
    assert hashed.count("\n") == 4
    assert files.password_file(str(PRESS_1)).read_text() not in hashed


def test_a_password_is_hashed_as_mosquitto_passwd_does_it(tmp_path: Path) -> None:
    made = tmp_path / "made"
    made.touch(mode=0o600)
    subprocess.run(["mosquitto_passwd", "-b", made, "plant-a/press-1", "secret"], check=True, capture_output=True)
    entry = made.read_text().strip()
    salt = base64.b64decode(entry.split("$")[3])
    assert password_entry("plant-a/press-1", "secret", salt=salt) == entry


def test_a_listener_that_is_not_there_is_not_given_out(tmp_path: Path) -> None:
    files = write_broker_files(tmp_path, listen=Listen(1883), users=plant_users([]))
    with pytest.raises(ValueError, match="no listener with TLS"):
        files.broker_for("ops", tls=True)


def verified(directory: Path, *names: str) -> list[bool]:
    """Whether openssl finds the server's certificate good for each of these names, by the authority beside it."""
    tls = directory / "tls"
    verify = ["openssl", "verify", "-CAfile", tls / "ca.crt", "-verify_hostname"]
    runs = [subprocess.run([*verify, name, tls / "server.crt"], check=False, capture_output=True) for name in names]
    return [run.returncode == 0 for run in runs]


def test_a_host_that_comes_later_gets_into_the_certificate_under_the_same_authority(tmp_path: Path) -> None:
    tls = tmp_path / "tls"
    write_broker_files(tmp_path, tls=Listen(8883), users=plant_users([]), hosts=["broker.plant"])
    authority, first = (tls / "ca.crt").read_bytes(), (tls / "server.crt").read_bytes()
    write_broker_files(tmp_path, tls=Listen(8883), users=plant_users([PRESS_1]), hosts=["broker.plant"])
    assert (tls / "server.crt").read_bytes() == first
    write_broker_files(tmp_path, tls=Listen(8883), users=plant_users([]), hosts=["broker.other"])
    assert verified(tmp_path, "broker.plant", "broker.other", "broker.none") == [True, True, False]
    (tls / "server.crt").unlink()
    write_broker_files(tmp_path, tls=Listen(8883), users=plant_users([]), hosts=["broker.plant"])
    assert verified(tmp_path, "broker.plant") == [True]
    assert (tls / "ca.crt").read_bytes() == authority


def test_a_certificate_of_the_plants_own_authority_is_left_alone(tmp_path: Path) -> None:
    tls = tmp_path / "tls"
    write_broker_files(tmp_path, tls=Listen(8883), users=plant_users([]), hosts=["broker.plant"])
    (tls / "ca.key").unlink()
    before = (tls / "ca.crt").read_bytes(), (tls / "server.crt").read_bytes()
    write_broker_files(tmp_path, tls=Listen(8883), users=plant_users([]), hosts=["broker.other"])
    assert ((tls / "ca.crt").read_bytes(), (tls / "server.crt").read_bytes()) == before


def test_openssl_verifies_the_server_against_the_authority(tmp_path: Path) -> None:
    authority = new_authority()
    (tmp_path / "ca.crt").write_bytes(authority.certificate)
    (tmp_path / "server.crt").write_bytes(new_server(authority, ["broker.plant", "10.0.0.1"]).certificate)
    verify = ["openssl", "verify", "-x509_strict", "-purpose", "sslserver", "-CAfile", tmp_path / "ca.crt"]
    for name in (("-verify_hostname", "broker.plant"), ("-verify_ip", "10.0.0.1")):
        subprocess.run([*verify, *name, tmp_path / "server.crt"], check=True, capture_output=True)
