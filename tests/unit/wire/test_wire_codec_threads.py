"""Decoding from several threads: the store's thread and the event loop's both do."""

import subprocess
import sys

FIRST_USE_BY_FOUR_THREADS = """
import sys, threading, msgspec
from wire.codec import decode
sys.setswitchinterval(1e-6)
for number in range(40):
    inner = msgspec.defstruct(f"Inner{number}", [(f"f{field}", int, 0) for field in range(20)])
    outer = msgspec.defstruct(f"Outer{number}", [("a", inner), ("b", tuple[inner, ...], ())])
    together = threading.Barrier(4)
    def work():
        together.wait()
        assert decode(outer, b'{"a": {"f1": 3}}').a.f1 == 3
    threads = [threading.Thread(target=work) for _ in range(4)]
    [thread.start() for thread in threads]
    [thread.join() for thread in threads]
"""


def test_first_use_of_a_message_by_several_threads_at_once() -> None:
    """In a process of its own, because what went wrong here was a segmentation fault."""
    done = subprocess.run(
        [sys.executable, "-c", FIRST_USE_BY_FOUR_THREADS], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
