"""Subcommands that other rooms bring by entry points: `millwright agent`, `controller`, `demo`.

Only the room that is asked for is imported, unless all are listed: an edge node should not load a web server to be told
its status. A room whose packages are not installed is listed with what to install.
"""

from collections.abc import Iterable, Sequence
from importlib.metadata import EntryPoint, entry_points

import typer
from rich.markup import escape

from ops.exit_codes import ExitCode

GROUP = "millwright.commands"
_PANEL = "On a machine of the plant"
_EXTRA_OF = {"demo": "dev"}
"""Where the extra is not called like the room."""


def add_rooms(cli: typer.Typer, arguments: Sequence[str]) -> None:
    """Add the rooms to `cli`; `arguments` are those of the process."""
    found = sorted(entry_points(group=GROUP), key=lambda point: point.name)
    for point in wanted(found, arguments):
        add_room(cli, point)


def wanted(points: Iterable[EntryPoint], arguments: Sequence[str]) -> list[EntryPoint]:
    """The rooms to import: the one that is called, none if another command is called, else all."""
    called = next((word for word in arguments if not word.startswith("-")), None)
    return [point for point in points if called in (None, point.name)]


def add_room(cli: typer.Typer, point: EntryPoint) -> None:
    """Add one room, or a stand-in that says what to install."""
    try:
        room = point.load()
    except ImportError as error:
        _add_stand_in(cli, point.name, (error.name or str(error)).partition(".")[0])
    else:
        cli.add_typer(room, name=point.name, rich_help_panel=_PANEL)


def _add_stand_in(cli: typer.Typer, name: str, package: str) -> None:
    remedy = f"pip install 'millwright[{_EXTRA_OF.get(name, name)}]'"

    def say(context: typer.Context) -> None:
        typer.echo(f"{context.command_path} needs the package {package}, which is not installed: {remedy}", err=True)
        raise typer.Exit(ExitCode.USAGE)

    anything = {"ignore_unknown_options": True, "allow_extra_args": True}
    stand_in = cli.command(name, add_help_option=False, context_settings=anything, rich_help_panel=_PANEL)
    say.__doc__ = f"Not installed here: {escape(remedy)}"
    stand_in(say)
