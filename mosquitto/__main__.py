"""Write or extend the files of a plant's broker, in a directory that `mosquitto -c DIRECTORY/mosquitto.conf` is given.

Passwords and certificates that are there already are kept, and so are nodes: name only the new ones.
"""

import argparse
from pathlib import Path

from mosquitto.files import CERTIFIED_HOSTS, BrokerFiles, Listen, known_nodes, plant_users, write_broker_files
from wire.topics import DEFAULT_ROOT, NodeName


def main() -> None:
    """Read the arguments, write the files, say where the passwords are."""
    args = _arguments()
    directory = args.directory.resolve()
    for node in args.without:
        (directory / "secrets" / str(node)).unlink(missing_ok=True)
    users = plant_users(sorted({*known_nodes(directory), *args.node} - {*args.without}))
    files = write_broker_files(
        directory,
        listen=Listen(args.port),
        tls=Listen(args.tls_port, ""),
        users=users,
        root=args.root,
        hosts=[*CERTIFIED_HOSTS, *args.host],
        run_as=args.run_as,
    )
    _report(files, [user.name for user in users])


def _report(files: BrokerFiles, names: list[str]) -> None:
    print(f"start with            mosquitto -c {files.config}")
    print("if it runs already    send it SIGHUP")
    print(f"clients verify with   {files.ca_file}")
    for name in names:
        print(f"{name:<22}{files.password_file(name)}")


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m mosquitto", description=__doc__)
    add = parser.add_argument
    add("directory", type=Path)
    add("--node", type=NodeName.parse, action="append", default=[], help="SITE/NODE to be added")
    add("--without", type=NodeName.parse, action="append", default=[], help="SITE/NODE to be shut out")
    add("--host", action="append", default=[], help="name or address by which clients call the broker")
    add("--port", type=int, default=1883, help="plain, on loopback (default: %(default)s)")
    add("--tls-port", type=int, default=8883, help="TLS, everywhere (default: %(default)s)")
    add("--root", default=DEFAULT_ROOT, help="topic root (default: %(default)s)")
    add("--run-as", default="mosquitto", help="system user that the broker becomes (default: %(default)s)")
    return parser.parse_args()


if __name__ == "__main__":
    main()
