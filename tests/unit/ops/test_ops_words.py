"""Outcomes, tag changes and troubles in the words that a person reads."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from link.client import LinkError, PublishRefusedError
from ops.outcome_words import MARKS, details, in_words
from ops.problems import explain
from ops.tag_lines import as_json_lines, as_lines, notes, quality_word
from wire.continuity import Arrival
from wire.messages import Category, Fault, Gap, GapReason, Left, Outcome, Phase, Progress, TagBatch, TagValue
from wire.topics import NodeName

NOW = datetime(2026, 5, 4, 8, 30, 1, 250000, tzinfo=UTC)
FAULT = Fault(
    phase="pull", component="registry", element="hmi:9", category=Category.IMAGE_NOT_FOUND, message="no hmi:9"
)


def outcome(phase: Phase, **more: Any) -> Outcome:
    return Outcome(command_id="c", node="a/b", seq=0, phase=phase, at=NOW, **more)


@pytest.mark.parametrize(
    ("said", "words"),
    [
        (outcome(Phase.ACCEPTED), "accepted"),
        (outcome(Phase.RUNNING), "running"),
        (outcome(Phase.RUNNING, progress=Progress(step="probe")), "probe"),
        (outcome(Phase.RUNNING, progress=Progress(step="pull", done_bytes=1 << 20)), "pull 1 MiB"),
        (
            outcome(Phase.RUNNING, progress=Progress(step="pull", done_bytes=1 << 20, total_bytes=4 << 20)),
            "pull 1 MiB of 4 MiB",
        ),
        (outcome(Phase.SUCCEEDED, revision=3), "succeeded, revision 3"),
        (outcome(Phase.SUCCEEDED), "succeeded"),
        (
            outcome(Phase.FAILED, error=FAULT, left=Left.ROLLED_BACK),
            "failed: no hmi:9 (the node went back to what it had)",
        ),
        (outcome(Phase.EXPIRED, left=Left.UNCHANGED), "expired (the node is as it was)"),
        (outcome(Phase.SUPERSEDED), "superseded"),
    ],
)
def test_an_outcome_is_one_line(said: Outcome, words: str) -> None:
    assert in_words(said) == words


def test_a_failure_says_where_what_followed_and_whether_to_try_again() -> None:
    retry = Fault(**{**{name: getattr(FAULT, name) for name in FAULT.__struct_fields__}, "retry": True})
    then = Fault(phase="start", component="engine", element="hmi", category=Category.ENGINE, message="gone")
    assert details(outcome(Phase.FAILED, error=retry, followed_by=(then,))) == [
        "while pull, registry failed for hmi:9 [image_not_found]",
        "then, while start, engine failed for hmi [engine]: gone",
        "the same command may succeed later",
    ]
    assert details(outcome(Phase.SUCCEEDED)) == []


def test_every_phase_has_its_mark() -> None:
    assert set(MARKS) == set(Phase)
    assert MARKS[Phase.SUCCEEDED] not in {MARKS[phase] for phase in Phase if phase is not Phase.SUCCEEDED}


def arrival(**more: Any) -> Arrival:
    values = (TagValue(name="Temp", value=71.5, time=NOW), TagValue(name="S", value=None, status=0x80050000))
    gap = more.pop("gap", None)
    return Arrival(batch=TagBatch(epoch="e", plc="press", seq=9, values=values, gap=gap), **more)


def test_a_change_is_a_line_with_time_and_quality() -> None:
    assert list(as_lines(arrival())) == [
        "2026-05-04 08:30:01.250  press  Temp  71.5",
        "-                        press  S  null  Bad (0x80050000)",
    ]


def test_a_change_is_a_json_object_with_its_place_in_the_stream() -> None:
    missed, gap, value, _ = as_json_lines(NodeName("a", "b"), arrival(missed=(4, 8), gap=GAP))
    assert json.loads(missed)["missed"] == {"first_seq": 4, "last_seq": 8}
    assert json.loads(gap)["gap"]["reason"] == "spool_full"
    assert json.loads(value) == {
        "node": "a/b",
        "plc": "press",
        "epoch": "e",
        "seq": 9,
        "name": "Temp",
        "value": 71.5,
        "status": 0,
        "time": "2026-05-04T08:30:01.250000Z",
    }


GAP = Gap(reason=GapReason.SPOOL_FULL, since=NOW, until=NOW + timedelta(minutes=1), values=12)


def test_losses_are_told_before_the_values() -> None:
    assert list(notes(arrival(missed=(4, 8), gap=GAP, is_new_epoch=True))) == [
        "! press: the node's spool was made anew; whether anything is missing before can't be told",
        "! press: seq 4 to 8 did not reach us",
        "! press: the node lost 12 values from 08:30:01 to 08:31:01 (spool full)",
    ]
    assert list(notes(arrival())) == []


@pytest.mark.parametrize(
    ("status", "word"), [(0, "Good"), (0x40000000, "Uncertain"), (0x80050000, "Bad"), (0xC0000000, "Bad")]
)
def test_a_status_code_s_severity_is_its_two_highest_bits(status: int, word: str) -> None:
    assert quality_word(status) == word


@pytest.mark.parametrize(
    ("error", "fault", "remedy"),
    [
        (LinkError("mqtt://h:1: refused"), "can't be reached: mqtt://h:1", "--broker"),
        (LinkError("not authorized", refused=True), "does not let the user 'ops' in", "--password-file"),
        (PublishRefusedError("plant/v1/a/b/command", "no"), "may not publish", "topic write plant/v1/+/+/command"),
    ],
)
def test_a_trouble_with_the_broker_comes_with_its_remedy(
    error: LinkError | PublishRefusedError, fault: str, remedy: str
) -> None:
    problem = explain(error, username="ops", root="plant/v1")
    assert fault in problem.fault
    assert remedy in problem.remedy
