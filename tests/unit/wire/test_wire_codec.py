"""What a payload must be, what may be missing or new in it, and how a wrong one is told to its sender."""

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from wire.codec import MAX_COMMAND_BYTES, ContractError, decode, decode_command, encode, encode_command
from wire.messages import (
    Category,
    Command,
    Inspect,
    Outcome,
    Phase,
    Ping,
    Presence,
    Stop,
    TagBatch,
    TagValue,
)

NOW = datetime(2026, 5, 4, 8, 30, tzinfo=UTC)
BARE: dict[str, Any] = {
    "id": "c-1",
    "verb": "stop",
    "target": "plant-a/press-1",
    "issuer": "maria",
    "issued_at": "2026-05-04T08:30:00Z",
    "expires_at": "2026-05-04T08:40:00Z",
    "args": {"app": "press-ui"},
}


def written(**changed: Any) -> bytes:
    """A good command with some fields changed; `...` leaves one out."""
    return json.dumps({name: value for name, value in (BARE | changed).items() if value is not ...}).encode()


def refusal(payload: bytes) -> ContractError:
    with pytest.raises(ContractError) as caught:
        decode_command(payload)
    return caught.value


def test_a_command_typed_by_hand_is_understood() -> None:
    assert decode_command(written()) == Command(
        id="c-1",
        target="plant-a/press-1",
        issuer="maria",
        issued_at=NOW,
        expires_at=NOW + timedelta(minutes=10),
        args=Stop(app="press-ui"),
    )


def test_args_may_be_left_out_where_a_verb_needs_none() -> None:
    assert decode_command(written(verb="ping", args=...)).args == Ping()
    assert decode_command(written(verb="inspect", args=...)).args == Inspect()


def test_a_time_of_another_zone_is_the_same_moment() -> None:
    assert decode_command(written(issued_at="2026-05-04T10:30:00+02:00")).issued_at == NOW


def test_fields_of_a_later_version_are_ignored() -> None:
    later = {"app": "press-ui", "drain": {"within_s": 5}}
    assert decode_command(written(args=later, priority=7)) == decode_command(written())
    assert decode(Presence, b'{"node":"a/b","online":true,"session":"s","mood":[1]}').online


@pytest.mark.parametrize(
    ("payload", "element"),
    [
        (b"", "payload"),
        (b"hello", "payload"),
        (b"null", "payload"),
        (b"[]", "payload"),
        (b'{"id":"c-1"', "payload"),
        (written() + b"x", "payload"),
        (written().replace(b"maria", b"\xff\xfe"), "payload"),
        (written(id=...), "$.id"),
        (written(id=7), "$.id"),
        (written(id=""), "$.id"),
        (written(id="x" * 65), "$.id"),
        (written(id="a/b"), "$.id"),
        (written(id="c-1\n"), "$.id"),
        (written(verb=...), "$.verb"),
        (written(verb=None), "$.verb"),
        (written(target=...), "$.target"),
        (written(target=[]), "$.target"),
        (written(issuer=...), "$.issuer"),
        (written(issued_at=...), "$.issued_at"),
        (written(issued_at="yesterday"), "$.issued_at"),
        (written(issued_at="2026-05-04T08:30:00"), "$.issued_at"),
        (written(expires_at=...), "$.expires_at"),
        (written(expires_at="2026-05-04T08:30:00"), "$.expires_at"),
        (written(expires_at=1777883400), "$.expires_at"),
        (written(args=...), "$.args.app"),
        (written(args=None), "$.args"),
        (written(args=7), "$.args"),
        (written(args={}), "$.args.app"),
        (written(args={"app": 1}), "$.args.app"),
        (written(args={"app": "press ui"}), "$.args.app"),
        (written(args={"app": "press-ui\n"}), "$.args.app"),
        (written(verb="deploy"), "$.args.spec"),
        (written(verb="deploy", args={"app": "a", "spec": {}}), "$.args.spec.containers"),
        (written(verb="deploy", args={"app": "a", "spec": {"containers": []}}), "$.args.spec.containers"),
        (written(verb="deploy", args={"app": "a", "spec": {"containers": [{}]}}), "$.args.spec.containers[0].image"),
    ],
)
def test_a_malformed_command_is_refused_with_the_place(payload: bytes, element: str) -> None:
    error = refusal(payload)
    assert (error.category, error.element) == (Category.MALFORMED, element)


