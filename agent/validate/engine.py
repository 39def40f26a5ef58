"""Asking the container engine who it is."""

import asyncio
import shutil
from collections.abc import AsyncGenerator

import aiodocker

from agent.config import Config
from agent.validate.judgement import of_engine_space, of_engine_version
from agent.validate.probe import Probe
from agent.validate.verdict import Verdict, failed, passed


def engine_probe(config: Config) -> Probe:
    """Reach the engine; its version; the room on its disk."""
    return Probe(
        name=config.workload.docker_url,
        checks=("engine-reachable", "engine-version", "engine-space"),
        look=lambda: _look(config.workload.docker_url),
        when_silent="See whether the Docker Engine hangs: `docker info`, `systemctl status docker`.",
    )


async def _look(url: str) -> AsyncGenerator[Verdict, None]:
    try:
        async with aiodocker.Docker(url) as docker:
            version = await docker.version()
            info = await docker.system.info()
    except (aiodocker.DockerError, OSError, ValueError) as error:
        remedy = "Start the Docker Engine, check workload.docker_url, and let the agent's user use its socket."
        yield failed("engine-reachable", f"{url}: {getattr(error, 'message', error)}", remedy)
        return
    yield passed("engine-reachable", f"{url} answers")
    yield of_engine_version(version["Version"], version["ApiVersion"])
    root = info["DockerRootDir"]
    yield of_engine_space(root, await asyncio.to_thread(_free_bytes, root))


def _free_bytes(path: str) -> int | None:
    try:
        return shutil.disk_usage(path).free
    except OSError:
        return None
