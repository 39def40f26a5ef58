"""What has become of one command: outcomes of all its nodes folded into one picture.

Outcomes come late, twice and out of order: a node says an end again until it is acknowledged, and a repeated command is
answered again. Within a node `seq` orders them; nothing follows an end.
"""

from collections.abc import Iterable, Mapping

from msgspec import Struct, structs

from wire.messages import Outcome, Phase


class Pursuit(Struct, frozen=True, kw_only=True):
    """Who should answer, and the newest that each has said; nodes by their `site/node`."""

    expected: frozenset[str]
    newest: Mapping[str, Outcome] = {}

    @property
    def nodes(self) -> list[str]:
        """Everyone who should answer or has answered."""
        return sorted(self.expected | self.newest.keys())

    @property
    def silent(self) -> list[str]:
        """Those that have not said anything: they may not have the command."""
        return sorted(self.expected - self.newest.keys())

    @property
    def unfinished(self) -> list[str]:
        """Those without an end, the silent ones among them."""
        return [node for node in self.nodes if node not in self.newest or not self.newest[node].phase.is_end]

    @property
    def is_over(self) -> bool:
        """Everyone who should has come to an end."""
        return bool(self.newest) and not self.unfinished

    @property
    def succeeded(self) -> bool:
        """Everyone who should has succeeded: what a script may build on."""
        return self.is_over and all(outcome.phase is Phase.SUCCEEDED for outcome in self.newest.values())


def pursue(nodes: Iterable[str]) -> Pursuit:
    """Begin with the nodes that a command is meant for."""
    return Pursuit(expected=frozenset(nodes))


def take(pursuit: Pursuit, outcome: Outcome) -> Pursuit:
    """Fold one outcome in; the same object comes back where it is no news."""
    if not _is_news(pursuit.newest.get(outcome.node), outcome):
        return pursuit
    return structs.replace(pursuit, newest={**pursuit.newest, outcome.node: outcome})


def _is_news(before: Outcome | None, outcome: Outcome) -> bool:
    if before is None:
        return True
    return not before.phase.is_end and (outcome.phase.is_end or outcome.seq > before.seq)
