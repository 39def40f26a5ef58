"""What every test may ask for. The real parts stand in `tests/support` and are started on demand."""

import itertools
import os

import pytest

from wire.topics import NodeName

_numbers = itertools.count(1)


@pytest.fixture
def node() -> NodeName:
    """A node of this test alone: what it leaves at broker and engine is not the next one's, nor another run's."""
    number = next(_numbers)
    return NodeName(f"plant-{os.getpid()}-{number}", f"press-{number}")
