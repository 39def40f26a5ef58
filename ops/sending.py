"""Send what was typed, follow it, and turn what became of it into an exit code."""

import asyncio
from collections.abc import Callable, Coroutine
from datetime import UTC, datetime
from typing import Any

from link.client import LinkError, PublishRefusedError
from ops.amounts import age
from ops.client import NoAnswerError, OpsClient
from ops.exit_codes import ExitCode
from ops.fleet import Fleet
from ops.fleet_tables import app_table
from ops.following import Bars, Lines, Show
from ops.options import Connection, Manner
from ops.problems import Problem, explain
from ops.terminal import Terminal, terminal
from wire.codec import encode
from wire.messages import Args, Command, Inspection, Outcome, Pong


def perform(connection: Connection, target: str, args: Args, manner: Manner) -> ExitCode:
    """Send a command, show each phase, and return how it ended."""
    command = manner.command(target, args)
    client = connection.client()
    return guarded(connection, lambda streams: _perform(client, command, manner, streams))


def guarded(connection: Connection, work: Callable[[Terminal], Coroutine[Any, Any, ExitCode]]) -> ExitCode:
    """Run `work`; what goes wrong with the broker is said with what to do about it, and is an exit code."""
    streams = terminal()
    try:
        return asyncio.run(work(streams))
    except (LinkError, PublishRefusedError) as error:
        username = connection.address().username
        streams.complain(explain(error, username=username, root=connection.root))
        return ExitCode.NOT_SENT


async def _perform(client: OpsClient, command: Command, manner: Manner, streams: Terminal) -> ExitCode:
    if manner.no_wait:
        await client.post(command)
        streams.out.print(command.id, highlight=False)
        return ExitCode.SUCCEEDED
    known = await client.present(command.target)
    nodes = known.meant_by(command.target)
    if not nodes:
        streams.complain(
            Problem(f"the broker knows no node that {command.target!r} means", "millwright status shows all")
        )
        return ExitCode.NOT_SENT
    _warn_of_absent(known, command, streams)
    return await _follow(client, command, list(map(str, nodes)), manner, streams)


async def _follow(client: OpsClient, command: Command, nodes: list[str], manner: Manner, streams: Terminal) -> ExitCode:
    errand = client.errand(command, nodes)
    moving = streams.err.is_terminal and not manner.as_json
    show: Show = Bars(streams.err, nodes) if moving else Lines(streams.err)
    streams.say(f"{command.verb} {command.app or ''} on {command.target}, command {command.id}".replace("  ", " "))
    try:
        with show:
            async for outcome in errand.run():
                _take(outcome, show, manner, streams)
    except NoAnswerError as error:
        streams.complain(_unanswered(error, command, manner))
        return ExitCode.NO_ANSWER
    except asyncio.CancelledError:
        streams.say(f"\nNot waiting any longer. The command goes on; ask for it: millwright outcome {command.id}")
        raise
    return ExitCode.SUCCEEDED if errand.pursuit.succeeded else ExitCode.NOT_SUCCEEDED


def _take(outcome: Outcome, show: Show, manner: Manner, streams: Terminal) -> None:
    if manner.as_json:
        streams.out.file.write(encode(outcome).decode() + "\n")
        streams.out.file.flush()
        return
    show.take(outcome)
    match outcome.result:
        case Pong() as pong:
            streams.out.print(f"{outcome.node} answers, agent {pong.version}")
        case Inspection(apps=()):
            streams.out.print(f"{outcome.node} has no such app" if outcome.app else f"{outcome.node} has no app")
        case Inspection(apps=apps):
            streams.out.print(app_table(apps, datetime.now(UTC)))


def _warn_of_absent(known: Fleet, command: Command, streams: Terminal) -> None:
    for record in known.records:
        if record.presence is not None and not record.presence.online:
            left_s = (command.expires_at - datetime.now(UTC)).total_seconds()
            streams.say(f"{record.node} is offline; the command waits for it for {age(left_s)}")


def _unanswered(error: NoAnswerError, command: Command, manner: Manner) -> Problem:
    remedy = f"millwright status shows who is there; later: millwright outcome {command.id}"
    return Problem(f"not every node has ended within {manner.timeout}: {error}", remedy)
