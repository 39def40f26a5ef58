"""Which tags are wanted, and what the server made of each."""

from collections.abc import Iterable, Sequence

from msgspec import Struct

from agent.config import PlcConfig
from agent.telemetry.value import readable


class Wanted(Struct, frozen=True, kw_only=True):
    """A tag that is to be followed."""

    name: str
    node_id: str
    sampling_interval_ms: float
    queue_size: int
    deadband: float = 0.0
    unit: str | None = None


class Found(Struct, frozen=True, kw_only=True):
    """A variable met while browsing."""

    node_id: str
    path: str
    """The browse names that lead to it from the Objects folder, joined by dots."""


def wanted_of(config: PlcConfig) -> tuple[Wanted, ...]:
    """The tags that the configuration names."""
    return tuple(
        Wanted(
            name=tag.known_as,
            node_id=tag.node_id,
            sampling_interval_ms=config.sampling_interval_ms
            if tag.sampling_interval_ms is None
            else tag.sampling_interval_ms,
            queue_size=tag.queue_size,
            deadband=tag.deadband,
            unit=tag.unit,
        )
        for tag in config.tags
    )


def wanted_from(found: Sequence[Found], config: PlcConfig) -> tuple[Wanted, ...]:
    """All that was met while browsing, each under a name of its own, at most `max_tags`."""
    return tuple(
        Wanted(name=name, node_id=node.node_id, sampling_interval_ms=config.sampling_interval_ms, queue_size=1000)
        for name, node in zip(_names(found), found[: config.max_tags], strict=False)
    )


def _names(found: Iterable[Found]) -> Iterable[str]:
    taken: set[str] = set()
    for node in found:
        identifier = readable(node.node_id.rpartition(";s=")[2] if ";s=" in node.node_id else node.path)
        name = identifier if identifier not in taken else readable(node.node_id)
        taken.add(name)
        yield name
