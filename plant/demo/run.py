"""Put the works up, show the promises, and stay until Ctrl-C."""

import asyncio
import shutil
import signal
import socket
import sys
import tempfile
from collections.abc import Iterator
from contextlib import AsyncExitStack, contextmanager
from pathlib import Path

import aiodocker
from rich.console import Console

from ops.client import NoAnswerError, OpsClient
from plant.demo.example import APP, build_images, remove_images
from plant.demo.promises import PROMISES, Shown, Stage
from plant.witness import Witness
from plant.works import Works, WorksPlan
from wire.topics import NodeName, Topics

NODES = (NodeName("demo-north", "press-1"), NodeName("demo-north", "press-2"), NodeName("demo-south", "press-1"))


class AnotherDemoError(Exception):
    """There is one demo on a machine at a time."""


async def run(console: Console, *, once: bool, page: str) -> bool:
    """Show everything; True when every promise held. What was started is gone on return, whatever happened.

    Ended by SIGINT or SIGTERM; that takes some seconds, and a second signal does not cut it short. Raises
    AnotherDemoError.
    """
    with _the_only_demo():
        return await _run(console, once=once, page=page)


@contextmanager
def _the_only_demo() -> Iterator[None]:
    """Two demos on one machine would call their containers by the same names; raises AnotherDemoError."""
    with socket.socket(socket.AF_UNIX) as claim:
        try:
            claim.bind("\0millwright-demo")  # a name without a file: it is free again however the demo ended
        except OSError:
            raise AnotherDemoError("one runs on this machine already: end it with Ctrl-C, then start again") from None
        yield


async def _run(console: Console, *, once: bool, page: str) -> bool:
    _cancel_on_signal(console)
    directory = Path(tempfile.mkdtemp(prefix="millwright-demo-"))
    held = False
    try:
        async with AsyncExitStack() as stack:
            stage = await _set_up(stack, console, WorksPlan(nodes=NODES, directory=directory, page=page))
            held = await _show_all(console, stage)
            await _show_fleet(console, stage)
            if not once:
                _show_how_to_go_on(console, stage)
                await _until_signalled()
    finally:
        if held or not once:
            shutil.rmtree(directory)
        else:
            console.print(f"The logs of every process: {directory / 'logs'}")
    return held


def _cancel_on_signal(console: Console) -> None:
    loop, task, told = asyncio.get_running_loop(), asyncio.current_task(), False

    def end() -> None:
        nonlocal told
        if task is not None and not told:
            told = True
            console.print("\nEnding everything …")
            task.cancel()

    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, end)


async def _until_signalled() -> None:
    """Wait for the signal; it is how this is meant to end, so it ends the wait and nothing else."""
    task = asyncio.current_task()
    try:
        await asyncio.Event().wait()
    except asyncio.CancelledError:
        if task is None or task.uncancel() > 0:
            raise


async def _set_up(stack: AsyncExitStack, console: Console, plan: WorksPlan) -> Stage:
    docker = await stack.enter_async_context(aiodocker.Docker())
    console.print("Building the example app's two images from this machine's busybox …")
    stack.push_async_callback(remove_images, docker)
    await build_images(docker)
    console.print(f"Starting a broker, {len(plan.nodes)} PLCs, {len(plan.nodes)} agents and the controller …")
    works = await stack.enter_async_context(Works(plan))
    topics = Topics()
    ops = OpsClient(works.broker_for("ops"), topics=topics)
    witness = await stack.enter_async_context(Witness(works.broker_for("ops"), topics))
    return Stage(works=works, ops=ops, witness=witness, docker=docker)


async def _show_all(console: Console, stage: Stage) -> bool:
    held = True
    for promise in PROMISES:
        try:
            shown = await promise(stage)
        except (TimeoutError, NoAnswerError) as error:
            shown = Shown(promise=str(promise.__doc__), held=False, measured=f"gave up waiting. {error}")
        word = "[green]held  [/]" if shown.held else "[bold red]FAILED[/]"
        console.print(f"{word} {shown.promise}: {shown.measured}", highlight=False, soft_wrap=True)
        held = held and shown.held
    return held


async def _show_fleet(console: Console, stage: Stage) -> None:
    """The fleet as `millwright status` prints it: the command itself, as a person would type it."""
    console.print()
    command = [sys.executable, "-m", "ops", "status", *stage.works.ops_options()]
    process = await asyncio.create_subprocess_exec(*command)
    await process.wait()
    console.print(f"\nThe fleet's page: {stage.works.page_url}", highlight=False, soft_wrap=True)


def _show_how_to_go_on(console: Console, stage: Stage) -> None:
    broker = stage.works.broker_for("ops")
    console.print(
        f"""Everything stays up until Ctrl-C. In another terminal:

    export MILLWRIGHT_BROKER={broker} MILLWRIGHT_USERNAME=ops MILLWRIGHT_PASSWORD_FILE={broker.password_file}
    .venv/bin/millwright status {stage.nodes[0]}
    .venv/bin/millwright tags {stage.nodes[0]} --count 20
    .venv/bin/millwright restart {stage.nodes[0]} {APP}""",
        highlight=False,
        soft_wrap=True,
    )
