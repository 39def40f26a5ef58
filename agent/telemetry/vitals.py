"""What a bridge counts of itself, for the heartbeat."""

import time
from datetime import datetime, timedelta

from wire.messages import PlcHealth


class Vitals:
    """Mutable, and owned by one bridge."""

    def __init__(self, complete_until: datetime | None) -> None:
        self.connected = False
        self.error: str | None = "not connected yet"
        self.errors = 0
        self.values = 0
        self.complete_until = complete_until
        """By the node's clock: what changed up to here is stored, or is said to be lost. None: nothing ever came."""
        self._connections = 0
        self._value_at: float | None = None

    def entered(self) -> None:
        """A connection stands, with its subscription."""
        self.connected, self.error = True, None
        self._connections += 1

    def lost(self, error: str) -> None:
        """It is lost, or was not reached."""
        self.connected, self.error = False, error
        self.errors += 1

    def heard(self, at: datetime, interval_s: float) -> None:
        """What the server had to say at that time, up to one publishing interval before, is stored."""
        self.complete_until = at - timedelta(seconds=interval_s)

    def stored(self, values: int) -> None:
        """Values are on disk."""
        self.values += values
        self._value_at = time.monotonic()

    def health(self, plc: str, *, good: int, tags: int, refused: int, response_time_s: float | None) -> PlcHealth:
        """As it goes into the heartbeat."""
        now = time.monotonic()
        return PlcHealth(
            plc=plc,
            age_s=0.0,
            connected=self.connected,
            quality=good / tags if tags and self.connected else 0.0,
            tags=tags,
            bad_tags=refused,
            response_time_ms=None if response_time_s is None else round(response_time_s * 1000, 3),
            errors=self.errors,
            reconnects=max(0, self._connections - 1),
            values=self.values,
            last_value_age_s=None if self._value_at is None else now - self._value_at,
            error=self.error,
        )
