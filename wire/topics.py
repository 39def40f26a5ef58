"""Build and parse every topic.

A topic is `{root}/{site}/{node}/{kind}[/{name}[/{name}]]`. Names are `[A-Za-z0-9][A-Za-z0-9._-]*`, so that no name
needs escaping, ends a level, or looks like a wildcard; `_all` stands for every site or node in a command's address.
Tag names are free text and percent-encoded where they stand in a topic.
"""

import re
from enum import StrEnum
from urllib.parse import quote, unquote

import msgspec

DEFAULT_ROOT = "mw/v1"
EVERY = "_all"

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*\Z")
_MAX_NAME_CHARS = 64


class Kind(StrEnum):
    """What a topic carries: the level behind the node."""

    COMMAND = "command"
    OUTCOME = "outcome"
    PRESENCE = "presence"
    HEALTH = "health"
    APP = "app"
    TAGS = "tags"
    TAG = "tag"
    TAGMETA = "tagmeta"
    ALERT = "alert"
    LOG = "log"


NAMES_BEHIND: dict[Kind, int] = {
    Kind.COMMAND: 0,
    Kind.OUTCOME: 1,
    Kind.PRESENCE: 0,
    Kind.HEALTH: 0,
    Kind.APP: 1,
    Kind.TAGS: 1,
    Kind.TAG: 2,
    Kind.TAGMETA: 1,
    Kind.ALERT: 1,
    Kind.LOG: 1,
}
"""How many names stand behind the kind: `outcome/{command_id}` has one, `tag/{plc}/{tag}` two."""


def is_name(text: str) -> bool:
    """Tell whether `text` can name a site, node, app, PLC or command: at most 64 of `[A-Za-z0-9._-]`."""
    return len(text) <= _MAX_NAME_CHARS and _NAME.match(text) is not None


class NodeName(msgspec.Struct, frozen=True, order=True):
    """A node of the fleet: its site and its name within the site."""

    site: str
    node: str

    def __str__(self) -> str:
        return f"{self.site}/{self.node}"

    @classmethod
    def parse(cls, text: str) -> "NodeName":
        """Read `site/node`; raises ValueError where either is not a name."""
        site, slash, node = text.partition("/")
        if not (slash and is_name(site) and is_name(node)):
            raise ValueError(f"{text!r} is not SITE/NODE, each of letters, digits and . _ -")
        return cls(site, node)


class Address(msgspec.Struct, frozen=True):
    """A parsed topic. `names` are decoded; a broadcast has `_all` as its node, or as its site and node."""

    node: NodeName
    kind: Kind
    names: tuple[str, ...] = ()


class Topics(msgspec.Struct, frozen=True):
    """All topics below one root (`mw/v1` unless a plant chose another)."""

    root: str = DEFAULT_ROOT

    def of(self, node: NodeName, kind: Kind, *names: str) -> str:
        """Build the topic of `kind` for `node`; raises ValueError for names that `parse` would not give back."""
        if len(names) != NAMES_BEHIND[kind]:
            raise ValueError(f"a {kind} topic has {NAMES_BEHIND[kind]} names behind it, not {len(names)}")
        if not _are_names_behind(kind, names):
            raise ValueError(f"{names!r} can't stand behind {kind} in a topic")
        return "/".join((self.root, node.site, node.node, kind, *(quote(name, safe="") for name in names)))

    def below(self, node: NodeName) -> str:
        """Everything of one node, as a subscription."""
        return f"{self.root}/{node.site}/{node.node}/#"

    def commands_for(self, node: NodeName) -> tuple[str, str, str]:
        """The three topics on which a node is given commands: its own, its site's, the fleet's."""
        broadcasts = (node, NodeName(node.site, EVERY), NodeName(EVERY, EVERY))
        return tuple(self.of(name, Kind.COMMAND) for name in broadcasts)  # type: ignore[return-value]

    def command_to(self, target: str) -> str:
        """The topic for a command's target: `site/node`, `site/*` or `*`; raises ValueError for any other."""
        if target == "*":
            return self.of(NodeName(EVERY, EVERY), Kind.COMMAND)
        site, _, node = target.partition("/")
        if node == "*" and is_name(site):
            return self.of(NodeName(site, EVERY), Kind.COMMAND)
        return self.of(NodeName.parse(target), Kind.COMMAND)

    def every(self, kind: Kind, *names: str, site: str = "+", node: str = "+") -> str:
        """A subscription to `kind` for every node, or for those of one site; names that are left out may be any."""
        behind = (*names, *["+"] * (NAMES_BEHIND[kind] - len(names)))
        return "/".join((self.root, site, node, kind, *behind))

    def parse(self, topic: str) -> Address | None:
        """Read a topic; None for one that is not of this root or not of this contract."""
        prefix = self.root + "/"
        if not topic.startswith(prefix):
            return None
        return _parse_below_root(topic[len(prefix) :].split("/"))


def matches(target: str, node: NodeName) -> bool:
    """Tell whether a command's target (`site/node`, `site/*` or `*`) means this node."""
    return target in ("*", f"{node.site}/*", str(node))


def _parse_below_root(levels: list[str]) -> Address | None:
    if len(levels) < 3 or levels[2] not in NAMES_BEHIND:
        return None
    node, kind = NodeName(levels[0], levels[1]), Kind(levels[2])
    names = tuple(unquote(level) for level in levels[3:])
    if [quote(name, safe="", errors="replace") for name in names] != levels[3:]:
        return None  # another spelling of a topic that this contract writes in one way
    if not (_is_addressed(node, kind) and _are_names_behind(kind, names)):
        return None
    return Address(node, kind, names)


def _is_addressed(node: NodeName, kind: Kind) -> bool:
    """One node; or for a command also every node of a site, or every node of every site."""
    if kind is Kind.COMMAND and node.node == EVERY:
        return node.site == EVERY or is_name(node.site)
    return is_name(node.site) and is_name(node.node)


def _are_names_behind(kind: Kind, names: tuple[str, ...]) -> bool:
    if len(names) != NAMES_BEHIND[kind] or not all(names):
        return False
    return all(is_name(name) for name in (names[:1] if kind is Kind.TAG else names))
