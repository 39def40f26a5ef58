"""docs/wire.md taken apart: its tables by heading, its examples by what they say they are."""

import re
from pathlib import Path

TEXT = (Path(__file__).parents[3] / "docs" / "wire.md").read_text(encoding="utf-8")

_CODE = re.compile(r"<!-- (\w+): (\w+) -->\n```\w+\n(.*?)\n```", re.DOTALL)


def table_below(heading: str, first_column: str) -> list[list[str]]:
    """The rows of the first table with that column below a heading; [] where there is none before the next heading."""
    section = re.search(rf"^##+ {re.escape(heading)}\n(.*?)(?=^##+ |\Z)", TEXT, re.MULTILINE | re.DOTALL)
    assert section is not None, f"docs/wire.md has no heading {heading!r}"
    table = re.search(rf"^\| {first_column} \|.*\n\|[-|]+\n((?:\|.*\n?)+)", section[1], re.MULTILINE)
    return [] if table is None else [_cells(line) for line in table[1].splitlines()]


def code(kind: str, name: str | None = None) -> list[tuple[str, str]]:
    """Every block marked `<!-- kind: name -->`, with its name."""
    return [(named, block) for marked, named, block in _CODE.findall(TEXT) if marked == kind and name in (None, named)]


def _cells(line: str) -> list[str]:
    return [cell.strip() for cell in line.strip("|").split(" | ")]
