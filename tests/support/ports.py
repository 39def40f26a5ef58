"""Free ports on loopback: several test runs share a machine."""

import asyncio
import contextlib
import socket
import time


def free_port() -> int:
    """A port on 127.0.0.1 that nobody listens on just now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def wait_until_listening(port: int, *, within_s: float = 10.0) -> None:
    """Return when somebody accepts connections there; raises TimeoutError."""
    deadline = time.monotonic() + within_s
    while time.monotonic() < deadline:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
            return
        time.sleep(0.02)
    raise TimeoutError(f"nobody listens on port {port} after {within_s:g} s")


async def listening(port: int, *, within_s: float = 10.0) -> None:
    """The same, without holding up the event loop."""
    await asyncio.to_thread(wait_until_listening, port, within_s=within_s)
