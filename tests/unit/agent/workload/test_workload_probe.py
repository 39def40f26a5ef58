"""When a container has proved itself."""

from datetime import datetime

import pytest

from agent.workload.probe import Failed, Healthy, Verdict, Waiting, judge
from tests.support.workload_values import app_spec, at, container, revision
from wire.app import ContainerSpec, Healthcheck, Running

BY_RUNNING = app_spec(probe=Running(for_s=5), healthy_within_s=30).containers[0]
BY_CHECK = app_spec(probe=Healthcheck(), healthy_within_s=30).containers[0]
BY_IMAGE = app_spec(probe=None, healthy_within_s=30).containers[0]
STRICT = app_spec(probe=Running(for_s=60), healthy_within_s=30).containers[0]


def verdict(spec: ContainerSpec, now: datetime, state: str = "running", **about: object) -> Verdict:
    return judge(container(revision(1), state, **about), spec, now)  # type: ignore[arg-type]


def test_running_long_enough_is_healthy() -> None:
    assert verdict(BY_RUNNING, at(5)) == Healthy()
    assert verdict(BY_RUNNING, at(4.9)) == Waiting(until=at(5))


def test_without_a_probe_the_images_healthcheck_counts_or_else_five_seconds() -> None:
    assert verdict(BY_IMAGE, at(1), health="healthy") == Healthy()
    assert isinstance(verdict(BY_IMAGE, at(10), health="starting"), Waiting)
    assert verdict(BY_IMAGE, at(1)) == Waiting(until=at(5))
    assert verdict(BY_IMAGE, at(5)) == Healthy()


def test_healthcheck_is_believed() -> None:
    assert verdict(BY_CHECK, at(0.1), health="healthy") == Healthy()
    assert verdict(BY_CHECK, at(1), health="starting") == Waiting(until=at(3))


@pytest.mark.parametrize(
    ("about", "words"),
    [
        ({"state": "exited", "exit_code": 3}, "exited with exit code 3"),
        ({"state": "dead"}, "dead"),
        ({"state": "created", "error": "no such device"}, "no such device"),
        ({"state": "restarting", "exit_code": 4}, "exit code 4"),
        ({"restarts": 1}, "restarted by Docker"),
        ({"health": "unhealthy", "health_output": "no pressure\n"}, "unhealthy: no pressure"),
    ],
)
def test_what_ended_or_is_unhealthy_fails_at_once(about: dict[str, object], words: str) -> None:
    got = verdict(BY_CHECK, at(0.1), **about)  # type: ignore[arg-type]
    assert isinstance(got, Failed)
    assert words in got.reason


def test_probe_by_a_healthcheck_that_there_isnt_fails() -> None:
    got = verdict(BY_CHECK, at(1))
    assert isinstance(got, Failed)
    assert "no HEALTHCHECK" in got.reason


def test_not_healthy_in_time_fails_and_is_looked_at_then() -> None:
    assert verdict(BY_CHECK, at(29), health="starting") == Waiting(until=at(30))
    got = verdict(BY_CHECK, at(30), health="starting")
    assert isinstance(got, Failed)
    assert "within 30 s" in got.reason
    assert isinstance(verdict(STRICT, at(31)), Failed)
