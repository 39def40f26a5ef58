"""NodeIds by namespace URI."""

import pytest
from asyncua import ua

from agent.telemetry.nodeid import NodeIdError, portable, resolve

NAMESPACES = ["http://opcfoundation.org/UA/", "urn:server", "urn:plc;v=2%", "urn:press"]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("nsu=urn:press;s=Press.Temperature", ua.NodeId("Press.Temperature", 3)),
        ("ns=1;s=a;b=c", ua.NodeId("a;b=c", 1)),
        ("nsu=urn:press;i=7", ua.NodeId(7, 3)),
        ("nsu=urn:plc%3Bv=2%25;i=7", ua.NodeId(7, 2)),
        ("i=2258", ua.NodeId(2258, 0)),
        ("nsu=urn:press;b=AQI=", ua.NodeId(b"\x01\x02", 3)),
    ],
)
def test_node_ids_are_mapped_by_the_present_namespaces(text: str, expected: ua.NodeId) -> None:
    assert resolve(text, NAMESPACES) == expected


@pytest.mark.parametrize("text", ["nsu=urn:elsewhere;s=a", "nsu=urn:press", "ns=9;s=a", "Press.Temperature", "", "i=x"])
def test_what_cannot_be_mapped_says_so(text: str) -> None:
    with pytest.raises(NodeIdError):
        resolve(text, NAMESPACES)


@pytest.mark.parametrize(
    "text", ["nsu=urn:press;s=Press.ns=3;x", "nsu=urn:plc%3Bv=2%25;i=7", "i=2258", "nsu=urn:press;b=AQI="]
)
def test_portable_form_survives_another_order_of_namespaces(text: str) -> None:
    moved = [NAMESPACES[0], NAMESPACES[3], NAMESPACES[2]]
    assert portable(resolve(text, NAMESPACES), NAMESPACES) == text
    assert portable(resolve(text, moved), moved) == text
