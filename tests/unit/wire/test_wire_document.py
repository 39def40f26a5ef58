"""docs/wire.md is the contract as it is published: its tables and examples are those of the code."""

import contextlib
import io
import json
import re

import msgspec
import pytest

from tests.unit.wire.contract_words import enums_in, rows, structs_in
from tests.unit.wire.wire_document import TEXT, code, table_below
from wire import codec, messages
from wire.codec import MAX_COMMAND_BYTES, decode, decode_command, encode, encode_command
from wire.messages import VERBS, AppReport, Health, Outcome, PlcMeta, Presence, TagBatch
from wire.signature import PAYLOAD_TYPE
from wire.topics import NAMES_BEHIND, Kind

ROOTS = (Outcome, Presence, Health, AppReport, TagBatch, PlcMeta, *VERBS.values())
STRUCTS = structs_in(*ROOTS)
ENUMS = enums_in(*ROOTS)
EXAMPLES = code("example")


def _as_row(cells: tuple[str, ...]) -> str:
    return f"| {' | '.join(cells)} | … |"


@pytest.mark.parametrize("name", STRUCTS)
def test_a_message_s_fields_are_those_of_its_table(name: str) -> None:
    expected = [_as_row(row) for row in rows(STRUCTS[name])]
    assert [_as_row(tuple(row[:3])) for row in table_below(name, "field")] == expected


@pytest.mark.parametrize("name", ENUMS)
def test_fixed_words_are_those_of_their_table(name: str) -> None:
    assert [row[0].strip("`") for row in table_below(name, "word")] == [word.value for word in ENUMS[name]]


def test_a_command_s_fields_are_those_of_its_table() -> None:
    expected = [_as_row(row) for row in rows(codec._Envelope)]
    assert [_as_row(tuple(row[:3])) for row in table_below("Commands", "field")] == expected


def test_every_row_says_what_its_field_means() -> None:
    documented = [row for name in STRUCTS for row in table_below(name, "field")]
    documented += [row for name in ENUMS for row in table_below(name, "word")]
    assert [row for row in documented if not row[-1]] == []


def test_the_document_describes_nothing_that_there_is_not() -> None:
    described = re.findall(r"^### (\w+)\n", TEXT, re.MULTILINE)
    assert sorted(described) == sorted([*STRUCTS, *ENUMS])


def test_the_topics_are_those_of_the_code() -> None:
    topics = [row[0].strip("`").split("/") for row in table_below("Topics", "topic")]
    assert {kind: len(names) for kind, *names in topics} == {kind.value: NAMES_BEHIND[kind] for kind in Kind}
    assert "{root}/{site}/_all/command" in TEXT
    assert "{root}/_all/_all/command" in TEXT


def test_the_verbs_are_those_of_the_code() -> None:
    said = {row[0].strip("`"): row[1] for row in table_below("Commands", "verb")}
    assert said == {verb: f"[{args.__name__}](#{args.__name__.lower()})" for verb, args in VERBS.items()}


def test_the_numbers_in_the_prose_are_those_of_the_code() -> None:
    assert f"At most {MAX_COMMAND_BYTES} bytes" in TEXT
    assert PAYLOAD_TYPE in TEXT


@pytest.mark.parametrize(("name", "text"), EXAMPLES, ids=[f"{name}-{at}" for at, (name, _) in enumerate(EXAMPLES)])
def test_an_example_is_the_message_that_it_says_to_be(name: str, text: str) -> None:
    kind: type[msgspec.Struct] = getattr(messages, name)
    payload = text.encode()
    again = encode_command(decode_command(payload)) if name == "Command" else encode(decode(kind, payload))
    assert json.dumps(json.loads(again)) == json.dumps(json.loads(payload)), "same fields, same order, same values"


def test_every_message_with_a_topic_has_an_example() -> None:
    assert {name for name, _ in EXAMPLES} == {"Command"} | {
        root.__name__ for root in ROOTS if root not in VERBS.values()
    }


def test_the_worked_signature_comes_out_as_printed() -> None:
    [(_, program)] = code("python", "signature")
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        exec(compile(program, "docs/wire.md", "exec"), {})
    assert f"```text\n{printed.getvalue()}```" in TEXT
