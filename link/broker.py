"""Where a broker is and how one is let in."""

import ssl
from pathlib import Path
from typing import Annotated
from urllib.parse import unquote, urlsplit

from msgspec import Meta, Struct

_PORTS = {"mqtt": 1883, "mqtts": 8883}


class Broker(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A broker's address and credentials. With `ca_file` or `tls`, nothing is sent before the broker is verified."""

    host: Annotated[str, Meta(min_length=1)] = "127.0.0.1"
    """Name or address."""
    port: Annotated[int, Meta(ge=1, le=65535)] = 1883
    """1883 is usual for plain TCP, 8883 with TLS."""
    username: str | None = None
    """Who we are to the broker; its ACL goes by this name."""
    password: str | None = None
    """The password itself; better is `password_file`."""
    password_file: str | None = None
    """Read at every connect, so that a secret can be renewed while running; wins over `password`."""
    tls: bool = False
    """Speak TLS and verify the broker's certificate and name."""
    ca_file: str | None = None
    """PEM of the authority that signed the broker's certificate; left out, `tls` trusts the system's own."""
    cert_file: str | None = None
    """PEM certificate of our own, where the broker asks for one."""
    key_file: str | None = None
    """PEM private key of `cert_file`."""
    keepalive_s: Annotated[int, Meta(ge=5, le=65535)] = 30
    """A connection silent for one and a half times so long is lost."""

    def secret(self) -> str | None:
        """The password as it is now; raises OSError where its file can't be read."""
        if self.password_file is not None:
            return Path(self.password_file).read_text(encoding="utf-8").strip()
        return self.password

    def tls_context(self) -> ssl.SSLContext | None:
        """How to verify the broker; None for plain TCP. Raises OSError or ssl.SSLError for unusable files."""
        if not (self.tls or self.ca_file):
            return None
        context = ssl.create_default_context(cafile=self.ca_file)
        if self.cert_file is not None:
            context.load_cert_chain(self.cert_file, self.key_file)
        return context

    def __str__(self) -> str:
        return f"{'mqtts' if self.tls or self.ca_file else 'mqtt'}://{self.host}:{self.port}"


def parse_broker_url(url: str) -> Broker:
    """Read `mqtt[s]://[user[:password]@]host[:port]`; raises ValueError that says what is wrong, without the secret.

    User and password are percent-encoded where they have characters that mean something in an address.
    """
    parts = urlsplit(url if "://" in url else f"mqtt://{url}")
    try:
        default = _PORTS[parts.scheme]
        port = default if parts.port is None else parts.port
    except (KeyError, ValueError):
        port = 0
    if not (parts.hostname and port) or parts.path.strip("/") or parts.query or parts.fragment:
        shown = url.rpartition("@")[2]
        raise ValueError(f"{shown!r} is not a broker's address: mqtt://host:1883 or mqtts://host:8883")
    return Broker(
        host=parts.hostname,
        port=port,
        username=unquote(parts.username) if parts.username else None,
        password=unquote(parts.password) if parts.password else None,
        tls=parts.scheme == "mqtts",
    )
