"""What is known of one node, and how each message changes it.

Messages may come late, twice and out of order (QoS 1, redelivery, a will published long after its connection):

- **Heartbeats** are ordered by `seq` within an epoch, one life of the agent. Another epoch replaces the present one,
  unless it is one that was replaced before and the message adds nothing to what was last seen of it.
- **Presence** belongs to a session, one connection. A will speaks for its own session alone, and a session that was
  replaced does not come back. (A retained will of a session that was never seen is the last word there is.)
- **App reports** carry no number. The later `at` wins among reports that arrive within `REORDER_S` of each other;
  after that the arrival decides, because a node's clock may have been set back.
- **Outcomes** are numbered per command.
- **Cleared topics** take away: an app's report the app, the presence the node with all that was known of it. They make
  no node known.

A message that changes nothing leaves the very same view, so that `is` tells whether anything happened.
"""

from datetime import datetime, timedelta
from typing import Generic, TypeVar, assert_never

from msgspec import Struct
from msgspec.structs import replace

from controller.fleet.event import AppRemoved, Event, NodeRemoved
from wire.messages import AppReport, Health, Outcome, PlcMeta, Presence
from wire.topics import NodeName

REORDER_S = 5.0
"""Two reports that overtook each other on the way are not further apart than this."""
LATEST_OUTCOMES = 20
"""Commands a node that are held in memory; the store has all of them."""
REMEMBERED = 8
"""Sessions and epochs that are remembered after they were replaced."""

T = TypeVar("T")


class Fact(Struct, Generic[T], frozen=True):
    """Something a node said, and when that was seen."""

    value: T
    seen_at: datetime


class PastEpoch(Struct, frozen=True):
    """An earlier life of the agent and the last heartbeat that was seen of it."""

    epoch: str
    seq: int


class NodeView(Struct, frozen=True, kw_only=True):
    """Everything that is known of one node, each fact with when it was seen."""

    name: NodeName
    first_seen_at: datetime
    presence: Fact[Presence] | None = None
    past_sessions: tuple[str, ...] = ()
    health: Fact[Health] | None = None
    past_epochs: tuple[PastEpoch, ...] = ()
    dropped_at: datetime | None = None
    """When a heartbeat last told of more dropped values than the one before."""
    apps: tuple[Fact[AppReport], ...] = ()
    """By name."""
    plcs: tuple[Fact[PlcMeta], ...] = ()
    """What is known of each PLC's tags, by name of the PLC."""
    outcomes: tuple[Fact[Outcome], ...] = ()
    """The last of each command, the newest command first."""


class Change(Struct, frozen=True, kw_only=True):
    """A node as it was shown, and as some messages made it."""

    name: NodeName
    before: NodeView | None
    """None as well for one that was forgotten meanwhile: nothing of it is to be kept."""
    after: NodeView | None
    """None: it is not known any more."""
    forgotten: bool = False
    """All that was stored of it until then is to go."""


def fold(view: NodeView | None, event: Event) -> NodeView | None:
    """Add one message to what is known of its node; None where nothing is known of it any more, or still."""
    match event.said:
        case NodeRemoved():
            return None
        case AppRemoved(app=app):
            return view and _without_app(view, app)
        case said:
            return _fold(view or NodeView(name=event.node, first_seen_at=event.seen_at), event, said)


def _fold(known: NodeView, event: Event, said: Presence | Health | AppReport | Outcome | PlcMeta) -> NodeView:
    match said:
        case Presence():
            return _fold_presence(known, Fact(said, event.seen_at), retained=event.retained)
        case Health():
            return _fold_health(known, Fact(said, event.seen_at))
        case AppReport():
            return _fold_app(known, Fact(said, event.seen_at))
        case Outcome():
            return _fold_outcome(known, Fact(said, event.seen_at))
        case PlcMeta():
            return _fold_plc(known, Fact(said, event.seen_at))
    assert_never(said)


def _fold_presence(view: NodeView, fact: Fact[Presence], *, retained: bool) -> NodeView:
    known = view.presence
    if known is None:
        return replace(view, presence=fact)
    if fact.value.session == known.value.session:
        return replace(view, presence=fact) if known.value.online and not fact.value.online else view
    is_late_will = known.value.online and not fact.value.online and not retained
    if is_late_will or fact.value.session in view.past_sessions:
        return view
    past = (known.value.session, *view.past_sessions)[:REMEMBERED]
    return replace(view, presence=fact, past_sessions=past)


def _fold_health(view: NodeView, fact: Fact[Health]) -> NodeView:
    known = view.health
    if known is None:
        return replace(view, health=fact)
    if fact.value.epoch == known.value.epoch:
        return _next_heartbeat(view, known, fact) if fact.value.seq > known.value.seq else view
    if any(past.epoch == fact.value.epoch and fact.value.seq <= past.seq for past in view.past_epochs):
        return view
    others = tuple(past for past in view.past_epochs if past.epoch not in (fact.value.epoch, known.value.epoch))
    past = (PastEpoch(known.value.epoch, known.value.seq), *others)[:REMEMBERED]
    return replace(_next_heartbeat(view, known, fact), past_epochs=past)


def _next_heartbeat(view: NodeView, known: Fact[Health], fact: Fact[Health]) -> NodeView:
    dropped_more = fact.value.spool.dropped_values > known.value.spool.dropped_values
    return replace(view, health=fact, dropped_at=fact.seen_at if dropped_more else view.dropped_at)


def _fold_app(view: NodeView, fact: Fact[AppReport]) -> NodeView:
    known = next((known for known in view.apps if known.value.app == fact.value.app), None)
    if known is not None and _is_late(known, fact):
        return view
    others = (other for other in view.apps if other is not known)
    return replace(view, apps=tuple(sorted((*others, fact), key=lambda each: each.value.app)))


def _is_late(known: Fact[AppReport], fact: Fact[AppReport]) -> bool:
    together = abs(fact.seen_at - known.seen_at) <= timedelta(seconds=REORDER_S)
    replayed = fact.seen_at <= known.seen_at
    return fact.value == known.value or (fact.value.at <= known.value.at and (together or replayed))


def _without_app(view: NodeView, app: str) -> NodeView:
    left = tuple(known for known in view.apps if known.value.app != app)
    return view if len(left) == len(view.apps) else replace(view, apps=left)


def _fold_outcome(view: NodeView, fact: Fact[Outcome]) -> NodeView:
    known = next((known for known in view.outcomes if known.value.command_id == fact.value.command_id), None)
    if known is not None and fact.value.seq <= known.value.seq:
        return view
    others = (other for other in view.outcomes if other is not known)
    newest_first = sorted((*others, fact), key=lambda each: (each.value.at, each.value.command_id), reverse=True)
    return replace(view, outcomes=tuple(newest_first[:LATEST_OUTCOMES]))


def _fold_plc(view: NodeView, fact: Fact[PlcMeta]) -> NodeView:
    known = next((known for known in view.plcs if known.value.plc == fact.value.plc), None)
    if known is not None and (fact.value == known.value or fact.value.at < known.value.at):
        return view
    others = (other for other in view.plcs if other is not known)
    return replace(view, plcs=tuple(sorted((*others, fact), key=lambda each: each.value.plc)))
