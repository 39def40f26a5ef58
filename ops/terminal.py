"""Where output goes: data to stdout, messages to stderr; colour and movement for a terminal alone (NO_COLOR counts)."""

import sys

from msgspec import Struct
from rich.console import Console
from rich.markup import escape

from ops.problems import Problem

PLAIN_WIDTH = 400
"""Off a terminal nothing is cut or wrapped: whoever reads a pipe or a log wants the whole line."""


class Terminal(Struct, frozen=True):
    """Both streams."""

    out: Console
    err: Console

    def say(self, message: str) -> None:
        """Tell the person something that is not data."""
        self.err.print(message, markup=False, highlight=False, soft_wrap=True)

    def complain(self, problem: Problem) -> None:
        """Tell what went wrong and what to do."""
        self.err.print(f"[bold red]error:[/] {escape(problem.fault)}", highlight=False, soft_wrap=True)
        self.err.print(f"  {escape(problem.remedy)}", highlight=False, soft_wrap=True)


def terminal() -> Terminal:
    """The streams of this process, as they are now."""
    return Terminal(_console(stderr=False), _console(stderr=True))


def _console(*, stderr: bool) -> Console:
    is_terminal = (sys.stderr if stderr else sys.stdout).isatty()
    return Console(stderr=stderr, width=None if is_terminal else PLAIN_WIDTH, highlight=False, emoji=False)
