"""How long to wait before an app is brought up again: a pure function of how often that did not last."""

from datetime import datetime, timedelta

from msgspec import Struct

LONGEST_S = 300.0
SETTLED_S = 60.0
"""An app that ran well for so long starts the next series afresh."""


class Attempts(Struct, frozen=True, kw_only=True):
    """Attempts to bring an app up since it last ran well."""

    failures: int = 0
    last_at: datetime | None = None
    reason: str | None = None

    @property
    def not_before(self) -> datetime | None:
        """When the next attempt is due; None: at once."""
        return None if self.last_at is None else self.last_at + timedelta(seconds=delay_s(self.failures))


def delay_s(failures: int) -> float:
    """Nothing before the first repair, then 1 s, 2 s, 4 s … 5 minutes."""
    return 0.0 if failures <= 0 else min(2.0 ** min(failures - 1, 30), LONGEST_S)


def once_more(attempts: Attempts, *, at: datetime, reason: str) -> Attempts:
    """An attempt is made."""
    return Attempts(failures=attempts.failures + 1, last_at=at, reason=reason)


def settled(attempts: Attempts, *, well_since: datetime | None, now: datetime) -> Attempts:
    """Forget the attempts of an app that has run well for long enough."""
    lasted = well_since is not None and now - well_since >= timedelta(seconds=SETTLED_S)
    return Attempts() if lasted else attempts
