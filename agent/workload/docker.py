"""Docker Engine, through aiodocker: every call translated once into our values and our errors.

Nothing is touched here but what a caller names; which containers are ours is decided by label, in `containers`.
aiodocker's client is made again after `close`, so that one object lasts as long as the agent.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from typing import Any

import aiodocker
import aiohttp
import msgspec

from agent.errors import AgentError, PermanentError, TransientError
from agent.workload.identity import LABEL
from agent.workload.inspection import (
    ContainerEvent,
    Layers,
    LocalImage,
    Usage,
    container_in,
    event_in,
    image_in,
    tail,
    usage_in,
)
from agent.workload.observed import Container
from agent.workload.reference import Reference
from agent.workload.refusals import UNREACHABLE_STATUS, Refusal, by_engine, by_registry

_CALL_S = 30.0
"""The longest that the engine may take for anything but a stop or a pull."""
_EVENTS = ("create", "start", "die", "stop", "destroy", "oom", "pause", "unpause", "health_status", "rename", "update")
_LOG_LINES = 20

Credentials = Mapping[str, str]
Understand = Callable[[int, str], Refusal]


class DockerEngine:
    """One engine, by URL. Every method raises TransientError when it can't be reached."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._client: aiodocker.Docker | None = None

    @property
    def _docker(self) -> aiodocker.Docker:
        if self._client is None:
            self._client = aiodocker.Docker(self._url)
        return self._client

    async def close(self) -> None:
        """Drop all connections."""
        client, self._client = self._client, None
        if client is not None:
            await client.close()

    async def version(self, *, within_s: float = _CALL_S) -> str:
        """The engine's version."""
        async with _translated("look", self._url, within_s=within_s):
            return str((await self._docker.version())["Version"])

    async def containers(self, owner: str, *, within_s: float = _CALL_S) -> tuple[Container, ...]:
        """Every container whose label `millwright` is exactly `owner`, running or not, oldest first."""
        filters = msgspec.json.encode({"label": [f"{LABEL}={owner}"]}).decode()
        async with _translated("observe", owner, within_s=within_s):
            listed = await self._docker.containers.list(all=True, filters=filters)
            found = [await self._inspected(one.id) for one in reversed(listed)]
        return tuple(one for one in found if one is not None)

    async def image(self, reference: str) -> LocalImage | None:
        """An image on the node, by reference or id; None if it isn't there."""
        async with _translated("observe", reference):
            try:
                return image_in(await self._docker.images.inspect(reference))
            except aiodocker.DockerError as error:
                if error.status == 404:
                    return None
                raise

    async def pull(
        self, reference: Reference, credentials: Credentials | None, on_progress: Callable[[Layers], None]
    ) -> None:
        """Fetch an image; `on_progress` is called from the moment the registry has answered.

        Raises PermanentError where the registry says no, TransientError where it can't be reached.
        """
        layers = Layers()
        auth = dict(credentials) if credentials else None
        async with _translated("pull", str(reference), component="registry", understand=by_registry, within_s=None):
            async for line in self._docker.images.pull(str(reference), auth=auth, stream=True):
                layers = layers.after(line)
                on_progress(layers)

    async def create(self, name: str, body: Mapping[str, Any], *, networks: tuple[str, ...] = ()) -> None:
        """Make a container and join it to its networks. One of that name with the same labels is taken as made."""
        async with _translated("create", name):
            try:
                container = await self._docker.containers.create(dict(body), name=name)
            except aiodocker.DockerError as error:
                if error.status != 409 or not await self._is_made(name, body):
                    raise
                return
            for network in networks[1:]:
                await (await self._docker.networks.get(network)).connect({"Container": container.id})

    async def start(self, container_id: str) -> None:
        """Start a container; one that runs is left alone."""
        async with _translated("start", container_id):
            await self._docker.containers.container(container_id).start()

    async def stop(self, container_id: str, *, grace_s: int) -> None:
        """Stop a container, killing it after its grace; one that is gone or stopped is left alone."""
        async with _translated("stop", container_id, within_s=grace_s + _CALL_S), _unless_gone():
            await self._docker.containers.container(container_id).stop(t=grace_s)

    async def remove(self, container_id: str) -> None:
        """Remove a stopped container with its anonymous volumes; one that is gone already is fine."""
        async with _translated("remove", container_id), _unless_gone():
            await self._docker.containers.container(container_id).delete(v=True)

    async def last_words(self, container_id: str) -> str:
        """The end of a container's log; empty where there is none."""
        async with _translated("read logs", container_id, within_s=5.0), _unless_gone():
            container = self._docker.containers.container(container_id)
            return tail(await container.log(stdout=True, stderr=True, tail=_LOG_LINES))
        return ""

    async def usage(self, container_id: str) -> Usage:
        """Its counters now. (aiodocker's `stats` waits a second or two for a second reading; this asks for one.)"""
        async with _translated("measure", container_id, within_s=5.0):
            path, params = f"containers/{container_id}/stats", {"stream": "0", "one-shot": "1"}
            return usage_in(await self._docker._query_json(path, params=params))

    async def listen(self, on_event: Callable[[ContainerEvent], None], *, since: float) -> None:
        """Report events of labelled containers from `since` (seconds of the epoch) until the connection ends.

        Always ends by raising TransientError.
        """
        filters = {"type": ["container"], "label": [LABEL], "event": list(_EVENTS)}
        params = {"since": f"{since:.6f}", "filters": msgspec.json.encode(filters).decode()}
        async with _translated("listen", self._url, within_s=None), aiodocker.Docker(self._url) as docker:
            subscriber = docker.events.subscribe(**params)  # type: ignore[no-untyped-call]
            while (body := await subscriber.get()) is not None:
                event = event_in(body)
                if event is not None:
                    on_event(event)
        raise _error(UNREACHABLE_STATUS, "its event stream ended", "listen", self._url)

    async def _inspected(self, container_id: str) -> Container | None:
        try:
            return container_in(await self._docker.containers.container(container_id).show())
        except aiodocker.DockerError as error:
            if error.status == 404:  # it went between the list and the look
                return None
            raise

    async def _is_made(self, name: str, body: Mapping[str, Any]) -> bool:
        there = await self._docker.containers.container(name).show()
        labels = there["Config"].get("Labels") or {}
        return all(labels.get(key) == value for key, value in body["Labels"].items())


