"""A tag's name when nobody gave it one."""

import pytest

from agent.config import TagConfig


@pytest.mark.parametrize(
    ("node_id", "name"),
    [
        ("ns=2;s=Press.Temperature", "Press.Temperature"),
        ("nsu=http://vendor/plc;s=Press.Temperature", "Press.Temperature"),
        ("ns=2;s=a;b=c", "a;b=c"),
        ("s=s=x", "s=x"),
        ("s=plain", "plain"),
        ("ns=2;i=1007", "i=1007"),
        ("i=2258", "i=2258"),
    ],
)
def test_tag_is_known_by_its_identifier(node_id: str, name: str) -> None:
    assert TagConfig(node_id=node_id).known_as == name


def test_given_name_comes_first() -> None:
    assert TagConfig(node_id="i=1", name="speed").known_as == "speed"
