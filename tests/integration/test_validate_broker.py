"""What `validate` says of a real broker: there, away, silent, unverified, refusing."""

import asyncio
import ssl
from pathlib import Path

import msgspec

from agent.config import Config, MqttConfig, NodeConfig
from agent.validate.broker import broker_probe
from agent.validate.probe import answers
from agent.validate.verdict import State, Verdict
from link.broker import Broker
from link.client import Client
from mosquitto.credentials import new_authority, new_server
from tests.support.agents import running, session_of
from tests.support.mosquitto import MosquittoContainer
from tests.support.ports import free_port
from wire.topics import NodeName

NODE = NodeName("plant-a", "press-1")
OTHER = NodeName("plant-a", "press-2")
ALL = ("broker-reachable", "broker-credentials", "broker-subscribe", "broker-publish")
PASS, FAIL, SKIP = State.PASS, State.FAIL, State.SKIP


async def checked(broker: Broker, node: NodeName = NODE, *, within_s: float = 10.0, **changes: object) -> list[Verdict]:
    mqtt = MqttConfig(**{**msgspec.structs.asdict(broker), **changes})
    config = Config(node=NodeConfig(site=node.site, name=node.node), mqtt=mqtt)
    return await answers(broker_probe(config), within_s=within_s)


def states(verdicts: list[Verdict]) -> dict[str, State]:
    return {verdict.id: verdict.state for verdict in verdicts}


def failure(verdicts: list[Verdict]) -> Verdict:
    (found,) = [verdict for verdict in verdicts if verdict.state is FAIL]
    assert found.remedy
    return found


async def test_broker_that_lets_the_node_in_passes(broker: MosquittoContainer) -> None:
    assert states(await checked(broker.as_node(NODE))) == dict.fromkeys(ALL, PASS)


async def test_running_agent_is_not_disturbed(broker: MosquittoContainer, node: NodeName) -> None:
    session = session_of(broker.as_node(node), node)
    watcher = Client(broker.broker, identifier="watcher", clean_start=True, session_expiry_s=0)
    async with running(session), watcher:
        number = await session.wait_connected()
        await watcher.subscribe(f"mw/v1/{node}/#", qos=1)
        retained = await anext(watcher.messages)
        assert retained.topic.value == f"mw/v1/{node}/presence"
        await checked(broker.as_node(node), node)
        seen = await anext(watcher.messages)
        assert (seen.topic.value, seen.retain) == (f"mw/v1/{node}/log/validate", False)
        assert session.connected
        assert await session.wait_connected() == number


async def test_tls_is_verified_by_the_given_authority(broker: MosquittoContainer) -> None:
    found = await checked(broker.as_node(NODE, tls=True))
    assert states(found) == dict.fromkeys(("broker-reachable", "broker-tls", *ALL[1:]), PASS)
    assert "good for" in found[1].message


async def test_unknown_authority_fails_before_a_password_is_sent(broker: MosquittoContainer) -> None:
    found = await checked(broker.as_node(NODE, tls=True), ca_file=None, tls=True)
    assert states(found) == {
        "broker-reachable": PASS,
        "broker-tls": FAIL,
        **dict.fromkeys(ALL[1:], SKIP),
    }
    assert "ca_file" in (failure(found).remedy or "")


async def test_plain_port_does_not_speak_tls(broker: MosquittoContainer) -> None:
    plain, secure = broker.as_node(NODE), broker.as_node(NODE, tls=True)
    found = await checked(plain, ca_file=secure.ca_file, tls=True)
    assert failure(found).id == "broker-tls"
    assert "8883" in (failure(found).remedy or "")


async def test_wrong_password_is_told_from_a_missing_broker(broker: MosquittoContainer) -> None:
    found = await checked(broker.as_node(NODE), password="wrong", password_file=None)
    assert states(found) == {
        "broker-reachable": PASS,
        "broker-credentials": FAIL,
        "broker-subscribe": SKIP,
        "broker-publish": SKIP,
    }
    assert str(NODE) in (failure(found).remedy or "")


async def test_anonymous_client_is_told_to_give_a_user(broker: MosquittoContainer) -> None:
    found = await checked(broker.as_node(NODE), username=None, password=None, password_file=None)
    assert failure(found).id == "broker-credentials"
    assert "mqtt.username" in (failure(found).remedy or "")


async def test_user_of_another_node_may_not_publish_for_this_one(broker: MosquittoContainer) -> None:
    found = await checked(broker.as_node(OTHER), NODE)
    assert failure(found).id == "broker-publish"
    assert "mw/v1/plant-a/press-1/#" in (failure(found).remedy or "")


async def test_broker_that_is_not_there_is_unreachable() -> None:
    found = await checked(Broker(port=free_port()))
    assert states(found) == {"broker-reachable": FAIL, **dict.fromkeys(ALL[1:], SKIP)}
    assert "Connection refused" in failure(found).message


async def test_name_that_does_not_resolve_is_unreachable() -> None:
    found = failure(await checked(Broker(host="broker.invalid")))
    assert found.id == "broker-reachable"
    assert "name" in found.message.lower()


async def test_broker_that_accepts_and_says_nothing_is_given_up(broker: MosquittoContainer) -> None:
    node = broker.as_node(NODE)
    broker.pause()
    found = await checked(node, within_s=0.7)
    assert failure(found).id == "broker-credentials"
    assert "did not answer within 0.7 s" in failure(found).message


async def test_something_else_that_listens_there_is_no_broker() -> None:
    async def greet(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"220 mail.example ESMTP\r\n")
        writer.close()

    async with await asyncio.start_server(greet, "127.0.0.1", 0) as server:
        found = await checked(Broker(port=server.sockets[0].getsockname()[1]), within_s=5)
    assert failure(found).id == "broker-credentials"


async def test_certificate_for_another_name_is_refused(tmp_path: Path) -> None:
    authority = new_authority()
    pair = new_server(authority, ["broker.example"])
    for name, content in (("ca", authority.certificate), ("cert", pair.certificate), ("key", pair.key)):
        (tmp_path / name).write_bytes(content)
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(tmp_path / "cert", tmp_path / "key")
    async with await asyncio.start_server(lambda _, writer: writer.close(), "127.0.0.1", 0, ssl=context) as server:
        port = server.sockets[0].getsockname()[1]
        found = failure(await checked(Broker(port=port, ca_file=str(tmp_path / "ca"))))
    assert found.id == "broker-tls"
    assert "127.0.0.1" in found.message
    assert "mqtt.host to a name in it" in (found.remedy or "")
