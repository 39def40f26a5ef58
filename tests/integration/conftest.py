"""The real parts, started on demand."""

from tests.support.fixtures import *  # noqa: F403  pytest finds fixtures by name
from tests.support.spool_life import life  # noqa: F401