@pytest.mark.parametrize(
    ("container", "element"),
    [
        ({"image": ""}, ".image"),
        ({"image": "a", "restart": "sometimes"}, ".restart"),
        ({"image": "a", "memory_bytes": 1024}, ".memory_bytes"),
        ({"image": "a", "cpus": 0}, ".cpus"),
        ({"image": "a", "healthy_within_s": -1}, ".healthy_within_s"),
        ({"image": "a", "ports": [{"host": 0, "container": 80}]}, ".ports[0].host"),
        ({"image": "a", "ports": [{"host": 80}]}, ".ports[0].container"),
        ({"image": "a", "mounts": [{"source": "v", "target": "data"}]}, ".mounts[0].target"),
        ({"image": "a", "probe": {"by": "hope"}}, ".probe.by"),
        ({"image": "a", "probe": {"by": "running", "for_s": 0}}, ".probe.for_s"),
    ],
)
def test_a_container_that_can_not_be_honoured_is_refused_with_the_place(container: Any, element: str) -> None:
    error = refusal(written(verb="deploy", args={"app": "a", "spec": {"containers": [container]}}))
    assert error.element == "$.args.spec.containers[0]" + element


def test_an_app_of_two_containers_is_refused_rather_than_half_honoured() -> None:
    error = refusal(written(verb="deploy", args={"app": "a", "spec": {"containers": [{"image": "a"}] * 2}}))
    assert error.element == "$.args.spec.containers"


@pytest.mark.parametrize(
    ("payload", "command_id", "verb"),
    [
        (written(issuer=...), "c-1", "stop"),
        (written(args={}), "c-1", "stop"),
        (written(verb=7), "c-1", None),
        (written(id="../x"), None, "stop"),
        (written(id=...), None, "stop"),
        (b"[]", None, None),
        (b'{"id":"c-1","verb":"stop"', None, None),
    ],
)
def test_the_sender_can_be_answered_wherever_an_id_can_be_read(
    payload: bytes, command_id: str | None, verb: str | None
) -> None:
    error = refusal(payload)
    assert (error.command_id, error.verb) == (command_id, verb)


def test_an_unknown_verb_is_refused_as_one_with_the_verbs_that_there_are() -> None:
    error = refusal(written(verb="explode"))
    assert (error.category, error.element, error.command_id) == (Category.UNKNOWN_VERB, "verb", "c-1")
    assert "'explode'" in str(error)
    assert "deploy, stop, start" in str(error)


def test_a_verb_is_never_echoed_at_length() -> None:
    error = refusal(written(verb="v" * 200_000))
    assert len(str(error)) < 300
    assert error.verb == "v" * 64


def test_size_is_looked_at_before_anything_else() -> None:
    just_fits = written(issuer="x" * (MAX_COMMAND_BYTES - len(written(issuer=""))))
    assert len(just_fits) == MAX_COMMAND_BYTES
    assert decode_command(just_fits).id == "c-1"
    error = refusal(just_fits + b" ")
    assert (error.category, error.command_id) == (Category.TOO_LARGE, None)


def _deep(opening: bytes) -> bytes:
    return opening * 40_000


@pytest.mark.parametrize(
    "payload",
    [
        _deep(b"["),
        _deep(b'{"a":'),
        written(args=7).replace(b"7", b"[" * 80_000 + b"]" * 80_000),
        written(args=...)[:-1] + b',"later":' + b"[" * 80_000 + b"]" * 80_000 + b"}",
    ],
)
def test_deep_nesting_is_refused_and_not_a_crash(payload: bytes) -> None:
    assert refusal(payload).category is Category.MALFORMED


