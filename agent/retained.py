"""What the broker should have retained for us, and what of it still has to be said."""

from collections.abc import Iterable
from itertools import islice


class Retained:
    """Wanted retained state by topic. The latest wins; an empty payload clears a topic, and is then forgotten.

    A topic that was taken is not pending until it is wanted again, so what arrives while a publish is under way is
    published after it.
    """

    def __init__(self) -> None:
        self._wanted: dict[str, bytes] = {}
        self._pending: dict[str, None] = {}

    def want(self, topic: str, payload: bytes) -> None:
        """From now on, `payload` is what the topic should hold."""
        self._wanted[topic] = payload
        self._pending[topic] = None

    def assert_again(self) -> None:
        """All of it is pending: the broker may have forgotten everything."""
        self._pending = dict.fromkeys(self._wanted)

    def take(self, most: int) -> list[tuple[str, bytes]]:
        """Take up to `most` pending topics with their payloads, those that have waited longest first."""
        taken = list(islice(self._pending, most))
        for topic in taken:
            del self._pending[topic]
        return [(topic, self._wanted[topic]) for topic in taken]

    def put_back(self, taken: Iterable[tuple[str, bytes]]) -> None:
        """Perhaps not all of it was published: it is pending again, with what is wanted by now."""
        self._pending.update((topic, None) for topic, _ in taken if topic in self._wanted)

    def confirm(self, topic: str, payload: bytes) -> None:
        """The broker has it."""
        if not payload and self._wanted.get(topic) == b"" and topic not in self._pending:
            del self._wanted[topic]
