"""A probe looks at one thing in steps, and says what it found; each step has its check."""

import asyncio
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing

from msgspec import Struct
from msgspec.structs import replace

from agent.validate.verdict import State, Verdict, failed, skipped

Look = Callable[[], AsyncGenerator[Verdict, None]]


class Probe(Struct, frozen=True, kw_only=True):
    """What is looked at, the checks in the order in which they are made, and the remedy for silence."""

    name: str
    checks: tuple[str, ...]
    look: Look
    when_silent: str
    subject: str | None = None


async def answers(probe: Probe, *, within_s: float) -> list[Verdict]:
    """One verdict or more for each check: what comes after a failure, or after `within_s`, is skipped."""
    verdicts: list[Verdict] = []
    try:
        async with asyncio.timeout(within_s), aclosing(probe.look()) as found:
            async for verdict in found:
                verdicts.append(verdict)
                if verdict.state is State.FAIL:
                    break
    except TimeoutError:
        silent = next(check for check in probe.checks if check not in {one.id for one in verdicts})
        verdicts.append(failed(silent, f"{probe.name} did not answer within {within_s:g} s", probe.when_silent))
    verdicts += _not_reached(probe, verdicts)
    return [replace(verdict, subject=probe.subject) for verdict in verdicts]


def _not_reached(probe: Probe, verdicts: list[Verdict]) -> list[Verdict]:
    made = {verdict.id for verdict in verdicts}
    failure = next((verdict.id for verdict in verdicts if verdict.state is State.FAIL), None)
    return [skipped(check, f"after {failure}") for check in probe.checks if failure and check not in made]
