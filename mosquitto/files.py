"""Write the directory that a broker is started with: `mosquitto -c DIRECTORY/mosquitto.conf`.

    mosquitto.conf  acl  passwords      what the broker reads
    secrets/USER                        each user's password, to be brought to where it is used
    tls/                                ca.crt, server.crt and their keys, where TLS is wanted
    data/                               the broker's persistence

Writing again keeps every password and certificate that is there already, so that adding a node is writing again with
one user more and telling the broker (SIGHUP) to read its files. The secrets and the authority's key are nothing that
the broker needs: take them away from its machine if you can.
"""

import os
import pwd
import shutil
from collections.abc import Iterable, Sequence
from enum import StrEnum
from importlib.resources import files as resources
from pathlib import Path
from string import Template

from msgspec import Struct

from link.broker import Broker
from mosquitto.credentials import KeyPair, hosts_of, new_authority, new_password, new_server, password_entry
from wire.topics import DEFAULT_ROOT, NodeName, Topics

CERTIFIED_HOSTS = ("localhost", "127.0.0.1", "::1")


class Role(StrEnum):
    """What a user may do. A node's user name is its `site/node`."""

    NODE = "node"
    CONTROLLER = "controller"
    OPS = "ops"
    ADMIN = "admin"
    """Everything: for clearing what a dismantled node has left retained, and for tests."""


class User(Struct, frozen=True):
    """Somebody who may come in."""

    name: str
    role: Role


class Listen(Struct, frozen=True):
    """Where the broker listens; an empty address means everywhere."""

    port: int
    address: str = "127.0.0.1"


class BrokerFiles(Struct, frozen=True, kw_only=True):
    """What was written, and how a user comes in."""

    directory: Path
    listen: Listen | None
    tls: Listen | None

    @property
    def config(self) -> Path:
        """What `mosquitto -c` is given."""
        return self.directory / "mosquitto.conf"

    @property
    def ca_file(self) -> Path:
        """What a client verifies the broker with."""
        return self.directory / "tls" / "ca.crt"

    def password_file(self, user: str) -> Path:
        """The file with one user's password."""
        return self.directory / "secrets" / user

    def broker_for(self, user: str, *, host: str = "127.0.0.1", tls: bool = False) -> Broker:
        """Address and credentials of one user; raises ValueError where there is no such listener."""
        listen = self.tls if tls else self.listen
        if listen is None:
            raise ValueError(f"this broker has no listener {'with' if tls else 'without'} TLS")
        return Broker(
            host=host,
            port=listen.port,
            username=user,
            password_file=str(self.password_file(user)),
            ca_file=str(self.ca_file) if tls else None,
        )


def plant_users(nodes: Iterable[NodeName]) -> tuple[User, ...]:
    """The users of a plant: the centre's three, and one for every node."""
    centre = (User("controller", Role.CONTROLLER), User("ops", Role.OPS), User("admin", Role.ADMIN))
    return (*centre, *(User(str(node), Role.NODE) for node in nodes))


def write_broker_files(
    directory: Path,
    *,
    listen: Listen | None = None,
    tls: Listen | None = None,
    users: Sequence[User],
    root: str = DEFAULT_ROOT,
    hosts: Sequence[str] = CERTIFIED_HOSTS,
    run_as: str | None = None,
) -> BrokerFiles:
    """Write everything into `directory`, an absolute path.

    `hosts` are the names and addresses by which clients call the TLS listener; one that the server's certificate
    lacks has it renewed, by the authority that is there, unless its key was taken away. `run_as` is the system user
    that a broker started as root becomes, before it reads its files, which therefore become that user's (None: whoever
    calls this). Raises LookupError where there is no such user.
    """
    directory.mkdir(parents=True, exist_ok=True)
    (directory / "data").mkdir(exist_ok=True)
    files = BrokerFiles(directory=directory, listen=listen, tls=tls)
    if tls is not None:
        _write_certificates(directory / "tls", hosts)
    write_users(files, users, root=root)
    run_as = run_as or pwd.getpwuid(os.geteuid()).pw_name
    _write(files.config, _config(files, run_as))
    _hand_over(directory, run_as)
    return files


