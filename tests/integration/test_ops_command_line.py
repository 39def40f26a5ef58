"""`millwright` as a process of its own: what it prints where, and what it tells the shell."""

import asyncio
import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from tests.support.command_line import on_a_terminal, run, surroundings
from tests.support.mosquitto import MosquittoContainer
from tests.support.ports import free_port
from tests.support.scripted_node import ScriptedNode, fail, outcome
from wire.messages import (
    AppReport,
    AppStatus,
    Category,
    Command,
    Deploy,
    Fault,
    Inspection,
    Outcome,
    Phase,
    Pong,
    Progress,
    Revision,
)
from wire.topics import Kind, NodeName

FAULT = Fault(
    phase="pull", component="registry", element="hmi:9", category=Category.IMAGE_NOT_FOUND, message="there is no hmi:9"
)


async def test_a_deploy_that_succeeds_shows_its_phases_and_exits_0(broker: MosquittoContainer, node: NodeName) -> None:
    def pull(command: Command, _: int) -> list[Outcome]:
        pulling = [Progress(step="pull", done_bytes=done, total_bytes=3 << 20) for done in (0, 1 << 20, 3 << 20)]
        return [
            outcome(node, command, 0, Phase.ACCEPTED),
            *(outcome(node, command, seq, Phase.RUNNING, progress=how) for seq, how in enumerate(pulling, 1)),
            outcome(node, command, 4, Phase.RUNNING, progress=Progress(step="probe")),
            outcome(node, command, 5, Phase.SUCCEEDED, revision=7),
        ]

    words = ("--image", "hmi:1", "--env", "A=b=c", "--port", "8080:80", "--memory", "64M", "--healthy-within", "20s")
    async with ScriptedNode(broker.as_node(node), node, pull) as scripted:
        ran = await run(surroundings(broker), "deploy", node, "hmi", *words)
    assert (ran.code, ran.out) == (0, "")
    told = [line.strip() for line in ran.err.splitlines()][1:]
    assert told == [
        f"· {node}  accepted",
        f"· {node}  pull 0 B of 3 MiB",
        f"· {node}  probe",
        f"✓ {node}  succeeded, revision 7",
    ]
    [(sent, _)] = scripted.deliveries
    assert isinstance(sent.args, Deploy)
    [container] = sent.args.spec.containers
    assert (container.image, container.env, container.memory_bytes) == ("hmi:1", {"A": "b=c"}, 64 << 20)
    assert sent.expires_at - sent.issued_at == timedelta(minutes=10)


async def test_a_failure_exits_1_and_says_why_and_what_the_node_was_left_in(
    broker: MosquittoContainer, node: NodeName
) -> None:
    async with ScriptedNode(broker.as_node(node), node, fail(node, FAULT)):
        ran = await run(surroundings(broker), "deploy", node, "hmi", "--image", "hmi:9")
    assert ran.code == 1
    assert f"✗ {node}  failed: there is no hmi:9 (the node went back to what it had)" in ran.err
    assert "while pull, registry failed for hmi:9 [image_not_found]" in ran.err


async def test_json_is_outcomes_and_nothing_else_on_stdout(broker: MosquittoContainer, node: NodeName) -> None:
    async with ScriptedNode(broker.as_node(node), node):
        ran = await run(surroundings(broker), "restart", node, "hmi", "--json", "--id", "c-77")
    assert ran.code == 0
    said = [json.loads(line) for line in ran.out.splitlines()]
    assert [(one["phase"], one["command_id"], one["verb"]) for one in said] == [
        ("accepted", "c-77", "restart"),
        ("running", "c-77", "restart"),
        ("succeeded", "c-77", "restart"),
    ]


async def test_one_node_that_fails_makes_a_broadcast_not_succeeded(broker: MosquittoContainer, node: NodeName) -> None:
    good, bad = NodeName(node.site, "good"), NodeName(node.site, "bad")
    async with ScriptedNode(broker.as_node(good), good), ScriptedNode(broker.as_node(bad), bad, fail(bad, FAULT)):
        ran = await run(surroundings(broker), "stop", f"{node.site}/*", "hmi")
    assert ran.code == 1
    assert f"✓ {good}  succeeded" in ran.err


async def test_no_answer_in_time_exits_3_and_names_the_node_and_the_id(
    broker: MosquittoContainer, node: NodeName
) -> None:
    async with ScriptedNode(broker.as_node(node), node, lambda *_: []) as scripted:
        await scripted.retain(Kind.PRESENCE, (), scripted.presence(online=False))
        ran = await run(surroundings(broker), "ping", node, "--timeout", "100ms", "--id", "c-1")
    assert ran.code == 3
    assert f"{node} is offline; the command waits for it" in ran.err
    assert f"no answer from {node}" in ran.err
    assert "millwright outcome c-1" in ran.err


async def test_no_wait_prints_the_id_that_was_sent(broker: MosquittoContainer, node: NodeName) -> None:
    async with ScriptedNode(broker.as_node(node), node) as scripted:
        ran = await run(surroundings(broker), "stop", node, "hmi", "--no-wait")
        sent, _ = await scripted.first_delivery(within_s=10)
    assert (ran.code, ran.out.strip()) == (0, sent.id)


