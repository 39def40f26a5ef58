"""What Docker is asked for, what is refused, what is reported, how long is waited."""

import pytest

from agent.workload.backoff import Attempts, delay_s, once_more, settled
from agent.workload.blueprint import blueprint, unfit, whole_seconds
from agent.workload.desired import AppRecord, Goal
from agent.workload.identity import app_of, container_name, owner, spec_hash
from agent.workload.observed import Observed
from agent.workload.report import report
from tests.support.workload_values import app_spec, at, container, fault, job, record, revision
from wire.app import AppSpec, Healthcheck, Mount, PublishedPort
from wire.messages import AppStatus
from wire.topics import NodeName

NODE = NodeName("plant", "press")


def test_blueprint_asks_for_what_is_described_and_nothing_else() -> None:
    spec = app_spec(ports=(PublishedPort(container=80, host=8080),), mounts=(Mount(source="/data", target="/d"),))
    body = blueprint(NODE, "app", revision=3, spec=spec.containers[0], image="sha256:1")
    assert body["Labels"]["millwright"] == "plant/press/app"
    assert body["Labels"]["millwright.revision"] == "3"
    assert body["HostConfig"]["Mounts"] == [{"Type": "bind", "Source": "/data", "Target": "/d", "ReadOnly": False}]
    assert set(body) == {"Image", "Labels", "Env", "ExposedPorts", "StopTimeout", "HostConfig"}
    assert set(body["HostConfig"]) == {"RestartPolicy", "PortBindings", "Mounts", "LogConfig"}


def test_volume_bears_the_apps_label() -> None:
    spec = app_spec(mounts=(Mount(source="data", target="/d", read_only=True),)).containers[0]
    (mount,) = blueprint(NODE, "app", revision=1, spec=spec, image="i")["HostConfig"]["Mounts"]
    assert (mount["Type"], mount["ReadOnly"]) == ("volume", True)
    assert mount["VolumeOptions"] == {"Labels": {"millwright": "plant/press/app"}}


def test_healthcheck_without_a_test_leaves_the_images_own() -> None:
    assert "Healthcheck" not in blueprint(
        NODE, "app", revision=1, spec=app_spec(probe=Healthcheck()).containers[0], image="i"
    )


@pytest.mark.parametrize(
    ("spec", "field"),
    [
        (app_spec(image="Not An Image"), "image"),
        (app_spec(networks=("host",)), "networks"),
        (app_spec(networks=("container:other",)), "networks"),
        (app_spec(mounts=(Mount(source="../etc", target="/x"),)), "mounts"),
        (app_spec(env={"A=B": "1"}), "env"),
        (app_spec(cpus=1e300), "cpus"),
    ],
)
def test_what_cannot_be_honoured_is_named(spec: AppSpec, field: str) -> None:
    wrong = unfit(spec)
    assert wrong is not None
    assert wrong[0] == f"$.args.spec.containers[0].{field}"
    assert unfit(app_spec(networks=("plant",), mounts=(Mount(source="data", target="/d"),))) is None


def test_stop_grace_is_never_cut_short() -> None:
    assert [whole_seconds(seconds) for seconds in (0.1, 1.0, 1.5)] == [1, 1, 2]


def test_names_and_hashes_tell_apart_what_is_apart() -> None:
    names = {
        container_name(NodeName(*node), app, revision=1, container="main")
        for node, app in ((("plant", "press"), "a"), (("plant2", "press"), "a"), (("plant", "press"), "b"))
    }
    assert len(names) == 3
    assert app_of(owner(NODE, "app"), NODE) == "app"
    assert app_of("plant/press2/app", NODE) is None
    one, other = (app_spec(env={"A": "1", "B": "2"}), app_spec(env={"B": "2", "A": "1"}))
    assert spec_hash(one.containers[0]) == spec_hash(other.containers[0])
    assert spec_hash(one.containers[0]) != spec_hash(app_spec(env={"A": "1"}).containers[0])


def test_back_off_doubles_to_a_bound_and_is_forgotten_when_it_lasted() -> None:
    assert [delay_s(failures) for failures in range(5)] == [0, 1, 2, 4, 8]
    assert delay_s(50) == 300
    attempts = once_more(once_more(Attempts(), at=at(0), reason="x"), at=at(1), reason="y")
    assert (attempts.failures, attempts.not_before, attempts.reason) == (2, at(3), "y")
    assert settled(attempts, well_since=at(0), now=at(59)) == attempts
    assert settled(attempts, well_since=None, now=at(100)) == attempts
    assert settled(attempts, well_since=at(0), now=at(60)) == Attempts()


GOOD = revision(1)
RUNS = container(GOOD)
BACKING = Attempts(failures=2, last_at=at(0), reason="it is exited with exit code 1")
CASES: list[tuple[AppRecord, Observed, AppStatus, str | None, str]] = [
    (record(GOOD), Observed(containers=(RUNS,)), AppStatus.RUNNING, None, "running"),
    (
        record(GOOD),
        Observed(containers=(container(GOOD, health="starting"),)),
        AppStatus.STARTING,
        None,
        "running",
    ),
    (
        record(GOOD),
        Observed(containers=(container(GOOD, health="unhealthy"),)),
        AppStatus.UNHEALTHY,
        "it is unhealthy",
        "running",
    ),
    (record(GOOD), Observed(), AppStatus.STARTING, "its container is missing", "absent"),
    (
        record(GOOD),
        Observed(containers=(container(GOOD, "exited", exit_code=1),), attempts=BACKING),
        AppStatus.BACKING_OFF,
        "it is exited with exit code 1",
        "exited",
    ),
    (
        record(GOOD, goal=Goal.STOPPED),
        Observed(containers=(container(GOOD, "exited"),)),
        AppStatus.STOPPED,
        None,
        "exited",
    ),
    (
        record(GOOD, job=job(trial=revision(2, resolved=False))),
        Observed(containers=(RUNS,)),
        AppStatus.DEPLOYING,
        None,
        "running",
    ),
    (record(None, fault=fault(message="no")), Observed(), AppStatus.FAILED, "no", "absent"),
    (
        record(GOOD),
        Observed(reachable=False, trouble=fault(message="away")),
        AppStatus.STARTING,
        "away",
        "unknown",
    ),
]


@pytest.mark.parametrize(("known", "observed", "status", "reason", "state"), CASES)
def test_report(known: AppRecord, observed: Observed, status: AppStatus, reason: str | None, state: str) -> None:
    got = report(known, observed, NODE, at(0))
    assert (got.status, got.reason, got.state) == (status, reason, state)


def test_report_names_the_revision_that_runs_during_a_deploy() -> None:
    trying = record(GOOD, job=job(trial=revision(2)))
    before = report(trying, Observed(containers=(RUNS,)), NODE, at(0))
    assert before.desired is not None
    assert before.running is not None
    assert (before.desired.number, before.running.number) == (2, 1)
    switched = report(trying, Observed(containers=(container(GOOD, "exited"), container(revision(2)))), NODE, at(0))
    assert switched.running is not None
    assert switched.running.number == 2
