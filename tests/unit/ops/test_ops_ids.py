"""Ids of commands: UUIDv7, names of the contract, in the order in which they were made."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ops.ids import new_command_id, uuid7
from wire.topics import is_name

moments = st.integers(0, 2**48 - 1)
randoms = st.binary(min_size=10, max_size=10)


def test_it_is_the_rfc_s_example() -> None:
    """RFC 9562, appendix A.6: 2022-02-22 14:22:22 -05:00, rand_a 0xCC3, rand_b 0x18C4DC0C0C07398F."""
    random = (0xCC3 << 64 | 0x18C4DC0C0C07398F).to_bytes(10, "big")
    assert str(uuid7(0x017F22E279B0, random)) == "017f22e2-79b0-7cc3-98c4-dc0c0c07398f"


@given(moments, randoms)
def test_version_and_variant_are_those_of_a_uuid_7(moment: int, random: bytes) -> None:
    made = uuid7(moment, random)
    assert (made.version, made.variant) == (7, "specified in RFC 4122")
    assert made.int >> 80 == moment
    assert is_name(str(made))


@given(moments, moments, randoms, randoms)
def test_they_sort_by_time(one: int, other: int, first: bytes, second: bytes) -> None:
    if one != other:
        assert (str(uuid7(one, first)) < str(uuid7(other, second))) == (one < other)


def test_too_little_randomness_is_refused() -> None:
    with pytest.raises(ValueError, match="10 random bytes"):
        uuid7(0, b"short")


def test_no_two_are_alike() -> None:
    assert len({new_command_id() for _ in range(1000)}) == 1000
