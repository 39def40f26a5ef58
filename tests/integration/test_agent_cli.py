"""`millwright agent` as a process: what it prints, where, and how it exits."""

import asyncio
import json
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from plant.plc import SimulatedPlc
from tests.support.mosquitto import MosquittoContainer
from tests.support.ports import free_port
from wire.topics import NodeName

NODE = NodeName("plant-a", "press-1")
ENVIRON = {name: value for name, value in os.environ.items() if name in {"PATH", "HOME", "LANG", "DOCKER_HOST"}}


def command(*arguments: object, environ: Mapping[str, str] | None = None) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "agent", *map(str, arguments)],
        env={**ENVIRON, **(environ or {})},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


@pytest.fixture
def offline(tmp_path: Path) -> Path:
    """The configuration of a node whose broker is away."""
    file = tmp_path / "agent.toml"
    file.write_text(
        f'[node]\nsite = "plant-a"\nname = "press-1"\ndata_dir = "{tmp_path}/data"\n'
        f"[mqtt]\nport = {free_port()}\n[health]\nperiod_s = 0.5\n"
    )
    return file


@asynccontextmanager
async def agent(config: Path) -> AsyncIterator[asyncio.subprocess.Process]:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "agent", "run", "--config", str(config)),
        env=ENVIRON,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    try:
        yield process
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


async def event(process: asyncio.subprocess.Process, name: str, *, within_s: float = 30.0) -> dict[str, object]:
    """Wait until the agent logs it."""
    assert process.stderr is not None
    said = b""
    async with asyncio.timeout(within_s):
        while line := await process.stderr.readline():
            said += line
            entry = json.loads(line)
            if entry["event"] == name:
                return dict(entry)
    raise AssertionError(f"the agent ended without {name}:\n{said.decode()}")


# --- run


def test_wrong_configuration_is_refused_without_a_trace(offline: Path) -> None:
    offline.write_text(offline.read_text().replace("port = ", "prot = "))
    result = command("run", "--config", offline)
    assert result.returncode == 2
    assert result.stdout == ""
    assert result.stderr.splitlines()[0].endswith(f"{offline}, line 6, mqtt.prot: is not a field of the configuration")
    assert "Did you mean port?" in result.stderr
    assert "Traceback" not in result.stderr


def test_data_directory_that_cannot_be_used_is_refused_without_a_trace(offline: Path) -> None:
    result = command("run", "--config", offline, environ={"MILLWRIGHT_NODE_DATA_DIR": "/proc/millwright"})
    assert result.returncode == 2
    assert "data_dir /proc/millwright: can't be used: No such file or directory" in result.stderr
    assert "Traceback" not in result.stderr


def test_wrong_variable_is_refused_without_a_trace() -> None:
    result = command("run", environ={"LOG_LEVEL": "loud"})
    assert (result.returncode, result.stdout) == (2, "")
    assert "environment, LOG_LEVEL: is 'loud' (text)" in result.stderr


@pytest.mark.parametrize("name", ["SIGTERM", "SIGINT"])
async def test_agent_runs_without_a_broker_and_ends_cleanly(offline: Path, docker_engine: str, name: str) -> None:
    async with agent(offline) as process:
        started = await event(process, "agent_started")
        assert (started["node"], started["level"]) == (str(NODE), "info")
        await event(process, "broker_unreachable")
        process.send_signal(getattr(signal, name))
        await event(process, "agent_stopped", within_s=10)
        assert await asyncio.wait_for(process.wait(), 10) == 0


async def test_second_agent_on_the_same_data_is_refused(offline: Path, docker_engine: str) -> None:
    async with agent(offline) as process:
        await event(process, "agent_started")
        result = await asyncio.to_thread(command, "run", "--config", offline)
    assert result.returncode == 2
    assert "another agent runs on it" in result.stderr
    assert "Traceback" not in result.stderr


def test_damaged_store_is_a_fault_and_is_logged(offline: Path) -> None:
    store = offline.parent / "data" / "node.sqlite"
    store.parent.mkdir()
    store.write_bytes(b"no database" * 1000)
    result = command("run", "--config", offline)
    last = json.loads(result.stderr.splitlines()[-1])
    assert (result.returncode, last["event"], last["element"]) == (1, "agent_failed", str(store))
    assert "Traceback" not in result.stderr


async def test_log_level_is_the_configured_one(offline: Path, docker_engine: str) -> None:
    offline.write_text(offline.read_text().replace("[mqtt]", 'log_level = "warning"\n[mqtt]'))
    async with agent(offline) as process:
        assert process.stderr is not None
        first = json.loads(await asyncio.wait_for(process.stderr.readline(), 30))
    assert (first["event"], first["level"]) == ("broker_unreachable", "warning")


