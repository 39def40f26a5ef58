"""From the decoder's complaint to what a person needs: which field, what it is, what it must be."""

import re
from typing import Any

import msgspec
from msgspec.inspect import EnumType, StructType

from agent.load.fields import SECRETS, expected, present, type_at
from agent.load.problem import FieldPath, Problem, Tree, did_you_mean

_UNKNOWN = re.compile(r"Object contains unknown field `(.*?)`")
_MISSING = re.compile(r"Object missing required field `(.*?)`")
_AT = re.compile(r" - at `\$(.*?)`\Z")
_STEP = re.compile(r"\.([^.\[\]]+)|\[(\d+)\]|\[(\.\.\.)\]")
_KINDS = {int: "a number", float: "a number", str: "text", list: "a list", dict: "a table"}


def explain(error: msgspec.ValidationError, tree: Tree) -> Problem:
    """The problem behind a ValidationError that `msgspec.convert` raised for `tree`."""
    text = str(error)
    path = _path_in(text, tree)
    if unknown := _UNKNOWN.match(text):
        return _unknown_field(path, unknown[1])
    if missing := _MISSING.match(text):
        return _missing_field(path, missing[1])
    return wrong_value(path, _value_at(tree, path))


def wrong_value(path: FieldPath, value: Any, *, variable: str | None = None) -> Problem:
    """A value that is not what its field must be."""
    kind = type_at(path)
    remedy = f"It must be {expected(kind)}."
    match present(kind):
        case EnumType(cls=choices) if isinstance(value, str):
            remedy = did_you_mean(value, map(str, choices)) + remedy
    return Problem(path, f"is {_shown(path, value)}", remedy, variable=variable)


def _unknown_field(path: FieldPath, name: str) -> Problem:
    fields = _fields_at(path)
    remedy = f"{did_you_mean(name, fields)}Known here: {', '.join(fields)}."
    return Problem((*path, name), "is not a field of the configuration", remedy)


def _missing_field(path: FieldPath, name: str) -> Problem:
    needed = (*path, name)
    return Problem(needed, "is missing", f"It must be {expected(type_at(needed))}.")


def _path_in(text: str, tree: Tree) -> FieldPath:
    found = _AT.search(text)
    path: FieldPath = ()
    for name, index, any_key in _STEP.findall(found[1]) if found else ():
        path = (*path, _wrong_key(_value_at(tree, path)) if any_key else name or int(index))
    return path


def _wrong_key(table: dict[str, Any]) -> str:
    """msgspec names no key of a table with free ones; ours have text as values, so it is the first that isn't."""
    return next(key for key, value in table.items() if not isinstance(value, str))


def _fields_at(path: FieldPath) -> list[str]:
    kind = present(type_at(path))
    return [field.name for field in kind.fields] if isinstance(kind, StructType) else []


def _value_at(tree: Any, path: FieldPath) -> Any:
    for step in path:
        tree = tree[step]
    return tree


def _shown(path: FieldPath, value: Any) -> str:
    kind = _KINDS.get(type(value), f"a {type(value).__name__}")
    if path[-1] in SECRETS or isinstance(value, list | dict):
        return kind
    if isinstance(value, bool):
        return str(value).lower()
    return f"{value!r} ({kind})" if isinstance(value, str) else str(value)
