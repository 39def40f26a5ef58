"""What the server's answer to a Publish says, as values."""

from datetime import datetime
from typing import Any

from msgspec import Struct

Change = tuple[int, Any, int, datetime | None]
"""One change: client handle, JSON value, StatusCode, SourceTimestamp. A plain tuple, because a hundred thousand of them
pass in a second and a Struct costs as much to make as the rest of their decoding."""


class Notification(Struct, frozen=True, kw_only=True):
    """A NotificationMessage (OPC UA Part 4, 7.26), or a keep-alive."""

    sequence: int
    """In a keep-alive it is the number that comes next, and says nothing of what came."""
    keep_alive: bool = False
    changes: tuple[Change, ...] = ()
    ended: int | None = None
    """The StatusCode with which the server ends the subscription, if it does."""
    malformed: str | None = None
    """Why what stood after `changes` could not be read."""


class Published(Struct, frozen=True, kw_only=True):
    """A Publish response."""

    subscription_id: int
    service_result: int
    notification: Notification


class MalformedError(ValueError):
    """Bytes that are not what OPC UA Part 6 says."""
