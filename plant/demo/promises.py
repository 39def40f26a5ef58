"""Each promise, shown by doing it: what was done, whether it held, and what was measured."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta

import aiodocker
from msgspec import Struct

from ops.client import OpsClient
from ops.ids import new_command_id
from plant.demo.example import APP, BROKEN_IMAGE, GOOD_IMAGE, spec
from plant.witness import Witness
from plant.works import Works
from wire.messages import Args, Command, Deploy, Left, Outcome, Phase, Restart
from wire.topics import NodeName

OUTAGE_S = 5.0
DEAD_S = 2.0
_CATCH_UP_S = 60.0
_DEADLINE_S = 120.0


class Shown(Struct, frozen=True, kw_only=True):
    """A promise as it was seen."""

    promise: str
    held: bool
    measured: str


class Stage(Struct, frozen=True, kw_only=True):
    """What the promises are shown with."""

    works: Works
    ops: OpsClient
    witness: Witness
    docker: aiodocker.Docker

    @property
    def nodes(self) -> tuple[NodeName, ...]:
        """All nodes of the works."""
        return self.works.plan.nodes

    async def end_of(self, target: NodeName, args: Args) -> tuple[Outcome, float]:
        """Send a command to one node; return how it ended and after how many seconds."""
        begun = time.monotonic()
        command = _command(target, args)
        async for outcome in self.ops.send(command):
            if outcome.phase.is_end:
                return outcome, time.monotonic() - begun
        raise TimeoutError(f"{target} gave no end for {command.verb}")


async def deploy(stage: Stage) -> Shown:
    """Revision 1 on every node."""
    ends = await asyncio.gather(*(stage.end_of(node, Deploy(app=APP, spec=spec(GOOD_IMAGE))) for node in stage.nodes))
    held = all(end.phase is Phase.SUCCEEDED for end, _ in ends)
    running = [await _containers(stage, node) for node in stage.nodes]
    seconds = ", ".join(f"{took:.1f}" for _, took in ends)
    return Shown(
        promise="a command over MQTT deploys revision 1, and it counts once it is healthy",
        held=held and running == [["healthy"]] * len(stage.nodes),
        measured=f"healthy after {seconds} s on {len(ends)} nodes" if held else _why(*(end for end, _ in ends)),
    )


async def deploy_broken(stage: Stage) -> Shown:
    """A revision that runs and serves nothing, on the first node."""
    node = stage.nodes[0]
    end, took = await stage.end_of(node, Deploy(app=APP, spec=spec(BROKEN_IMAGE)))
    running = await _containers(stage, node)
    held = (end.phase, end.left) == (Phase.FAILED, Left.ROLLED_BACK) and running == ["healthy"]
    cause = end.error.message.splitlines()[0] if end.error else "no cause given"
    return Shown(
        promise="a broken revision is noticed, and the node goes back by itself",
        held=held,
        measured=f"back on the old revision, healthy, after {took:.1f} s; cause: {cause}" if held else _why(end),
    )


async def restart(stage: Stage) -> Shown:
    """Restart the app on the first node."""
    node = stage.nodes[0]
    before = await _started_at(stage, node)
    end, took = await stage.end_of(node, Restart(app=APP))
    held = end.phase is Phase.SUCCEEDED and await _started_at(stage, node) != before
    return Shown(
        promise="a restart ends when the app is healthy again",
        held=held,
        measured=f"healthy again after {took:.1f} s" if held else _why(end),
    )


async def lose_broker(stage: Stage) -> Shown:
    """No broker for some seconds."""
    before = stage.witness.tally()
    await stage.works.stop_broker()
    await asyncio.sleep(OUTAGE_S)
    await stage.works.start_broker()
    caught_up_s = await _until_caught_up(stage, stage.nodes)
    tally = stage.witness.tally()
    return Shown(
        promise=f"{OUTAGE_S:g} s without a broker lose nothing",
        held=tally.missing == 0 and tally.gaps == before.gaps,
        measured=f"{tally.batches - before.batches} batches with {tally.values - before.values} values since, "
        f"{tally.missing} missing, {tally.repeated - before.repeated} repeated; "
        f"caught up {caught_up_s:.1f} s after its return",
    )


async def kill_agent(stage: Stage) -> Shown:
    """SIGKILL of the last node's agent, and a new start."""
    node = stage.nodes[-1]
    before = stage.witness.tally()
    await stage.works.agent(node).kill()
    await asyncio.sleep(DEAD_S)
    await stage.works.start_agent(node)
    caught_up_s = await _until_caught_up(stage, (node,))
    tally, streams = stage.witness.tally(), stage.witness.of(node)
    said = tally.gaps - before.gaps
    return Shown(
        promise="an agent that is killed goes on where it was",
        held=tally.missing == 0 and len(streams) == 1 and said == 1,
        measured=f"{tally.batches - before.batches} batches since, same epoch, {tally.missing} missing, "
        f"{tally.repeated - before.repeated} repeated; {said} gap said for the PLC meanwhile; "
        f"tags again {caught_up_s:.1f} s after its start",
    )


PROMISES: tuple[Callable[[Stage], Awaitable[Shown]], ...] = (deploy, deploy_broken, restart, lose_broker, kill_agent)


def _command(target: NodeName, args: Args) -> Command:
    now = datetime.now(UTC)
    deadline = now + timedelta(seconds=_DEADLINE_S)
    return Command(
        id=new_command_id(), target=str(target), issuer="demo", issued_at=now, expires_at=deadline, args=args
    )


async def _until_caught_up(stage: Stage, nodes: tuple[NodeName, ...]) -> float:
    since = datetime.now(UTC)
    begun = time.monotonic()
    await stage.witness.until_newer(nodes, since, within_s=_CATCH_UP_S)
    return time.monotonic() - begun


async def _inspected(stage: Stage, node: NodeName) -> list[dict[str, dict[str, object]]]:
    label = f"millwright={node}/{APP}"
    found = await stage.docker.containers.list(filters={"label": [label]})
    return [await container.show() for container in found]


async def _containers(stage: Stage, node: NodeName) -> list[object]:
    """The health of every running container of the app, as Docker itself says it."""
    return [dict(one["State"]["Health"])["Status"] for one in await _inspected(stage, node)]  # type: ignore[call-overload]


async def _started_at(stage: Stage, node: NodeName) -> list[object]:
    return [one["State"]["StartedAt"] for one in await _inspected(stage, node)]


def _why(*ends: Outcome) -> str:
    causes = (f"{end.node}: {end.phase}, {end.error.message if end.error else 'no cause given'}" for end in ends)
    return "; ".join(causes)
