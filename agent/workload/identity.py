"""How the node's own containers are told from all others on the engine: by label, never by name."""

import hashlib

import msgspec

from wire.app import ContainerSpec
from wire.topics import NodeName

LABEL = "millwright"
REVISION_LABEL = "millwright.revision"
CONTAINER_LABEL = "millwright.container"
SPEC_LABEL = "millwright.spec"


def owner(node: NodeName, app: str) -> str:
    """The value of the label `millwright`: `site/node/app`."""
    return f"{node}/{app}"


def app_of(value: str, node: NodeName) -> str | None:
    """The app that a label's value names, if it is one of this node's."""
    prefix = f"{node}/"
    return value[len(prefix) :] if value.startswith(prefix) else None


def spec_hash(spec: ContainerSpec) -> str:
    """Equal descriptions have equal hashes, whatever the order of their environment."""
    return hashlib.sha256(msgspec.json.encode(spec, order="sorted")).hexdigest()[:16]


def labels(node: NodeName, app: str, *, revision: int, spec: ContainerSpec) -> dict[str, str]:
    """All labels of one container."""
    return {
        LABEL: owner(node, app),
        REVISION_LABEL: str(revision),
        CONTAINER_LABEL: spec.name,
        SPEC_LABEL: spec_hash(spec),
    }


def container_name(node: NodeName, app: str, *, revision: int, container: str) -> str:
    """A name that a person can read in `docker ps`; the hash keeps two agents on one engine apart."""
    whole = hashlib.sha256(f"{owner(node, app)}/{container}".encode()).hexdigest()[:8]
    return f"mw-{node.node}-{app}-r{revision}-{whole}"
