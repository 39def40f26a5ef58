"""A command is believed for its signature: over these bytes, by this key, or not at all."""

import base64
from collections.abc import Callable

import pytest
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st

from wire.signature import (
    PAYLOAD_TYPE,
    Check,
    Signature,
    SignatureRefusedError,
    pre_authentication_encoding,
    sign,
    signature_in,
    verify,
)

OPS = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
OTHER = Ed25519PrivateKey.from_private_bytes(bytes(32))
PAYLOAD = b'{"id":"c-1","verb":"ping","target":"*"}'


def check_with(key: Ed25519PrivateKey) -> Check:
    def check(signature: bytes, message: bytes) -> bool:
        try:
            key.public_key().verify(signature, message)
        except InvalidSignature:
            return False
        return True

    return check


TRUSTED = {"ops": check_with(OPS)}
SIGNED = sign(PAYLOAD, key_id="ops", using=OPS.sign)


def test_the_encoding_is_dsse_s() -> None:
    assert pre_authentication_encoding(b"hello world") == (
        b"DSSEv1 39 application/vnd.millwright.command+json 11 hello world"
    )
    assert len(PAYLOAD_TYPE) == 39


@given(st.binary(max_size=200), st.binary(max_size=200))
def test_two_payloads_are_never_encoded_alike(one: bytes, other: bytes) -> None:
    assert (pre_authentication_encoding(one) == pre_authentication_encoding(other)) == (one == other)


def test_a_signed_payload_is_believed_and_its_signer_named() -> None:
    assert verify(PAYLOAD, SIGNED, trusted=TRUSTED) == "ops"


def test_the_signature_travels_in_user_properties() -> None:
    carried = [("trace", "7"), *SIGNED.as_properties()]
    assert signature_in(carried) == SIGNED


@given(st.integers(0, len(PAYLOAD) - 1), st.integers(1, 255))
def test_one_altered_byte_is_refused(at: int, flip: int) -> None:
    altered = bytes(byte ^ flip if index == at else byte for index, byte in enumerate(PAYLOAD))
    with pytest.raises(SignatureRefusedError, match="does not fit"):
        verify(altered, SIGNED, trusted=TRUSTED)


@pytest.mark.parametrize("payload", [PAYLOAD + b" ", PAYLOAD[:-1], b""])
def test_a_longer_or_shorter_payload_is_refused(payload: bytes) -> None:
    with pytest.raises(SignatureRefusedError, match="does not fit"):
        verify(payload, SIGNED, trusted=TRUSTED)


def _without_type(payload: bytes) -> bytes:
    return payload


def _with_other_type(payload: bytes) -> bytes:
    return pre_authentication_encoding(payload).replace(b"command+json", b"outcome+json")


@pytest.mark.parametrize("encode", [_without_type, _with_other_type])
def test_a_signature_over_the_same_bytes_as_another_type_is_refused(encode: Callable[[bytes], bytes]) -> None:
    stolen = Signature("ops", base64.b64encode(OPS.sign(encode(PAYLOAD))).decode())
    with pytest.raises(SignatureRefusedError, match="does not fit"):
        verify(PAYLOAD, stolen, trusted=TRUSTED)


def test_another_key_under_a_trusted_name_is_refused() -> None:
    with pytest.raises(SignatureRefusedError, match="does not fit"):
        verify(PAYLOAD, sign(PAYLOAD, key_id="ops", using=OTHER.sign), trusted=TRUSTED)


def test_a_key_that_the_node_does_not_know_is_refused_by_name() -> None:
    with pytest.raises(SignatureRefusedError, match="'intruder' is not trusted"):
        verify(PAYLOAD, sign(PAYLOAD, key_id="intruder", using=OTHER.sign), trusted=TRUSTED)


def test_an_unsigned_payload_is_refused() -> None:
    with pytest.raises(SignatureRefusedError, match="not signed"):
        verify(PAYLOAD, signature_in([]), trusted=TRUSTED)


@pytest.mark.parametrize("value", ["", "AAAA", "not base64!", "é", "AA==\n", "=", "A" * 100_000])
def test_a_signature_that_is_none_is_refused_and_not_a_crash(value: str) -> None:
    with pytest.raises(SignatureRefusedError):
        verify(PAYLOAD, Signature("ops", value), trusted=TRUSTED)


GOOD = SIGNED.as_properties()


@pytest.mark.parametrize(
    "properties",
    [
        GOOD[:1],
        GOOD[1:],
        [*GOOD, ("signature", "AAAA")],
        [*GOOD, ("key-id", "other")],
        [*GOOD, *GOOD],
        [("Key-Id", "ops"), ("Signature", SIGNED.value)],
    ],
)
def test_a_half_given_or_twice_given_signature_is_none(properties: list[tuple[str, str]]) -> None:
    assert signature_in(properties) is None
