"""The HTTP server: uvicorn on a socket that is bound before anything else starts, so a taken port is said at once."""

import contextlib
import socket
from collections.abc import Callable, Iterator

import uvicorn
from litestar import Litestar

GRACE_S = 3
"""What is still being answered when the server is told to stop gets so long."""


class ListenError(Exception):
    """The address can't be listened on."""


def bind(listen: str) -> socket.socket:
    """Take `HOST:PORT` (`[::1]:8080` for IPv6; port 0 for a free one); raises ListenError that says what is wrong."""
    host, port = _parse(listen)
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    bound = socket.socket(family, socket.SOCK_STREAM)
    try:
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        bound.bind((host, port))
        bound.listen(512)
    except OSError as error:
        bound.close()
        raise ListenError(f"{listen} can't be listened on: {error.strerror or error}") from error
    bound.setblocking(False)
    return bound


def url_of(bound: socket.socket) -> str:
    """Where a browser finds it."""
    host, port = bound.getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


class Server(uvicorn.Server):
    """Serves one application on one socket. Signals belong to whoever composes the process."""

    def __init__(self, site: Litestar, *, on_started: Callable[[], None]) -> None:
        super().__init__(
            uvicorn.Config(
                site,
                lifespan="off",
                access_log=False,
                log_config=None,
                server_header=False,
                timeout_graceful_shutdown=GRACE_S,
            )
        )
        self._on_started = on_started

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leave signals alone."""
        yield

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Start, and say so."""
        await super().startup(sockets)
        self._on_started()


def _parse(listen: str) -> tuple[str, int]:
    host, colon, port = listen.rpartition(":")
    if not (colon and port.isascii() and port.isdigit() and int(port) <= 0xFFFF):
        raise ListenError(f"{listen!r} is no address: HOST:PORT, for example 127.0.0.1:8080")
    return host.strip("[]") or "0.0.0.0", int(port)
