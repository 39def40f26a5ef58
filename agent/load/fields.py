"""What the configuration's Structs say of their own fields: what each must be, and which of them one value can set."""

from collections.abc import Iterator
from typing import Any, get_args

import msgspec
from msgspec import NODEFAULT
from msgspec.inspect import (
    BoolType,
    DictType,
    EnumType,
    Field,
    FloatType,
    IntType,
    NoneType,
    StrType,
    StructType,
    Type,
    UnionType,
    VarTupleType,
)

from agent.config import Config, OpcuaUrl, TopicRoot
from agent.load.problem import FieldPath
from wire.app import Name

SECRETS = frozenset({"password"})
"""Fields whose value is never shown; each has a sibling `…_file`."""

PATTERNS = {
    Name: "a name: at most 64 letters, digits and . _ -, beginning with a letter or digit",
    OpcuaUrl: "the address of an OPC UA server, like opc.tcp://host:4840",
    TopicRoot: "the beginning of a topic, like mw/v1: no wildcard, no space, no / at either end",
}
"""What text with a pattern must be."""
_WORDS = {get_args(text)[1].pattern: words for text, words in PATTERNS.items()}


def schema() -> StructType:
    """The whole configuration as msgspec describes it."""
    described = msgspec.inspect.type_info(Config)
    assert isinstance(described, StructType)  # noqa: S101 - a Struct is described by a StructType
    return described


def scalars(struct: StructType | None = None, above: FieldPath = ()) -> Iterator[tuple[FieldPath, Field]]:
    """Every field that one value can set, at any depth: not those inside lists, nor tables with free keys."""
    for field in (struct or schema()).fields:
        path = (*above, field.name)
        match present(field.type):
            case StructType() as inner:
                yield from scalars(inner, path)
            case VarTupleType() | DictType():
                pass
            case _:
                yield path, field


def present(kind: Type) -> Type:
    """A field's type when it is given: without the None of an optional one."""
    if isinstance(kind, UnionType):
        return next(option for option in kind.types if not isinstance(option, NoneType))
    return kind


def step_into(kind: Type, step: str | int) -> Type:
    """The type one step further along a path; raises KeyError where there is none."""
    match present(kind):
        case StructType(fields=fields):
            return {field.name: field.type for field in fields}[str(step)]
        case VarTupleType(item_type=inner) | DictType(value_type=inner):
            return inner
        case _:
            raise KeyError(step)


def type_at(path: FieldPath) -> Type:
    """What the field at `path` is; raises KeyError where the configuration has none."""
    kind: Type = schema()
    for step in path:
        kind = step_into(kind, step)
    return kind


def default_of(field: Field) -> Any:
    """What a field is when nobody sets it; NODEFAULT for one that must be set."""
    return field.default if field.default_factory is NODEFAULT else field.default_factory()


def expected(kind: Type) -> str:  # noqa: PLR0911 - a table: one line for each type
    """What a value must be, in words: `a whole number from 1 to 65535`."""
    match present(kind):
        case StrType(pattern=pattern):
            return _WORDS[pattern] if pattern else "text"
        case BoolType():
            return "true or false"
        case IntType() as number:
            return f"a whole number{_range(number)}"
        case FloatType() as number:
            return f"a number{_range(number)}"
        case EnumType(cls=choices):
            return "one of " + ", ".join(choices)
        case VarTupleType(item_type=StructType()):
            return "a list of tables"
        case VarTupleType(item_type=inner):
            return f"a list, each {expected(inner)}"
        case DictType(value_type=inner):
            return f"a table whose values are {expected(inner)}"
        case StructType():
            return "a table"
        case other:
            raise TypeError(f"{other} has no words yet")


def _range(number: IntType | FloatType) -> str:
    if number.ge is not None and number.le is not None:
        return f" from {number.ge:.15g} to {number.le:.15g}"
    if number.gt is not None and number.le is not None:
        return f" above {number.gt:.15g}, at most {number.le:.15g}"
    if number.gt is not None:
        return f" above {number.gt:.15g}"
    if number.ge is not None:
        return f", at least {number.ge:.15g}"
    return ""
