"""Where output goes: data to stdout, messages to stderr; colour and movement for a terminal alone (NO_COLOR counts)."""

import sys
from collections.abc import Iterable

from msgspec import Struct
from rich.console import Console, ConsoleOptions, RenderableType
from rich.segment import Segment
from rich.text import Text

from ops.plain_text import without_control
from ops.problems import Problem

PLAIN_WIDTH = 400
"""Off a terminal nothing is cut or wrapped: whoever reads a pipe or a log wants the whole line."""


class Terminal(Struct, frozen=True):
    """Both streams."""

    out: Console
    err: Console

    def say(self, message: str) -> None:
        """Tell the person something that is not data."""
        self.err.print(message, soft_wrap=True)

    def complain(self, problem: Problem) -> None:
        """Tell what went wrong and what to do."""
        self.err.print(Text.assemble(("error:", "bold red"), f" {problem.fault}"), soft_wrap=True)
        self.err.print(f"  {problem.remedy}", soft_wrap=True)


class _Literal(Console):
    """Shows text as it is: brackets that a node sent are no markup, and its control characters don't get through."""

    def render(self, renderable: RenderableType, options: ConsoleOptions | None = None) -> Iterable[Segment]:
        """Render, but for control characters in what is shown."""
        for text, style, control in super().render(renderable, options):
            yield Segment(text if control else without_control(text), style, control)


def terminal() -> Terminal:
    """The streams of this process, as they are now."""
    return Terminal(_console(stderr=False), _console(stderr=True))


def _console(*, stderr: bool) -> Console:
    is_terminal = (sys.stderr if stderr else sys.stdout).isatty()
    width = None if is_terminal else PLAIN_WIDTH
    return _Literal(stderr=stderr, width=width, markup=False, highlight=False, emoji=False)
