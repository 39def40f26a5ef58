"""The server's address space: which variables there are, and what is known of each."""

from collections.abc import Sequence
from typing import Any

from asyncua import ua

from agent.telemetry.chunks import in_chunks
from agent.telemetry.nodeid import portable
from agent.telemetry.opcua import PlcSession
from agent.telemetry.tags import Found
from agent.telemetry.value import to_json

_OBJECTS = ua.NodeId(ua.ObjectIds.ObjectsFolder)
_SERVER = ua.NodeId(ua.ObjectIds.Server)
_HIERARCHICAL = ua.NodeId(ua.ObjectIds.HierarchicalReferences)
_HAS_PROPERTY = ua.NodeId(ua.ObjectIds.HasProperty)


class Properties:
    """What the server says of one variable; None where it says nothing."""

    def __init__(self, data_type: str | None, description: str | None, unit: str | None, limits: Any) -> None:
        self.data_type = to_json(data_type)
        self.description = to_json(description)
        self.unit = to_json(unit)
        self.low = None if limits is None else float(limits.Low)
        self.high = None if limits is None else float(limits.High)


async def variables(session: PlcSession, *, most: int) -> tuple[Found, ...]:
    """Every variable below Objects that is not OPC UA's own and no property, level by level, at most `most`.

    Raises PlcError.
    """
    found: list[Found] = []
    seen = {_SERVER}
    level = [(_OBJECTS, "")]
    while level and len(found) < most:
        below = await in_chunks([node_id for node_id, _ in level], lambda nodes: _browse(session, nodes))
        following: list[tuple[ua.NodeId, str]] = []
        for (_, path), references in zip(level, below, strict=True):
            for reference in references:
                node_id = _local(reference)
                if node_id is None or node_id in seen or node_id.NamespaceIndex >= len(session.namespaces):
                    continue
                seen.add(node_id)
                name = f"{path}.{reference.BrowseName.Name}".lstrip(".")
                following.append((node_id, name))
                if reference.NodeClass == ua.NodeClass.Variable and node_id.NamespaceIndex:
                    found.append(Found(node_id=portable(node_id, session.namespaces), path=name))
        level = following
    return tuple(found[:most])


async def properties(session: PlcSession, nodes: Sequence[ua.NodeId]) -> list[Properties]:
    """Data type, description, unit and range of variables, in order. Raises PlcError."""
    types = await _attribute(session, nodes, ua.AttributeIds.DataType)
    descriptions = await _attribute(session, nodes, ua.AttributeIds.Description)
    names = await _type_names(session, types)
    units = await _property(session, nodes, "EngineeringUnits")
    limits = await _property(session, nodes, "EURange")
    return [
        Properties(
            names.get(kind),
            getattr(description, "Text", None) or None,
            unit.DisplayName.Text if isinstance(unit, ua.EUInformation) else None,
            limit if isinstance(limit, ua.Range) else None,
        )
        for kind, description, unit, limit in zip(types, descriptions, units, limits, strict=True)
    ]


async def _browse(session: PlcSession, nodes: Sequence[ua.NodeId]) -> list[list[ua.ReferenceDescription]]:
    request = ua.BrowseRequest()
    request.Parameters.NodesToBrowse = [_below(node_id) for node_id in nodes]
    answer: Any = await session.call(request, ua.BrowseResponse)
    references = [list(result.References or ()) for result in answer.Results or ()]
    points = {index: result.ContinuationPoint for index, result in enumerate(answer.Results or ())}
    while open_points := {index: point for index, point in points.items() if point}:
        points = await _browse_next(session, open_points, references)
    return references


async def _browse_next(
    session: PlcSession, points: dict[int, bytes], references: list[list[ua.ReferenceDescription]]
) -> dict[int, bytes]:
    request = ua.BrowseNextRequest()
    request.Parameters.ReleaseContinuationPoints = False
    request.Parameters.ContinuationPoints = list(points.values())
    answer: Any = await session.call(request, ua.BrowseNextResponse)
    results = answer.Parameters.Results
    for index, result in zip(points, results, strict=True):
        references[index] += result.References or ()
    return {index: result.ContinuationPoint for index, result in zip(points, results, strict=True)}


def _below(node_id: ua.NodeId) -> ua.BrowseDescription:
    return ua.BrowseDescription(
        NodeId=node_id,
        BrowseDirection=ua.BrowseDirection.Forward,
        ReferenceTypeId=_HIERARCHICAL,
        IncludeSubtypes=True,
        NodeClassMask=ua.NodeClass.Object | ua.NodeClass.Variable,
        ResultMask=ua.BrowseResultMask.All,
    )


def _local(reference: ua.ReferenceDescription) -> ua.NodeId | None:
    """The node that is referred to, unless it is a property or on another server."""
    node_id = reference.NodeId
    if reference.ReferenceTypeId == _HAS_PROPERTY or getattr(node_id, "ServerIndex", 0):
        return None
    return ua.NodeId(node_id.Identifier, node_id.NamespaceIndex, node_id.NodeIdType)


async def _attribute(session: PlcSession, nodes: Sequence[ua.NodeId], attribute: ua.AttributeIds) -> list[Any]:
    answers = await in_chunks([(node_id, attribute) for node_id in nodes], session.read)
    return [_value(answer) for answer in answers]


def _value(answer: ua.DataValue) -> Any:
    return answer.Value.Value if answer.StatusCode.is_good() and answer.Value is not None else None


async def _type_names(session: PlcSession, types: Sequence[ua.NodeId | None]) -> dict[ua.NodeId | None, str]:
    distinct = list({kind for kind in types if kind is not None})
    names = await _attribute(session, distinct, ua.AttributeIds.BrowseName)
    return {kind: name.Name for kind, name in zip(distinct, names, strict=True) if name is not None}


async def _property(session: PlcSession, nodes: Sequence[ua.NodeId], name: str) -> list[Any]:
    """The value of a property of OPC UA's own namespace; None where a node has none."""
    places = await in_chunks([_path(node_id, name) for node_id in nodes], lambda paths: _translate(session, paths))
    there = [place for place in places if place is not None]
    values = iter(await _attribute(session, there, ua.AttributeIds.Value))
    return [None if place is None else next(values) for place in places]


def _path(node_id: ua.NodeId, name: str) -> ua.BrowsePath:
    element = ua.RelativePathElement(
        ReferenceTypeId=_HAS_PROPERTY, IsInverse=False, IncludeSubtypes=True, TargetName=ua.QualifiedName(name, 0)
    )
    return ua.BrowsePath(StartingNode=node_id, RelativePath=ua.RelativePath(Elements=[element]))


async def _translate(session: PlcSession, paths: Sequence[ua.BrowsePath]) -> list[ua.NodeId | None]:
    request = ua.TranslateBrowsePathsToNodeIdsRequest()
    request.Parameters.BrowsePaths = list(paths)
    answer: Any = await session.call(request, ua.TranslateBrowsePathsToNodeIdsResponse)
    return [
        result.Targets[0].TargetId if result.StatusCode.is_good() and result.Targets else None
        for result in answer.Results or ()
    ]
