"""`millwright demo`: arguments to a run."""

import asyncio
from typing import Annotated

import typer
from rich.console import Console

cli = typer.Typer(help="Run the main job on this machine and show what it promises.")


@cli.callback(invoke_without_command=True)
def demo(
    *,
    once: Annotated[
        bool, typer.Option("--once", help="End after the checks; exit 0 only if all of them held.")
    ] = False,
    page: Annotated[
        str, typer.Option(help="Where to serve the fleet's page; port 0 takes a free one.")
    ] = "127.0.0.1:0",
) -> None:
    """Start a broker, two sites with three agents beside simulated PLCs, and the controller; then show each promise.

    Needs a Docker Engine, Debian's mosquitto and busybox-static: `make demo` sets them up.
    """
    from plant.demo.run import AnotherDemoError, run

    console = Console()
    try:
        held = asyncio.run(run(console, once=once, page=page))
    except asyncio.CancelledError:
        raise typer.Exit(130) from None
    except AnotherDemoError as error:
        Console(stderr=True).print(f"millwright demo: {error}", soft_wrap=True)
        raise typer.Exit(2) from None
    raise typer.Exit(0 if held else 1)


if __name__ == "__main__":
    cli()
