"""NodeIds by namespace URI: a namespace's index may differ after every restart of a server, its URI does not.

`nsu=urn:vendor:plc;s=Press.Temperature` is kept, and mapped at every session by the NamespaceArray just read.
In the URI, `%` and `;` are written `%25` and `%3B` (OPC UA Part 6, 5.1.12).
"""

from collections.abc import Sequence

from asyncua import ua


class NodeIdError(ValueError):
    """A NodeId that can't be read, or whose namespace the server lacks; `status_name` is OPC UA's word for it."""

    def __init__(self, message: str, status_name: str = "BadNodeIdInvalid") -> None:
        super().__init__(message)
        self.status_name = status_name


def resolve(text: str, namespaces: Sequence[str]) -> ua.NodeId:
    """The NodeId by the index that the server gives its namespace at present; raises NodeIdError."""
    if text.startswith("nsu="):
        escaped, found, identifier = text[4:].partition(";")
        uri = escaped.replace("%3B", ";").replace("%25", "%")
        if not found:
            raise NodeIdError(f"{text!r} names a namespace and nothing in it")
        if uri not in namespaces:
            raise NodeIdError(f"the server has no namespace {uri!r}", "BadNodeIdUnknown")
        text = f"ns={namespaces.index(uri)};{identifier}"
    try:
        node_id = ua.NodeId.from_string(text)
    except (ua.UaError, ValueError, AttributeError) as error:
        raise NodeIdError(f"{text!r} is no NodeId") from error
    if node_id.NamespaceIndex >= len(namespaces):
        raise NodeIdError(f"the server has no namespace {node_id.NamespaceIndex}", "BadNodeIdUnknown")
    return node_id


def portable(node_id: ua.NodeId, namespaces: Sequence[str]) -> str:
    """The same, by URI; OPC UA's own namespace needs none."""
    text = str(node_id.to_string())
    if not node_id.NamespaceIndex:
        return text
    uri = namespaces[node_id.NamespaceIndex].replace("%", "%25").replace(";", "%3B")
    return f"nsu={uri};{text.partition(';')[2]}"
