"""Between messages and bytes: one encoder, typed decoders, and one error for all that can be wrong with a payload."""

import re
from threading import Lock
from typing import Any, TypeVar

import msgspec

from wire.messages import VERBS, Category, Command, CommandId, Time
from wire.topics import is_name

MAX_COMMAND_BYTES = 256 * 1024
"""A command larger than this is refused before anything looks into it."""

_T = TypeVar("_T")
_MISSING = re.compile("Object missing required field `([^`]+)`")
_encoder = msgspec.json.Encoder()
_decoders: dict[Any, msgspec.json.Decoder[Any]] = {}
_making = Lock()


class ContractError(Exception):
    """A payload that is not what the contract says.

    `category` says which rule it broke, `element` the field; `command_id` and `verb` are what could still be read, so
    that the sender can be answered.
    """

    def __init__(
        self,
        message: str,
        *,
        category: Category = Category.MALFORMED,
        element: str = "payload",
        command_id: str | None = None,
        verb: str | None = None,
    ) -> None:
        super().__init__(message)
        self.category = category
        self.element = element
        self.command_id = command_id
        self.verb = verb


class _Envelope(msgspec.Struct):
    """A command whose arguments are not looked at yet."""

    id: CommandId
    verb: str
    target: str
    issuer: str
    issued_at: Time
    expires_at: Time
    args: msgspec.Raw = msgspec.Raw(b"{}")


class _Traces(msgspec.Struct):
    """What may still be readable in a command that is not one."""

    id: Any = None
    verb: Any = None


def encode(message: msgspec.Struct) -> bytes:
    """Write any message but a command as JSON."""
    return _encoder.encode(message)


def decode(kind: type[_T], payload: bytes) -> _T:
    """Read a message of `kind`; raises ContractError."""
    try:
        return _decoder_of(kind).decode(payload)  # type: ignore[no-any-return]
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise ContractError(str(error), element=_path_in(error)) from error


def _decoder_of(kind: Any) -> msgspec.json.Decoder[Any]:
    """Made at first use, by one thread at a time: msgspec keeps what it learns of a Struct on the class while it is
    still learning, and another thread that met the half of it would crash the process (msgspec 0.22, tried)."""
    decoder = _decoders.get(kind)
    if decoder is None:
        with _making:
            decoder = _decoders.setdefault(kind, msgspec.json.Decoder(kind))
    return decoder


def encode_command(command: Command) -> bytes:
    """Write a command as JSON, its verb beside its arguments."""
    args = msgspec.Raw(_encoder.encode(command.args))
    return _encoder.encode(
        _Envelope(
            command.id,
            command.verb,
            command.target,
            command.issuer,
            command.issued_at,
            command.expires_at,
            args,
        )
    )


def decode_command(payload: bytes) -> Command:
    """Read a command; raises ContractError, with the id and the verb where they can be read."""
    if len(payload) > MAX_COMMAND_BYTES:
        message = f"{len(payload)} bytes are more than the {MAX_COMMAND_BYTES} that a command may have"
        raise ContractError(message, category=Category.TOO_LARGE)
    try:
        return _open(decode(_Envelope, payload))
    except ContractError as error:
        error.command_id, error.verb = _traces_of(payload)
        raise


def _open(envelope: _Envelope) -> Command:
    args = VERBS.get(envelope.verb)
    if args is None:
        known = ", ".join(VERBS)
        message = f"{envelope.verb[:64]!r} is none of the verbs that this version knows: {known}"
        raise ContractError(message, category=Category.UNKNOWN_VERB, element="verb")
    return Command(
        id=envelope.id,
        target=envelope.target,
        issuer=envelope.issuer,
        issued_at=envelope.issued_at,
        expires_at=envelope.expires_at,
        args=_decode_args(args, bytes(envelope.args)),
    )


def _decode_args(kind: type[_T], payload: bytes) -> _T:
    try:
        return decode(kind, payload)
    except ContractError as error:
        error.element = "$.args" + error.element.removeprefix("payload").removeprefix("$")
        raise


def _traces_of(payload: bytes) -> tuple[str | None, str | None]:
    try:
        traces = decode(_Traces, payload)
    except ContractError:
        return None, None
    readable = isinstance(traces.id, str) and is_name(traces.id)
    verb = traces.verb if isinstance(traces.verb, str) else None
    return (traces.id if readable else None), (verb[:64] if verb else None)


def _path_in(error: Exception) -> str:
    """msgspec ends its messages with the place, ``… - at `$.args.app` ``, and names a missing field before it."""
    missing = _MISSING.match(str(error))
    _, found, rest = str(error).rpartition(" - at `")
    place = rest.rstrip("`") if found else "$"
    if missing:
        return f"{place}.{missing[1]}"
    return place if found else "payload"
