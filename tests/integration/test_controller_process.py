"""The controller as a process: its command line, its API, its stream of changes, and how it dies."""

import asyncio
import json
import os
import signal
import socket
import sqlite3
import sys
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import httpx
import pytest

from controller.web.site import SECURITY_HEADERS
from link.client import Client
from tests.support import fleet
from tests.support.controlling import Controller, controller, start
from tests.support.mosquitto import MosquittoContainer
from wire.messages import AppStatus, Left, Outcome, Phase
from wire.topics import Kind, NodeName

NODE = NodeName("plant-api", "press-1")
HOLDING = Path(__file__).parents[1] / "support" / "holding_controller.py"


@pytest.fixture
def broker(empty_broker: MosquittoContainer) -> MosquittoContainer:
    """A controller hears every node, so no node of another test may be there."""
    return empty_broker


@pytest.fixture
async def centre(broker: MosquittoContainer, tmp_path: Path) -> AsyncIterator[Controller]:
    """A controller that serves."""
    async with controller(broker.controller, tmp_path / "data") as running:
        yield running


@pytest.fixture
async def node(broker: MosquittoContainer) -> AsyncIterator[fleet.Node]:
    """A node that speaks through a client of its own."""
    async with Client(broker.admin, identifier="node-api", clean_start=True, session_expiry_s=0) as client:
        yield fleet.Node(client, NODE)


@pytest.fixture
async def http(centre: Controller) -> AsyncIterator[httpx.AsyncClient]:
    """Asks the controller."""
    async with httpx.AsyncClient(base_url=centre.url) as client:
        yield client


async def until(http: httpx.AsyncClient, path: str, holds: Callable[[Any], bool], *, within_s: float = 10) -> Any:
    """The answer that holds; until there is one, ask again."""
    deadline = time.monotonic() + within_s
    while True:
        response = await http.get(path)
        if response.status_code == 200 and holds(response.json()):
            return response.json()
        assert time.monotonic() < deadline, response.text
        await asyncio.sleep(0.02)


async def answer(http: httpx.AsyncClient, path: str) -> Any:
    """The answer, as soon as there is one."""
    return await until(http, path, lambda _: True)


def outcome(seq: int, phase: Phase, command_id: str = "deploy-7") -> Outcome:
    return Outcome(command_id=command_id, node=str(NODE), seq=seq, phase=phase, at=fleet.now(), left=Left.CHANGED)


async def events(response: httpx.Response) -> AsyncIterator[tuple[str, str | None, Any]]:
    """(event, id, data) as they come."""
    found: dict[str, str] = {}
    async for line in response.aiter_lines():
        if line:
            name, _, value = line.partition(": ")
            found[name] = value
        elif "data" in found:
            yield found["event"], found.get("id"), json.loads(found["data"])
            found = {}


async def test_the_fleet_is_answered_with_status_and_ages(http: httpx.AsyncClient, node: fleet.Node) -> None:
    await node.come()
    await node.beat(plcs=(fleet.plc(quality=0.5),))
    await node.tell(fleet.report(NODE, "hmi", status=AppStatus.RUNNING, desired=3, running=3))
    row = await until(http, f"/api/v1/nodes/{NODE}", lambda found: found["apps"] and found["host"])
    assert row["site"] in {each["site"] for each in (await answer(http, "/api/v1/fleet"))["nodes"]}
    assert row["status"] == "degraded"
    assert row["reasons"][0]["text"] == "press: 50% of its tags are Good"
    assert 0 <= row["age_s"] < 10
    apps = await answer(http, f"/api/v1/nodes/{NODE}/apps")
    assert apps["apps"][0]["running"]["number"] == 3


async def test_a_commands_outcomes_are_answered_by_node_and_in_order(http: httpx.AsyncClient, node: fleet.Node) -> None:
    for seq, phase in enumerate((Phase.ACCEPTED, Phase.RUNNING, Phase.SUCCEEDED)):
        await node.end(outcome(seq, phase))
    found = await until(http, "/api/v1/outcomes/deploy-7", lambda found: found["nodes"][0]["ended"])
    phases = [phase["outcome"]["phase"] for phase in found["nodes"][0]["phases"]]
    assert phases == ["accepted", "running", "succeeded"]
    detail = await answer(http, f"/api/v1/nodes/{NODE}")
    assert [each["outcome"]["phase"] for each in detail["timeline"]] == phases[::-1]