@asynccontextmanager
async def _translated(
    phase: str,
    element: str,
    *,
    component: str = "engine",
    understand: Understand = by_engine,
    within_s: float | None = _CALL_S,
) -> AsyncIterator[None]:
    try:
        async with asyncio.timeout(within_s):
            yield
    except aiodocker.DockerError as error:
        raise _error(error.status, error.message, phase, element, component, understand) from error
    except msgspec.ValidationError as error:
        raise _error(0, f"an answer that can't be read: {error}", phase, element) from error
    except TimeoutError as error:
        raise _error(UNREACHABLE_STATUS, f"no answer within {within_s} s", phase, element) from error
    except (aiohttp.ClientError, OSError) as error:
        raise _error(UNREACHABLE_STATUS, str(error) or type(error).__name__, phase, element) from error


@asynccontextmanager
async def _unless_gone() -> AsyncIterator[None]:
    try:
        yield
    except aiodocker.DockerError as error:
        if error.status != 404:
            raise


def _error(  # noqa: PLR0917  what was said, then what it was about
    status: int,
    message: str,
    phase: str,
    element: str,
    component: str = "engine",
    understand: Understand = by_engine,
) -> AgentError:
    refusal = understand(status, message)
    kind = TransientError if refusal.retry else PermanentError
    by = "engine" if status == UNREACHABLE_STATUS else component
    return kind(message, phase=phase, component=by, element=element, category=refusal.category)
