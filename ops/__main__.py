"""`millwright`: everything a person does with a fleet, and by entry points what runs on its machines."""

import os
import sys
from importlib.metadata import version
from typing import Annotated

import typer

from ops.rooms import add_rooms
from ops.send_commands import add_send_commands
from ops.watch_commands import add_watch_commands

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
        build(sys.argv[1:])(prog_name="millwright")
    except BrokenPipeError:  # whoever read our output has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(0)


if __name__ == "__main__":
    main()
