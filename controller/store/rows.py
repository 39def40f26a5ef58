"""Between a view and its rows."""

from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from typing import Any, TypeVar

import msgspec

from controller.fleet.event import Event, NodeRemoved
from controller.fleet.node import Change, Fact, NodeView, PastEpoch
from wire.messages import AppReport, Health, Outcome, PlcMeta, Presence
from wire.topics import NodeName

Row = dict[str, Any]
T = TypeVar("T")

_epochs = msgspec.json.Decoder(tuple[PastEpoch, ...])
_sessions = msgspec.json.Decoder(tuple[str, ...])


def node_row(view: NodeView) -> Row:
    """The one row of a node: presence and heartbeat, and what is needed to tell a late message."""
    presence, health = view.presence, view.health
    return {
        **_key(view.name),
        "first_seen_at": view.first_seen_at,
        "presence": _json(presence.value) if presence else None,
        "presence_seen_at": presence.seen_at if presence else None,
        "past_sessions": _json(view.past_sessions),
        "health": _json(health.value) if health else None,
        "health_seen_at": health.seen_at if health else None,
        "past_epochs": _json(view.past_epochs),
        "dropped_at": view.dropped_at,
    }


def app_rows(change: Change) -> list[Row]:
    """A row for each app whose report is new."""
    known = change.before.apps if change.before else ()
    return [
        {**_key(change.name), "app": fact.value.app, "report": _json(fact.value), "seen_at": fact.seen_at}
        for fact in (change.after.apps if change.after else ())
        if not any(fact is other for other in known)
    ]


def removed_apps(change: Change) -> list[Row]:
    """The keys of the apps that the node no longer has."""
    left = {fact.value.app for fact in change.after.apps} if change.after else set()
    known = {fact.value.app for fact in change.before.apps} if change.before else set()
    return [{**of_node(change.name), "of_app": app} for app in sorted(known - left)]


def plc_rows(change: Change) -> list[Row]:
    """A row for each PLC whose tags are described anew."""
    known = change.before.plcs if change.before else ()
    return [
        {**_key(change.name), "plc": fact.value.plc, "meta": _json(fact.value), "seen_at": fact.seen_at}
        for fact in (change.after.plcs if change.after else ())
        if not any(fact is other for other in known)
    ]


def outcome_rows(events: Iterable[Event]) -> list[Row]:
    """A row for every phase of every command, each once; nothing of what a node said before it was removed."""
    rows: dict[tuple[Any, ...], Row] = {}
    for event in events:
        if isinstance(event.said, NodeRemoved):
            rows = {key: row for key, row in rows.items() if key[:2] != (event.node.site, event.node.node)}
        if isinstance(event.said, Outcome):
            row = _outcome_row(event.node, event.said, event)
            rows[(row["site"], row["node"], row["command_id"], row["seq"])] = row
    return list(rows.values())


def _outcome_row(name: NodeName, outcome: Outcome, event: Event) -> Row:
    return {
        **_key(name),
        "command_id": outcome.command_id,
        "seq": outcome.seq,
        "at": outcome.at,
        "body": _json(outcome),
        "seen_at": event.seen_at,
    }


def view_of(
    row: Mapping[str, Any],
    apps: Iterable[Mapping[str, Any]],
    plcs: Iterable[Mapping[str, Any]],
    outcomes: Iterable[Mapping[str, Any]],
) -> NodeView:
    """Put a node together again. `apps` and `plcs` come by name, `outcomes` the newest first."""
    presence = _read(Presence, [(row["presence"], row["presence_seen_at"])])
    health = _read(Health, [(row["health"], row["health_seen_at"])])
    return NodeView(
        name=NodeName(row["site"], row["node"]),
        first_seen_at=row["first_seen_at"],
        presence=next(presence, None),
        past_sessions=_sessions.decode(row["past_sessions"]),
        health=next(health, None),
        past_epochs=_epochs.decode(row["past_epochs"]),
        dropped_at=row["dropped_at"],
        apps=tuple(_read(AppReport, ((each["report"], each["seen_at"]) for each in apps))),
        plcs=tuple(_read(PlcMeta, ((each["meta"], each["seen_at"]) for each in plcs))),
        outcomes=tuple(outcomes_in(outcomes)),
    )


def outcomes_in(found: Iterable[Mapping[str, Any]]) -> Iterator[Fact[Outcome]]:
    """Phases of commands as they were stored."""
    return _read(Outcome, ((row["body"], row["seen_at"]) for row in found))


def _read(kind: type[T], stored: Iterable[tuple[str | None, Any]]) -> Iterator[Fact[T]]:
    """What can be read of what was stored; another version's words may be beyond this one."""
    for text, seen_at in stored:
        if text is not None:
            with suppress(msgspec.DecodeError):
                yield Fact(msgspec.json.decode(text, type=kind), seen_at)


def of_node(name: NodeName) -> Row:
    """The node whose rows are meant, as parameters beside those of a statement's own columns."""
    return {"of_site": name.site, "of_node": name.node}


def _key(name: NodeName) -> Row:
    return {"site": name.site, "node": name.node}


def _json(value: object) -> str:
    return msgspec.json.encode(value).decode()
