"""The picture: what is shown, who is told, and what a reader missed."""

from datetime import UTC, datetime, timedelta

from controller.fleet.event import AppRemoved, Event, NodeRemoved
from controller.fleet.status import Status
from controller.picture import Picture
from tests.support import fleet
from wire.topics import NodeName

A, B = NodeName("plant-a", "press-1"), NodeName("plant-a", "press-2")
T0 = datetime(2026, 3, 1, 12, tzinfo=UTC)


def beat(node: NodeName, seq: int = 0) -> Event:
    return Event(node=node, seen_at=T0, said=fleet.health(node, seq=seq))


def test_a_draft_is_not_shown() -> None:
    picture = Picture(now=T0)
    assert len(picture.draft([beat(A), beat(B)])) == 2
    assert len(picture) == 0


def test_several_messages_of_a_node_are_one_change() -> None:
    picture = Picture(now=T0)
    (change,) = picture.draft([beat(A, 0), beat(A, 1), beat(A, 1)])
    assert change.before is None
    assert change.after.health is not None
    assert change.after.health.value.seq == 1


def test_what_changes_nothing_is_no_change() -> None:
    picture = Picture(now=T0)
    picture.show(picture.draft([beat(A)]), T0)
    assert picture.draft([beat(A)]) == ()


def test_silence_alone_changes_a_status_and_is_told() -> None:
    picture = Picture(now=T0)
    picture.show(picture.draft([beat(A), beat(B)]), T0)
    told: list[tuple[NodeName, ...]] = []
    picture.listen(lambda names, _now: told.append(names))
    assert picture.tick(T0 + timedelta(seconds=25)) == ()
    assert picture.tick(T0 + timedelta(seconds=26)) == (A, B)
    assert picture.tick(T0 + timedelta(seconds=27)) == ()
    assert told == [(A, B)]
    assert picture.standing(A).status is Status.STALE


def test_a_reader_gets_each_node_that_changed_since_once_and_in_order() -> None:
    picture = Picture(now=T0)
    picture.show(picture.draft([beat(A, 0)]), T0)
    seen = picture.number
    picture.show(picture.draft([beat(B, 0)]), T0)
    picture.show(picture.draft([beat(A, 1)]), T0)
    picture.show(picture.draft([beat(A, 2)]), T0)
    assert picture.changed_after(seen) == [B, A]
    assert picture.changed_after(picture.number) == []
    assert picture.number_of(A) == picture.number


def removed(node: NodeName) -> Event:
    return Event(node=node, seen_at=T0, said=NodeRemoved())


def test_a_forgotten_node_is_in_the_picture_no_more_and_told_to_readers() -> None:
    picture = Picture(now=T0)
    picture.show(picture.draft([beat(A), beat(B)]), T0)
    seen = picture.number
    picture.show(picture.draft([removed(A)]), T0)
    assert [view.name for view in picture] == [B]
    assert picture.get(A) is None
    assert picture.changed_after(seen) == [A]
    assert picture.tick(T0 + timedelta(hours=1)) == (B,)


def test_clearing_the_topics_of_an_unknown_node_is_no_change() -> None:
    assert Picture(now=T0).draft([removed(A), Event(node=A, seen_at=T0, said=AppRemoved(app="hmi"))]) == ()


def test_a_node_that_speaks_again_after_it_was_forgotten_begins_anew() -> None:
    picture = Picture(now=T0)
    report = Event(node=A, seen_at=T0, said=fleet.report(A, "hmi"))
    picture.show(picture.draft([report]), T0)
    (change,) = picture.draft([beat(A, 0), removed(A), beat(A, 1)])
    assert change.forgotten
    assert change.before is None
    assert change.after is not None
    assert change.after.apps == ()
    assert change.after.health is not None
