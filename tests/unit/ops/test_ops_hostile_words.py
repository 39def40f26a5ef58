"""What a node says of itself is shown as text: it neither breaks the tables nor steers the terminal."""

import io

import pytest
from msgspec.structs import replace

from ops.fleet import Fleet, NodeRecord
from ops.fleet_tables import fleet_tables, node_tables
from ops.problems import Problem
from ops.tag_lines import as_lines
from ops.terminal import Terminal, terminal
from tests.support import fleet
from wire.continuity import Arrival
from wire.messages import Engine, TagBatch, TagValue
from wire.topics import NodeName

NODE = NodeName("plant-a", "press-1")


def record(words: str) -> NodeRecord:
    engine = Engine(age_s=0, reachable=False, error=words)
    health = fleet.health(NODE, engine=engine, version=words, plcs=(fleet.plc(connected=False, error=words),))
    return NodeRecord(node=NODE, health=health, apps={"hmi": replace(fleet.report(NODE, "hmi"), reason=words)})


def shown(words: str) -> str:
    out, streams = io.StringIO(), terminal()
    streams.out.file = out
    known = record(words)
    streams.out.print(fleet_tables(Fleet({NODE: known}), fleet.now()))
    streams.out.print(node_tables(known, fleet.now()))
    return out.getvalue()


@pytest.mark.parametrize("words", ["[/nothing] opened it", "[red]bracketed[/red]", "[errno 111]"])
def test_brackets_are_shown_as_they_came(words: str) -> None:
    assert shown(words).count(words) == 9


def test_no_escape_sequence_gets_through() -> None:
    assert "\x1b" not in shown("\x1b]0;renamed\x07\x9b31m")
    value = TagValue(name="a\x1b[2J", value=1, status=0, time=None)
    batch = TagBatch(plc="p\x1b[2J", epoch="e", seq=1, values=(value,))
    assert not [line for line in as_lines(Arrival(batch=batch)) if "\x1b" in line]


def test_a_complaint_quotes_what_it_is_about() -> None:
    err = io.StringIO()
    streams = Terminal(terminal().out, terminal().err)
    streams.err.file = err
    streams.complain(Problem("[/nothing] failed", "try [again]"))
    assert err.getvalue() == "error: [/nothing] failed\n  try [again]\n"
