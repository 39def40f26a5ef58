"""Turn a message of a node into an event; say what is wrong with one that is none."""

from datetime import UTC, datetime

from msgspec import Struct

from controller.fleet.event import AppRemoved, Event, NodeRemoved, Said, seen_at
from wire.codec import ContractError, decode
from wire.messages import AppReport, Health, Outcome, PlcMeta, Presence
from wire.topics import EVERY, Address, Kind, Topics

KINDS: dict[Kind, type[Presence | Health | AppReport | Outcome | PlcMeta]] = {
    Kind.PRESENCE: Presence,
    Kind.HEALTH: Health,
    Kind.APP: AppReport,
    Kind.OUTCOME: Outcome,
    Kind.TAGMETA: PlcMeta,
}
"""What is of interest, and what each must be."""
MAX_BYTES = 4 * 1024 * 1024
"""Nothing that a node says of itself is larger; the description of 5,000 tags is about one."""

MAX_SEQ = 2**31 - 1


class Received(Struct, frozen=True, kw_only=True):
    """A message as it came."""

    topic: str
    payload: bytes
    received_at: datetime
    retained: bool = False
    """The broker had kept it as the last word on its topic."""
    queued: bool = False
    """It may have waited at the broker while nobody was connected."""


def read(topics: Topics, message: Received) -> Event | None:
    """Read one message; None for a cleared topic that means nothing. Raises ContractError."""
    address = topics.parse(message.topic)
    if address is None or address.kind not in KINDS or EVERY in (address.node.site, address.node.node):
        raise ContractError("no topic of a node that is read here", element="topic")
    said = _said(address, message.payload)
    if said is None:
        return None
    seen = seen_at(message.received_at, _said_at(said), replayed=message.retained or message.queued)
    return Event(node=address.node, seen_at=seen, said=said, retained=message.retained)


def _said(address: Address, payload: bytes) -> Said | None:
    if not payload:
        return _cleared(address)
    if len(payload) > MAX_BYTES:
        raise ContractError(f"{len(payload)} bytes are more than the {MAX_BYTES} that are read")
    said = decode(KINDS[address.kind], payload)
    _check(address, said)
    return said


def _cleared(address: Address) -> AppRemoved | NodeRemoved | None:
    match address.kind:
        case Kind.APP:
            return AppRemoved(app=address.names[0])
        case Kind.PRESENCE:
            return NodeRemoved()
        case _:
            return None


def _check(address: Address, said: Presence | Health | AppReport | Outcome | PlcMeta) -> None:
    """A node speaks for itself alone: the broker's ACL guards the topic, and the payload must agree with it."""
    if said.node != str(address.node):
        raise ContractError(f"it speaks for {said.node[:130]!r} on a topic of {address.node}", element="$.node")
    match said:
        case AppReport():
            named = said.app
        case Outcome():
            if not 0 <= said.seq <= MAX_SEQ:
                raise ContractError(f"an outcome's number is at most {MAX_SEQ}", element="$.seq")
            named = said.command_id
        case PlcMeta():
            named = said.plc
        case _:
            return
    if named != address.names[0]:
        raise ContractError(f"it is about {named[:70]!r} on a topic of {address.names[0]!r}")


def _said_at(said: Said) -> datetime | None:
    if isinstance(said, AppRemoved | NodeRemoved):
        return None
    at = said.since if isinstance(said, Presence) else said.at
    try:
        return None if at is None else at.astimezone(UTC)
    except OverflowError as error:
        raise ContractError("its time is before the year 1 or after 9999") from error
