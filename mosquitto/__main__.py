"""`python -m mosquitto DIRECTORY --node SITE/NODE …`: write or extend the files of a plant's broker."""

import argparse
from pathlib import Path

from mosquitto.files import CERTIFIED_HOSTS, Listen, plant_users, write_broker_files
from wire.topics import DEFAULT_ROOT, NodeName


def main() -> None:
    """Read the arguments, write the files, say where the passwords are."""
    args = _arguments()
    users = plant_users(args.node)
    files = write_broker_files(
        args.directory.resolve(),
        listen=Listen(1883),
        tls=Listen(8883, ""),
        users=users,
        root=args.root,
        hosts=[*CERTIFIED_HOSTS, *args.host],
        run_as=args.run_as,
    )
    print(f"start with: mosquitto -c {files.config}")
    for user in users:
        print(f"password of {user.name}: {files.password_file(user.name)}")


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m mosquitto", description=__doc__)
    parser.add_argument("directory", type=Path, help="where the files go; what is there already is kept")
    parser.add_argument(
        "--node", type=NodeName.parse, action="append", default=[], help="SITE/NODE; every node, each time"
    )
    parser.add_argument("--host", action="append", default=[], help="name or address by which clients call the broker")
    parser.add_argument("--root", default=DEFAULT_ROOT, help="topic root (default: %(default)s)")
    parser.add_argument("--run-as", default="mosquitto", help="system user of the broker (default: %(default)s)")
    return parser.parse_args()


if __name__ == "__main__":
    main()