def test_deep_nesting_in_a_tag_value_is_refused_and_not_a_crash() -> None:
    payload = b'{"epoch":"e","plc":"p","seq":0,"values":[{"name":"t","value":%b}]}' % _deep(b"[")
    with pytest.raises(ContractError):
        decode(TagBatch, payload)


def test_a_message_without_a_time_zone_is_refused() -> None:
    at = b'{"command_id":"c","node":"a/b","seq":0,"phase":"running","at":"2026-05-04T08:30:00"}'
    with pytest.raises(ContractError) as caught:
        decode(Outcome, at)
    assert caught.value.element == "$.at"
    with pytest.raises(ContractError) as caught:
        decode(TagBatch, b'{"epoch":"e","plc":"p","seq":0,"values":[{"name":"t","time":"2026-05-04T08:30:00"}]}')
    assert caught.value.element == "$.values[0].time"


def test_a_phase_that_is_none_is_refused_with_the_place() -> None:
    with pytest.raises(ContractError) as caught:
        decode(Outcome, b'{"command_id":"c","node":"a/b","seq":0,"phase":"done","at":"2026-05-04T08:30:00Z"}')
    assert caught.value.element == "$.phase"


def test_a_good_value_travels_as_name_value_and_time_alone() -> None:
    batch = TagBatch(epoch="e", plc="p", seq=3, values=(TagValue(name="t", value=1.5, time=NOW),))
    assert encode(batch) == (
        b'{"epoch":"e","plc":"p","seq":3,"values":[{"name":"t","value":1.5,"time":"2026-05-04T08:30:00Z"}]}'
    )


def test_the_verb_stands_beside_the_arguments() -> None:
    command = decode_command(written())
    assert json.loads(encode_command(command)) == BARE


@pytest.mark.parametrize("phase", Phase)
def test_the_endings_are_these_six(phase: Phase) -> None:
    assert phase.is_end == (phase in {"succeeded", "failed", "rejected", "expired", "cancelled", "superseded"})


def _cut(payload: bytes) -> list[bytes]:
    return [payload[:length] for length in range(0, len(payload), 4)]


def _flipped(payload: bytes) -> list[bytes]:
    return [payload[:at] + bytes([payload[at] ^ 0x80]) + payload[at + 1 :] for at in range(0, len(payload), 4)]


def _doubled_quotes(payload: bytes) -> list[bytes]:
    return [payload[:at] + b'"' + payload[at:] for at in range(1, len(payload), 4)]


@pytest.mark.parametrize("spoiled", [_cut, _flipped, _doubled_quotes])
def test_a_hundred_damaged_commands_are_refused_and_nothing_else_is_raised(
    spoiled: Callable[[bytes], list[bytes]],
) -> None:
    payloads = spoiled(written())
    assert len(payloads) > 40
    for payload in payloads:
        assert refusal(payload).category is Category.MALFORMED


def taken(payload: bytes) -> Command | ContractError:
    try:
        return decode_command(payload)
    except ContractError as error:
        return error


@pytest.mark.parametrize("value", [None, True, -1, 1e308, 2**64, "", "\0", "ü" * 1000, [], [[]], {}, {"app": {}}])
@pytest.mark.parametrize("field", ["id", "verb", "target", "issuer", "issued_at", "expires_at", "args"])
def test_any_value_in_any_place_is_read_or_refused(field: str, value: Any) -> None:
    match taken(written(**{field: value})):
        case ContractError() as error:
            assert error.category in (Category.MALFORMED, Category.UNKNOWN_VERB)
            assert error.command_id == (None if field == "id" else "c-1")
        case command:
            assert field in ("target", "issuer")
            assert decode_command(encode_command(command)) == command