async def test_the_stream_gives_all_and_then_what_changes_and_resumes_where_it_was_left(
    http: httpx.AsyncClient, node: fleet.Node
) -> None:
    await node.beat()
    await answer(http, f"/api/v1/nodes/{NODE}")
    async with asyncio.timeout(20):
        async with http.stream("GET", "/api/v1/events") as response:
            assert response.headers["content-type"].startswith("text/event-stream")
            stream = events(response)
            name, last_id, data = await anext(stream)
            assert name == "fleet"
            assert [row["node"] for row in data["nodes"] if row["site"] == NODE.site] == ["press-1"]
            await node.beat(host=fleet.host(cpu_percent=77.0))
            async for name, event_id, data in stream:
                if name == "node" and data["node"]["host"]["cpu_percent"] == 77.0:
                    last_id = event_id
                    break
        await node.beat(host=fleet.host(cpu_percent=88.0))
        await node.beat(host=fleet.host(cpu_percent=99.0))
        await until(http, f"/api/v1/nodes/{NODE}", lambda found: found["host"]["cpu_percent"] == 99.0)
        async with http.stream("GET", "/api/v1/events", headers={"Last-Event-ID": str(last_id)}) as response:
            stream = events(response)
            seen = [await anext(stream), await anext(stream)]
    assert [name for name, _, _ in seen] == ["clock", "node"], "no whole fleet again, and the node once, as it is now"
    assert seen[1][2]["node"]["host"]["cpu_percent"] == 99.0


async def test_the_stream_says_when_silence_alone_changed_a_node(http: httpx.AsyncClient, node: fleet.Node) -> None:
    node.period_s = 0.5
    await node.beat()
    await answer(http, f"/api/v1/nodes/{NODE}")
    words = []
    async with asyncio.timeout(20), http.stream("GET", "/api/v1/events") as response:
        async for name, _, data in events(response):
            if name == "node":
                words.append(data["node"]["status"])
            if "offline" in words:
                break
    assert words[-1] == "offline"


async def test_a_forgotten_node_is_gone_from_the_stream_and_the_api(http: httpx.AsyncClient, node: fleet.Node) -> None:
    await node.come()
    await answer(http, f"/api/v1/nodes/{NODE}")
    async with asyncio.timeout(20), http.stream("GET", "/api/v1/events") as response:
        stream = events(response)
        _, last_id, _ = await anext(stream)
        await node.clear(Kind.PRESENCE)
        said = [(name, data) async for name, _, data in take_until(stream, "gone")]
    assert (said[-1][1]["site"], said[-1][1]["node"]) == (NODE.site, NODE.node)
    assert (await http.get(f"/api/v1/nodes/{NODE}")).status_code == 404
    assert (await answer(http, "/api/v1/fleet"))["nodes"] == []
    async with asyncio.timeout(20):
        async with http.stream("GET", "/api/v1/events", headers={"Last-Event-ID": str(last_id)}) as response:
            missed = [name async for name, _, _ in take_until(events(response), "gone")]
    assert missed == ["clock", "gone"]


async def take_until(
    stream: AsyncIterator[tuple[str, str | None, Any]], last: str
) -> AsyncIterator[tuple[str, str | None, Any]]:
    """What comes, up to the first event of that name."""
    async for each in stream:
        yield each
        if each[0] == last:
            return


async def test_every_answer_carries_the_security_headers(http: httpx.AsyncClient) -> None:
    for path in (
        "/",
        "/api/v1/fleet",
        "/api/v1/nodes/no/such",
        "/main.js",
        "/nothing",
        "/healthz",
        "/api/openapi.json",
    ):
        response = await http.get(path)
        assert {name: response.headers.get(name) for name in SECURITY_HEADERS} == SECURITY_HEADERS, path
    assert "unsafe" not in SECURITY_HEADERS["Content-Security-Policy"]


async def test_an_error_is_a_problem_document(http: httpx.AsyncClient) -> None:
    for method, path, status in (
        ("GET", "/api/v1/nodes/no/such", 404),
        ("GET", "/api/v1/nodes/no/such/plcs/press/tags", 404),
        ("GET", "/api/v1/outcomes/none", 404),
        ("GET", "/api/v1/outcomes/" + "x" * 65, 400),
        ("GET", "/api/v1/nothing", 404),
        ("GET", "/%2e%2e/%2e%2e/app.py", 404),
        ("POST", "/api/v1/fleet", 405),
        ("DELETE", "/api/v1/nodes/no/such", 405),
    ):
        response = await http.request(method, path)
        assert response.status_code == status, path
        assert response.headers["content-type"] == "application/problem+json", path
        problem = response.json()
        assert problem["status"] == status
        assert problem["title"]
        assert problem["detail"]


