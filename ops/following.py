"""Show a command while it is under way: bars on a terminal, one line a phase elsewhere. All of it goes to stderr."""

from contextlib import AbstractContextManager, ExitStack
from types import TracebackType
from typing import Protocol, Self

from rich.console import Console
from rich.progress import BarColumn, Progress, SpinnerColumn, TaskID, TextColumn, TimeElapsedColumn
from rich.text import Text

from ops.outcome_words import MARKS, details, in_words
from wire.messages import Outcome, Phase

_LOOK = {Phase.SUCCEEDED: "green", Phase.HELD: "yellow", Phase.ACCEPTED: "dim", Phase.RUNNING: "dim"}


class Show(AbstractContextManager["Show"], Protocol):
    """Something that outcomes are shown on."""

    def take(self, outcome: Outcome) -> None:
        """Show one."""


class Lines(ExitStack):
    """One line for each phase and step, as a log has them; how far a step is, is not repeated."""

    def __init__(self, console: Console) -> None:
        super().__init__()
        self._console = console
        self._said: dict[str, str | None] = {}

    def take(self, outcome: Outcome) -> None:
        """Print it, unless it only says how far the same step is."""
        step = outcome.progress.step if outcome.progress else None
        if outcome.phase is Phase.RUNNING and self._said.get(outcome.node) == (step or "running"):
            return
        self._said[outcome.node] = (step or "running") if outcome.phase is Phase.RUNNING else None
        print_outcome(self._console, outcome)


class Bars:
    """A line for each node that lives while the command does: phase, bytes pulled, time."""

    def __init__(self, console: Console, nodes: list[str]) -> None:
        self._console = console
        self._progress = Progress(
            SpinnerColumn(finished_text=" "),
            TextColumn("{task.fields[node]}"),
            TextColumn("{task.description}"),
            BarColumn(bar_width=24),
            TimeElapsedColumn(),
            console=console,
            transient=True,
        )
        self._tasks = {node: self._add(node) for node in nodes}

    def _add(self, node: str) -> TaskID:
        return self._progress.add_task("sent, waiting for the node", total=None, node=node)

    def __enter__(self) -> Self:
        self._progress.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._progress.stop()

    def take(self, outcome: Outcome) -> None:
        """Move the node's line; an end leaves it and is printed for good."""
        if outcome.node not in self._tasks:
            self._tasks[outcome.node] = self._add(outcome.node)
        task = self._tasks[outcome.node]
        if outcome.phase.is_end:
            self._progress.update(task, visible=False)
            print_outcome(self._progress.console, outcome)
            return
        done, total = (outcome.progress.done_bytes, outcome.progress.total_bytes) if outcome.progress else (None, None)
        self._progress.update(task, description=in_words(outcome), completed=done or 0, total=total)


def print_outcome(console: Console, outcome: Outcome) -> None:
    """One line for what happened and, after a failure, some below it for why."""
    text = Text.assemble((MARKS[outcome.phase], _LOOK.get(outcome.phase, "red")), f" {outcome.node}  ")
    console.print(text + Text(in_words(outcome), _LOOK.get(outcome.phase, "red")), soft_wrap=True)
    for line in details(outcome):
        console.print(Text(f"    {line}", "dim"), soft_wrap=True)
