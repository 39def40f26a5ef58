"""The one MQTT client against the real broker, and against sockets that do what a broker must not."""

import asyncio
import gc
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from uuid import uuid4

import msgspec
import pytest

from link.broker import Broker
from link.client import Client, LinkError, PublishRefusedError
from tests.support.mosquitto import MosquittoContainer
from tests.support.ports import free_port

Serve = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


def connection(broker: Broker, identifier: str | None = None, *, session_expiry_s: int = 0) -> Client:
    clean = identifier is None
    return Client(
        broker, identifier=identifier or f"test-{uuid4()}", clean_start=clean, session_expiry_s=session_expiry_s
    )


@asynccontextmanager
async def serving(serve: Serve) -> AsyncIterator[Broker]:
    """A socket that is no broker."""
    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with server:
        yield Broker(port=server.sockets[0].getsockname()[1])


@pytest.fixture
async def complaints() -> list[str]:
    """What asyncio complains about behind a test's back."""
    heard: list[str] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: heard.append(str(context)))
    return heard


async def test_what_was_not_acknowledged_comes_again_and_what_was_does_not(broker: MosquittoContainer) -> None:
    name, topic = f"test-{uuid4()}", f"test/{uuid4()}"
    async with connection(broker.admin, name, session_expiry_s=60) as client:
        assert not client.session_present
        await client.subscribe(topic, qos=1)
        for payload in (b"1", b"2", b"3"):
            await client.send(topic, payload)
        async with asyncio.timeout(5):
            first = await anext(client.messages)
        client.acknowledge(first)
        await client.send("test/flush", b"")
    async with connection(broker.admin, name) as client:
        assert client.session_present
        payloads: list[bytes] = []
        async with asyncio.timeout(5):
            while len(payloads) < 2:
                payloads += [message.payload for message in await client.received()]
    assert payloads == [b"2", b"3"]


async def test_the_broker_holds_back_what_exceeds_the_receive_maximum(broker: MosquittoContainer) -> None:
    topic = f"test/{uuid4()}"
    async with Client(
        broker.admin, identifier=f"test-{uuid4()}", clean_start=True, session_expiry_s=0, receive_maximum=5
    ) as client:
        await client.subscribe(topic, qos=1)
        async with asyncio.TaskGroup() as tasks:
            for number in range(20):
                tasks.create_task(client.send(topic, b"%d" % number))
        first = await client.received()
        assert len(first) <= 5
        seen = [message.payload for message in first]
        for message in first:
            client.acknowledge(message)
        async with asyncio.timeout(5):
            while len(seen) < 20:
                for message in await client.received():
                    seen.append(message.payload)
                    client.acknowledge(message)
    assert seen == [b"%d" % number for number in range(20)]


