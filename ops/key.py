"""Read the private key that commands are signed with: Ed25519, PEM, as `openssl genpkey -algorithm ed25519` writes."""

from pathlib import Path

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from ops.errand import Signer


class UnusableKeyError(Exception):
    """A key file that commands can't be signed with; the message says what would be right."""


def read_signer(path: Path, *, key_id: str | None = None) -> Signer:
    """Read a key; its id is the file's name without suffix unless one is given. Raises UnusableKeyError."""
    try:
        key = load_pem_private_key(path.read_bytes(), password=None)
    except OSError as error:
        raise UnusableKeyError(f"{path}: {error.strerror}") from error
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        raise UnusableKeyError(f"{path} is not an unencrypted private key in PEM: {error}") from error
    if not isinstance(key, Ed25519PrivateKey):
        raise UnusableKeyError(f"{path} holds no Ed25519 key; make one: openssl genpkey -algorithm ed25519 -out {path}")
    return Signer(key_id or path.stem, key.sign)
