"""What `validate` says of real PLC servers, engines and disks: there, away, silent, refusing."""

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from agent.config import Config, NodeConfig, PlcConfig, SpoolConfig, TagConfig, WorkloadConfig
from agent.validate.engine import engine_probe
from agent.validate.machine import data_dir_probe, filesystem_of, system_probe
from agent.validate.plc import plc_probe
from agent.validate.probe import answers
from agent.validate.verdict import State, Verdict
from plant.plc import NAMESPACE, SimulatedPlc
from tests.support.ports import free_port

PASS, INFO, WARN, FAIL, SKIP = State.PASS, State.INFO, State.WARN, State.FAIL, State.SKIP
SPEED = f"nsu={NAMESPACE};s=Press.Speed"


def states(verdicts: list[Verdict]) -> dict[str, State]:
    return {verdict.id: verdict.state for verdict in verdicts}


def failure(verdicts: list[Verdict]) -> Verdict:
    (found,) = [verdict for verdict in verdicts if verdict.state is FAIL]
    assert found.remedy
    return found


@asynccontextmanager
async def silent_server() -> AsyncIterator[int]:
    """Accepts connections and never says anything."""
    held: list[asyncio.StreamWriter] = []

    async def hold(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        held.append(writer)
        await reader.read()

    async with await asyncio.start_server(hold, "127.0.0.1", 0) as server:
        yield server.sockets[0].getsockname()[1]
        for writer in held:
            writer.close()


# --- PLCs


async def plc_checked(url: str, *, within_s: float = 10.0, **changes: object) -> list[Verdict]:
    plc = PlcConfig(name="press", url=url, **changes)  # type: ignore[arg-type]
    return await answers(plc_probe(plc), within_s=within_s)


@pytest.fixture
async def plc() -> AsyncIterator[SimulatedPlc]:
    async with SimulatedPlc(period_s=0) as simulated:
        yield simulated


async def test_plc_with_all_its_tags_passes(plc: SimulatedPlc) -> None:
    found = await plc_checked(plc.url, tags=(TagConfig(node_id=SPEED),))
    assert states(found) == dict.fromkeys(("plc-reachable", "plc-credentials", "plc-tags"), PASS)
    assert {verdict.subject for verdict in found} == {"press"}


async def test_missing_tags_are_named_with_the_servers_reason(plc: SimulatedPlc) -> None:
    tags = (
        TagConfig(node_id=SPEED),
        TagConfig(node_id=f"nsu={NAMESPACE};s=Press.Sped"),
        TagConfig(node_id="nsu=urn:nobody;s=X", name="other"),
    )
    found = failure(await plc_checked(plc.url, tags=tags))
    assert found.id == "plc-tags"
    assert found.message.startswith("2 of 3 tags can't be read: ")
    assert "Press.Sped: BadNodeIdUnknown" in found.message
    assert "other: the server has no namespace 'urn:nobody'" in found.message


async def test_without_named_tags_the_server_is_browsed(plc: SimulatedPlc) -> None:
    found = await plc_checked(plc.url)
    assert states(found)["plc-tags"] is PASS
    assert "variables found by browsing" in found[-1].message


async def test_wrong_password_is_told_from_a_missing_server() -> None:
    async with SimulatedPlc(period_s=0, username="u", password="right") as simulated:
        wrong = await plc_checked(simulated.url, username="u", password="wrong")
        nobody = await plc_checked(simulated.url)
        right = await plc_checked(simulated.url, username="u", password="right")
    assert states(wrong) == {"plc-reachable": PASS, "plc-credentials": FAIL, "plc-tags": SKIP}
    assert "password of u" in (failure(wrong).remedy or "")
    assert failure(nobody).id == "plc-credentials"
    assert set(states(right).values()) == {PASS}


async def test_plc_that_is_not_there_is_unreachable() -> None:
    found = await plc_checked(f"opc.tcp://127.0.0.1:{free_port()}")
    assert states(found) == {"plc-reachable": FAIL, "plc-credentials": SKIP, "plc-tags": SKIP}


async def test_plc_that_says_nothing_is_given_up() -> None:
    async with silent_server() as port:
        found = failure(await plc_checked(f"opc.tcp://127.0.0.1:{port}", within_s=0.5))
    assert found.id == "plc-reachable"
    assert "did not answer within 0.5 s" in found.message


# --- the engine


async def engine_checked(url: str, *, within_s: float = 10.0) -> list[Verdict]:
    config = Config(node=NodeConfig(site="a", name="b"), workload=WorkloadConfig(docker_url=url))
    return await answers(engine_probe(config), within_s=within_s)


async def test_engine_that_answers_passes(docker_engine: str) -> None:
    found = await engine_checked(docker_engine)
    assert states(found)["engine-reachable"] is PASS
    assert states(found)["engine-version"] is PASS
    assert "free" in found[2].message


async def test_engine_that_is_not_there_is_unreachable(tmp_path: Path) -> None:
    for url in (f"unix://{tmp_path}/docker.sock", f"tcp://127.0.0.1:{free_port()}"):
        found = await engine_checked(url)
        assert states(found) == {"engine-reachable": FAIL, "engine-version": SKIP, "engine-space": SKIP}
        assert url in failure(found).message


async def test_engine_that_hangs_is_given_up() -> None:
    async with silent_server() as port:
        found = failure(await engine_checked(f"tcp://127.0.0.1:{port}", within_s=0.5))
    assert (found.id, "did not answer within 0.5 s" in found.message) == ("engine-reachable", True)


# --- the machine


async def data_dir_checked(data_dir: Path, *, max_bytes: int = 1024**2) -> list[Verdict]:
    node = NodeConfig(site="a", name="b", data_dir=str(data_dir))
    return await answers(data_dir_probe(Config(node=node, spool=SpoolConfig(max_bytes=max_bytes))), within_s=5)


async def test_data_directory_that_is_there_passes_and_is_left_as_it_was(tmp_path: Path) -> None:
    found = await data_dir_checked(tmp_path)
    assert states(found)["data-dir-writable"] is PASS
    assert states(found)["data-dir-space"] is PASS
    assert list(tmp_path.iterdir()) == []


async def test_data_directory_still_to_be_made_passes_and_is_not_made(tmp_path: Path) -> None:
    found = await data_dir_checked(tmp_path / "millwright")
    assert "will be made" in found[0].message
    assert not (tmp_path / "millwright").exists()


async def test_place_that_cannot_be_written_fails() -> None:
    found = await data_dir_checked(Path("/proc/millwright"))
    assert states(found) == {"data-dir-writable": FAIL, "data-dir-durable": SKIP, "data-dir-space": SKIP}


async def test_file_in_the_place_of_the_directory_fails(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    assert failure(await data_dir_checked(tmp_path / "file")).id == "data-dir-writable"


async def test_memory_is_no_disk() -> None:
    memory = Path("/dev/shm")
    assert os.path.ismount(memory)
    found = await data_dir_checked(memory)
    assert states(found)["data-dir-durable"] is WARN
    assert "tmpfs" in found[1].message


async def test_spool_larger_than_the_disk_is_warned_of(tmp_path: Path) -> None:
    found = await data_dir_checked(tmp_path, max_bytes=1024**5)
    assert states(found)["data-dir-space"] is WARN


def test_file_system_is_that_of_the_nearest_mount() -> None:
    assert filesystem_of(Path("/proc/sys")) == "proc"
    assert filesystem_of(Path("/")) != "an unknown file system"


async def test_system_says_its_sqlite_and_its_clock() -> None:
    found = states(await answers(system_probe(), within_s=5))
    assert found["sqlite-version"] in {PASS, INFO}
    assert found["clock-synchronized"] in {PASS, WARN, INFO}
