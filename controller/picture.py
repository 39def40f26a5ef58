"""The fleet as it is known now: a map of frozen views, and who wants to hear when one changes.

Every change of a node takes the next number, so that a reader who has seen number n asks for what came after it and
gets each node once, as it is now.
"""

from collections.abc import Callable, Iterable, Iterator
from datetime import datetime

from controller.fleet.event import Event
from controller.fleet.node import Change, NodeView, fold
from controller.fleet.status import Standing, status
from wire.topics import NodeName

OnChange = Callable[[tuple[NodeName, ...], datetime], None]
"""Told which nodes changed, and when."""


class Picture:
    """Holds the views. Nothing gets in but what `fold` made and the store has."""

    def __init__(self, views: Iterable[NodeView] = (), *, now: datetime) -> None:
        self._views = {view.name: view for view in views}
        self._standings = {name: status(view, now) for name, view in self._views.items()}
        self._numbers = dict.fromkeys(self._views, 0)
        self._listeners: list[OnChange] = []
        self.number = 0
        """Of the last change."""

    def __len__(self) -> int:
        return len(self._views)

    def __iter__(self) -> Iterator[NodeView]:
        """Every view, by site and node."""
        return iter([self._views[name] for name in sorted(self._views)])

    def get(self, name: NodeName) -> NodeView | None:
        """What is known of one node, if anything."""
        return self._views.get(name)

    def standing(self, name: NodeName) -> Standing:
        """The node's status as of the last change or tick."""
        return self._standings[name]

    def number_of(self, name: NodeName) -> int:
        """Of a node's last change; 0 for one that has not changed since the start."""
        return self._numbers[name]

    def changed_after(self, number: int) -> list[NodeName]:
        """The nodes that changed since a reader saw `number`, forgotten ones too, in the order of their last change."""
        return sorted((name for name, last in self._numbers.items() if last > number), key=self._numbers.__getitem__)

    def draft(self, events: Iterable[Event]) -> tuple[Change, ...]:
        """Fold events without showing the result: the nodes that came out different."""
        drafted: dict[NodeName, NodeView | None] = {}
        forgotten: set[NodeName] = set()
        for event in events:
            known = drafted[event.node] if event.node in drafted else self._views.get(event.node)
            view = fold(known, event)
            if view is not known:
                drafted[event.node] = view
                if view is None:
                    forgotten.add(event.node)
        return tuple(
            Change(
                name=name,
                before=None if name in forgotten else self._views.get(name),
                after=view,
                forgotten=name in forgotten,
            )
            for name, view in drafted.items()
        )

    def show(self, changes: Iterable[Change], now: datetime) -> None:
        """Take what is stored by now, and tell whoever listens."""
        names = []
        for change in changes:
            if change.after is None:
                self._views.pop(change.name, None)
                self._standings.pop(change.name, None)
            else:
                self._views[change.name] = change.after
                self._standings[change.name] = status(change.after, now)
            names.append(change.name)
        self._announce(tuple(names), now)

    def tick(self, now: datetime) -> tuple[NodeName, ...]:
        """Judge every node anew, since silence alone makes one stale; returns those that changed their status."""
        fresh = {name: status(view, now) for name, view in self._views.items()}
        changed = tuple(name for name, standing in fresh.items() if standing != self._standings[name])
        self._standings = fresh
        self._announce(changed, now)
        return changed

    def listen(self, listener: OnChange) -> None:
        """Tell `listener` of every change from now on."""
        self._listeners.append(listener)

    def _announce(self, names: tuple[NodeName, ...], now: datetime) -> None:
        if not names:
            return
        for name in names:
            self.number += 1
            self._numbers[name] = self.number
        for listener in self._listeners:
            listener(names, now)
