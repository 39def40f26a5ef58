"""Fetching images beside everything else: one pull at a time an app, seen by the plan like anything else outside."""

import asyncio
from collections.abc import Callable, Iterable
from datetime import datetime
from pathlib import Path

import structlog

from agent.config import RegistryConfig, WorkloadConfig
from agent.errors import AgentError, PermanentError, TransientError
from agent.workload.desired import Image
from agent.workload.docker import Credentials, DockerEngine
from agent.workload.inspection import Layers, LocalImage
from agent.workload.observed import Pulled, PullFailed, Pulling, PullSeen
from agent.workload.reference import Reference, Source, digest_of, parse_reference, source_of
from wire.messages import Category

_ANSWER_S = 20.0
"""So long a registry may take to answer when the image is on the node already."""
_log = structlog.get_logger("agent.pull")


class Fetch:
    """The pull of one app. `on_change` is called when there is something new to see."""

    def __init__(
        self,
        group: asyncio.TaskGroup,
        docker: DockerEngine,
        config: WorkloadConfig,
        *,
        now: Callable[[], datetime],
        on_change: Callable[[], None],
    ) -> None:
        self._group = group
        self._docker = docker
        self._config = config
        self._now = now
        self._on_change = on_change
        self._task: asyncio.Task[None] | None = None
        self.seen: PullSeen | None = None

    def start(self, reference: str) -> None:
        """Fetch this one; a pull of another is given up. Tries in a row for the same one are counted."""
        tries = self.seen.tries if isinstance(self.seen, PullFailed) and self.seen.reference == reference else 0
        self.forget()
        self.seen = Pulling(reference=reference)
        self._task = self._group.create_task(self._run(reference, tries + 1), name=f"pull:{reference}")

    def forget(self) -> None:
        """What was fetched has been used, or nobody wants it any more: a pull under way ends."""
        if self._task is not None:
            self._task.cancel()
        self._task = self.seen = None

    async def _run(self, reference: str, tries: int) -> None:
        seen: PullSeen
        try:
            image = await obtain(
                self._docker, self._config, reference, lambda layers: self._progress(reference, layers)
            )
            seen = Pulled(reference=reference, image=image)
        except AgentError as error:
            _log.warning("pull_failed", image=reference, category=error.category, reason=str(error), tries=tries)
            seen = PullFailed(reference=reference, fault=error.fault, at=self._now(), tries=tries)
        self.seen, self._task = seen, None
        self._on_change()

    def _progress(self, reference: str, layers: Layers) -> None:
        now_seen = Pulling(reference=reference, done_bytes=layers.done, total_bytes=layers.total)
        if now_seen != self.seen:
            self.seen = now_seen
            self._on_change()


async def obtain(
    docker: DockerEngine, config: WorkloadConfig, text: str, on_progress: Callable[[Layers], None]
) -> Image:
    """Have an image on the node, by the rule of `reference`, and say which one it is. Raises AgentError."""
    reference = _parsed(text, config.default_registry)
    local = await docker.image(str(reference))
    source = source_of(reference, None if local is None else local.repo_digests or ())
    if source is not Source.NODE:
        try:
            await _pull(docker, config, reference, on_progress, answer_s=None if local is None else _ANSWER_S)
        except TransientError as error:
            if local is None or error.category is not Category.REGISTRY_UNREACHABLE:
                raise
            _log.warning("registry_unreachable", image=str(reference), taken="the one on the node", reason=str(error))
        local = await docker.image(str(reference))
    return _resolved(reference, local)


async def _pull(
    docker: DockerEngine,
    config: WorkloadConfig,
    reference: Reference,
    on_progress: Callable[[Layers], None],
    *,
    answer_s: float | None,
) -> None:
    def answered(layers: Layers) -> None:
        patience.reschedule(None)
        on_progress(layers)

    credentials = await asyncio.to_thread(credentials_for, reference, config.registries)
    try:
        async with asyncio.timeout(answer_s) as patience:
            await docker.pull(reference, credentials, answered)
    except TimeoutError as error:
        raise _unreachable(reference, f"no answer within {answer_s} s") from error


def credentials_for(reference: Reference, registries: Iterable[RegistryConfig]) -> Credentials | None:
    """The credentials of the reference's registry, its password file read now; raises PermanentError."""
    registry = next((one for one in registries if one.host == reference.host), None)
    if registry is None:
        return None
    try:
        password = Path(registry.password_file).read_text(encoding="utf-8").strip() if registry.password_file else None
    except OSError as error:
        raise PermanentError(
            f"the password file can't be read: {error.strerror}",
            phase="pull",
            component="registry",
            element=str(registry.password_file),
            category=Category.REGISTRY_REFUSED,
        ) from error
    return {"username": registry.username, "password": password or registry.password or ""}


def _parsed(text: str, default_registry: str | None) -> Reference:
    try:
        return parse_reference(text, default_registry=default_registry)
    except ValueError as error:
        raise PermanentError(
            str(error), phase="pull", component="command", element=text, category=Category.IMAGE_NOT_FOUND
        ) from error


def _resolved(reference: Reference, local: LocalImage | None) -> Image:
    if local is None:  # the engine broke off in the middle of a pull without a word
        raise _unreachable(reference, "the pull ended without an image")
    digest = digest_of(reference, local.repo_digests or ())
    return Image(reference=str(reference), id=local.id, digest=digest)


def _unreachable(reference: Reference, message: str) -> TransientError:
    return TransientError(
        message,
        phase="pull",
        component="registry",
        element=str(reference),
        category=Category.REGISTRY_UNREACHABLE,
    )
