"""Arguments → Settings → run."""

import asyncio
import os
import ssl
from enum import StrEnum
from pathlib import Path
from typing import Annotated, NoReturn

import typer
from msgspec import structs

from controller import app
from controller.store.database import StoreError
from controller.web.server import ListenError
from link.broker import Broker, parse_broker_url
from link.log import set_up_logging
from wire.topics import DEFAULT_ROOT

cli = typer.Typer(
    name="controller",
    help="The centre: takes in what the nodes say, and shows the fleet.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)

_ENV = "MILLWRIGHT_CONTROLLER_"
_UNUSABLE = 2


class LogLevel(StrEnum):
    """The least important event that is logged."""

    DEBUG = "debug"
    INFO = "info"
    WARNING = "warning"
    ERROR = "error"


@cli.callback()
def _group() -> None:
    """Keep `run` a subcommand of its own."""


@cli.command()
def run(
    *,
    broker: Annotated[str, typer.Option(envvar=f"{_ENV}BROKER", help="mqtt://HOST[:PORT] or mqtts://HOST[:PORT]")],
    ca_file: Annotated[
        Path | None, typer.Option(envvar=f"{_ENV}CA_FILE", help="Certificate authorities (PEM) for TLS to the broker")
    ] = None,
    username: Annotated[str | None, typer.Option(envvar=f"{_ENV}USERNAME", help="At the broker")] = None,
    password_file: Annotated[
        Path | None, typer.Option(envvar=f"{_ENV}PASSWORD_FILE", help="Holds the password at the broker")
    ] = None,
    data_dir: Annotated[
        Path | None, typer.Option(envvar=f"{_ENV}DATA_DIR", help="Where the database stands if --database isn't given")
    ] = None,
    database: Annotated[
        str | None, typer.Option(envvar=f"{_ENV}DATABASE", help="For example sqlite+aiosqlite:////var/lib/mw.sqlite")
    ] = None,
    listen: Annotated[
        str, typer.Option(envvar=f"{_ENV}LISTEN", help="HOST:PORT of the page and the API; port 0 takes a free one")
    ] = "127.0.0.1:8080",
    topic_root: Annotated[str, typer.Option(envvar=f"{_ENV}TOPIC_ROOT", help="The first levels of every topic")] = (
        DEFAULT_ROOT
    ),
    log_level: Annotated[LogLevel, typer.Option(envvar=f"{_ENV}LOG_LEVEL")] = LogLevel.INFO,
) -> None:
    """Run the controller until it is told to stop.

    The API answers whoever can reach it, so it listens on this machine alone unless --listen says otherwise.

    Example: millwright controller run --broker mqtts://broker.example --ca-file ca.pem
    --username controller --password-file /run/secrets/controller
    """
    set_up_logging(log_level)
    settings = app.Settings(
        broker=_broker(broker, ca_file, username, password_file),
        database=database or f"sqlite+aiosqlite:///{(data_dir or _data_dir()) / 'controller.sqlite'}",
        listen=listen,
        topic_root=_root(topic_root),
    )
    try:
        _run(settings)
    except (StoreError, ListenError) as error:
        _refuse(str(error))


def _run(settings: app.Settings) -> None:
    try:
        import uvloop
    except ImportError:
        asyncio.run(app.run(settings))
    else:
        uvloop.run(app.run(settings))


def _broker(url: str, ca_file: Path | None, username: str | None, password_file: Path | None) -> Broker:
    try:
        broker = parse_broker_url(url)
    except ValueError as error:
        _refuse(f"--broker: {error}")
    given = {"username": username, "password_file": _text(password_file), "ca_file": _text(ca_file)}
    broker = structs.replace(broker, **{name: value for name, value in given.items() if value is not None})
    try:
        broker.secret()
        broker.tls_context()
    except (OSError, ssl.SSLError) as error:
        _refuse(f"--ca-file or --password-file can't be used: {error}")
    return broker


def _root(topic_root: str) -> str:
    root = topic_root.strip("/")
    if not root or not all(level and not set(level) & set("+#") for level in root.split("/")):
        _refuse(f"--topic-root: {topic_root!r} is none; it is one or more levels without + and #, as in {DEFAULT_ROOT}")
    return root


def _data_dir() -> Path:
    """Root's own place, or the user's."""
    if os.geteuid() == 0:
        return Path("/var/lib/millwright-controller")
    return Path(os.environ.get("XDG_DATA_HOME") or Path.home() / ".local/share") / "millwright-controller"


def _text(path: Path | None) -> str | None:
    return None if path is None else str(path)


def _refuse(message: str) -> NoReturn:
    typer.echo(f"millwright controller: {message}", err=True)
    raise typer.Exit(_UNUSABLE)


if __name__ == "__main__":
    cli()
