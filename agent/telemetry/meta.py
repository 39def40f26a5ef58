"""What is known of a tag beside its values, as subscribers get it."""

from agent.telemetry.address_space import Properties
from agent.telemetry.tags import Wanted
from agent.telemetry.value import readable
from wire.messages import TagMeta


def described(tag: Wanted, properties: Properties) -> TagMeta:
    """A tag that the server serves. A unit of the configuration wins over the server's."""
    return TagMeta(
        name=tag.name,
        node_id=readable(tag.node_id),
        data_type=properties.data_type,
        unit=tag.unit or properties.unit,
        low=properties.low,
        high=properties.high,
        description=properties.description,
    )


def undescribed(tag: Wanted, error: str | None) -> TagMeta:
    """A tag that the server refuses, or of which it says nothing."""
    return TagMeta(name=tag.name, node_id=readable(tag.node_id), unit=tag.unit, error=error)
