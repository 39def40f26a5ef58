"""Whatever a message holds, it is read as it was written. The messages are drawn from the types' own descriptions."""

import json
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import inspect

from wire.codec import decode, decode_command, encode, encode_command
from wire.messages import VERBS, AppReport, Command, Health, Outcome, PlcMeta, Presence, TagBatch

MESSAGES = (Outcome, Presence, Health, AppReport, TagBatch, PlcMeta)

texts = st.text(st.characters(codec="utf-8"), max_size=20)
numbers = st.floats(allow_nan=False, allow_infinity=False)
json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**64 - 1) | numbers | texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=5,
)
times = st.datetimes(min_value=datetime(1970, 1, 1), timezones=st.just(UTC))


def drawn(kind: Any) -> st.SearchStrategy[Any]:
    """What fits a type, by msgspec's description of it."""
    described = kind if isinstance(kind, inspect.Type) else inspect.type_info(kind)
    while isinstance(described, inspect.Metadata):
        described = described.type
    return PLAIN[type(described)] if type(described) in PLAIN else WITH_LIMITS[type(described)](described)


def struct(of: inspect.StructType) -> st.SearchStrategy[Any]:
    return st.fixed_dictionaries({field.name: drawn(field.type) for field in of.fields}).map(lambda d: of.cls(**d))


def text(of: inspect.StrType) -> st.SearchStrategy[str]:
    strategy = texts if of.pattern is None else st.from_regex(of.pattern.removesuffix(r"\Z"), fullmatch=True)
    return strategy.filter(lambda text: (of.min_length or 0) <= len(text) <= (of.max_length or 999))


def whole(of: inspect.IntType) -> st.SearchStrategy[int]:
    return st.integers(-(2**63) if of.ge is None else of.ge, 2**63 - 1 if of.le is None else of.le)


def number(of: inspect.FloatType) -> st.SearchStrategy[float]:
    floor = of.ge if of.gt is None else of.gt
    return st.floats(floor, of.le, exclude_min=of.gt is not None, allow_nan=False, allow_infinity=False)


def several(of: inspect.VarTupleType) -> st.SearchStrategy[tuple[Any, ...]]:
    most = 2 if of.max_length is None else of.max_length
    return st.lists(drawn(of.item_type), min_size=of.min_length or 0, max_size=most).map(tuple)


PLAIN: dict[type[inspect.Type], st.SearchStrategy[Any]] = {
    inspect.BoolType: st.booleans(),
    inspect.NoneType: st.none(),
    inspect.AnyType: json_values,
    inspect.DateTimeType: times,
}
WITH_LIMITS: dict[type[inspect.Type], Callable[[Any], st.SearchStrategy[Any]]] = {
    inspect.StructType: struct,
    inspect.StrType: text,
    inspect.IntType: whole,
    inspect.FloatType: number,
    inspect.EnumType: lambda of: st.sampled_from(of.cls),
    inspect.LiteralType: lambda of: st.sampled_from(of.values),
    inspect.UnionType: lambda of: st.one_of(*map(drawn, of.types)),
    inspect.VarTupleType: several,
    inspect.DictType: lambda of: st.dictionaries(drawn(of.key_type), drawn(of.value_type), max_size=2),
}


@pytest.mark.parametrize("kind", MESSAGES, ids=lambda kind: kind.__name__)
@given(data=st.data())
def test_a_message_is_read_as_it_was_written(kind: type[msgspec.Struct], data: st.DataObject) -> None:
    message = data.draw(drawn(kind))
    assert decode(kind, encode(message)) == message


@pytest.mark.parametrize("verb", VERBS)
@given(data=st.data())
def test_a_command_is_read_as_it_was_written(verb: str, data: st.DataObject) -> None:
    command = Command(
        id=data.draw(drawn(Command.__annotations__["id"])),
        target=data.draw(texts),
        issuer=data.draw(texts),
        issued_at=data.draw(times),
        expires_at=data.draw(times),
        args=data.draw(drawn(VERBS[verb])),
    )
    payload = encode_command(command)
    assert decode_command(payload) == command
    assert json.loads(payload)["verb"] == verb
