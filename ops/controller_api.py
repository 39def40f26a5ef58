"""What the controller remembers of a command, over its HTTP API."""

import httpx
import msgspec

from wire.messages import Outcome


class ControllerError(Exception):
    """The controller can't be asked, or answers something else than its contract says."""


class _Phase(msgspec.Struct):
    outcome: Outcome


class _Node(msgspec.Struct):
    phases: tuple[_Phase, ...]


class _Answer(msgspec.Struct):
    nodes: tuple[_Node, ...]


def recorded_outcomes(controller: str, command_id: str) -> list[Outcome]:
    """Every phase of a command that the controller has seen, by node; empty where it knows of none.

    Raises ControllerError.
    """
    url = f"{controller.rstrip('/')}/api/v1/outcomes/{command_id}"
    try:
        answer = httpx.get(url, timeout=10.0)
        if answer.status_code == httpx.codes.NOT_FOUND:
            return []
        answer.raise_for_status()
        nodes = msgspec.json.decode(answer.content, type=_Answer).nodes
    except (httpx.HTTPError, httpx.InvalidURL, msgspec.DecodeError) as error:
        raise ControllerError(f"{url}: {error}") from error
    return [phase.outcome for node in nodes for phase in node.phases]
