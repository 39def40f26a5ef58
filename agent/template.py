"""A commented configuration, written from the Structs that read it: every field with its meaning, range and default.

Prose begins with `# `; a field that is commented out begins with `#` alone, so that deleting one character sets it.
The meaning of a field is the docstring below it in its Struct's source.
"""

import ast
import base64
import functools
import inspect
import json
import textwrap
from collections.abc import Iterator
from itertools import pairwise
from typing import Any

from msgspec import NODEFAULT, Struct
from msgspec.inspect import DictType, Field, StructType, VarTupleType

from agent.config import Config
from agent.load.environment import PREFIX, SHORT
from agent.load.fields import default_of, expected, present, schema
from agent.load.problem import FieldPath, dotted

EXAMPLES: dict[str, Any] = {
    "node.site": "plant-a",
    "node.name": "press-1",
    "mqtt.username": "plant-a/press-1",
    "mqtt.password": "change-me",
    "mqtt.password_file": "/etc/millwright/mqtt.password",
    "mqtt.ca_file": "/etc/millwright/ca.pem",
    "mqtt.cert_file": "/etc/millwright/node.pem",
    "mqtt.key_file": "/etc/millwright/node.key",
    "commands.trusted_keys": {"ops-2026": base64.b64encode(b"replace-me-with-your-public-key!").decode()},
    "workload.default_registry": "registry.example:5000",
    "workload.registries.host": "registry.example:5000",
    "workload.registries.username": "plant-a",
    "workload.registries.password": "change-me",
    "workload.registries.password_file": "/etc/millwright/registry.password",
    "opcua.name": "press",
    "opcua.url": "opc.tcp://192.168.0.10:4840",
    "opcua.username": "millwright",
    "opcua.password": "change-me",
    "opcua.password_file": "/etc/millwright/press.password",
    "opcua.tags.node_id": "nsu=http://vendor.example/press;s=Press.Temperature",
    "opcua.tags.name": "temperature",
    "opcua.tags.sampling_interval_ms": 100.0,
    "opcua.tags.unit": "°C",
}
"""What stands in the template for a field that has no default."""

UNITS = {"_ms": "milliseconds", "_s": "seconds", "_bytes": "bytes", "_days": "days"}

HEAD = f"""\
What one Millwright agent is told. Check it with `millwright agent validate --config FILE`.

A line that begins with # and no space is a field with its default, or an example where it has none:
delete the # and change it. Every field outside of lists can be set by the environment as well, and
that wins over this file: {PREFIX}<SECTION>_<FIELD>, like {PREFIX}MQTT_HOST, or for short
{", ".join(SHORT)}.
"""

_WIDTH = 116


def template() -> str:
    """The whole file: as it stands, a sound configuration of the node `plant-a/press-1`."""
    lines = _prose(HEAD.strip())
    for section in schema().fields:
        lines += ["", "", *_section((section.name,), section, Config, None, live=True)]
    return "\n".join(lines) + "\n"


def meaning_of(owner: type, name: str) -> str:
    """The docstring below a field in its Struct, or in the one that it inherits from; raises KeyError without one."""
    return next(docs[name] for docs in map(_docstrings, owner.__mro__[:-1]) if name in docs)


def _section(path: FieldPath, field: Field, owner: type, above: Any, *, live: bool) -> list[str]:
    """A table or list of tables: what it is, its header, its fields, the tables inside it.

    `above` is what holds it by default: a default that a Struct is given as a whole differs from its own.
    """
    match present(field.type):
        case StructType() as struct:
            header = f"[{dotted(path)}]"
        case VarTupleType(item_type=StructType() as struct):
            header, live = f"[[{dotted(path)}]]", False
        case _:
            return _free_table(path, field, owner)
    lines = [*_prose(meaning_of(owner, field.name)), _set(header, live=live)]
    default = _default(field, above)
    for inner in sorted(struct.fields, key=_is_table):
        write = _section if _is_table(inner) else _scalar
        lines += ["", *write((*path, inner.name), inner, struct.cls, default, live=live)]
    return lines


def _is_table(field: Field) -> bool:
    return isinstance(present(field.type), StructType | VarTupleType | DictType)


def _scalar(path: FieldPath, field: Field, owner: type, above: Any, *, live: bool) -> list[str]:
    unit = next((f", in {unit}" for end, unit in UNITS.items() if field.name.endswith(end)), "")
    kind = f"{expected(field.type)}{unit}"
    about = meaning_of(owner, field.name) + ("" if kind == "text" else f" ({kind[0].upper()}{kind[1:]}.)")
    default = _default(field, above)
    is_example = default in {None, NODEFAULT}
    setting = f"{field.name} = {_toml(EXAMPLES[_key(path)] if is_example else default)}"
    return [*_prose(about), _set(setting, live=live and default is NODEFAULT)]


def _free_table(path: FieldPath, field: Field, owner: type) -> list[str]:
    lines = [*_prose(meaning_of(owner, field.name)), _set(f"[{dotted(path)}]", live=False)]
    return lines + [_set(f"{name} = {_toml(value)}", live=False) for name, value in EXAMPLES[_key(path)].items()]


def _default(field: Field, above: Any) -> Any:
    return getattr(above, field.name, NODEFAULT) if isinstance(above, Struct) else default_of(field)


def _set(line: str, *, live: bool) -> str:
    return line if live else f"#{line}"


def _prose(text: str) -> list[str]:
    return [f"# {line}".rstrip() for part in text.split("\n") for line in textwrap.wrap(part, _WIDTH) or [""]]


def _key(path: FieldPath) -> str:
    return ".".join(map(str, path))


def _toml(value: Any) -> str:
    """A scalar as TOML writes it: what JSON has of text, numbers and booleans is the same."""
    return json.dumps(value, ensure_ascii=False)


@functools.cache
def _docstrings(owner: type) -> dict[str, str]:
    if owner.__module__.startswith("msgspec"):
        return {}
    (tree,) = ast.parse(textwrap.dedent(inspect.getsource(owner))).body
    assert isinstance(tree, ast.ClassDef)  # noqa: S101 - the source of a class is a class
    return dict(_documented(tree.body))


def _documented(body: list[ast.stmt]) -> Iterator[tuple[str, str]]:
    for field, below in pairwise(body):
        match field, below:
            case (
                ast.AnnAssign(target=ast.Name(id=name)),
                ast.Expr(value=ast.Constant(value=str() as text)),
            ):
                yield name, " ".join(text.split())
