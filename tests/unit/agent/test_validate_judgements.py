"""Figures in, verdicts out."""

import msgspec
import pytest

from agent.config import CommandConfig, Config, Mode, MqttConfig, NodeConfig, PlcConfig, RegistryConfig, WorkloadConfig
from agent.errors import ConfigError
from agent.telemetry.errors import Codes, PlcError
from agent.validate.examine import ordered, refused
from agent.validate.judgement import (
    of_browsing,
    of_certificate,
    of_clock,
    of_engine_space,
    of_engine_version,
    of_filesystem,
    of_space,
    of_sqlite,
    of_tags,
)
from agent.validate.plc import not_opened
from agent.validate.readiness import readiness
from agent.validate.report import as_json
from agent.validate.verdict import CHECKS, State, Verdict, failed, is_sound, noted, passed, skipped, warned

PASS, INFO, WARN, FAIL, SKIP = State.PASS, State.INFO, State.WARN, State.FAIL, State.SKIP
GIB = 1024**3


@pytest.mark.parametrize(
    ("kind", "mode", "state"),
    [
        ("ext4", Mode.PRODUCTION, PASS),
        ("btrfs", Mode.PRODUCTION, PASS),
        ("tmpfs", Mode.DEVELOPMENT, WARN),
        ("tmpfs", Mode.PRODUCTION, FAIL),
        ("overlay", Mode.PRODUCTION, FAIL),
        ("overlay", Mode.STAGING, WARN),
        ("nfs4", Mode.DEVELOPMENT, FAIL),
        ("cifs", Mode.DEVELOPMENT, FAIL),
    ],
)
def test_what_is_committed_must_outlive_a_boot(kind: str, mode: Mode, state: State) -> None:
    assert of_filesystem(kind, "/data", mode).state is state


@pytest.mark.parametrize(("free", "state"), [(2 * GIB, PASS), (GIB - 1, WARN), (1024, FAIL)])
def test_spool_must_have_its_room(free: int, state: State) -> None:
    assert of_space("/data", free, GIB).state is state


