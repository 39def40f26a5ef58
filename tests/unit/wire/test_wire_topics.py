"""Every topic is built and parsed in one place, and the two agree."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wire.topics import EVERY, NAMES_BEHIND, Address, Kind, NodeName, Topics, is_name, matches

TOPICS = Topics()
PRESS = NodeName("plant-a", "press-1")

names = st.from_regex(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}", fullmatch=True)
nodes = st.builds(NodeName, names, names)
tag_names = st.text(st.characters(codec="utf-8"), min_size=1, max_size=50)
roots = st.lists(names, min_size=1, max_size=3).map("/".join)


@st.composite
def addresses(draw: st.DrawFn) -> Address:
    kind = draw(st.sampled_from(Kind))
    behind = tuple(draw(names) for _ in range(NAMES_BEHIND[kind]))
    if kind is Kind.TAG:
        behind = (behind[0], draw(tag_names))
    return Address(draw(nodes), kind, behind)


@given(roots, addresses())
def test_every_topic_that_is_built_is_parsed_back(root: str, address: Address) -> None:
    topics = Topics(root)
    assert topics.parse(topics.of(address.node, address.kind, *address.names)) == address


@given(addresses(), addresses())
def test_two_addresses_never_share_a_topic(one: Address, other: Address) -> None:
    same = TOPICS.of(one.node, one.kind, *one.names) == TOPICS.of(other.node, other.kind, *other.names)
    assert same == (one == other)


@given(addresses())
def test_a_topic_is_one_that_a_broker_takes(address: Address) -> None:
    topic = TOPICS.of(address.node, address.kind, *address.names)
    assert not set(topic) & set("+#\0")
    assert topic.count("/") == 4 + NAMES_BEHIND[address.kind]
    assert topic.isascii()


@given(st.text(max_size=120))
def test_a_topic_that_is_parsed_is_the_one_that_would_be_built(rest: str) -> None:
    topic = f"mw/v1/{rest}"
    address = TOPICS.parse(topic)
    if address is not None:
        assert TOPICS.of(address.node, address.kind, *address.names) == topic


def test_a_tag_name_is_percent_encoded_in_its_topic() -> None:
    topic = TOPICS.of(PRESS, Kind.TAG, "plc-1", "Presse/Öl #1 + 100 %")
    assert topic == "mw/v1/plant-a/press-1/tag/plc-1/Presse%2F%C3%96l%20%231%20%2B%20100%20%25"
    assert TOPICS.parse(topic) == Address(PRESS, Kind.TAG, ("plc-1", "Presse/Öl #1 + 100 %"))


@pytest.mark.parametrize(
    ("target", "topic"),
    [
        ("plant-a/press-1", "mw/v1/plant-a/press-1/command"),
        ("plant-a/*", "mw/v1/plant-a/_all/command"),
        ("*", "mw/v1/_all/_all/command"),
    ],
)
def test_a_target_has_one_topic_and_its_nodes_listen_there(target: str, topic: str) -> None:
    assert TOPICS.command_to(target) == topic
    assert matches(target, PRESS)
    assert topic in TOPICS.commands_for(PRESS)
    parsed = TOPICS.parse(topic)
    assert parsed is not None
    assert parsed.kind is Kind.COMMAND


@pytest.mark.parametrize(
    "target", ["", "/", "plant-a", "*/*", "*/press-1", "plant-a/", "a/b/c", "a/+", "#", "_all/_all"]
)
def test_what_is_no_target_is_refused(target: str) -> None:
    with pytest.raises(ValueError, match="SITE/NODE"):
        TOPICS.command_to(target)


def test_a_broadcast_means_the_nodes_of_its_site_alone() -> None:
    assert not matches("plant-b/*", PRESS)
    assert not matches("plant-a/press-2", PRESS)
    assert not matches("plant-a/press", PRESS)


@pytest.mark.parametrize(
    "topic",
    [
        "",
        "mw/v1",
        "mw/v1/",
        "mw/v2/plant-a/press-1/health",
        "mw/v1x/plant-a/press-1/health",
        "/mw/v1/plant-a/press-1/health",
        "mw/v1//press-1/health",
        "mw/v1/plant-a//health",
        "mw/v1/plant-a/press-1",
        "mw/v1/plant-a/press-1/",
        "mw/v1/plant-a/press-1/Health",
        "mw/v1/plant-a/press-1/health/",
        "mw/v1/plant-a/press-1/health/more",
        "mw/v1/plant-a/press-1/app",
        "mw/v1/plant-a/press-1/app/",
        "mw/v1/plant-a/press-1/app/a/b",
        "mw/v1/plant-a/press-1/app/..%2Fb",
        "mw/v1/plant-a/press-1/app/%61",
        "mw/v1/plant-a/press-1/outcome/_all",
        "mw/v1/plant-a/press-1/outcome/" + "x" * 65,
        "mw/v1/plant-a/press-1/tag/plc-1",
        "mw/v1/plant-a/press-1/tag/plc-1/",
        "mw/v1/plant-a/press-1/tag/plc-1/%FF",
        "mw/v1/plant-a/press-1/tag/plc-1/%c3%96",
        "mw/v1/plant-a/press-1/tag/plc-1/%",
        "mw/v1/plant-a/press-1/tag/plc-1/a b",
        "mw/v1/plant-a/press-1/tag/plc-1/\ud800",
        "mw/v1/_all/press-1/command",
        "mw/v1/_all/_all/health",
        "mw/v1/plant-a/_all/presence",
        "mw/v1/plant-a/_ALL/command",
        "mw/v1/.hidden/press-1/health",
        "mw/v1/plant-a/press-1\n/health",
        "mw/v1/plänt/press-1/health",
        "$SYS/broker/uptime",
        "spBv1.0/plant-a/NBIRTH/press-1",
    ],
)
def test_a_topic_that_is_not_of_this_contract_is_not_parsed(topic: str) -> None:
    assert TOPICS.parse(topic) is None


@pytest.mark.parametrize(
    ("kind", "behind"),
    [
        (Kind.HEALTH, ("x",)),
        (Kind.APP, ()),
        (Kind.APP, ("a/b",)),
        (Kind.APP, ("+",)),
        (Kind.TAG, ("plc-1", "")),
        (Kind.TAG, ("plc 1", "tag")),
        (Kind.TAG, ("plc-1", "\ud800")),
    ],
)
def test_a_topic_that_could_not_be_parsed_is_not_built(kind: Kind, behind: tuple[str, ...]) -> None:
    with pytest.raises(ValueError, match=r"topic|encode"):
        TOPICS.of(PRESS, kind, *behind)


@pytest.mark.parametrize("text", ["a", "A-1", "0.1_x", "x" * 64])
def test_these_are_names(text: str) -> None:
    assert is_name(text)


@pytest.mark.parametrize("text", ["", EVERY, "_a", "-a", ".", "a b", "a/b", "a+", "a\n", "é", "x" * 65])
def test_these_are_no_names(text: str) -> None:
    assert not is_name(text)


def test_a_subscription_to_a_kind_has_a_wildcard_for_every_name() -> None:
    assert TOPICS.every(Kind.TAG) == "mw/v1/+/+/tag/+/+"
    assert TOPICS.every(Kind.HEALTH, site="plant-a") == "mw/v1/plant-a/+/health"
    assert TOPICS.below(PRESS) == "mw/v1/plant-a/press-1/#"
    assert TOPICS.every(Kind.OUTCOME, "c-1", site="plant-a") == "mw/v1/plant-a/+/outcome/c-1"
