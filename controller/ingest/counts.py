"""What came in, counted, and how often it is worth a line in the log."""

from collections import Counter, deque

from msgspec import Struct

WINDOW_S = 10
"""Rates are averages over so long."""


class IngestStats(Struct, frozen=True, kw_only=True):
    """The stream into the controller."""

    messages: int
    """Since the start."""
    messages_per_s: float
    """Over the last ten seconds."""
    malformed: int
    left_out: int
    """Of QoS 0, while too many waited for the store."""
    batches: int
    by_kind: dict[str, int]


class Counts:
    """Counters of one ingest; `now_s` is monotonic time."""

    def __init__(self) -> None:
        self.by_kind: Counter[str] = Counter()
        self.malformed = 0
        self.left_out = 0
        self.batches = 0
        self._recent: deque[tuple[float, int]] = deque()

    def batch(self, size: int, *, now_s: float) -> None:
        """A batch of so many messages was stored."""
        self.batches += 1
        self._recent.append((now_s, size))
        self._forget(now_s)

    def stats(self, *, now_s: float) -> IngestStats:
        """All of it, for a reader."""
        self._forget(now_s)
        return IngestStats(
            messages=sum(self.by_kind.values()) + self.malformed,
            messages_per_s=round(sum(size for _, size in self._recent) / WINDOW_S, 1),
            malformed=self.malformed,
            left_out=self.left_out,
            batches=self.batches,
            by_kind=dict(self.by_kind),
        )

    def _forget(self, now_s: float) -> None:
        while self._recent and self._recent[0][0] < now_s - WINDOW_S:
            self._recent.popleft()


class Sparing:
    """Says whether to speak of a topic: once a minute each, and of at most `max_topics` in that minute."""

    def __init__(self, *, every_s: float = 60.0, max_topics: int = 100) -> None:
        self._every_s = every_s
        self._max_topics = max_topics
        self._spoken_at: dict[str, float] = {}

    def may_speak(self, topic: str, *, now_s: float) -> bool:
        """True once a minute for a topic; remembers that it said so."""
        if topic in self._spoken_at and now_s - self._spoken_at[topic] < self._every_s:
            return False
        if len(self._spoken_at) >= self._max_topics:
            self._spoken_at = {name: at for name, at in self._spoken_at.items() if now_s - at < self._every_s}
            if len(self._spoken_at) >= self._max_topics:
                return False
        self._spoken_at[topic] = now_s
        return True