async def test_ping_and_inspect_print_their_answers_to_stdout(broker: MosquittoContainer, node: NodeName) -> None:
    now = datetime.now(UTC)
    report = AppReport(
        node=str(node), app="hmi", at=now, status=AppStatus.RUNNING, running=Revision(number=3, image="hmi:3")
    )

    def answer(command: Command, _: int) -> list[Outcome]:
        result = Pong(version="9.9", received_at=now) if command.verb == "ping" else Inspection(apps=(report,))
        return [outcome(node, command, 0, Phase.SUCCEEDED, result=result)]

    async with ScriptedNode(broker.as_node(node), node, answer):
        pinged = await run(surroundings(broker), "ping", node)
        inspected = await run(surroundings(broker), "inspect", node)
    assert pinged.out.strip() == f"{node} answers, agent 9.9"
    heads, row = inspected.out.splitlines()
    assert heads.split()[:3] == ["NODE", "APP", "STATUS"]
    assert row.split()[:3] == [str(node), "hmi", "running"]


async def test_a_key_signs_what_is_sent(broker: MosquittoContainer, node: NodeName, tmp_path: Path) -> None:
    key = tmp_path / "shift-lead.pem"
    pem = Ed25519PrivateKey.generate().private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    key.write_bytes(pem)
    async with ScriptedNode(broker.as_node(node), node) as scripted:
        ran = await run(surroundings(broker, MILLWRIGHT_KEY=str(key)), "ping", node)
    assert ran.code == 0
    [(_, properties)] = scripted.deliveries
    assert ("key-id", "shift-lead") in properties
    assert "signature" in dict(properties)


async def test_remove_asks_and_off_a_terminal_wants_yes(broker: MosquittoContainer, node: NodeName) -> None:
    async with ScriptedNode(broker.as_node(node), node) as scripted:
        refused = await run(surroundings(broker), "remove", node, "hmi")
        assert scripted.deliveries == []
        done = await run(surroundings(broker), "remove", node, "hmi", "--yes")
    assert (refused.code, done.code) == (2, 0)
    assert "--yes" in refused.err


async def test_mistakes_of_use_exit_2_before_anything_is_sent(broker: MosquittoContainer, tmp_path: Path) -> None:
    wrong = tmp_path / "app.toml"
    wrong.write_text('[[containers]]\nimage = "a"\nmemory = "64M"\n')
    mistakes = {
        ("stop", "nowhere", "hmi"): "SITE/NODE",
        ("stop", "a/b", "h m i"): "is not a name",
        ("deploy", "a/b", "hmi"): "--image",
        ("deploy", "a/b", "hmi", "--image", "x", "--port", "80"): "--port",
        ("deploy", "a/b", "hmi", "--spec", wrong): "$.containers[0].memory",
        ("ping", "a/b", "--key", tmp_path / "none.pem"): "No such file",
        ("ping", "a/b", "--broker", "http://x"): "mqtt://",
        ("tags", "a"): "SITE/NODE",
        ("ping", "a/b", "--timeout", "soon"): "90s",
        ("pong",): "No such command 'pong'",
        ("ping",): "TARGET",
    }
    results = await asyncio.gather(*(run(surroundings(broker), *words) for words in mistakes))
    for (words, expected), ran in zip(mistakes.items(), results, strict=True):
        assert ran.code == 2, (words, ran)
        assert expected in ran.err + ran.out, (words, ran.err)
        assert "Traceback" not in ran.err


async def test_troubles_with_the_broker_exit_4_with_what_to_do(broker: MosquittoContainer, tmp_path: Path) -> None:
    secret = tmp_path / "wrong"
    secret.write_text("wrong")
    nobody = surroundings(broker, MILLWRIGHT_BROKER=f"mqtt://127.0.0.1:{free_port()}")
    away = await run(nobody, "ping", "a/b")
    refused = await run(surroundings(broker, MILLWRIGHT_PASSWORD_FILE=str(secret)), "status")
    unreadable = await run(surroundings(broker, MILLWRIGHT_PASSWORD_FILE=str(tmp_path / "none")), "status")
    assert (away.code, refused.code, unreadable.code) == (4, 4, 4)
    assert "--broker" in away.err
    assert "'ops'" in refused.err
    assert "--password-file" in refused.err
    assert "none" in unreadable.err


async def test_who_may_not_command_is_told_which_rule_is_missing(broker: MosquittoContainer, node: NodeName) -> None:
    ours = broker.as_node(node)
    as_node = surroundings(broker, MILLWRIGHT_USERNAME=str(node), MILLWRIGHT_PASSWORD_FILE=str(ours.password_file))
    ran = await run(as_node, "stop", "elsewhere/n", "hmi")
    assert ran.code == 4
    assert "topic write mw/v1/+/+/command" in ran.err


async def test_on_a_terminal_a_pull_is_a_bar_and_the_end_stays(broker: MosquittoContainer, node: NodeName) -> None:
    def slow_pull(command: Command, _: int) -> list[Outcome]:
        progress = Progress(step="pull", done_bytes=1 << 20, total_bytes=4 << 20)
        return [
            outcome(node, command, 0, Phase.ACCEPTED),
            outcome(node, command, 1, Phase.RUNNING, progress=progress),
            outcome(node, command, 2, Phase.SUCCEEDED, revision=1),
        ]

    async with ScriptedNode(broker.as_node(node), node, slow_pull):
        code, screen = await on_a_terminal(surroundings(broker, TERM="xterm"), "deploy", node, "hmi", "--image", "a")
    assert code == 0
    assert f"{node}  \x1b[32msucceeded, revision 1" in screen
    assert "\x1b[?25l" in screen, "the cursor is hidden while something moves"


async def test_no_color_is_respected_on_a_terminal(broker: MosquittoContainer, node: NodeName) -> None:
    async with ScriptedNode(broker.as_node(node), node):
        plain = surroundings(broker, TERM="xterm", NO_COLOR="1")
        _, screen = await on_a_terminal(plain, "status", node)
    assert "unknown" in screen
    assert "\x1b[3" not in screen
