"""`millwright deploy`, `stop`, `start`, `restart`, `remove`, `inspect` and `ping`."""

import sys
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated, Any

import typer

from ops.app_spec import ContainerWords, SpecError, spec_from_text, spec_from_words
from ops.options import Connection, Manner, spread
from ops.sending import perform
from wire.app import AppSpec
from wire.messages import Args, Deploy, Inspect, Ping, Remove, Restart, Start, Stop
from wire.topics import Topics, is_name

Target = Annotated[str, typer.Argument(metavar="TARGET", help="SITE/NODE, 'SITE/*' or '*'.")]
App = Annotated[str, typer.Argument(metavar="APP", help="The app's name.")]


def _option(panel: str, **about: Any) -> Any:
    return typer.Option(rich_help_panel=panel, **about)


_CONTAINER = "Container"
_HEALTH = "When it counts as healthy"


@dataclass(frozen=True, kw_only=True)
class ContainerOptions:
    """A container as it is typed: the fields of `ContainerWords`."""

    image: Annotated[str | None, _option(_CONTAINER, metavar="REF", help="With tag or digest.")] = None
    env: Annotated[list[str] | None, _option(_CONTAINER, metavar="NAME=VALUE", help="May be repeated.")] = None
    port: Annotated[
        list[str] | None, _option(_CONTAINER, metavar="[ADDR:]HOST:CONT[/udp]", help="On 127.0.0.1 unless said.")
    ] = None
    mount: Annotated[
        list[str] | None, _option(_CONTAINER, metavar="SRC:DST[:ro]", help="A volume or a path of the node.")
    ] = None
    network: Annotated[list[str] | None, _option(_CONTAINER, metavar="NAME", help="May be repeated.")] = None
    command: Annotated[str | None, _option(_CONTAINER, metavar="WORDS", help="Instead of the image's CMD.")] = None
    entrypoint: Annotated[str | None, _option(_CONTAINER, metavar="WORDS", help="Instead of the image's.")] = None
    user: Annotated[str | None, _option(_CONTAINER, metavar="UID[:GID]", help="Who it runs as.")] = None
    memory: Annotated[str | None, _option(_CONTAINER, metavar="SIZE", help="64M, 1G.")] = None
    cpus: Annotated[float | None, _option(_CONTAINER, metavar="N", help="0.5 is half of one.")] = None
    restart: Annotated[
        str | None, _option(_CONTAINER, metavar="POLICY", help="no, on-failure, always, unless-stopped (default).")
    ] = None
    stop_grace: Annotated[
        str | None, _option(_CONTAINER, metavar="TIME", help="From SIGTERM to SIGKILL (default: 10s).")
    ] = None
    healthy_within: Annotated[
        str | None, _option(_HEALTH, metavar="TIME", help="Or the node goes back (default: 60s).")
    ] = None
    running_for: Annotated[
        str | None, _option(_HEALTH, metavar="TIME", help="It has run for so long without a restart.")
    ] = None
    health_cmd: Annotated[
        str | None, _option(_HEALTH, metavar="COMMAND", help="A shell command in the container succeeds.")
    ] = None

    def words(self) -> dict[str, Any]:
        """What was said, by the names of `ContainerWords`."""
        plural = {"port": "ports", "mount": "mounts", "network": "networks"}
        return {plural.get(name, name): said for name, said in asdict(self).items() if said not in (None, [])}


def add_send_commands(cli: typer.Typer) -> None:
    """Add these commands to `cli`."""
    timeouts: dict[Callable[..., None], str] = {
        deploy: "10m",
        stop: "2m",
        start: "2m",
        restart: "2m",
        remove: "2m",
        inspect: "30s",
        ping: "15s",
    }
    for command, timeout in timeouts.items():
        cli.command(rich_help_panel="Commands to nodes", no_args_is_help=True)(spread(command, timeout=timeout))


def deploy(
    target: Target,
    app: App,
    *,
    container: ContainerOptions,
    spec: Annotated[
        Path | None, typer.Option(metavar="FILE", help="An app's description, JSON or TOML, in place of the rest.")
    ] = None,
    manner: Manner,
    connection: Connection,
) -> None:
    """Make an image the app's next revision; the node goes back by itself if it doesn't prove healthy.

    Example: millwright deploy plant-a/press-1 hmi --image hmi:1.4 --port 8080:80
    """
    _do(connection, target, Deploy(app=_named(app), spec=_spec(spec, container.words())), manner)


def stop(target: Target, app: App, manner: Manner, connection: Connection) -> None:
    """Stop an app's containers and keep them stopped."""
    _do(connection, target, Stop(app=_named(app)), manner)


def start(target: Target, app: App, manner: Manner, connection: Connection) -> None:
    """Start an app that was stopped."""
    _do(connection, target, Start(app=_named(app)), manner)


def restart(target: Target, app: App, manner: Manner, connection: Connection) -> None:
    """Stop and start an app's containers, whatever their state."""
    _do(connection, target, Restart(app=_named(app)), manner)


def remove(
    target: Target,
    app: App,
    *,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Don't ask.")] = False,
    manner: Manner,
    connection: Connection,
) -> None:
    """Stop an app and remove its containers; its volumes stay."""
    args = Remove(app=_named(app))
    if not yes and not sys.stdin.isatty():
        raise typer.BadParameter("removing asks first; with nobody to ask, say --yes", param_hint="--yes")
    if not yes:
        typer.confirm(f"Remove {app} from {target}?", abort=True, err=True)
    _do(connection, target, args, manner)


def inspect(
    target: Target,
    *,
    app: Annotated[str | None, typer.Argument(metavar="[APP]", help="One app; all of them if none is named.")] = None,
    manner: Manner,
    connection: Connection,
) -> None:
    """Ask nodes what their apps should be and what they are."""
    _do(connection, target, Inspect(app=None if app is None else _named(app)), manner)


def ping(target: Target, manner: Manner, connection: Connection) -> None:
    """Ask nodes for an answer, and change nothing."""
    _do(connection, target, Ping(), manner)


def _do(connection: Connection, target: str, args: Args, manner: Manner) -> None:
    try:
        Topics().command_to(target)
    except ValueError as error:
        raise typer.BadParameter(f"{target!r} is not SITE/NODE, 'SITE/*' or '*'", param_hint="TARGET") from error
    raise typer.Exit(perform(connection, target, args, manner))


def _named(app: str) -> str:
    if not is_name(app):
        raise typer.BadParameter(f"{app!r} is not a name: letters, digits and . _ -, at most 64", param_hint="APP")
    return app


def _spec(path: Path | None, words: dict[str, Any]) -> AppSpec:
    if path is not None and words:
        raise typer.BadParameter("the file describes all of it: give it alone", param_hint="--spec")
    if path is None and "image" not in words:
        raise typer.BadParameter("what should run? --image REF, or --spec FILE", param_hint="--image")
    try:
        if path is None:
            return spec_from_words(ContainerWords(**words))
        return spec_from_text(path.read_text(encoding="utf-8"), toml=path.suffix == ".toml")
    except SpecError as error:
        raise typer.BadParameter(f"{path}: {error}" if path else str(error)) from error
    except OSError as error:
        raise typer.BadParameter(f"{path}: {error.strerror}", param_hint="--spec") from error
