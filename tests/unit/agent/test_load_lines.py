"""Finding a field's line, in every way that TOML lets one write it."""

import tomllib

import pytest

from agent.load.locate import line_of

TEXT = '''# a comment with [brackets] and = signs
top = """
[not.a.table]
x = 1
"""
[node]          # [no]
site = 'a#b'
"quoted key" = 1
dotted.inner = 2
literal = \'\'\'
[neither]
\'\'\'

[[opcua]]
name = "p"
tags = [
  # a comment, with commas
  { node_id = "i=1", name = "[" },
  { node_id = "i=2",
    }, # comma in a comment
  { node_id = "i=3" },
]
numbers = [[1, 2],
           [3, 1.5]]

[opcua.reconnect]
first_s = 1

[[opcua]]
name = "q"
[[opcua.tags]]
node_id = "i=9"
[[opcua.tags]]
node_id = "i=10"
'''.replace('"i=2",\n    }', '"i=2" }')


@pytest.mark.parametrize(
    ("path", "line"),
    [
        (("top",), 2),
        (("node",), 6),
        (("node", "site"), 7),
        (("node", "quoted key"), 8),
        (("node", "dotted", "inner"), 9),
        (("node", "literal"), 10),
        (("opcua",), 14),
        (("opcua", 0, "name"), 15),
        (("opcua", 0, "tags"), 16),
        (("opcua", 0, "tags", 0, "name"), 18),
        (("opcua", 0, "tags", 1), 19),
        (("opcua", 0, "tags", 2, "node_id"), 20),
        (("opcua", 0, "numbers", 1, 1), 23),
        (("opcua", 0, "reconnect", "first_s"), 26),
        (("opcua", 1), 28),
        (("opcua", 1, "tags", 1, "node_id"), 33),
    ],
)
def test_line_is_found(path: tuple[str | int, ...], line: int) -> None:
    tomllib.loads(TEXT)
    assert line_of(TEXT, path) == line


def test_what_is_missing_is_placed_at_what_is_around_it() -> None:
    assert line_of(TEXT, ("node", "name")) == 6
    assert line_of(TEXT, ("opcua", 1, "tags", 0, "deadband")) == 30
    assert line_of(TEXT, ("spool", "max_bytes")) is None


def test_windows_line_ends_are_counted_once() -> None:
    assert line_of("[node]\r\nsite = 'a'\r\nname = 'b'\r\n", ("node", "name")) == 3
