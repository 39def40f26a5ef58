"""`millwright`: everything a person does with a fleet, and by entry points what runs on its machines."""

import sys
from importlib.metadata import version
from typing import Annotated, Any

import typer

from ops.exit_codes import ExitCode
from ops.problems import Problem
from ops.rooms import add_rooms
from ops.send_commands import add_send_commands
from ops.terminal import terminal
from ops.watch_commands import add_watch_commands

MISUSE: type[Exception] = typer.BadParameter.__bases__[0]
"""Click's UsageError, which Typer has under different names in its versions."""
INTERRUPTED = 130

EXAMPLES = """
Examples:

  millwright status                                      the whole fleet
  millwright status plant-a/press-1                      one node
  millwright deploy plant-a/press-1 hmi --image hmi:1.4  a new revision
  millwright restart 'plant-a/*' hmi                     on a whole site
  millwright tags plant-a/press-1 --json | jq .value     tags as they change
"""


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"millwright {version('millwright')}")
        raise typer.Exit


def _about(
    _version: Annotated[bool, typer.Option("--version", callback=_version, is_eager=True, help="Show it.")] = False,
) -> None:
    """Run the software of a plant's edge nodes: deploy, watch, read tags."""


def build(arguments: list[str]) -> typer.Typer:
    """The command line for these arguments."""
    cli = typer.Typer(
        no_args_is_help=True,
        rich_markup_mode="rich",
        pretty_exceptions_enable=False,
        context_settings={"help_option_names": ["-h", "--help"]},
    )
    cli.callback(epilog=EXAMPLES)(_about)
    add_watch_commands(cli)
    add_send_commands(cli)
    add_rooms(cli, arguments)
    return cli


def main() -> None:
    """Run `millwright` with the arguments of the process."""
    try:
        sys.exit(build(sys.argv[1:])(prog_name="millwright", standalone_mode=False))
    except MISUSE as error:
        _explain(error)
        sys.exit(ExitCode.USAGE)
    except typer.Abort:
        sys.exit(INTERRUPTED)


def _explain(error: Any) -> None:
    """One line for the mistake and one for where to look: a box would break in a log, and a path in a box."""
    path = error.ctx.command_path if error.ctx else "millwright"
    if message := error.format_message():
        terminal().complain(Problem(message, f"{path} --help shows what there is"))


if __name__ == "__main__":
    main()
