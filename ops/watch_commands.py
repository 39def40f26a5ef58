"""`millwright status`, `tags` and `outcome`: what the fleet says of itself, without telling it anything."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Annotated

import msgspec
import typer

from ops.exit_codes import ExitCode
from ops.fleet import Fleet, status_of
from ops.fleet_tables import fleet_tables, node_tables
from ops.following import print_outcome
from ops.options import Connection, seconds, spread
from ops.problems import Problem
from ops.pursuit import Pursuit, pursue, take
from ops.sending import guarded
from ops.tag_lines import as_json_lines, as_lines, notes
from ops.terminal import Terminal
from wire.codec import encode
from wire.continuity import Arrival
from wire.messages import Outcome
from wire.topics import NodeName, is_name

AsJson = Annotated[bool, typer.Option("--json", help="Print JSON, one object a line.")]


def add_watch_commands(cli: typer.Typer) -> None:
    """Add these commands to `cli`."""
    panel = "Looking at the fleet"
    cli.command(rich_help_panel=panel)(spread(status))
    for command in (tags, outcome):
        cli.command(rich_help_panel=panel, no_args_is_help=True)(spread(command))


def status(
    connection: Connection,
    node: Annotated[
        str | None, typer.Argument(metavar="[SITE/NODE]", help="One node; the fleet if none is named.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Show the fleet, or all that one node says of itself, each fact with its age."""
    name = None if node is None else _node_name(node)
    raise typer.Exit(guarded(connection, lambda streams: _status(connection, name, as_json, streams)))


@dataclass(frozen=True, kw_only=True)
class Following:
    """Which tags, and how many. Typer reads the fields as arguments and options."""

    node: Annotated[str, typer.Argument(metavar="SITE/NODE")]
    plc: Annotated[str | None, typer.Argument(metavar="[PLC]", help="One PLC; all of the node if none is named.")] = (
        None
    )
    count: Annotated[int | None, typer.Option(min=1, metavar="N", help="Stop behind the batch with the Nth.")] = None
    session: Annotated[
        str | None, typer.Option(metavar="NAME", help="Kept by the broker, so that nothing is missed between two runs.")
    ] = None
    as_json: AsJson = False


def tags(following: Following, connection: Connection) -> None:
    """Follow a node's tags, a line for each change, and say where any are missing."""
    name = _node_name(following.node)
    for given, option in ((following.plc, "PLC"), (following.session, "--session")):
        if given is not None and not is_name(given):
            raise typer.BadParameter(f"{given!r} is not a name", param_hint=option)
    stream = connection.client().tags(name, following.plc, session=following.session)
    raise typer.Exit(guarded(connection, lambda streams: _follow(stream, name, following, streams)))


@dataclass(frozen=True, kw_only=True)
class Asking:
    """Whose outcome, and where it is looked for. Typer reads the fields as arguments and options."""

    command_id: Annotated[str, typer.Argument(metavar="ID", help="As the command printed it.")]
    controller: Annotated[
        str | None, typer.Option(envvar="MILLWRIGHT_CONTROLLER", metavar="URL", help="Ask the controller's record.")
    ] = None
    timeout: Annotated[str, typer.Option(metavar="TIME", help="How long to wait for an end.")] = "60s"
    as_json: AsJson = False


def outcome(asking: Asking, connection: Connection) -> None:
    """Tell what became of a command: from the controller's record, and as nodes say it from now on.

    Without a controller nobody knows which nodes were meant: it ends with the end of all that have spoken.
    """
    if not is_name(asking.command_id):
        raise typer.BadParameter("an id has at most 64 letters, digits and . _ -", param_hint="ID")
    seconds("--timeout", asking.timeout)
    heard = connection.client().outcomes(asking.command_id)
    raise typer.Exit(guarded(connection, lambda streams: _outcome(asking, heard, streams)))


