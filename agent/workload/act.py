"""The steps that change the engine, each between two boundaries."""

from typing import assert_never

import structlog

from agent.workload.bench import Bench
from agent.workload.blueprint import blueprint, whole_seconds
from agent.workload.identity import container_name
from agent.workload.steps import Create, Remove, Start, Stop

_log = structlog.get_logger("agent.container")


async def act(step: Create | Start | Stop | Remove, app: str, bench: Bench) -> None:
    """Do one step; done twice it is done once. Raises AgentError."""
    name = type(step).__name__.lower()
    bench.boundary(f"before {name}")
    await _act(step, app, bench)
    bench.boundary(f"after {name}")


async def _act(step: Create | Start | Stop | Remove, app: str, bench: Bench) -> None:
    match step:
        case Create():
            await _create(step, app, bench)
        case Start(id=container):
            await bench.docker.start(container)
            _log.info("container_started", app=app, container=container)
        case Stop(id=container, grace_s=grace_s):
            await bench.docker.stop(container, grace_s=whole_seconds(grace_s))
            _log.info("container_stopped", app=app, container=container)
        case Remove(id=container):
            await bench.docker.remove(container)
            _log.info("container_removed", app=app, container=container)
        case _ as never:
            assert_never(never)


async def _create(step: Create, app: str, bench: Bench) -> None:
    name = container_name(bench.node, app, revision=step.revision, container=step.spec.name)
    body = blueprint(bench.node, app, revision=step.revision, spec=step.spec, image=step.image)
    await bench.docker.create(name, body, networks=step.spec.networks)
    _log.info("container_created", app=app, container=name, revision=step.revision)
