"""A bridge and a server that answers nonsense: the PLC is said to be away, and the agent lives."""

from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest
from asyncua import ua
from asyncua.server import uaprocessor

from plant.plc import SimulatedPlc
from tests.support.telemetry import SCANS, Stored, bridging, eventually, plc_config

Spoil = Callable[[Any, bytes], bytes]


@pytest.fixture
async def plc() -> AsyncIterator[SimulatedPlc]:
    async with SimulatedPlc(seed=1, period_s=0.02, fault_every_s=0.0) as running:
        yield running


@pytest.fixture
def spoil(monkeypatch: pytest.MonkeyPatch) -> Callable[[str, Spoil], None]:
    """Have the server's next two answers of one kind spoiled; all others are right."""

    def spoiling(kind: str, spoiler: Spoil) -> None:
        right, left = uaprocessor.struct_to_binary, [None, None]

        def write(answer: Any) -> bytes:
            data = right(answer)
            if type(answer).__name__ == kind and left:
                left.pop()
                return spoiler(answer, data)
            return data

        monkeypatch.setattr(uaprocessor, "struct_to_binary", write)

    return spoiling


def cut_short(_: Any, data: bytes) -> bytes:
    return data[:-7]


def answerless(answer: Any, _: bytes) -> bytes:
    answer.Results = []
    return ua.ua_binary.struct_to_binary(answer)


@pytest.mark.parametrize(
    "kind",
    [
        "CreateSessionResponse",
        "ActivateSessionResponse",
        "ReadResponse",
        "BrowseResponse",
        "CreateSubscriptionResponse",
        "CreateMonitoredItemsResponse",
    ],
)
async def test_an_answer_that_cannot_be_read_is_the_plcs_failure(
    plc: SimulatedPlc, spoil: Callable[[str, Spoil], None], kind: str
) -> None:
    spoil(kind, cut_short)
    stored = Stored()
    async with bridging(plc_config(plc.url), stored) as bridge:
        await eventually(lambda: bridge.health().errors >= 1)
        assert "can't be read" in (bridge.health().error or "")
        await stored.until_more("Press.Scans", 5)


@pytest.mark.parametrize("kind", ["ReadResponse", "BrowseResponse", "CreateMonitoredItemsResponse"])
async def test_an_answer_without_results_is_the_plcs_failure(
    plc: SimulatedPlc, spoil: Callable[[str, Spoil], None], kind: str
) -> None:
    spoil(kind, answerless)
    stored = Stored()
    async with bridging(plc_config(plc.url), stored) as bridge:
        await eventually(lambda: bridge.health().errors >= 1)
        await stored.until_more("Press.Scans", 5)


async def test_a_description_that_cannot_be_read_does_not_keep_values_back(
    plc: SimulatedPlc, spoil: Callable[[str, Spoil], None]
) -> None:
    spoil("TranslateBrowsePathsToNodeIdsResponse", cut_short)
    stored = Stored()
    async with bridging(plc_config(plc.url, SCANS), stored) as bridge:
        await stored.until_more("Press.Scans", 5)
        assert bridge.health().errors == 0
    assert [meta.name for meta in stored.metas[0]] == ["Press.Scans"]
