"""`millwright agent`, also `python -m agent`: run an agent, check its surroundings, write a configuration.

Exit codes: 0, done, or ended by SIGTERM or SIGINT; 1, `validate` found what fails, or the agent ended by a fault;
2, wrong usage or a configuration that can't be used (said on stderr, with what would be right).
"""

import asyncio
import os
import traceback
from collections.abc import Callable
from enum import StrEnum
from pathlib import Path
from typing import Annotated, NoReturn

import structlog
import typer
from rich.console import Console

from agent.config import Config, LogLevel
from agent.errors import AgentError, ConfigError
from agent.load import load
from agent.validate.verdict import Verdict, is_sound
from link.log import set_up_logging

EXIT_CODES = (
    "Exit codes: 0 done, or ended by SIGTERM or SIGINT; 1 a check failed, or the agent ended by a fault; "
    "2 wrong usage, or a configuration that can't be used."
)

cli = typer.Typer(
    name="agent",
    help="One edge node: commands in; containers, tags and health out.",
    epilog=EXIT_CODES,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)

_log = structlog.get_logger("agent")

ConfigFile = Annotated[
    Path | None,
    typer.Option("--config", "-c", envvar="MILLWRIGHT_AGENT_CONFIG", help="TOML file; without it, the environment."),
]


@cli.command()
def run(config: ConfigFile = None) -> None:
    """Run the agent until SIGTERM or SIGINT.

    Example: millwright agent run --config /etc/millwright/agent.toml
    """
    try:
        loaded = load(config, os.environ)
        set_up_logging(loaded.node.log_level)
        _run(loaded)
    except ConfigError as error:
        _refuse(str(error))
    except AgentError as error:
        about = {"phase": error.phase, "component": error.component, "element": error.element}
        _log.critical("agent_failed", **about, error=str(error))
        raise typer.Exit(1) from None
    except KeyboardInterrupt:
        return


def _run(config: Config) -> None:
    from agent.app import run as run_agent  # here: `config` and `validate` need not wait for all that it imports

    with asyncio.Runner(loop_factory=_loop_factory()) as runner:
        runner.run(run_agent(config))


class Output(StrEnum):
    """How `validate` says what it found."""

    TEXT = "text"
    JSON = "json"


@cli.command()
def validate(
    config: ConfigFile = None,
    output: Annotated[Output, typer.Option("--output", "-o", help="For a person, or for a script.")] = Output.TEXT,
    warnings_as_errors: Annotated[bool, typer.Option("--warnings-as-errors", help="A warning fails as well.")] = False,
    timeout_s: Annotated[float, typer.Option("--timeout", min=0.1, help="Seconds that each part may take.")] = 10.0,
) -> None:
    """Check a configuration and its surroundings: broker, OPC UA servers, Docker, disk, clock.

    Changes nothing, and may run beside the agent. Exits 0 if an agent may be started on it, 1 if not, 2 if the checks
    could not be made.

    Example: millwright agent validate --config /etc/millwright/agent.toml -o json
    """
    from agent.validate.report import as_json, show

    node, verdicts = _examined(config, timeout_s)
    sound = is_sound(verdicts, warnings_as_errors=warnings_as_errors)
    if output is Output.JSON:
        typer.echo(as_json(verdicts, node=node, sound=sound))
    else:
        show(verdicts, Console())
    raise typer.Exit(0 if sound else 1)


def _examined(config: Path | None, within_s: float) -> tuple[str | None, list[Verdict]]:
    from agent.validate.examine import examine, refused

    set_up_logging(LogLevel.ERROR)
    try:
        loaded = load(config, os.environ)
        return str(loaded.node_name), asyncio.run(examine(loaded, source=config, within_s=within_s))
    except ConfigError as error:
        return None, refused(error)
    except Exception:
        traceback.print_exc()
        _refuse("the checks could not be made; this is a fault of the agent's, please report it.")


@cli.command()
def config(
    output: Annotated[Path | None, typer.Option("--output", "-o", help="File to write; without it, stdout.")] = None,
    force: Annotated[bool, typer.Option("--force", help="Replace a file that exists.")] = False,
) -> None:
    """Write a commented configuration to start from.

    Example: millwright agent config -o /etc/millwright/agent.toml
    """
    from agent.template import template

    if output is None:
        typer.echo(template(), nl=False)
        return
    try:
        with output.open("w" if force else "x", encoding="utf-8") as file:
            output.chmod(0o600)
            file.write(template())
    except FileExistsError:
        _refuse(f"{output} exists: --force replaces it.")
    except OSError as error:
        _refuse(f"{output} can't be written: {error.strerror}.")


def _refuse(message: str) -> NoReturn:
    typer.echo(f"millwright agent: {message}", err=True)
    raise typer.Exit(2)


def _loop_factory() -> Callable[[], asyncio.AbstractEventLoop] | None:
    """uvloop where it is installed; None means asyncio's own."""
    try:
        import uvloop
    except ImportError:
        return None
    return uvloop.new_event_loop


if __name__ == "__main__":
    cli(prog_name="millwright agent")