async def test_the_api_describes_itself(http: httpx.AsyncClient) -> None:
    schema = (await http.get("/api/openapi.json")).json()
    assert "/api/v1/nodes/{site}/{node}" in schema["paths"]
    assert {"NodeRow", "FleetOut"} <= {name.rpartition(".")[2] for name in schema["components"]["schemas"]}


async def test_health_tells_of_the_broker_and_does_not_depend_on_it(
    http: httpx.AsyncClient, broker: MosquittoContainer
) -> None:
    assert (await http.get("/healthz")).json()["ingest"]["connected"] is True
    broker.stop()
    await until(http, "/healthz", lambda found: not found["ingest"]["connected"])


async def test_it_ends_soon_and_cleanly_though_somebody_watches(centre: Controller, http: httpx.AsyncClient) -> None:
    async with http.stream("GET", "/api/v1/events") as response:
        await anext(events(response))
        begun = time.monotonic()
        assert await centre.end() == 0
        assert time.monotonic() - begun < 3
    assert centre.log[-1]["event"] == "controller_stopped"


async def test_what_was_received_and_not_stored_when_it_was_killed_is_delivered_again(
    broker: MosquittoContainer, node: fleet.Node, tmp_path: Path
) -> None:
    holding = await start(broker.controller, tmp_path, program=(str(HOLDING),))
    await holding.says("broker_connected")
    await node.end(outcome(0, Phase.ACCEPTED, "kill-9"))
    await node.end(outcome(1, Phase.SUCCEEDED, "kill-9"))
    await holding.says("holding")
    assert await holding.end(signal.SIGKILL) == -signal.SIGKILL
    async with controller(broker.controller, tmp_path) as again, httpx.AsyncClient(base_url=again.url) as http:
        await until(http, "/api/v1/outcomes/kill-9", lambda found: len(found["nodes"][0]["phases"]) == 2)


async def refusal(*arguments: str) -> tuple[int | None, str]:
    """Exit code and message of a controller that must not start."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "controller", "run", *arguments),
        stderr=asyncio.subprocess.PIPE,
        env={**os.environ, "NO_COLOR": "1"},
    )
    async with asyncio.timeout(20):
        _, said = await process.communicate()
    return process.returncode, said.decode()


async def test_a_taken_port_is_said_plainly(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        listen = f"127.0.0.1:{taken.getsockname()[1]}"
        code, said = await refusal("--broker", "mqtt://127.0.0.1:9", "--data-dir", str(tmp_path), "--listen", listen)
    assert code == 2
    assert said == f"millwright controller: {listen} can't be listened on: Address already in use\n"


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (
            ("--database", "sqlite+aiosqlite:////proc/none/x.sqlite"),
            "sqlite+aiosqlite:////proc/none/x.sqlite can't be used",
        ),
        (("--database", "nonsense"), "'nonsense' is no database's address"),
        (("--listen", "8080"), "'8080' is no address"),
        (("--topic-root", "mw/#"), "--topic-root"),
        (("--broker", "ftp://x"), "is not a broker's address"),
        (("--ca-file", "/none.pem"), "--ca-file"),
    ],
)
async def test_what_cannot_be_used_is_said_plainly(tmp_path: Path, arguments: tuple[str, str], says: str) -> None:
    given = {"--broker": "mqtt://127.0.0.1:9", "--data-dir": str(tmp_path), "--listen": "127.0.0.1:0"}
    given[arguments[0]] = arguments[1]
    code, said = await refusal(*(part for pair in given.items() for part in pair))
    assert code == 2
    assert says in said
    assert "Traceback" not in said


async def test_a_database_of_a_newer_version_is_left_alone(tmp_path: Path) -> None:
    with sqlite3.connect(tmp_path / "controller.sqlite") as database:
        database.execute("CREATE TABLE schema_version (version INTEGER PRIMARY KEY)")
        database.execute("INSERT INTO schema_version VALUES (99)")
    database.close()
    code, said = await refusal("--broker", "mqtt://127.0.0.1:9", "--data-dir", str(tmp_path), "--listen", "127.0.0.1:0")
    assert code == 2
    assert "schema 99 is newer" in said
