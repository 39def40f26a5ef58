"""What every test may ask for. The real parts stand in `tests/support` and are started on demand."""

import itertools

import pytest

from wire.topics import NodeName

_numbers = itertools.count(1)


@pytest.fixture
def node() -> NodeName:
    """A node of this test alone, so that what one test leaves retained at the broker is not the next one's."""
    number = next(_numbers)
    return NodeName(f"plant-{number}", f"press-{number}")