async def _status(connection: Connection, name: NodeName | None, as_json: bool, streams: Terminal) -> ExitCode:
    client = connection.client()
    fleet = await (client.fleet() if name is None else client.fleet(site=name.site, node=name.node))
    now = datetime.now(UTC)
    if as_json:
        streams.out.file.write(_as_json(fleet, now) + "\n")
    elif name is None:
        streams.out.print(fleet_tables(fleet, now))
    elif name in fleet.nodes:
        streams.out.print(node_tables(fleet.nodes[name], now))
    if name is not None and name not in fleet.nodes:
        streams.complain(
            Problem(f"the broker knows nothing of {name}", "millwright status shows the nodes that it knows")
        )
        return ExitCode.NOT_SUCCEEDED
    return ExitCode.SUCCEEDED


def _as_json(fleet: Fleet, now: datetime) -> str:
    nodes = [
        {
            "node": str(record.node),
            "status": (status := status_of(record, now)).word,
            "reasons": status.reasons,
            "seen_age_s": status.age_s,
            "presence": record.presence,
            "health": record.health,
            "apps": record.apps,
        }
        for record in fleet.records
    ]
    return msgspec.json.encode({"now": now, "nodes": nodes}).decode()


async def _follow(
    stream: AsyncGenerator[Arrival, None], node: NodeName, following: Following, streams: Terminal
) -> ExitCode:
    """Print until enough was seen, or for ever."""
    seen = 0
    async with aclosing(stream):
        async for arrival in stream:
            for note in () if following.as_json else notes(arrival):
                streams.say(note)
            for line in as_json_lines(node, arrival) if following.as_json else as_lines(arrival):
                streams.out.file.write(line + "\n")
            streams.out.file.flush()
            seen += len(arrival.batch.values)
            if following.count is not None and seen >= following.count:
                break
    return ExitCode.SUCCEEDED


async def _outcome(asking: Asking, heard: AsyncGenerator[Outcome, None], streams: Terminal) -> ExitCode:
    found: Pursuit | None = pursue(())
    if asking.controller is not None:
        found = await _recorded(asking.controller, asking, streams)
    if found is not None and not found.is_over:
        found = await _heard(asking, heard, found, streams)
    if found is None or not found.is_over:
        return ExitCode.NO_ANSWER
    return ExitCode.SUCCEEDED if found.succeeded else ExitCode.NOT_SUCCEEDED


async def _recorded(controller: str, asking: Asking, streams: Terminal) -> Pursuit | None:
    """The controller's record; None where it can't be had."""
    try:
        from ops.controller_api import ControllerError, recorded_outcomes  # noqa: PLC0415 httpx comes with an extra
    except ImportError:
        streams.complain(Problem("asking a controller needs one package more", "pip install 'millwright[ops]'"))
        return None
    try:
        outcomes = await asyncio.to_thread(recorded_outcomes, controller, asking.command_id)
    except ControllerError as error:
        remedy = "check --controller or MILLWRIGHT_CONTROLLER"
        streams.complain(Problem(f"the controller can't be asked: {error}", remedy))
        return None
    pursuit = pursue(())
    for found in outcomes:
        pursuit = take(pursuit, found)
        _print(found, asking, streams)
    return pursuit


async def _heard(asking: Asking, heard: AsyncGenerator[Outcome, None], pursuit: Pursuit, streams: Terminal) -> Pursuit:
    """Listen until everyone who says something has ended, or time is over."""
    streams.say(f"waiting for nodes to speak of {asking.command_id}; a node repeats an end when it connects")
    try:
        async with asyncio.timeout(seconds("--timeout", asking.timeout)), aclosing(heard):
            async for found in heard:
                before, pursuit = pursuit, take(pursuit, found)
                if pursuit is not before:
                    _print(found, asking, streams)
                if pursuit.is_over:
                    return pursuit
    except TimeoutError:
        remedy = "the controller remembers every outcome: --controller URL"
        streams.complain(Problem("nobody told the end of it in time", remedy))
    return pursuit


def _print(found: Outcome, asking: Asking, streams: Terminal) -> None:
    if asking.as_json:
        streams.out.file.write(encode(found).decode() + "\n")
        streams.out.file.flush()
    else:
        print_outcome(streams.out, found)


def _node_name(text: str) -> NodeName:
    try:
        return NodeName.parse(text)
    except ValueError as error:
        raise typer.BadParameter(str(error), param_hint="SITE/NODE") from error
