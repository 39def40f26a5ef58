"""Text that a server sent in another encoding than UTF-8 can be sent on, wherever it stands."""

from typing import Any

import pytest
from asyncua import ua

from agent.telemetry.address_space import Properties
from agent.telemetry.meta import described, undescribed
from agent.telemetry.tags import Wanted
from agent.telemetry.value import to_json
from wire.codec import encode
from wire.messages import TagBatch, TagValue

LATIN_1 = b"\xb0C".decode("utf-8", "surrogateescape")


@pytest.mark.parametrize(
    "value",
    [
        LATIN_1,
        [LATIN_1],
        ua.LocalizedText(LATIN_1),
        ua.QualifiedName(LATIN_1, 2),
        ua.NodeId(LATIN_1, 2),
        ua.XmlElement(LATIN_1),
        ua.ExtensionObject(TypeId=ua.NodeId(LATIN_1, 2), Body=b""),
        ua.EUInformation(DisplayName=ua.LocalizedText(LATIN_1)),
        ValueError(LATIN_1),
    ],
    ids=lambda value: type(value).__name__,
)
def test_a_value_that_is_not_utf8_can_be_sent(value: Any) -> None:
    batch = TagBatch(epoch="e", plc="p", seq=0, values=(TagValue("Press.Unit", to_json(value)),))
    assert "�C".encode() in encode(batch)


def test_a_description_that_is_not_utf8_can_be_sent() -> None:
    tag = Wanted(name="Unit", node_id=f"nsu=urn:x;s={LATIN_1}", sampling_interval_ms=0, queue_size=1)
    meta = described(tag, Properties(LATIN_1, LATIN_1, LATIN_1, None))
    assert encode(meta).count("�C".encode()) == 4
    assert "�C".encode() in encode(undescribed(tag, None))
