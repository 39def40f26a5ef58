"""A mistake in a configuration, before it is known in which file and line it stands."""

import difflib
from collections.abc import Iterable
from typing import Any

FieldPath = tuple[str | int, ...]
"""Where a field is: `("opcua", 0, "tags", 2, "deadband")`."""
Tree = dict[str, Any]
"""A configuration as TOML has it, before the decoder has made Structs of it."""


class Problem(Exception):  # noqa: N818 - it becomes a ConfigError, where the place is known
    """What is wrong with the field at `path`, and what would be right; `variable` if the environment said it."""

    def __init__(self, path: FieldPath, message: str, remedy: str, *, variable: str | None = None) -> None:
        super().__init__(message)
        self.path = path
        self.message = message
        self.remedy = remedy
        self.variable = variable


def dotted(path: FieldPath) -> str:
    """A path as a person writes it: `opcua[0].tags[2].deadband`; entries are counted from 0."""
    text = "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in path)
    return text.removeprefix(".")


def did_you_mean(given: str, known: Iterable[str]) -> str:
    """The nearest of what is known, as a question; empty where nothing is near."""
    spelled = {name.lower(): name for name in known}
    begun = [name for name in spelled if given and name.startswith(given.lower())]
    near = begun or difflib.get_close_matches(given.lower(), spelled, n=1, cutoff=0.6)
    return f"Did you mean {spelled[near[0]]}? " if near else ""
