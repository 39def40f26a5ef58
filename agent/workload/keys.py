"""The keys that this node trusts, as checks of a signature."""

import base64
import binascii
from collections.abc import Mapping

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from agent.errors import ConfigError
from wire.signature import Check


def trusted_checks(keys: Mapping[str, str]) -> dict[str, Check]:
    """Key id to check, from key id to base64 of 32 bytes; raises ConfigError that names the key."""
    return {key_id: _check(key_id, text) for key_id, text in keys.items()}


def _check(key_id: str, text: str) -> Check:
    try:
        key = Ed25519PublicKey.from_public_bytes(base64.b64decode(text, validate=True))
    except (binascii.Error, ValueError) as error:
        where, remedy = f"commands.trusted_keys.{key_id}", "Give the base64 of an Ed25519 public key's 32 bytes."
        raise ConfigError(f"not a public key: {error}", where=where, remedy=remedy) from error

    def holds(signature: bytes, message: bytes) -> bool:
        try:
            key.verify(signature, message)
        except InvalidSignature:
            return False
        return True

    return holds
