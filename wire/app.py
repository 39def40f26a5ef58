"""What an app is: the description that a `deploy` carries and that a node keeps as a revision.

An app is one or more containers with a shared lifecycle. A node runs one container an app for now; a description with
more is refused by its decoder, so that nobody believes that it was honoured.
"""

from typing import Annotated, Literal

from msgspec import Meta, Struct

Name = Annotated[str, Meta(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*\Z", max_length=64)]
"""`\\Z`, for `$` would let a newline stand behind the name."""
Port = Annotated[int, Meta(ge=1, le=65535)]
Seconds = Annotated[float, Meta(gt=0, le=86400)]


class PublishedPort(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A port of the container, published on the node."""

    container: Port
    host: Port
    address: str = "127.0.0.1"
    """The node's address to publish on; `0.0.0.0` for all."""
    protocol: Literal["tcp", "udp"] = "tcp"


class Mount(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A named volume or a directory of the node, inside the container."""

    source: Annotated[str, Meta(min_length=1)]
    """A volume's name, or an absolute path of the node."""
    target: Annotated[str, Meta(pattern=r"^/")]
    read_only: bool = False


class Healthcheck(Struct, frozen=True, kw_only=True, omit_defaults=True, tag_field="by", tag="healthcheck"):
    """Healthy when Docker's HEALTHCHECK says so; `test` and its times replace the image's own."""

    test: tuple[str, ...] = ()
    """As in Docker: `("CMD", …)` or `("CMD-SHELL", …)`; empty takes the image's."""
    interval_s: Seconds = 2.0
    timeout_s: Seconds = 2.0
    retries: Annotated[int, Meta(ge=1, le=100)] = 3
    start_period_s: Annotated[float, Meta(ge=0, le=86400)] = 0.0


class Running(Struct, frozen=True, kw_only=True, omit_defaults=True, tag_field="by", tag="running"):
    """Healthy when the container has run for so long without a restart."""

    for_s: Seconds = 5.0


Probe = Healthcheck | Running


class ContainerSpec(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One container: what Docker is asked to run, and when it counts as healthy."""

    image: Annotated[str, Meta(min_length=1, max_length=512)]
    """A reference with tag or digest; without a registry's host, the node's own registry is meant where it has one."""
    name: Name = "main"
    command: tuple[str, ...] | None = None
    entrypoint: tuple[str, ...] | None = None
    env: dict[str, str] = {}
    ports: tuple[PublishedPort, ...] = ()
    mounts: tuple[Mount, ...] = ()
    networks: tuple[str, ...] = ()
    user: str | None = None
    restart: Literal["no", "on-failure", "always", "unless-stopped"] = "unless-stopped"
    memory_bytes: Annotated[int, Meta(ge=6 * 1024 * 1024)] | None = None
    """Docker refuses less than 6 MiB."""
    cpus: Annotated[float, Meta(gt=0)] | None = None
    probe: Probe | None = None
    """None: the image's HEALTHCHECK if it has one, else running for 5 s."""
    healthy_within_s: Seconds = 60.0
    stop_grace_s: Seconds = 10.0
    """From SIGTERM to SIGKILL."""


class AppSpec(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A revision's content. Equal descriptions are equal revisions."""

    containers: Annotated[tuple[ContainerSpec, ...], Meta(min_length=1, max_length=1)]