# --- config


def test_template_goes_to_stdout_and_runs_as_it_is(tmp_path: Path) -> None:
    written = command("config")
    assert (written.returncode, written.stderr) == (0, "")
    (tmp_path / "agent.toml").write_text(written.stdout)
    report = json.loads(command("validate", "--config", tmp_path / "agent.toml", "-o", "json").stdout)
    assert report["node"] == str(NODE)


def test_template_never_replaces_a_file_unasked(tmp_path: Path) -> None:
    file = tmp_path / "agent.toml"
    assert command("config", "-o", file).returncode == 0
    assert file.stat().st_mode & 0o777 == 0o600
    file.write_text("mine")
    refused = command("config", "-o", file)
    assert (refused.returncode, file.read_text()) == (2, "mine")
    assert "--force" in refused.stderr
    assert command("config", "-o", file, "--force").returncode == 0
    assert file.read_text() == command("config").stdout


def test_template_that_cannot_be_written_says_why(tmp_path: Path) -> None:
    result = command("config", "-o", tmp_path / "none" / "agent.toml")
    assert result.returncode == 2
    assert "No such file or directory" in result.stderr


# --- validate


@pytest.fixture
async def plant(broker: MosquittoContainer, tmp_path: Path) -> AsyncIterator[Path]:
    """The configuration of a node with everything it needs."""
    async with SimulatedPlc(period_s=0) as plc:
        secret = broker.as_node(NODE).password_file
        data = tmp_path / "data"
        data.mkdir()
        file = tmp_path / "agent.toml"
        file.write_text(
            f'[node]\nsite = "plant-a"\nname = "press-1"\ndata_dir = "{data}"\n'
            f'[mqtt]\nport = {broker.broker.port}\nusername = "{NODE}"\npassword_file = "{secret}"\n'
            f'[spool]\nmax_bytes = 65536\n[[opcua]]\nname = "press"\nurl = "{plc.url}"\n'
        )
        yield file


async def test_sound_node_passes(plant: Path, docker_engine: str) -> None:
    result = await asyncio.to_thread(command, "validate", "--config", plant, "-o", "json")
    report = json.loads(result.stdout)
    failures = [check for check in report["checks"] if check["state"] == "fail"]
    assert (result.returncode, failures, report["sound"]) == (0, [], True)
    connectivity = [
        check for check in report["checks"] if check["group"] == "connectivity" and check["id"] != "engine-space"
    ]
    assert {check["state"] for check in connectivity} == {"pass"}
    assert len(connectivity) == 9


async def test_warnings_fail_when_asked_to(plant: Path, docker_engine: str) -> None:
    result = await asyncio.to_thread(command, "validate", "--config", plant, "--warnings-as-errors", "-o", "json")
    report = json.loads(result.stdout)
    assert report["counts"]["warn"] > 0
    assert (result.returncode, report["sound"]) == (1, False)


def test_report_for_a_person_says_states_in_words_and_what_to_do(offline: Path, docker_engine: str) -> None:
    result = command("validate", "--config", offline)
    assert result.returncode == 1
    lines = result.stdout.splitlines()
    (broker,) = [number for number, line in enumerate(lines) if line[8:].startswith("broker-reachable")]
    assert lines[broker].startswith("  FAIL  broker-reachable")
    assert lines[broker + 1].startswith("        → Check mqtt.host")
    assert [line for line in lines if not line.startswith(" ") and line][:3] == [
        "configuration",
        "connectivity",
        "production readiness",
    ]
    assert "\x1b" not in result.stdout


def test_wrong_configuration_is_the_one_thing_reported(offline: Path) -> None:
    offline.write_text("[node]\n")
    result = command("validate", "--config", offline, "-o", "json")
    (check,) = json.loads(result.stdout)["checks"]
    assert (result.returncode, check["id"], check["state"]) == (1, "config-loads", "fail")


def test_wrong_usage_is_told_from_a_failed_check() -> None:
    assert command("validate", "--no-such-option").returncode == 2


def test_secrets_are_never_shown(offline: Path, docker_engine: str) -> None:
    environ = {"MILLWRIGHT_MQTT_USERNAME": "u", "MILLWRIGHT_MQTT_PASSWORD": "s3cret-word"}
    for output in ("text", "json"):
        result = command("validate", "--config", offline, "-o", output, environ=environ)
        assert "s3cret-word" not in result.stdout + result.stderr


def test_configuration_may_be_named_by_the_environment(offline: Path) -> None:
    offline.write_text("[node]\n")
    result = command("validate", environ={"MILLWRIGHT_AGENT_CONFIG": str(offline)})
    assert f"{offline}, line 1, node.site: is missing" in result.stdout
