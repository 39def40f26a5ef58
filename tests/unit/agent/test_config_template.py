"""The template says everything that can be configured, and is a configuration itself."""

import re
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from msgspec.inspect import DictType, StructType, VarTupleType

from agent.config import Config, PlcConfig
from agent.load import load
from agent.load.fields import PATTERNS, expected, present, scalars, schema
from agent.load.problem import dotted
from agent.template import template

TEXT = template()
EVERYTHING = re.sub(r"(?m)^#(?! |$)", "", TEXT)
"""The template with every field set to its default or its example."""


def fields_of(struct: StructType, above: str = "") -> Iterator[str]:
    for field in struct.fields:
        name = f"{above}{field.name}"
        yield name
        match present(field.type):
            case StructType() as inner:
                yield from fields_of(inner, f"{name}.")
            case VarTupleType(item_type=StructType() as inner):
                yield from fields_of(inner, f"{name}.")


def names_in(tree: dict[str, Any], above: str = "") -> Iterator[str]:
    for key, value in tree.items():
        yield f"{above}{key}"
        inner = value[0] if isinstance(value, list) else value
        if isinstance(inner, dict) and f"{above}{key}" != "commands.trusted_keys":
            yield from names_in(inner, f"{above}{key}.")


def test_template_loads_as_it_stands(tmp_path: Path) -> None:
    file = tmp_path / "agent.toml"
    file.write_text(TEXT, encoding="utf-8")
    config = load(file, {})
    assert str(config.node_name) == "plant-a/press-1"
    assert config == Config(node=config.node)


def test_template_without_its_comments_loads(tmp_path: Path) -> None:
    file = tmp_path / "agent.toml"
    file.write_text("\n".join(line for line in TEXT.splitlines() if not line.startswith("#")), encoding="utf-8")
    assert load(file, {}) == load(_written(tmp_path, TEXT), {})


def test_every_field_is_in_the_template() -> None:
    assert set(fields_of(schema())) == set(names_in(tomllib.loads(EVERYTHING)))


def test_every_field_of_the_template_set_is_of_its_type() -> None:
    config = msgspec.convert(tomllib.loads(EVERYTHING), Config, strict=True)
    assert config.mqtt.reconnect == Config(node=config.node).mqtt.reconnect
    (plc,) = config.opcua
    assert plc.reconnect == PlcConfig(name="p", url="opc.tcp://h").reconnect


@pytest.mark.parametrize(
    ("path", "field"), list(scalars()), ids=lambda part: dotted(part) if type(part) is tuple else ""
)
def test_every_setting_has_its_meaning_above_it(path: tuple[str, ...], field: msgspec.inspect.Field) -> None:
    lines = TEXT.splitlines()
    places = [number for number, line in enumerate(lines) if re.match(rf"#?{field.name} = ", line)]
    assert places
    assert all(lines[number - 1].startswith("# ") for number in places)


def test_every_pattern_has_words() -> None:
    def texts(struct: StructType) -> Iterator[str]:
        for field in struct.fields:
            yield expected(field.type)
            match present(field.type):
                case StructType() as inner:
                    yield from texts(inner)
                case VarTupleType(item_type=StructType() as inner):
                    yield from texts(inner)
                case DictType(value_type=inner):
                    yield expected(inner)

    assert set(PATTERNS.values()) <= set(texts(schema()))


def test_unit_stands_beside_a_number_that_has_one() -> None:
    assert re.search(r"in milliseconds\.\)\n#publishing_interval_ms = 500\.0\n", TEXT)
    assert re.search(r"in bytes\.\)\n#max_bytes = 1073741824\n", TEXT)


def _written(directory: Path, text: str) -> Path:
    file = directory / "template.toml"
    file.write_text(text, encoding="utf-8")
    return file
