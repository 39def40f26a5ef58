"""From bytes on a topic to an event: what is believed, and what is refused."""

from datetime import UTC, datetime, timedelta

import pytest

from controller.fleet.event import AppRemoved, NodeRemoved
from controller.ingest.counts import Counts, Sparing
from controller.ingest.reading import MAX_BYTES, Received, read
from tests.support import fleet
from wire.codec import ContractError, encode
from wire.messages import Outcome, Phase, Presence
from wire.topics import Kind, NodeName, Topics

NODE = NodeName("plant-a", "press-1")
TOPICS = Topics()
T0 = datetime(2026, 3, 1, 12, tzinfo=UTC)


def received(payload: bytes, kind: Kind, *names: str, retained: bool = False, queued: bool = False) -> Received:
    topic = TOPICS.of(NODE, kind, *names)
    return Received(topic=topic, payload=payload, received_at=T0, retained=retained, queued=queued)


def outcome(seq: int = 0, at: datetime = T0) -> bytes:
    return encode(Outcome(command_id="c1", node=str(NODE), seq=seq, phase=Phase.ACCEPTED, at=at))


def test_a_live_heartbeat_is_as_old_as_its_receipt() -> None:
    event = read(TOPICS, received(encode(fleet.health(NODE)), Kind.HEALTH))
    assert event is not None
    assert (event.node, event.seen_at) == (NODE, T0)


@pytest.mark.parametrize("how", [{"retained": True}, {"queued": True}])
def test_what_the_broker_had_kept_is_as_old_as_it_says(how: dict[str, bool]) -> None:
    said = fleet.health(NODE, at=T0 - timedelta(hours=3))
    event = read(TOPICS, received(encode(said), Kind.HEALTH, **how))
    assert event is not None
    assert event.seen_at == T0 - timedelta(hours=3)


def test_a_cleared_app_report_means_that_the_app_is_gone() -> None:
    event = read(TOPICS, received(b"", Kind.APP, "hmi"))
    assert event is not None
    assert event.said == AppRemoved(app="hmi")


def test_a_cleared_presence_means_that_the_node_is_gone() -> None:
    event = read(TOPICS, received(b"", Kind.PRESENCE))
    assert event is not None
    assert (event.node, event.said) == (NODE, NodeRemoved())


@pytest.mark.parametrize("where", [(Kind.HEALTH,), (Kind.TAGMETA, "press"), (Kind.OUTCOME, "c1")])
def test_any_other_cleared_topic_means_nothing(where: tuple[Kind, ...]) -> None:
    assert read(TOPICS, received(b"", *where)) is None


@pytest.mark.parametrize(
    "topic",
    ["mw/v1/plant-a/press-1/command", "mw/v1/_all/_all/presence", "mw/v1/plant-a/_all/health", "else/where", "mw/v1"],
)
def test_a_topic_of_no_node_is_refused(topic: str) -> None:
    with pytest.raises(ContractError):
        read(TOPICS, Received(topic=topic, payload=encode(fleet.health(NODE)), received_at=T0))


@pytest.mark.parametrize("payload", [b"\xff\xfe", b"{", b"[]", b"null", b"{}", b"[" * 5000, b" " * (MAX_BYTES + 1)])
def test_a_payload_that_is_no_message_is_refused(payload: bytes) -> None:
    with pytest.raises(ContractError):
        read(TOPICS, received(payload, Kind.HEALTH))


def test_a_node_that_speaks_for_another_is_refused() -> None:
    other = Presence(node="plant-b/press-9", online=True, session="s")
    with pytest.raises(ContractError, match="speaks for"):
        read(TOPICS, received(encode(other), Kind.PRESENCE))


def test_an_app_report_on_the_topic_of_another_app_is_refused() -> None:
    with pytest.raises(ContractError):
        read(TOPICS, received(encode(fleet.report(NODE, "hmi")), Kind.APP, "cache"))


@pytest.mark.parametrize("seq", [-1, 2**31, 10**30])
def test_an_outcome_whose_number_no_database_holds_is_refused(seq: int) -> None:
    with pytest.raises(ContractError):
        read(TOPICS, received(outcome(seq), Kind.OUTCOME, "c1"))


def test_a_time_that_is_on_no_calendar_in_utc_is_refused() -> None:
    payload = outcome().replace(b"2026-03-01T12:00:00Z", b"0001-01-01T00:00:00+14:00")
    with pytest.raises(ContractError):
        read(TOPICS, received(payload, Kind.OUTCOME, "c1"))


# --- counting


def test_rates_are_of_the_last_ten_seconds() -> None:
    counts = Counts()
    counts.by_kind["Health"] = 150
    counts.batch(100, now_s=0)
    counts.batch(50, now_s=8)
    assert counts.stats(now_s=9).messages_per_s == 15
    assert counts.stats(now_s=12).messages_per_s == 5
    assert counts.stats(now_s=12).messages == 150


def test_a_topic_is_spoken_of_once_a_minute() -> None:
    sparing = Sparing()
    assert [sparing.may_speak("a", now_s=second) for second in (0, 1, 59, 60, 61)] == [True, False, False, True, False]


def test_a_flood_of_topics_is_not_a_flood_in_the_log_or_in_memory() -> None:
    sparing = Sparing(max_topics=3)
    assert sum(sparing.may_speak(f"t{number}", now_s=0) for number in range(1000)) == 3
    assert sparing.may_speak("t999", now_s=61)
