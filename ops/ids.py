"""Names for commands: UUIDv7, which sort by the time at which they were made (RFC 9562, 5.7)."""

import secrets
import time
from uuid import UUID


def uuid7(unix_ms: int, random: bytes) -> UUID:
    """Make the UUIDv7 of a moment in milliseconds since 1970 and ten random bytes."""
    if len(random) != 10:
        raise ValueError(f"a UUIDv7 takes 10 random bytes, not {len(random)}")
    bits = (unix_ms & (2**48 - 1)) << 80 | int.from_bytes(random, "big")
    version_and_variant = 0xF << 76 | 0b11 << 62
    return UUID(int=bits & ~version_and_variant | 7 << 76 | 0b10 << 62)


def new_command_id() -> str:
    """An id that no other command has."""
    return str(uuid7(time.time_ns() // 1_000_000, secrets.token_bytes(10)))
