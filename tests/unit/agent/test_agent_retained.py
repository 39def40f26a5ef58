"""What should be retained and what of it still has to be said; values alone."""

from agent.retained import Retained


def everything(retained: Retained) -> list[tuple[str, bytes]]:
    return retained.take(1000)


def test_what_is_wanted_is_taken_once_in_order() -> None:
    retained = Retained()
    retained.want("a", b"1")
    retained.want("b", b"2")
    assert everything(retained) == [("a", b"1"), ("b", b"2")]
    assert everything(retained) == []


def test_the_latest_wins() -> None:
    retained = Retained()
    retained.want("a", b"1")
    retained.want("a", b"2")
    assert everything(retained) == [("a", b"2")]


def test_what_is_wanted_while_a_publish_is_under_way_is_published_after_it() -> None:
    retained = Retained()
    retained.want("a", b"1")
    retained.take(1)
    retained.want("a", b"2")
    retained.confirm("a", b"1")
    assert everything(retained) == [("a", b"2")]


def test_at_every_connect_all_of_it_is_pending() -> None:
    retained = Retained()
    retained.want("a", b"1")
    retained.want("b", b"2")
    for topic, payload in everything(retained):
        retained.confirm(topic, payload)
    retained.assert_again()
    assert everything(retained) == [("a", b"1"), ("b", b"2")]


def test_no_more_is_taken_than_asked_for() -> None:
    retained = Retained()
    for number in range(7):
        retained.want(str(number), b"x")
    assert [len(retained.take(3)) for _ in range(4)] == [3, 3, 1, 0]


def test_a_cleared_topic_is_forgotten_when_the_broker_has_confirmed_it() -> None:
    retained = Retained()
    retained.want("a", b"")
    retained.take(1)
    retained.confirm("a", b"")
    retained.assert_again()
    assert everything(retained) == []


def test_a_clearing_that_was_not_confirmed_is_asserted_again() -> None:
    retained = Retained()
    retained.want("a", b"")
    retained.take(1)
    retained.assert_again()
    assert everything(retained) == [("a", b"")]


def test_a_topic_that_is_wanted_again_is_not_forgotten_by_an_old_confirmation() -> None:
    retained = Retained()
    retained.want("a", b"")
    retained.take(1)
    retained.want("a", b"new")
    retained.confirm("a", b"")
    assert everything(retained) == [("a", b"new")]
    retained.assert_again()
    assert everything(retained) == [("a", b"new")]


def test_what_was_taken_and_not_published_is_pending_again_as_wanted_by_now() -> None:
    retained = Retained()
    retained.want("a", b"1")
    taken = retained.take(1)
    retained.want("a", b"2")
    retained.put_back(taken)
    assert everything(retained) == [("a", b"2")]