def test_sizes_are_said_in_words() -> None:
    assert "1.5 GiB free; the spool may take 1 GiB" in of_space("/data", GIB * 3 // 2, GIB).message


@pytest.mark.parametrize(
    ("version", "state"),
    [((3, 6, 23), PASS), ((3, 7, 0), INFO), ((3, 40, 1), INFO), ((3, 51, 2), INFO), ((3, 51, 3), PASS)],
)
def test_sqlite_with_the_wal_fault_is_noted(version: tuple[int, ...], state: State) -> None:
    assert of_sqlite(version).state is state


@pytest.mark.parametrize(("synchronized", "state"), [(True, PASS), (False, WARN), (None, INFO)])
def test_clock(synchronized: bool | None, state: State) -> None:
    assert of_clock(synchronized).state is state


@pytest.mark.parametrize(
    ("api", "state"), [("1.41", PASS), ("1.100", PASS), ("2.0", PASS), ("1.40", WARN), ("1.9", WARN)]
)
def test_engine_older_than_tested_is_warned_of(api: str, state: State) -> None:
    assert of_engine_version("x", api).state is state


@pytest.mark.parametrize(("free", "state"), [(2 * GIB, PASS), (GIB - 1, WARN), (None, SKIP)])
def test_engine_must_have_room_for_an_image(free: int | None, state: State) -> None:
    assert of_engine_space("/var/lib/docker", free).state is state


@pytest.mark.parametrize(("days", "state"), [(365.0, PASS), (29.0, WARN)])
def test_certificate_that_expires_soon_is_warned_of(days: float, state: State) -> None:
    assert of_certificate(days, "mqtts://b:8883").state is state


def test_bad_tags_are_counted_and_the_first_named() -> None:
    bad = {f"t{number}": "BadNodeIdUnknown" for number in range(7)}
    verdict = of_tags(20, bad)
    assert verdict.state is FAIL
    assert verdict.message.startswith("7 of 20 tags can't be read: t0: BadNodeIdUnknown; t1")
    assert "t4" in verdict.message
    assert "t5" not in verdict.message
    assert verdict.message.endswith("and 2 more")
    assert of_tags(20, {}).state is PASS


@pytest.mark.parametrize(("found", "state"), [(0, WARN), (23, PASS), (100, WARN)])
def test_browsing(found: int, state: State) -> None:
    assert of_browsing(found, 100).state is state


@pytest.mark.parametrize(
    ("status", "states"),
    [
        (Codes.BadUserAccessDenied, {"plc-reachable": PASS, "plc-credentials": FAIL}),
        (Codes.BadIdentityTokenRejected, {"plc-reachable": PASS, "plc-credentials": FAIL}),
        (Codes.BadTooManySessions, {"plc-reachable": FAIL}),
        (None, {"plc-reachable": FAIL}),
    ],
)
def test_server_that_refuses_us_is_told_from_one_that_is_not_there(
    status: int | None, states: dict[str, State]
) -> None:
    plc = PlcConfig(name="p", url="opc.tcp://h:4840")
    error = PlcError("no", phase="connect", element=plc.url, status=status)
    assert {verdict.id: verdict.state for verdict in not_opened(plc, error)} == states


# --- production readiness


def config(mode: Mode = Mode.PRODUCTION, **parts: object) -> Config:
    return msgspec.structs.replace(Config(node=NodeConfig(site="a", name="b", mode=mode)), **parts)


def states(config: Config, open_files: dict[str, int] | None = None) -> dict[str, State]:
    return {verdict.id: verdict.state for verdict in readiness(config, open_files or {})}


SECURE = config(
    mqtt=MqttConfig(host="broker", username="u", password_file="f", ca_file="ca"),
    commands=CommandConfig(require_signature=True, trusted_keys={"k": "…"}),
)


def test_a_secure_configuration_is_ready() -> None:
    found = states(SECURE, {"f": 0o100600})
    assert set(found.values()) == {PASS}


def test_what_is_open_fails_in_production_and_is_warned_of_elsewhere() -> None:
    mqtt = MqttConfig(host="broker.plant")
    for mode, state in ((Mode.PRODUCTION, FAIL), (Mode.STAGING, WARN), (Mode.DEVELOPMENT, WARN)):
        found = states(config(mode, mqtt=mqtt), {"f": 0o100644})
        names = ("commands-signed", "broker-encrypted", "broker-authenticated", "secrets-private")
        assert {name: found[name] for name in names} == dict.fromkeys(names, state)


@pytest.mark.parametrize("host", ["127.0.0.1", "127.3.2.1", "::1", "localhost"])
def test_broker_on_the_same_machine_needs_no_tls(host: str) -> None:
    found = states(config(mqtt=MqttConfig(host=host)))
    assert (found["broker-encrypted"], found["broker-authenticated"]) == (PASS, WARN)


def test_passwords_in_the_configuration_are_named_and_not_shown() -> None:
    written = config(
        mqtt=MqttConfig(username="u", password="s3cret"),
        workload=WorkloadConfig(registries=(RegistryConfig(host="r", username="u", password="s3cret"),)),
        opcua=(PlcConfig(name="press", url="opc.tcp://h", username="u", password="s3cret"),),
    )
    (verdict,) = [each for each in readiness(written, {}) if each.id == "secrets-in-files"]
    assert verdict.state is WARN
    assert verdict.message.endswith("mqtt.password, workload.registries r, opcua press")
    assert not any("s3cret" in str(each) for each in readiness(written, {}))


@pytest.mark.parametrize(("bits", "state"), [(0o100600, PASS), (0o100640, PASS), (0o100644, FAIL), (0o100602, FAIL)])
def test_file_with_a_secret_must_be_closed_to_others(bits: int, state: State) -> None:
    assert states(SECURE, {"/etc/secret": bits})["secrets-private"] is state


def test_node_that_nobody_named_is_warned_of() -> None:
    unnamed = msgspec.structs.replace(SECURE, node=NodeConfig(site="default", name="host"))
    assert states(unnamed)["node-named"] is WARN


# --- verdicts and reports


def test_soundness_is_the_absence_of_failures() -> None:
    calm = [passed("plc-tags", ""), noted("plc-tags", ""), skipped("plc-tags", ""), warned("plc-tags", "", "do")]
    assert is_sound(calm)
    assert not is_sound(calm, warnings_as_errors=True)
    assert is_sound(calm[:3], warnings_as_errors=True)
    assert not is_sound([*calm, failed("plc-tags", "", "do")])


def test_report_is_in_the_order_of_the_checks() -> None:
    given = [passed("plc-tags", ""), passed("config-loads", ""), passed("broker-tls", "")]
    assert [verdict.id for verdict in ordered(given)] == ["config-loads", "broker-tls", "plc-tags"]


def test_ids_are_stable() -> None:
    assert " ".join(CHECKS) == (
        "config-loads data-dir-writable data-dir-durable data-dir-space sqlite-version "
        "broker-reachable broker-tls broker-credentials broker-subscribe broker-publish "
        "plc-reachable plc-credentials plc-tags engine-reachable engine-version engine-space "
        "clock-synchronized node-named commands-signed broker-encrypted broker-authenticated "
        "secrets-in-files secrets-private"
    )


def test_configuration_that_does_not_load_is_a_failure_with_its_remedy() -> None:
    (verdict,) = refused(ConfigError("is 70000", where="a.toml, line 3, mqtt.port", remedy="From 1 to 65535."))
    assert (verdict.id, verdict.state) == ("config-loads", FAIL)
    assert verdict.message == "a.toml, line 3, mqtt.port: is 70000"
    assert verdict.remedy == "From 1 to 65535."


def test_json_says_it_all() -> None:
    verdict = Verdict(id="plc-tags", state=FAIL, message="m", remedy="r", subject="press")
    report = msgspec.json.decode(as_json([verdict], node="a/b", sound=False))
    assert report["counts"] == {"pass": 0, "info": 0, "warn": 0, "fail": 1, "skip": 0}
    assert (report["sound"], report["node"]) == (False, "a/b")
    assert report["checks"] == [
        {"group": "connectivity", "id": "plc-tags", "state": "fail", "message": "m", "remedy": "r", "subject": "press"}
    ]
