"""How a message changes what is known of its node: late, twice, and in any order."""

from datetime import UTC, datetime, timedelta
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from controller.fleet.event import AppRemoved, Event, NodeRemoved, Said
from controller.fleet.node import LATEST_OUTCOMES, NodeView, fold
from tests.support import fleet
from wire.messages import AppReport, Outcome, Phase, PlcMeta, Presence
from wire.topics import NodeName

NODE = NodeName("plant-a", "press-1")
T0 = datetime(2026, 3, 1, 12, tzinfo=UTC)


def event(said: Said, seconds: float = 0, *, retained: bool = False) -> Event:
    return Event(node=NODE, seen_at=T0 + timedelta(seconds=seconds), said=said, retained=retained)


def folded(*events: Event, start: NodeView | None = None) -> NodeView:
    view = start
    for each in events:
        view = fold(view, each)
    assert view is not None
    return view


def presence(session: str, *, online: bool = True) -> Presence:
    return Presence(node=str(NODE), online=online, session=session)


def is_online(view: NodeView) -> bool:
    assert view.presence is not None
    return view.presence.value.online


def report(at: float, *, desired: int = 1) -> AppReport:
    return replace(fleet.report(NODE, "hmi", desired=desired, running=desired), at=T0 + timedelta(seconds=at))


def outcome(seq: int, command_id: str = "c1", phase: Phase = Phase.RUNNING, at: float = 0) -> Outcome:
    return Outcome(command_id=command_id, node=str(NODE), seq=seq, phase=phase, at=T0 + timedelta(seconds=at))


# --- heartbeats


def heartbeat(view: NodeView) -> tuple[str, int]:
    assert view.health is not None
    return view.health.value.epoch, view.health.value.seq


def test_a_late_heartbeat_does_not_replace_a_newer_one() -> None:
    view = folded(event(fleet.health(NODE, seq=5)), event(fleet.health(NODE, seq=4), 1))
    assert heartbeat(view) == ("e1", 5)


def test_the_same_heartbeat_again_keeps_its_first_age() -> None:
    first = folded(event(fleet.health(NODE, seq=5), 0))
    assert folded(event(fleet.health(NODE, seq=5), 60), start=first) is first


def test_a_new_life_of_the_agent_replaces_the_old_though_its_numbers_are_smaller() -> None:
    view = folded(event(fleet.health(NODE, seq=900)), event(fleet.health(NODE, epoch="e2", seq=0)))
    assert heartbeat(view) == ("e2", 0)


def test_a_heartbeat_of_an_ended_life_does_not_come_back() -> None:
    old = fleet.health(NODE, seq=900)
    view = folded(
        event(old), event(fleet.health(NODE, epoch="e2", seq=0)), event(old), event(fleet.health(NODE, seq=3))
    )
    assert heartbeat(view) == ("e2", 0)


def test_a_life_that_was_thought_to_be_over_is_believed_when_it_goes_on() -> None:
    living, late = fleet.health(NODE, epoch="e2", seq=0), fleet.health(NODE, epoch="e1", seq=7)
    view = folded(event(living), event(late), event(fleet.health(NODE, epoch="e2", seq=1)))
    assert heartbeat(view) == ("e2", 1)


@given(st.permutations(range(8)), st.lists(st.integers(0, 7), max_size=6))
def test_heartbeats_of_one_life_end_the_same_in_any_order(order: list[int], again: list[int]) -> None:
    view = folded(*(event(fleet.health(NODE, seq=seq), seq) for seq in (*order, *again)))
    assert heartbeat(view) == ("e1", 7)
    assert view.health is not None
    assert view.health.seen_at == T0 + timedelta(seconds=7)


@given(st.permutations([("e1", 0), ("e1", 1), ("e2", 0), ("e2", 1), ("e2", 2)]))
def test_a_late_life_never_outlasts_the_next_heartbeat_of_the_present_one(order: list[tuple[str, int]]) -> None:
    view = folded(*(event(fleet.health(NODE, epoch=epoch, seq=seq)) for epoch, seq in order))
    assert heartbeat(folded(event(fleet.health(NODE, epoch="e2", seq=3)), start=view)) == ("e2", 3)


# --- presence


def test_a_will_ends_its_own_session() -> None:
    assert not is_online(folded(event(presence("s1")), event(presence("s1", online=False))))


def test_a_late_will_of_an_earlier_session_does_not_end_the_present_one() -> None:
    events = (event(presence("s1")), event(presence("s2")), event(presence("s1", online=False)))
    assert is_online(folded(*events))


