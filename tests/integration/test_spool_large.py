"""Large values and narrow lines: neither holds up what is behind it."""

from datetime import UTC, datetime
from pathlib import Path

import msgspec
import pytest

from agent.spool.record import BAD_ENCODING_LIMITS_EXCEEDED
from plant.cable import Cable
from tests.integration.test_spool_outage import append, historian_of, spool_in, uplink_running
from tests.support.agents import running, session_of
from tests.support.mosquitto import MosquittoContainer
from tests.support.streams import some_values
from wire.messages import TagValue
from wire.topics import NodeName

MB = 1024 * 1024


async def test_a_value_that_the_broker_would_refuse_holds_nothing_up(
    broker: MosquittoContainer, node: NodeName, tmp_path: Path
) -> None:
    async with (
        spool_in(tmp_path) as spool,
        running(session_of(broker.as_node(node), node)) as session,
        historian_of(broker, node) as historian,
        uplink_running(spool, session, node),
    ):
        await append(spool, 1)
        await spool.append("press", [TagValue("Press.Image", "x" * 5 * MB, 0, datetime.now(UTC))])
        await append(spool, 20)
        await historian.until("press", 22)
        assert spool.stats().error is None
    (image,) = historian.streams.came["press"][1].values
    assert (image.value, image.status) == (None, BAD_ENCODING_LIMITS_EXCEEDED)


async def test_a_narrow_line_is_used_without_losing_the_connection(
    broker: MosquittoContainer, node: NodeName, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is in flight takes several times as long as the broker may be silent; it is never silent for so long."""
    monkeypatch.setattr("link.client.TIMEOUT_S", 1.0)
    async with spool_in(tmp_path) as spool, historian_of(broker, node) as historian:
        for n in range(100):
            await spool.append("press", some_values(400, start=n))
        async with Cable(broker.broker.port, bytes_per_s=MB) as line:
            credentials = msgspec.structs.replace(broker.as_node(node), port=line.port)
            async with running(session_of(credentials, node)) as session, uplink_running(spool, session, node):
                await historian.until("press", 100)
            assert line.connections == 1
    assert historian.streams.covered("press") == list(range(100))
