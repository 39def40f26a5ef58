"""An image's reference, and where the image may come from.

The rule, for a deployment:

- named by digest and on the node: taken as it is, nothing is fetched;
- no registry's host in it, no registry configured, and on the node without ever having come from a registry (it was
  built here): taken as it is;
- otherwise fetched, so that a tag that moved is seen; if the registry can't be reached and the image is on the node,
  that one is taken. A registry that answers "no" is believed.
"""

import re
from enum import Enum, auto

from msgspec import Struct

_REPOSITORY = re.compile(r"[a-z0-9]+(?:[._-]+[a-z0-9]+)*(?:/[a-z0-9]+(?:[._-]+[a-z0-9]+)*)*\Z")
_HOST = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9.-]*[A-Za-z0-9])?(?::[0-9]{1,5})?\Z")
_WHOLE = re.compile(r"(?P<name>[^@]+?)(?::(?P<tag>\w[\w.-]{0,127}))?(?:@(?P<digest>sha256:[0-9a-f]{64}))?\Z", re.ASCII)

_HUB = ("docker.io", "index.docker.io")


class Reference(Struct, frozen=True, kw_only=True):
    """`[host/]repository[:tag][@digest]`."""

    host: str | None
    repository: str
    tag: str | None = None
    digest: str | None = None

    @property
    def name(self) -> str:
        """Host and repository, as they stand in the engine's list of digests."""
        return f"{self.host}/{self.repository}" if self.host else self.repository

    @property
    def familiar_name(self) -> str:
        """The name as the engine lists it: Docker Hub and its `library/` go without saying."""
        if self.host not in (None, *_HUB):
            return self.name
        return self.repository.removeprefix("library/")

    def __str__(self) -> str:
        return f"{self.name}@{self.digest}" if self.digest else f"{self.name}:{self.tag}"


class Source(Enum):
    """Where an image is taken from."""

    NODE = auto()
    REGISTRY = auto()
    REGISTRY_ELSE_NODE = auto()


def parse_reference(text: str, *, default_registry: str | None = None) -> Reference:
    """Read a reference; one without a registry's host gets the default registry. Raises ValueError."""
    parts = _WHOLE.match(text)
    host, path = _split_host(parts["name"]) if parts else (None, "")
    if parts is None or not _REPOSITORY.match(path) or not (host is None or _HOST.match(host)):
        raise ValueError(f"{text!r} is not an image's reference: [host/]repository[:tag][@sha256:…]")
    tag, digest = parts["tag"], parts["digest"]
    if host is None and default_registry:
        host, _, above = default_registry.partition("/")
        path = f"{above}/{path}" if above else path
    return Reference(host=host, repository=path, tag=tag or (None if digest else "latest"), digest=digest)


def _split_host(name: str) -> tuple[str | None, str]:
    """Docker's own rule: the first part is a host if it has a dot or a port, or is `localhost`."""
    first, slash, rest = name.partition("/")
    is_host = bool(slash) and ("." in first or ":" in first or first == "localhost")
    return (first, rest) if is_host else (None, name)


def name_in(reference: str) -> str:
    """Host and repository of a reference that was read before: what stands before its tag or digest."""
    return parse_reference(reference).name


def digest_of(reference: Reference, repo_digests: tuple[str, ...]) -> str | None:
    """The digest under which this repository knows the image; None for an image that never was in it."""
    for entry in repo_digests:
        name, _, digest = entry.partition("@")
        if name == reference.familiar_name:
            return digest
    return None


def source_of(reference: Reference, on_node: tuple[str, ...] | None) -> Source:
    """Say where to take the image from; `on_node` are the local image's repository digests, None if there is none."""
    if on_node is None:
        return Source.REGISTRY
    built_here = reference.host is None and digest_of(reference, on_node) is None
    return Source.NODE if reference.digest or built_here else Source.REGISTRY_ELSE_NODE
