"""How often to try again: at once never, together never.

A fleet whose broker comes back must not arrive as one storm, so the first attempt after a loss is spread as well, and
the delays grow until a connection has lasted (field notes: eclipse-hawkbit and aiomqtt users alike).
"""

import time
from collections.abc import Callable
from typing import Annotated

import tenacity
from msgspec import Meta, Struct


class Spread(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Delays between attempts, each drawn at random from zero to a bound that doubles."""

    first_s: Annotated[float, Meta(ge=0, le=86400)] = 2.0
    """The first attempt after a loss comes within this time."""
    longest_s: Annotated[float, Meta(gt=0, le=86400)] = 60.0
    """No two attempts are further apart."""
    settled_after_s: Annotated[float, Meta(ge=0, le=86400)] = 60.0
    """A connection that lasted so long starts the next series afresh."""


class BackOff:
    """Counts failures of one connection and says how long to wait. Not shared between connections."""

    def __init__(self, spread: Spread, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._wait = tenacity.wait_random_exponential(multiplier=spread.first_s, max=spread.longest_s)
        self._settled_after_s = spread.settled_after_s
        self._state = tenacity.RetryCallState(tenacity.AsyncRetrying(), None, (), {})
        self._state.attempt_number = 0
        self._connected_at: float | None = None

    @property
    def failures(self) -> int:
        """How many times in a row it failed or was lost."""
        return self._state.attempt_number

    def connected(self) -> None:
        """The connection stands."""
        self._connected_at = self._clock()

    def delay_s(self) -> float:
        """The connection failed or was lost: how long to wait before the next attempt."""
        since, self._connected_at = self._connected_at, None
        settled = since is not None and self._clock() - since >= self._settled_after_s
        self._state.attempt_number = 1 if settled else self._state.attempt_number + 1
        return self._wait(self._state)