def test_a_will_of_a_session_that_was_never_seen_does_not_end_the_present_one() -> None:
    assert is_online(folded(event(presence("s2")), event(presence("s1", online=False))))


def test_a_retained_will_of_a_session_that_was_never_seen_is_the_last_word() -> None:
    assert not is_online(folded(event(presence("s1")), event(presence("s2", online=False), retained=True)))


def test_a_session_that_was_replaced_does_not_come_back() -> None:
    view = folded(event(presence("s1")), event(presence("s2")), event(presence("s1")))
    assert view.presence is not None
    assert view.presence.value.session == "s2"


def test_a_session_that_ended_does_not_come_back_by_a_late_message() -> None:
    assert not is_online(folded(event(presence("s1")), event(presence("s1", online=False)), event(presence("s1"))))


def test_a_node_that_comes_again_is_online_again() -> None:
    assert is_online(folded(event(presence("s1")), event(presence("s1", online=False)), event(presence("s2"))))


def test_sessions_are_remembered_within_a_bound() -> None:
    assert len(folded(*(event(presence(f"s{number}")) for number in range(100))).past_sessions) == 8


# --- apps


def test_an_app_report_that_was_overtaken_is_ignored() -> None:
    view = folded(event(report(2, desired=2), 2), event(report(1), 2.1))
    assert view.apps[0].value.desired is not None
    assert view.apps[0].value.desired.number == 2


def test_an_app_report_after_the_nodes_clock_was_set_back_is_believed() -> None:
    view = folded(event(report(3600, desired=1), 0), event(report(1, desired=2), 60))
    assert view.apps[0].value.desired is not None
    assert view.apps[0].value.desired.number == 2


def test_a_report_that_is_asserted_again_keeps_its_first_age() -> None:
    first = folded(event(report(0), 0))
    assert folded(event(report(0), 900), start=first) is first


def test_a_cleared_report_removes_the_app_and_no_other() -> None:
    other = fleet.report(NODE, "cache")
    view = folded(event(report(0)), event(other), event(AppRemoved(app="hmi")))
    assert [fact.value.app for fact in view.apps] == ["cache"]
    assert folded(event(AppRemoved(app="hmi")), start=view) is view


def test_a_removed_node_is_not_known_any_more() -> None:
    assert fold(folded(event(presence("s1")), event(fleet.health(NODE))), event(NodeRemoved())) is None


def test_a_cleared_topic_makes_no_node_known() -> None:
    assert fold(None, event(NodeRemoved())) is None
    assert fold(None, event(AppRemoved(app="hmi"))) is None


# --- outcomes and tags


@given(st.permutations(range(5)), st.lists(st.integers(0, 4), max_size=4))
def test_the_last_phase_of_a_command_stands_in_any_order(order: list[int], again: list[int]) -> None:
    view = folded(*(event(outcome(seq)) for seq in (*order, *again)))
    assert [fact.value.seq for fact in view.outcomes] == [4]


@given(st.permutations(range(LATEST_OUTCOMES + 5)))
def test_the_newest_commands_are_held_in_any_order(order: list[int]) -> None:
    view = folded(*(event(outcome(0, f"c{number}", at=number)) for number in order))
    assert len(view.outcomes) == LATEST_OUTCOMES
    assert all(newer.value.at > older.value.at for newer, older in pairwise(view.outcomes))
    assert view.outcomes[0].value.command_id == f"c{LATEST_OUTCOMES + 4}"


def test_an_older_description_of_a_plcs_tags_is_ignored() -> None:
    new, old = (PlcMeta(node=str(NODE), plc="press", at=T0 + timedelta(seconds=s), tags=()) for s in (9, 1))
    assert folded(event(new), event(old)).plcs[0].value is new


# --- any message


MESSAGES: list[Said] = [
    presence("s1"),
    presence("s1", online=False),
    fleet.health(NODE),
    report(0),
    outcome(0),
    PlcMeta(node=str(NODE), plc="press", at=T0, tags=()),
]


@given(st.lists(st.sampled_from(MESSAGES), min_size=1, max_size=12))
def test_folding_the_last_message_again_changes_nothing(said: list[Said]) -> None:
    view = folded(*map(event, said))
    assert fold(view, event(said[-1], 30)) is view


@given(st.permutations(MESSAGES))
def test_different_kinds_of_messages_do_not_depend_on_each_others_order(said: list[Said]) -> None:
    assert folded(*map(event, said)) == folded(*map(event, MESSAGES))
