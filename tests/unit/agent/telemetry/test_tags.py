"""Which tags are wanted."""

from agent.config import PlcConfig, TagConfig
from agent.telemetry.tags import Found, wanted_from, wanted_of

URL = "opc.tcp://127.0.0.1:4840"


def test_a_tag_takes_the_plcs_settings_where_it_has_none() -> None:
    tags = (
        TagConfig(node_id="ns=2;s=A", sampling_interval_ms=0.0, queue_size=5, deadband=1.5, unit="bar"),
        TagConfig(node_id="ns=2;s=B", name="b"),
    )
    first, second = wanted_of(PlcConfig(name="p", url=URL, sampling_interval_ms=100.0, tags=tags))
    assert (first.name, first.sampling_interval_ms, first.queue_size, first.deadband, first.unit) == (
        "A",
        0.0,
        5,
        1.5,
        "bar",
    )
    assert (second.name, second.sampling_interval_ms, second.queue_size) == ("b", 100.0, 1000)


def test_what_was_found_is_named_by_its_text_identifier_or_else_by_its_path() -> None:
    found = [
        Found(node_id="nsu=urn:x;s=Press.Speed", path="Press.Velocity"),
        Found(node_id="nsu=urn:x;i=77", path="Press.Count"),
    ]
    assert [tag.name for tag in wanted_from(found, PlcConfig(name="p", url=URL))] == ["Press.Speed", "Press.Count"]


def test_no_two_found_tags_share_a_name() -> None:
    found = [Found(node_id=f"nsu=urn:{vendor};s=Speed", path="Speed") for vendor in ("a", "b", "c")]
    names = [tag.name for tag in wanted_from(found, PlcConfig(name="p", url=URL))]
    assert names == ["Speed", "nsu=urn:b;s=Speed", "nsu=urn:c;s=Speed"]


def test_no_more_than_max_tags_are_wanted() -> None:
    found = [Found(node_id=f"nsu=urn:x;i={number}", path=f"T{number}") for number in range(9)]
    assert len(wanted_from(found, PlcConfig(name="p", url=URL, max_tags=4))) == 4


def test_a_name_that_is_not_utf8_can_be_sent() -> None:
    found = [Found(node_id="nsu=urn:x;s=Temp\udcb0C", path=""), Found(node_id="nsu=urn:x;i=7", path="Temp\udcb0F")]
    assert [tag.name for tag in wanted_from(found, PlcConfig(name="p", url=URL))] == ["Temp�C", "Temp�F"]
