"""The fleet as retained messages tell it: folded from what came, judged at a given time."""

from collections.abc import Mapping
from datetime import datetime

from msgspec import Struct, structs

from wire.ailments import ailments
from wire.codec import ContractError, decode
from wire.freshness import Freshness, freshness
from wire.messages import AppReport, Health, Presence
from wire.topics import Kind, NodeName, Topics, matches


class NodeRecord(Struct, frozen=True, kw_only=True):
    """What one node said last."""

    node: NodeName
    presence: Presence | None = None
    health: Health | None = None
    apps: Mapping[str, AppReport] = {}


class Fleet(Struct, frozen=True):
    """All nodes that a broker knows."""

    nodes: Mapping[NodeName, NodeRecord] = {}

    @property
    def records(self) -> list[NodeRecord]:
        """In order of site and name."""
        return [self.nodes[name] for name in sorted(self.nodes)]

    def meant_by(self, target: str) -> list[NodeName]:
        """The nodes that a command's target means: one, known or not, or all that are known of a site or the fleet."""
        if not target.endswith("*"):
            return [NodeName.parse(target)]
        return [name for name in sorted(self.nodes) if matches(target, name)]


class NodeStatus(Struct, frozen=True, kw_only=True):
    """How a node stands at a moment, and why; `age_s` is the age of what was heard last, None if nothing has a time."""

    word: str
    """`online`, `degraded`, `stale`, `offline` or `unknown`."""
    reasons: tuple[str, ...]
    age_s: float | None


def fold(fleet: Fleet, topics: Topics, topic: str, payload: bytes) -> Fleet:
    """Take one retained message; what is not of the contract changes nothing."""
    address = topics.parse(topic)
    if address is None:
        return fleet
    record = fleet.nodes.get(address.node, NodeRecord(node=address.node))
    try:
        changed = _with(record, address.kind, address.names, payload)
    except ContractError:
        return fleet
    return fleet if changed is record else Fleet({**fleet.nodes, address.node: changed})


def _with(record: NodeRecord, kind: Kind, names: tuple[str, ...], payload: bytes) -> NodeRecord:
    if kind is Kind.PRESENCE:
        return structs.replace(record, presence=decode(Presence, payload) if payload else None)
    if kind is Kind.HEALTH:
        return structs.replace(record, health=decode(Health, payload) if payload else None)
    if kind is Kind.APP:
        others = {name: app for name, app in record.apps.items() if name != names[0]}
        said = {names[0]: decode(AppReport, payload)} if payload else {}
        return structs.replace(record, apps={**others, **said})
    return record


def status_of(record: NodeRecord, now: datetime) -> NodeStatus:
    """Judge a node: an absence that was announced is believed at once, the rest goes by the rules of the wire."""
    presence, health = record.presence, record.health
    heard_s = None if health is None else (now - health.at).total_seconds()
    if presence is not None and not presence.online:
        since_s = (now - presence.since).total_seconds() if presence.since else heard_s
        words = "it was stopped" if presence.reason == "stopped" else "its connection to the broker was lost"
        return NodeStatus(word="offline", reasons=(words,), age_s=since_s)
    if health is None or heard_s is None:
        since_s = (now - presence.since).total_seconds() if presence and presence.since else None
        return NodeStatus(word="unknown", reasons=("no heartbeat has been seen",), age_s=since_s)
    return _by_heartbeat(health, heard_s, tuple(found.text for found in ailments(health, record.apps.values())))


def _by_heartbeat(health: Health, heard_s: float, ailing: tuple[str, ...]) -> NodeStatus:
    silent = f"no heartbeat, which is due every {health.period_s:g} s"
    match freshness(heard_s, health.period_s):
        case Freshness.FRESH:
            return NodeStatus(word="degraded" if ailing else "online", reasons=ailing, age_s=heard_s)
        case Freshness.STALE:
            return NodeStatus(word="stale", reasons=(silent, *ailing), age_s=heard_s)
        case Freshness.OFFLINE:
            return NodeStatus(word="offline", reasons=(silent,), age_s=heard_s)
