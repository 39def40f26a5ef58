"""Subcommands that other rooms bring by entry points: `millwright agent`, `controller`, `demo`.

Only the room that is asked for is imported, unless all are listed: an edge node should not load a web server to be told
its status. A room whose packages are not installed is listed with what to install.
"""

from collections.abc import Iterable, Sequence
from importlib.metadata import EntryPoint, entry_points

import typer

GROUP = "millwright.commands"
_EXTRA_OF = {"demo": "dev"}
"""Where the extra is not called like the room."""


def add_rooms(cli: typer.Typer, arguments: Sequence[str]) -> None:
    """Add the rooms to `cli`; `arguments` are those of the process."""
    found = sorted(entry_points(group=GROUP), key=lambda point: point.name)
    for point in wanted(found, arguments):
        cli.add_typer(_load(point), name=point.name, rich_help_panel="On a machine of the plant")


def wanted(points: Iterable[EntryPoint], arguments: Sequence[str]) -> list[EntryPoint]:
    """The rooms to import: the one that is called, none if another command is called, else all."""
    called = next((word for word in arguments if not word.startswith("-")), None)
    return [point for point in points if called in (None, point.name)]


def _load(point: EntryPoint) -> typer.Typer:
    try:
        room = point.load()
    except ImportError as error:
        return _missing(point.name, error)
    if not isinstance(room, typer.Typer):
        raise TypeError(f"{point.value} is not a Typer app")
    return room


def _missing(name: str, error: ImportError) -> typer.Typer:
    """A stand-in that says what to install."""
    package = (error.name or str(error)).partition(".")[0]
    remedy = f"pip install 'millwright[{_EXTRA_OF.get(name, name)}]'"
    room = typer.Typer(
        help=f"Not installed here: {remedy}",
        invoke_without_command=True,
        context_settings={"ignore_unknown_options": True, "allow_extra_args": True},
    )

    @room.callback()
    def say() -> None:
        typer.echo(f"'millwright {name}' needs the package {package}, which is not installed: {remedy}", err=True)
        raise typer.Exit(2)

    return room
