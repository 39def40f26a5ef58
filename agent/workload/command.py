"""Whether a command is believed: size, then signature, then content, then target, then time. Pure.

The order is the defence: nothing looks into a payload that is too large, nothing acts on one whose signature doesn't
hold. Only so much is read from a refused one that its sender can be answered.
"""

from collections.abc import Mapping
from datetime import datetime

from msgspec import Struct

from wire.codec import MAX_COMMAND_BYTES, ContractError, decode_command
from wire.messages import Category, Command, Fault, Phase
from wire.signature import Check, Signature, SignatureRefusedError, verify
from wire.topics import NodeName, matches


class Trust(Struct, frozen=True, kw_only=True):
    """What this node believes."""

    node: NodeName
    require_signature: bool = False
    trusted: Mapping[str, Check] = {}


class Admitted(Struct, frozen=True, kw_only=True):
    """A command that will have its turn."""

    command: Command


class Refused(Struct, frozen=True, kw_only=True):
    """A message that won't. `claims` tells whether its id is used up: not by one that nobody trusted has signed."""

    fault: Fault
    phase: Phase = Phase.REJECTED
    command_id: str | None = None
    verb: str | None = None
    app: str | None = None
    claims: bool = True


def admit(payload: bytes, signature: Signature | None, trust: Trust, now: datetime) -> Admitted | Refused:
    """Judge one message from a command topic."""
    if len(payload) > MAX_COMMAND_BYTES:
        message = f"{len(payload)} bytes are more than the {MAX_COMMAND_BYTES} that a command may have"
        return Refused(fault=_fault(Category.TOO_LARGE, "payload", message), claims=False)
    distrust = _distrust(payload, signature, trust)
    if distrust is not None:
        command_id, verb = _traces(payload)
        fault = _fault(Category.SIGNATURE, "signature", distrust)
        return Refused(fault=fault, command_id=command_id, verb=verb, claims=False)
    try:
        command = decode_command(payload)
    except ContractError as error:
        fault = _fault(error.category, error.element, str(error))
        return Refused(fault=fault, command_id=error.command_id, verb=error.verb)
    return _judge(command, trust, now)


def _distrust(payload: bytes, signature: Signature | None, trust: Trust) -> str | None:
    """Why the signature isn't believed. Where none is required, one by a key that is trusted must hold all the same."""
    if not trust.require_signature and (signature is None or signature.key_id not in trust.trusted):
        return None
    try:
        verify(payload, signature, trusted=trust.trusted)
    except SignatureRefusedError as error:
        return str(error)
    return None


def _judge(command: Command, trust: Trust, now: datetime) -> Admitted | Refused:
    if not matches(command.target, trust.node):
        message = f"it is for {command.target!r}, and this node is {trust.node}"
        return _refused(command, Phase.REJECTED, _fault(Category.TARGET, "$.target", message))
    if now >= command.expires_at:
        message = f"it had to begin by {command.expires_at.isoformat()}"
        return _refused(command, Phase.EXPIRED, _fault(Category.EXPIRED, "$.expires_at", message))
    return Admitted(command=command)


def _refused(command: Command, phase: Phase, fault: Fault) -> Refused:
    return Refused(fault=fault, phase=phase, command_id=command.id, verb=command.verb, app=command.app)


def _traces(payload: bytes) -> tuple[str | None, str | None]:
    """Id and verb of what isn't trusted, for the answer alone."""
    try:
        command = decode_command(payload)
    except ContractError as error:
        return error.command_id, error.verb
    return command.id, command.verb


def _fault(category: Category, element: str, message: str) -> Fault:
    return Fault(phase="admit", component="command", element=element, category=category, message=message)
