"""What can be checked, and what a check says."""

from collections.abc import Iterable
from enum import StrEnum

from msgspec import Struct


class Group(StrEnum):
    """What a check is about."""

    CONFIGURATION = "configuration"
    CONNECTIVITY = "connectivity"
    PRODUCTION = "production readiness"


class State(StrEnum):
    """What came of a check, as a word: never by colour alone."""

    PASS = "pass"  # noqa: S105 - no password
    INFO = "info"
    """Worth knowing, and nothing to be done."""
    WARN = "warn"
    FAIL = "fail"
    SKIP = "skip"
    """Could not be looked at, because of another check or because it isn't there."""


CHECKS: dict[str, Group] = {
    "config-loads": Group.CONFIGURATION,
    "data-dir-writable": Group.CONFIGURATION,
    "data-dir-durable": Group.CONFIGURATION,
    "data-dir-space": Group.CONFIGURATION,
    "sqlite-version": Group.CONFIGURATION,
    "broker-reachable": Group.CONNECTIVITY,
    "broker-tls": Group.CONNECTIVITY,
    "broker-credentials": Group.CONNECTIVITY,
    "broker-subscribe": Group.CONNECTIVITY,
    "broker-publish": Group.CONNECTIVITY,
    "plc-reachable": Group.CONNECTIVITY,
    "plc-credentials": Group.CONNECTIVITY,
    "plc-tags": Group.CONNECTIVITY,
    "engine-reachable": Group.CONNECTIVITY,
    "engine-version": Group.CONNECTIVITY,
    "engine-space": Group.CONNECTIVITY,
    "clock-synchronized": Group.PRODUCTION,
    "node-named": Group.PRODUCTION,
    "commands-signed": Group.PRODUCTION,
    "broker-encrypted": Group.PRODUCTION,
    "broker-authenticated": Group.PRODUCTION,
    "secrets-in-files": Group.PRODUCTION,
    "secrets-private": Group.PRODUCTION,
}
"""Every check by its id, in the order of a report. Ids are for scripts: one that was released keeps its meaning."""


class Verdict(Struct, frozen=True, kw_only=True):
    """What one check says of one thing."""

    id: str
    state: State
    message: str
    remedy: str | None = None
    """What to do about it; stands in every `warn` and `fail`."""
    subject: str | None = None
    """Which one, where there can be several: a PLC's name."""

    @property
    def group(self) -> Group:
        """Where it stands in a report."""
        return CHECKS[self.id]


def passed(check: str, message: str) -> Verdict:
    """As it should be."""
    return Verdict(id=check, state=State.PASS, message=message)


def noted(check: str, message: str) -> Verdict:
    """Worth knowing."""
    return Verdict(id=check, state=State.INFO, message=message)


def warned(check: str, message: str, remedy: str) -> Verdict:
    """It works, and it will hurt one day."""
    return Verdict(id=check, state=State.WARN, message=message, remedy=remedy)


def failed(check: str, message: str, remedy: str) -> Verdict:
    """It doesn't work."""
    return Verdict(id=check, state=State.FAIL, message=message, remedy=remedy)


def skipped(check: str, message: str) -> Verdict:
    """Nobody could look."""
    return Verdict(id=check, state=State.SKIP, message=message)


def is_sound(verdicts: Iterable[Verdict], *, warnings_as_errors: bool = False) -> bool:
    """Whether an agent may be started on this."""
    refused = {State.FAIL, State.WARN} if warnings_as_errors else {State.FAIL}
    return not any(verdict.state in refused for verdict in verdicts)
