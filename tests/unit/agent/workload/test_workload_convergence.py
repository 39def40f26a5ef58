"""From any state that the engine may show, with deaths of the agent in between, the plan reaches what is desired.

Hypothesis makes the states; `tests/support/workload_world.py` is the model that the steps change.
"""

from typing import Any

from hypothesis import example, given
from hypothesis import strategies as some
from msgspec.structs import replace

from agent.workload.begin import NotBegun, begin
from agent.workload.desired import AppRecord, Goal
from agent.workload.observed import Container, belonging
from tests.support.workload_values import T0, app_spec, at, command, container, record, revision
from tests.support.workload_world import Fate, World
from wire.messages import Args, Deploy, Left, Phase, Remove, Restart, Start, Stop

STATES = ("created", "running", "restarting", "paused", "exited", "dead")
MOST_TURNS = 80
GOOD = revision(1)
START_AT = at(1000)

states = some.sampled_from(STATES)
fates = some.sampled_from(Fate)
deaths = some.lists(some.integers(0, 3) | some.none(), max_size=12)


@some.composite
def one_container(draw: Any, number: int) -> Container:
    made = container(
        revision(number),
        draw(states),
        started=draw(some.floats(0, 990)),
        health=draw(some.sampled_from([None, "starting", "healthy", "unhealthy"])),
        restarts=draw(some.integers(0, 2)),
        exit_code=draw(some.integers(0, 1)),
    )
    strange = draw(some.booleans()) and number != 1
    return replace(made, id=f"there-{number}", image="sha256:other") if strange else replace(made, id=f"there-{number}")


some_containers = some.lists(some.integers(0, 3), unique=True, max_size=4).flatmap(
    lambda numbers: some.tuples(*(one_container(number) for number in numbers))
)
some_args = some.sampled_from(
    [
        Deploy(app="press", spec=app_spec("2")),
        Deploy(app="press", spec=app_spec("1")),
        Stop(app="press"),
        Start(app="press"),
        Restart(app="press"),
        Remove(app="press"),
    ]
)


def begun(args: Args, known: AppRecord) -> AppRecord | None:
    got = begin(command(args, issued=1, until=1200), known, START_AT)
    return None if isinstance(got, NotBegun) else got.record


def settle(world: World, known: AppRecord, dies: list[int | None]) -> AppRecord:
    """Go round until nothing is left to do, checking what must hold at every moment."""
    dying = iter(dies)
    for _ in range(MOST_TURNS):
        had = known.good
        known, busy = world.turn(known, die_after=next(dying, None))
        never_without_a_runnable_revision(world, known, had)
        if not busy or (known.job is None and world.ends and only_backs_off(world, known)):
            return known
    raise AssertionError(f"still busy after {MOST_TURNS} turns: {known} {world.containers}")


def only_backs_off(world: World, known: AppRecord) -> bool:
    """The good revision itself can't run: it is tried again for ever, ever more rarely."""
    assert known.good is None or known.good.images
    fate = None if known.good is None else world.fates.get(known.good.images["main"].id)
    return fate in (Fate.CRASHES, Fate.PORT_TAKEN) and world.observed().attempts.failures > 2


def never_without_a_runnable_revision(world: World, known: AppRecord, had: object) -> None:
    if known.good is None or known.goal is Goal.REMOVED or had is None:
        return
    image = known.good.images["main"].id
    assert belonging(known.good, world.observed()) or image in world.images


def desired_holds(world: World, known: AppRecord) -> None:
    running = [one for one in world.containers.values() if one.up]
    if known.goal is Goal.RUNNING and known.good is not None:
        mine = belonging(known.good, world.observed())
        fate = world.fates.get(known.good.images["main"].id, Fate.WELL)
        if fate in (Fate.WELL, Fate.MISSING):
            assert [one.id for one in running] == [one.id for one in mine]
            assert len(running) == 1
        assert len(world.containers) <= 1
    else:
        assert not running


@given(there=some_containers, goal=some.sampled_from(Goal), dies=deaths)
def test_app_comes_to_be_as_desired_from_any_state(
    there: tuple[Container, ...], goal: Goal, dies: list[int | None]
) -> None:
    world = World(list(there), {"sha256:1"}, {}, START_AT)
    known = record(GOOD if goal is not Goal.REMOVED else None, goal=goal)
    steady = [replace(one, state="running") if one.state == "restarting" else one for one in there]
    world.containers = {one.id: one for one in steady}
    desired_holds(world, settle(world, known, dies))


@given(
    there=some_containers,
    goal=some.sampled_from([Goal.RUNNING, Goal.STOPPED]),
    args=some_args,
    new=fates,
    old=some.sampled_from([Fate.WELL, Fate.CRASHES, Fate.PORT_TAKEN]),
    first=some.booleans(),
    dies=deaths,
)
@example(
    there=(),
    goal=Goal.RUNNING,
    args=Deploy(app="press", spec=app_spec("2")),
    new=Fate.WELL,
    old=Fate.PORT_TAKEN,
    first=False,
    dies=[],
)  # an old revision that can't be repaired must not fail the deployment that replaces it
def test_every_command_ends_once_and_leaves_what_it_says(  # noqa: PLR0917  what Hypothesis draws
    there: tuple[Container, ...],
    goal: Goal,
    args: Args,
    new: Fate,
    old: Fate,
    first: bool,
    dies: list[int | None],
) -> None:
    known = AppRecord(app="press", goal=Goal.RUNNING) if first else replace(record(GOOD, goal=goal), issued_at=T0)
    world = World(
        [replace(one, state="running") if one.state == "restarting" else one for one in there],
        {"sha256:1"},
        {"sha256:2": new, "sha256:1": old},
        START_AT,
    )
    started = begun(args, known)
    if started is None:
        assert first
        return
    after = settle(world, started, dies)
    assert after.job is None
    (end,) = world.ends
    desired_holds(world, after)
    if end.phase is Phase.FAILED and isinstance(args, Deploy) and not first:
        assert after.good is not None
        assert after.good.spec == GOOD.spec
        assert (after.good.number > GOOD.number) == (end.left is Left.ROLLED_BACK)
    if isinstance(args, Deploy):
        tried = new if args.spec == app_spec("2") else old
        runs_already = (end.phase, end.left) == (Phase.SUCCEEDED, Left.UNCHANGED)
        assert runs_already or (end.phase is Phase.SUCCEEDED) == (tried is Fate.WELL)
    if end.phase is Phase.SUCCEEDED and isinstance(args, Deploy):
        assert after.good is not None
        assert after.good.spec == args.spec
