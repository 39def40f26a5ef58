"""What `millwright` tells the shell."""

from enum import IntEnum


class ExitCode(IntEnum):
    """0 is for success on every node alone, so that a script may build on it."""

    SUCCEEDED = 0
    NOT_SUCCEEDED = 1
    """A node failed, rejected, expired, cancelled or superseded the command."""
    USAGE = 2
    NO_ANSWER = 3
    """Time is over and not every node has said how it ended."""
    NOT_SENT = 4
    """The broker can't be reached or doesn't let us, or nobody is there: nothing was done."""
