"""What is believed, and in which order it is judged."""

import msgspec
import pytest

from agent.workload.command import Admitted, Refused, Trust, admit
from tests.support.workload_values import at, command
from wire.codec import MAX_COMMAND_BYTES, encode_command
from wire.messages import Category, Phase, Ping
from wire.signature import Signature, sign
from wire.topics import NodeName

NODE = NodeName("plant", "press")
OPEN = Trust(node=NODE)
STRICT = Trust(node=NODE, require_signature=True, trusted={"ops": lambda value, message: value == b"signed:" + message})
TRUSTING = msgspec.structs.replace(STRICT, require_signature=False)
PING = encode_command(command(Ping()))
SIGNED = sign(PING, key_id="ops", using=lambda message: b"signed:" + message)
FORGED = sign(PING, key_id="ops", using=lambda message: b"forged:" + message)
STRANGER = sign(PING, key_id="stranger", using=lambda message: b"signed:" + message)
NOW = at(1)


def payload(**changes: object) -> bytes:
    return msgspec.json.encode(msgspec.json.decode(PING) | changes)


@pytest.mark.parametrize(
    ("trust", "signature"), [(OPEN, None), (OPEN, FORGED), (STRICT, SIGNED), (TRUSTING, None), (TRUSTING, STRANGER)]
)
def test_admitted(trust: Trust, signature: Signature | None) -> None:
    assert admit(PING, signature, trust, NOW) == Admitted(command=command(Ping()))


@pytest.mark.parametrize(
    ("trust", "signature"), [(STRICT, None), (STRICT, FORGED), (STRICT, STRANGER), (TRUSTING, FORGED)]
)
def test_not_believed_and_its_id_not_used_up(trust: Trust, signature: Signature | None) -> None:
    refused = admit(PING, signature, trust, NOW)
    assert isinstance(refused, Refused)
    assert (refused.fault.category, refused.command_id, refused.claims) == (Category.SIGNATURE, "now", False)


def test_altered_byte_breaks_the_signature() -> None:
    altered = PING.replace(b'"issuer":"ops"', b'"issuer":"opt"')
    refused = admit(altered, SIGNED, STRICT, NOW)
    assert isinstance(refused, Refused)
    assert refused.fault.category is Category.SIGNATURE


@pytest.mark.parametrize(
    ("bad", "category", "phase", "command_id"),
    [
        (b"x" * (MAX_COMMAND_BYTES + 1), Category.TOO_LARGE, Phase.REJECTED, None),
        (PING + b" " * MAX_COMMAND_BYTES, Category.TOO_LARGE, Phase.REJECTED, None),
        (b"", Category.MALFORMED, Phase.REJECTED, None),
        (b"\xff", Category.MALFORMED, Phase.REJECTED, None),
        (b"[" * 5000, Category.MALFORMED, Phase.REJECTED, None),
        (payload(id="a/b"), Category.MALFORMED, Phase.REJECTED, None),
        (payload(issuer=1), Category.MALFORMED, Phase.REJECTED, "now"),
        (payload(verb="explode"), Category.UNKNOWN_VERB, Phase.REJECTED, "now"),
        (payload(verb="stop", args={}), Category.MALFORMED, Phase.REJECTED, "now"),
        (payload(target="plant/other"), Category.TARGET, Phase.REJECTED, "now"),
        (payload(target="other/*"), Category.TARGET, Phase.REJECTED, "now"),
        (payload(expires_at=at(1).isoformat()), Category.EXPIRED, Phase.EXPIRED, "now"),
    ],
)
def test_refused(bad: bytes, category: Category, phase: Phase, command_id: str | None) -> None:
    refused = admit(bad, None, OPEN, NOW)
    assert isinstance(refused, Refused)
    assert (refused.fault.category, refused.phase, refused.command_id) == (category, phase, command_id)
    assert refused.claims == (category is not Category.TOO_LARGE)


@pytest.mark.parametrize("target", ["*", "plant/*", "plant/press"])
def test_broadcasts_are_for_this_node_too(target: str) -> None:
    assert isinstance(admit(payload(target=target), None, OPEN, NOW), Admitted)


def test_size_is_judged_before_the_signature_and_the_signature_before_the_content() -> None:
    def explode(_value: bytes, _message: bytes) -> bool:
        raise AssertionError("nothing may look into it")

    trust = Trust(node=NODE, require_signature=True, trusted={"ops": explode})
    large = admit(b"x" * (MAX_COMMAND_BYTES + 1), SIGNED, trust, NOW)
    assert isinstance(large, Refused)
    malformed = admit(b"{}", FORGED, STRICT, NOW)
    assert isinstance(malformed, Refused)
    assert malformed.fault.category is Category.SIGNATURE