async def test_a_broker_is_not_sent_more_than_its_receive_maximum() -> None:
    """Mosquitto 2.0 forgives it at QoS 1; the specification has the broker hang up (MQTT 5, 4.9)."""
    came = bytearray()

    async def take_three(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(1)
        writer.write(b"\x20\x06\x00\x00\x03\x21\x00\x03")  # CONNACK success, receive maximum 3
        while chunk := await reader.read(1000):
            came.extend(chunk)
        writer.close()

    async with serving(take_three) as broker, connection(broker) as client:
        publishes = [asyncio.create_task(client.send("test/window", b"")) for _ in range(10)]
        async with asyncio.timeout(5):
            while came.count(b"test/window") < 3:  # noqa: ASYNC110
                await asyncio.sleep(0.01)
        await asyncio.sleep(0.1)
        assert came.count(b"test/window") == 3
        for publish in publishes:
            publish.cancel()


async def test_a_lost_connection_fails_what_waits_and_what_comes_after_at_once(
    broker: MosquittoContainer, complaints: list[str]
) -> None:
    async with connection(broker.admin) as client:
        waiting = asyncio.create_task(client.received())
        broker.pause()
        unconfirmed = asyncio.create_task(client.send("test/x", b""))
        await asyncio.sleep(0)
        broker.unpause()
        broker.kill()
        async with asyncio.timeout(2):
            results = await asyncio.gather(waiting, unconfirmed, return_exceptions=True)
            with pytest.raises(LinkError, match="not connected"):
                await client.send("test/x", b"")
            with pytest.raises(LinkError):
                await client.subscribe("test/x")
    assert isinstance(results[0], LinkError)
    assert client.loss is not None
    gc.collect()
    assert complaints == []


async def test_a_connection_lost_while_nobody_listens_leaves_no_complaint(
    broker: MosquittoContainer, complaints: list[str]
) -> None:
    async with connection(broker.admin) as client:
        broker.kill()
        async with asyncio.timeout(2):
            while client.loss is None:  # noqa: ASYNC110
                await asyncio.sleep(0.01)
    del client
    gc.collect()
    await asyncio.sleep(0)
    assert complaints == []


async def test_a_refused_publish_is_an_error_and_the_connection_stays(broker: MosquittoContainer) -> None:
    async with connection(broker.broker) as ops:
        with pytest.raises(PublishRefusedError) as refusal:
            await ops.send("mw/v1/plant-a/press-1/health", b"{}")
        await ops.send("mw/v1/plant-a/press-1/command", b"{}")
    assert (refusal.value.topic, refusal.value.reason) == ("mw/v1/plant-a/press-1/health", "Not authorized")


@pytest.mark.parametrize("topic", ["", "a\0b", "answers/#", "answers/+", "x" * 70_000])
async def test_a_topic_that_is_none_is_refused_and_the_connection_stays(broker: MosquittoContainer, topic: str) -> None:
    async with connection(broker.admin) as client:
        with pytest.raises(PublishRefusedError):
            await client.send(topic, b"")
        await client.send("test/x", b"")


async def test_a_wrong_password_is_a_refusal(broker: MosquittoContainer) -> None:
    wrong = msgspec.structs.replace(broker.admin, password_file=None, password="guess")
    with pytest.raises(LinkError, match="Not authorized") as refusal:
        async with connection(wrong):
            pass
    assert refusal.value.refused


async def test_no_listener_is_no_refusal() -> None:
    with pytest.raises(LinkError) as failure:
        async with asyncio.timeout(3), connection(Broker(port=free_port())):
            pass
    assert not failure.value.refused


async def test_a_password_file_that_is_not_there_is_an_oserror(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        connection(Broker(username="x", password_file=str(tmp_path / "none")))


async def test_a_peer_that_closes_instead_of_answering_is_noticed_at_once(complaints: list[str]) -> None:
    async def hang_up(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.close()

    async with serving(hang_up) as broker:
        with pytest.raises(LinkError):
            async with asyncio.timeout(2), connection(broker):
                pass
    gc.collect()
    assert complaints == []


async def test_a_peer_that_accepts_and_hangs_up_is_noticed_at_once(complaints: list[str]) -> None:
    async def accept_and_hang_up(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(1)
        writer.write(b"\x20\x03\x00\x00\x00\xe0\x02\x8e\x00")  # CONNACK success, DISCONNECT session taken over
        writer.close()

    async with serving(accept_and_hang_up) as broker:
        async with asyncio.timeout(2):
            with pytest.raises(LinkError):
                async with connection(broker) as client:
                    await client.received()
    gc.collect()
    assert complaints == []


async def test_what_the_broker_says_when_it_hangs_up_is_told() -> None:
    async def say_why(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(1)
        writer.write(b"\x20\x03\x00\x00\x00")
        await writer.drain()
        await asyncio.sleep(0.1)
        writer.write(b"\xe0\x02\x8e\x00")
        writer.close()

    async with serving(say_why) as broker, asyncio.timeout(5):
        with pytest.raises(LinkError, match="Session taken over"):
            async with connection(broker) as client:
                await client.received()


async def test_a_cancelled_attempt_to_connect_leaves_no_connection_behind() -> None:
    closed = asyncio.Event()

    async def never_answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while await reader.read(1000):
            pass
        closed.set()
        writer.close()

    async with serving(never_answer) as broker:
        attempt = asyncio.create_task(connection(broker).__aenter__())
        await asyncio.sleep(0.2)
        attempt.cancel()
        async with asyncio.timeout(2):
            await closed.wait()


async def test_leaving_does_not_wait_for_a_broker_that_takes_nothing() -> None:
    gone = asyncio.Event()

    async def accept_and_stop_reading(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(1)
        writer.write(b"\x20\x03\x00\x00\x00")
        await gone.wait()
        writer.close()

    async with serving(accept_and_stop_reading) as broker:
        async with asyncio.timeout(5):
            async with connection(broker) as client:
                for _ in range(10):
                    await client.send("test/x", bytes(1_000_000), qos=0)
        gone.set()


async def test_a_confirmation_that_never_comes_ends_the_connection(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("link.client.TIMEOUT_S", 0.3)

    async def accept_and_ignore(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(1)
        writer.write(b"\x20\x03\x00\x00\x00")
        while await reader.read(1000):
            pass
        writer.close()

    async with serving(accept_and_ignore) as broker, connection(broker) as client:
        with pytest.raises(LinkError, match="no confirmation"):
            await client.send("test/x", b"")
        async with asyncio.timeout(1):
            with pytest.raises(LinkError):
                await client.received()


async def test_a_broker_that_confirms_slowly_is_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    """Over a narrow line the last of many waits long: what counts is that anything is confirmed."""
    monkeypatch.setattr("link.client.TIMEOUT_S", 0.5)

    async def confirm_one_by_one(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(1)
        writer.write(b"\x20\x03\x00\x00\x00")
        for mid in range(1, 6):
            await asyncio.sleep(0.2)
            writer.write(b"\x40\x02" + mid.to_bytes(2, "big"))
        await reader.read()
        writer.close()

    async with serving(confirm_one_by_one) as broker, connection(broker) as client:
        await asyncio.gather(*(client.send("test/x", b"") for _ in range(5)))
        assert client.loss is None