def known_nodes(directory: Path) -> tuple[NodeName, ...]:
    """The nodes for which there are credentials in `directory`."""
    secrets = directory / "secrets"
    return tuple(NodeName.parse(str(path.relative_to(secrets))) for path in sorted(secrets.glob("*/*")))


def write_users(files: BrokerFiles, users: Sequence[User], *, root: str = DEFAULT_ROOT) -> None:
    """Write passwords and access rules for exactly these users; the broker reads them at its next SIGHUP."""
    entries = [password_entry(user.name, _password(files.password_file(user.name))) for user in users]
    _write(files.directory / "passwords", "".join(f"{entry}\n" for entry in entries), secret=True)
    rules = [line for user in users for line in _rules(user, root)]
    template = resources("mosquitto").joinpath("acl").read_text(encoding="utf-8")
    _write(files.directory / "acl", "\n".join([Template(template).substitute(root=root), *rules, ""]), secret=True)


def _rules(user: User, root: str) -> list[str]:
    match user.role:
        case Role.NODE:
            _, *broadcasts = Topics(root).commands_for(NodeName.parse(user.name))
            topics = [f"read {topic}" for topic in broadcasts]
        case Role.CONTROLLER:
            topics = [f"read {root}/#", f"write {root}/+/+/command", "read $SYS/#"]
        case Role.OPS:
            topics = [f"read {root}/#", f"write {root}/+/+/command"]
        case Role.ADMIN:
            topics = ["readwrite #", "read $SYS/#"]
    return [f"user {user.name}", *(f"topic {topic}" for topic in topics), ""]


def _config(files: BrokerFiles, run_as: str) -> str:
    template = resources("mosquitto").joinpath("mosquitto.conf").read_text(encoding="utf-8")
    return Template(template).substitute(
        passwords=files.directory / "passwords",
        acl=files.directory / "acl",
        data=files.directory / "data",
        user=f"user {run_as}",
        listeners="\n".join(_listeners(files)),
    )


def _hand_over(directory: Path, user: str) -> None:
    """Let the broker read what it must; what is none of its business stays ours."""
    if os.geteuid() != 0 or user == "root":
        return
    for name in ("mosquitto.conf", "acl", "passwords", "tls/server.key", "data", "data/mosquitto.db"):
        if (directory / name).exists():
            shutil.chown(directory / name, user=user)


def _listeners(files: BrokerFiles) -> list[str]:
    lines = []
    if files.listen is not None:
        lines += [f"listener {files.listen.port} {files.listen.address}".rstrip()]
    if files.tls is not None:
        tls = files.directory / "tls"
        lines += [
            f"listener {files.tls.port} {files.tls.address}".rstrip(),
            f"cafile {tls / 'ca.crt'}",
            f"certfile {tls / 'server.crt'}",
            f"keyfile {tls / 'server.key'}",
        ]
    return lines


def _write_certificates(directory: Path, hosts: Sequence[str]) -> None:
    """Make what is missing. Who verifies with `ca.crt` goes on doing so when the server's certificate is renewed."""
    directory.mkdir(exist_ok=True)
    server, authority_key = directory / "server.crt", directory / "ca.key"
    names = hosts_of(server.read_bytes()) if server.exists() else []
    if server.exists() and (set(hosts) <= set(names) or not authority_key.exists()):
        return
    if not authority_key.exists():
        _write_pair(directory, "ca", new_authority())
    authority = KeyPair(certificate=(directory / "ca.crt").read_bytes(), key=authority_key.read_bytes())
    _write_pair(directory, "server", new_server(authority, dict.fromkeys([*names, *hosts])))


def _write_pair(directory: Path, name: str, pair: KeyPair) -> None:
    _write(directory / f"{name}.key", pair.key.decode(), secret=True)
    _write(directory / f"{name}.crt", pair.certificate.decode())


def _password(path: Path) -> str:
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        _write(path, new_password(), secret=True)
    return path.read_text(encoding="utf-8")


def _write(path: Path, text: str, *, secret: bool = False) -> None:
    """Replace a file whole, so that a broker that reads it meanwhile sees the old one or the new one."""
    fresh = path.with_name(path.name + ".new")
    fresh.touch(mode=0o600 if secret else 0o644)
    fresh.write_text(text, encoding="utf-8")
    fresh.replace(path)
