"""A command is believed for its signature: Ed25519 over DSSE's pre-authentication encoding of the exact payload bytes.

The payload stays plain JSON; key id and signature travel beside it, in the MQTT 5 user properties `key-id` and
`signature`. The arithmetic is the caller's (a `Sign` or a `Check`), so that this contract needs no library.
Source of the encoding: DSSE protocol 1.0, "PAE".
"""

import base64
from collections.abc import Callable, Iterable, Mapping

import msgspec

PAYLOAD_TYPE = "application/vnd.millwright.command+json"
KEY_ID_PROPERTY = "key-id"
SIGNATURE_PROPERTY = "signature"

Sign = Callable[[bytes], bytes]
"""Message to signature: 64 bytes for Ed25519."""
Check = Callable[[bytes, bytes], bool]
"""(signature, message) to whether it holds."""


class Signature(msgspec.Struct, frozen=True):
    """Who signed, and what came of it (base64)."""

    key_id: str
    value: str

    def as_properties(self) -> list[tuple[str, str]]:
        """The MQTT 5 user properties that carry it."""
        return [(KEY_ID_PROPERTY, self.key_id), (SIGNATURE_PROPERTY, self.value)]


class SignatureRefusedError(Exception):
    """A payload that is not signed by a trusted key; the message says what is wrong."""


def pre_authentication_encoding(payload: bytes) -> bytes:
    """What is signed: type and payload, each with its length, so that nothing can move between them."""
    kind = PAYLOAD_TYPE.encode()
    return b"DSSEv1 %d %b %d %b" % (len(kind), kind, len(payload), payload)


def sign(payload: bytes, *, key_id: str, using: Sign) -> Signature:
    """Sign the bytes that will be published."""
    value = using(pre_authentication_encoding(payload))
    return Signature(key_id, base64.b64encode(value).decode())


def signature_in(properties: Iterable[tuple[str, str]]) -> Signature | None:
    """Find the signature in a message's user properties; None where there is none. A name that occurs twice is none."""
    given = list(properties)
    key_ids = [value for name, value in given if name == KEY_ID_PROPERTY]
    values = [value for name, value in given if name == SIGNATURE_PROPERTY]
    return Signature(key_ids[0], values[0]) if len(key_ids) == len(values) == 1 else None


def verify(payload: bytes, signature: Signature | None, *, trusted: Mapping[str, Check]) -> str:
    """Return the id of the trusted key that signed exactly these bytes; raises SignatureRefusedError."""
    if signature is None:
        raise SignatureRefusedError("it is not signed, and this node takes signed commands alone")
    check = trusted.get(signature.key_id)
    if check is None:
        raise SignatureRefusedError(f"key {signature.key_id!r} is not trusted on this node")
    try:
        value = base64.b64decode(signature.value, validate=True)
    except ValueError as error:  # binascii.Error is one; text beyond ASCII raises the plain kind
        raise SignatureRefusedError("the signature is not base64") from error
    if not check(value, pre_authentication_encoding(payload)):
        raise SignatureRefusedError(f"the signature by key {signature.key_id!r} does not fit the payload")
    return signature.key_id
