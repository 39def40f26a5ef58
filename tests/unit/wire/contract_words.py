"""A message type in the words of docs/wire.md: what the test compares, and what drafts a row for a new field."""

from collections.abc import Iterable, Iterator
from enum import Enum
from typing import Any

import msgspec
from msgspec import inspect

_PLAIN: dict[type[inspect.Type], str] = {
    inspect.BoolType: "true/false",
    inspect.DateTimeType: "time",
    inspect.AnyType: "any JSON",
    inspect.NoneType: "null",
    inspect.RawType: "by verb",
}


def type_words(kind: inspect.Type) -> str:  # noqa: PLR0911 one case a type
    """`text`, `integer 1 to 65535`, `list of Fault`, `time or null`."""
    match kind:
        case inspect.Metadata(type=inner):
            return type_words(inner)
        case inspect.StrType(pattern=pattern):
            return "text" if pattern is None or not pattern.startswith("^[A-Za-z0-9]") else "name"
        case inspect.IntType() | inspect.FloatType():
            return ("integer" if isinstance(kind, inspect.IntType) else "number") + _limits(kind)
        case inspect.EnumType(cls=cls) | inspect.StructType(cls=cls):
            return cls.__name__
        case inspect.LiteralType(values=values):
            return " or ".join(f'"{value}"' for value in values)
        case inspect.UnionType(types=types):
            return " or ".join(type_words(one) for one in sorted(types, key=_nulls_last))
        case inspect.VarTupleType(item_type=item, max_length=1):
            return f"list of one {type_words(item)}"
        case inspect.VarTupleType(item_type=item):
            return f"list of {type_words(item)}"
        case inspect.DictType(value_type=value):
            return f"object of {type_words(value)}"
    return _PLAIN[type(kind)]


def rows(struct: type[msgspec.Struct]) -> Iterator[tuple[str, str, str]]:
    """Name, type and default of each field, as they stand in a row of the document."""
    described = inspect.type_info(struct)
    assert isinstance(described, inspect.StructType)
    if described.tag_field is not None:
        yield f"`{described.tag_field}`", f'"{described.tag}"', "required"
    for field in described.fields:
        yield f"`{field.encode_name}`", type_words(field.type), _default_words(field)


def structs_in(*roots: type[msgspec.Struct]) -> dict[str, type[msgspec.Struct]]:
    """Every message type that can be reached from these, by name."""
    return {kind.cls.__name__: kind.cls for kind in _reached(roots) if isinstance(kind, inspect.StructType)}


def enums_in(*roots: type[msgspec.Struct]) -> dict[str, type[Enum]]:
    """Every fixed set of words that can be reached from these, by name."""
    return {kind.cls.__name__: kind.cls for kind in _reached(roots) if isinstance(kind, inspect.EnumType)}


def _reached(roots: Iterable[type[msgspec.Struct]]) -> Iterator[inspect.Type]:
    for root in roots:
        yield from _all_types(inspect.type_info(root), set())


def _all_types(kind: inspect.Type, seen: set[Any]) -> Iterator[inspect.Type]:
    yield kind
    for one in _directly_in(kind, seen):
        yield from _all_types(one, seen)


def _directly_in(kind: inspect.Type, seen: set[Any]) -> Iterable[inspect.Type]:
    match kind:
        case inspect.StructType(cls=cls, fields=fields) if cls not in seen:
            seen.add(cls)
            return [field.type for field in fields]
        case inspect.UnionType(types=types):
            return types
        case inspect.VarTupleType(item_type=inner) | inspect.DictType(value_type=inner) | inspect.Metadata(type=inner):
            return [inner]
    return []


def _nulls_last(kind: inspect.Type) -> bool:
    return isinstance(kind, inspect.NoneType)


def _limits(kind: inspect.IntType | inspect.FloatType) -> str:
    if kind.ge is not None and kind.le is not None:
        return f" {kind.ge:g} to {kind.le:g}"
    lower = f" above {kind.gt:g}" if kind.gt is not None else f" from {kind.ge}" if kind.ge is not None else ""
    return lower + (f" to {kind.le:g}" if kind.le is not None else "")


def _default_words(field: inspect.Field) -> str:
    default = field.default
    if default is msgspec.NODEFAULT:
        default = msgspec.NODEFAULT if field.default_factory is msgspec.NODEFAULT else field.default_factory()
    return "required" if default is msgspec.NODEFAULT else f"`{msgspec.json.encode(default).decode()}`"
