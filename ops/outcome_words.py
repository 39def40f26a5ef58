"""An outcome in words for a person: what happened, why, and what the node was left in."""

from ops.amounts import size
from wire.messages import Fault, Left, Outcome, Phase, Progress

MARKS = {
    Phase.ACCEPTED: "·",
    Phase.HELD: "‖",
    Phase.RUNNING: "·",
    Phase.SUCCEEDED: "✓",
    Phase.FAILED: "✗",
    Phase.REJECTED: "✗",
    Phase.EXPIRED: "✗",
    Phase.CANCELLED: "-",
    Phase.SUPERSEDED: "-",
}
"""So that an end can be told apart without its colour."""

_LEFT = {
    Left.UNCHANGED: "the node is as it was",
    Left.CHANGED: "the node was changed",
    Left.ROLLED_BACK: "the node went back to what it had",
    Left.BROKEN: "the node was left broken: go and look",
}


def in_words(outcome: Outcome) -> str:
    """One line: `succeeded, revision 3` or `failed: no such image … (the node is as it was)`."""
    match outcome.phase:
        case Phase.RUNNING if outcome.progress is not None:
            return progress_in_words(outcome.progress)
        case Phase.ACCEPTED | Phase.HELD | Phase.RUNNING:
            return outcome.phase.value
        case Phase.SUCCEEDED:
            return "succeeded" if outcome.revision is None else f"succeeded, revision {outcome.revision}"
    why = f": {outcome.error.message}" if outcome.error else ""
    left = f" ({_LEFT[outcome.left]})" if outcome.left else ""
    return f"{outcome.phase.value}{why}{left}"


def progress_in_words(progress: Progress) -> str:
    """`pull 12 MiB of 48 MiB`, or the step alone where nothing is counted."""
    if progress.done_bytes is None:
        return progress.step
    of = f" of {size(progress.total_bytes)}" if progress.total_bytes else ""
    return f"{progress.step} {size(progress.done_bytes)}{of}"


def details(outcome: Outcome) -> list[str]:
    """What stands below a failure: the place of the first cause, what followed, whether to try again."""
    if outcome.error is None:
        return []
    lines = [_place(outcome.error)]
    lines += [f"then, {_place(fault)}: {fault.message}" for fault in outcome.followed_by]
    if outcome.error.retry:
        lines.append("the same command may succeed later")
    return lines


def _place(fault: Fault) -> str:
    return f"while {fault.phase}, {fault.component} failed for {fault.element} [{fault.category}]"
