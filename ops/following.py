"""Show a command while it is under way: bars on a terminal, one line a phase elsewhere. All of it goes to stderr."""

import time
from contextlib import AbstractContextManager
from types import TracebackType
from typing import Protocol, Self

from rich.console import Console, RenderableType
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.spinner import Spinner
from rich.table import Table
from rich.text import Text

from ops.amounts import age
from ops.outcome_words import MARKS, details, in_words
from wire.messages import Outcome, Phase

_LOOK = {Phase.SUCCEEDED: "green", Phase.HELD: "yellow", Phase.ACCEPTED: "dim", Phase.RUNNING: "dim"}


class Show(AbstractContextManager["Show"], Protocol):
    """Something that outcomes are shown on."""

    def take(self, outcome: Outcome) -> None:
        """Show one."""


class Lines(AbstractContextManager["Lines"]):
    """One line for each phase and step, as a log has them; how far a step is, is not repeated."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._said: dict[str, str | None] = {}

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        """What was printed stays."""

    def take(self, outcome: Outcome) -> None:
        """Print it, unless it only says how far the same step is."""
        step = outcome.progress.step if outcome.progress else None
        if outcome.phase is Phase.RUNNING and self._said.get(outcome.node) == (step or "running"):
            return
        self._said[outcome.node] = (step or "running") if outcome.phase is Phase.RUNNING else None
        print_outcome(self._console, outcome)


class Bars:
    """A line for each node that lives while the command does there: what is done, bytes pulled, time."""

    def __init__(self, console: Console, nodes: list[str]) -> None:
        self._console = console
        self._began_at = time.monotonic()
        self._spinner = Spinner("dots")
        self._newest: dict[str, Outcome | None] = dict.fromkeys(nodes)
        self._live = Live(console=console, get_renderable=self._view, refresh_per_second=10, transient=True)

    def __enter__(self) -> Self:
        self._live.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._live.stop()

    def take(self, outcome: Outcome) -> None:
        """Change the node's line; an end takes it away and is printed for good."""
        if outcome.phase.is_end:
            self._newest.pop(outcome.node, None)
            print_outcome(self._console, outcome)
        else:
            self._newest[outcome.node] = outcome
        self._live.refresh()

    def _view(self) -> RenderableType:
        lines = Table.grid(padding=(0, 1))
        waited = age(time.monotonic() - self._began_at)
        for node, outcome in self._newest.items():
            words = in_words(outcome) if outcome else "sent, waiting for the node"
            lines.add_row(self._spinner, node, words, _bar(outcome), Text(waited, "dim"))
        return lines


def _bar(outcome: Outcome | None) -> RenderableType:
    progress = outcome.progress if outcome else None
    if progress is None or progress.done_bytes is None or not progress.total_bytes:
        return ""
    return ProgressBar(total=progress.total_bytes, completed=progress.done_bytes, width=24)


def print_outcome(console: Console, outcome: Outcome) -> None:
    """One line for what happened and, after a failure, some below it for why."""
    text = Text.assemble((MARKS[outcome.phase], _LOOK.get(outcome.phase, "red")), f" {outcome.node}  ")
    console.print(text + Text(in_words(outcome), _LOOK.get(outcome.phase, "red")), soft_wrap=True)
    for line in details(outcome):
        console.print(Text(f"    {line}", "dim"), soft_wrap=True)
