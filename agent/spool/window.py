"""Up to where an uplink's records are acknowledged. Pure.

Acknowledgements come in any order; a cursor may move only over records that are acknowledged without a hole, because
what is behind it is deleted.
"""

from collections import deque


class Window:
    """The records in flight, in the order in which they were sent."""

    def __init__(self, after: int) -> None:
        self.prefix = after
        """Everything up to this position is acknowledged."""
        self._in_flight: deque[int] = deque()
        self._confirmed: set[int] = set()

    def send(self, position: int) -> None:
        """A record goes out; positions rise."""
        self._in_flight.append(position)

    def acknowledge(self, position: int) -> bool:
        """A record that was sent is safe at the broker; tells whether the prefix grew."""
        before = self.prefix
        self._confirmed.add(position)
        while self._in_flight and self._in_flight[0] in self._confirmed:
            self.prefix = self._in_flight.popleft()
            self._confirmed.remove(self.prefix)
        return self.prefix > before
