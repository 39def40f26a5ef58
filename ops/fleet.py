"""The fleet as retained messages tell it: folded from what came, judged at a given time."""

from collections.abc import Mapping
from datetime import datetime

from msgspec import Struct, structs

from wire.codec import ContractError, decode
from wire.freshness import Freshness, freshness
from wire.messages import AppReport, Health, Presence
from wire.topics import Kind, NodeName, Topics


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


class NodeStatus(Struct, frozen=True, kw_only=True):
    """How a node stands at a moment, and why; `age_s` is the age of what was heard last, None if nothing has a time."""

    word: str
    """`online`, `stale`, `offline` or `unknown`."""
    reason: str
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
    """Judge a node: the will and an intended stop are believed at once, silence by the rule in `wire.freshness`."""
    presence, health = record.presence, record.health
    heard_s = None if health is None else (now - health.at).total_seconds()
    if presence is not None and not presence.online:
        since_s = (now - presence.since).total_seconds() if presence.since else heard_s
        return NodeStatus(word="offline", reason=presence.reason or "lost", age_s=since_s)
    if health is None or heard_s is None:
        since_s = (now - presence.since).total_seconds() if presence and presence.since else None
        word = "online" if presence is not None else "unknown"
        return NodeStatus(word=word, reason="no heartbeat yet", age_s=since_s)
    judged = freshness(heard_s, health.period_s)
    if judged is Freshness.FRESH:
        return NodeStatus(word="online", reason="", age_s=heard_s)
    return NodeStatus(word=judged.value, reason="silent", age_s=heard_s)
