"""What a person reads, and what a script reads."""

from collections import Counter
from collections.abc import Sequence

import msgspec
from rich.console import Console
from rich.text import Text

from agent.validate.verdict import State, Verdict

_STYLES = {State.PASS: "green", State.INFO: "cyan", State.WARN: "yellow", State.FAIL: "bold red", State.SKIP: "dim"}
_ID_WIDTH = 22


def as_json(verdicts: Sequence[Verdict], *, node: str | None, sound: bool) -> str:
    """One object: `sound`, `node`, `counts` by state, and `checks` with id, group, state, subject, message, remedy."""
    checks = [{"group": verdict.group, **msgspec.structs.asdict(verdict)} for verdict in verdicts]
    report = {"sound": sound, "node": node, "counts": _counts(verdicts), "checks": checks}
    return msgspec.json.format(msgspec.json.encode(report)).decode()


def show(verdicts: Sequence[Verdict], console: Console) -> None:
    """A line for each check, below its group, with the remedy under what needs one."""
    group = None
    for verdict in verdicts:
        if verdict.group is not group:
            group = verdict.group
            console.print(Text(f"\n{group}", style="bold"))
        for line in _lines(verdict):
            console.print(line, soft_wrap=True)
    counts = ", ".join(f"{count} {state}" for state, count in _counts(verdicts).items() if count)
    console.print(Text(f"\n{counts}"))


def _lines(verdict: Verdict) -> list[Text]:
    about = f"{verdict.subject}: " if verdict.subject else ""
    word = (f"  {verdict.state.upper():<4}  ", _STYLES[verdict.state])
    lines = [Text.assemble(word, f"{verdict.id:<{_ID_WIDTH}}{about}{verdict.message}")]
    if verdict.remedy:
        lines.append(Text(f"        → {verdict.remedy}"))
    return lines


def _counts(verdicts: Sequence[Verdict]) -> dict[State, int]:
    found = Counter(verdict.state for verdict in verdicts)
    return {state: found[state] for state in State}
