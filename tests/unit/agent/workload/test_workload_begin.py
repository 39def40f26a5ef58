"""What a command does to the record when its turn comes."""

import pytest

from agent.workload.begin import Begun, NotBegun, begin
from agent.workload.desired import AppRecord, Goal, finished, with_image
from agent.workload.outcomes import OverError, accepted, ended, running
from tests.support.workload_values import T0, app_spec, at, command, image, job, record, revision
from wire.messages import Args, Category, Deploy, Left, Phase, Progress, Remove, Restart, Start, Stop
from wire.topics import NodeName

DEPLOY = Deploy(app="press", spec=app_spec("2"))
GOOD = record(revision(1), issued_at=at(10))


def refusal(args: Args, known: AppRecord | None, **about: object) -> tuple[Phase, Category]:
    got = begin(command(args, **{"issued": 20} | about), known, at(30))  # type: ignore[arg-type]
    assert isinstance(got, NotBegun)
    return got.phase, got.fault.category


def begun(args: Args, known: AppRecord | None, **about: object) -> AppRecord:
    got = begin(command(args, **{"issued": 20} | about), known, at(30))  # type: ignore[arg-type]
    assert isinstance(got, Begun)
    assert got.record.job == got.job
    return got.record


def test_first_deploy_is_a_trial_of_revision_one() -> None:
    got = begun(DEPLOY, None)
    assert (got.number, got.good, got.goal) == (1, None, Goal.RUNNING)
    assert got.job is not None
    assert got.job.trial is not None
    assert (got.job.trial.number, got.job.trial.spec) == (1, DEPLOY.spec)


def test_deploy_leaves_the_good_revision_until_it_is_committed() -> None:
    got = begun(DEPLOY, GOOD)
    assert got.good == GOOD.good
    after = finished(got, Phase.SUCCEEDED, Left.CHANGED)
    assert after.good is not None
    assert (after.good.number, after.good.spec, after.issued_at) == (2, DEPLOY.spec, at(20))


def test_number_rises_on_rollback_and_the_origin_stays() -> None:
    after = finished(begun(DEPLOY, GOOD), Phase.FAILED, Left.ROLLED_BACK)
    assert after.good is not None
    assert (after.good.number, after.good.origin, after.number) == (3, 1, 3)
    assert after.job is None


def test_identical_deploy_keeps_the_good_revision() -> None:
    after = finished(begun(DEPLOY, GOOD), Phase.SUCCEEDED, Left.UNCHANGED)
    assert after.good == GOOD.good


def test_stale_deploy_is_superseded_by_deploy_and_by_remove() -> None:
    superseded = (Phase.SUPERSEDED, Category.SUPERSEDED)
    assert refusal(DEPLOY, GOOD, issued=9) == superseded
    assert begun(DEPLOY, GOOD, issued=10).job is not None
    removed = finished(begun(Remove(app="press"), GOOD), Phase.SUCCEEDED, Left.CHANGED)
    assert (removed.goal, removed.good) == (Goal.REMOVED, None)
    assert refusal(DEPLOY, removed, issued=19) == superseded
    again = begun(DEPLOY, removed, issued=21)
    assert (again.goal, again.number) == (Goal.RUNNING, 2)


@pytest.mark.parametrize("args", [Stop(app="press"), Start(app="press"), Restart(app="press"), Remove(app="press")])
def test_unknown_app_is_not_found(args: Args) -> None:
    not_found = (Phase.REJECTED, Category.NOT_FOUND)
    assert refusal(args, None) == not_found
    assert refusal(args, AppRecord(app="press", goal=Goal.REMOVED)) == not_found


def test_what_never_ran_can_be_removed_and_nothing_else() -> None:
    failed = AppRecord(app="press", goal=Goal.RUNNING, number=1)
    assert refusal(Restart(app="press"), failed) == (Phase.REJECTED, Category.NOT_FOUND)
    assert begun(Remove(app="press"), failed).goal is Goal.REMOVED


@pytest.mark.parametrize(("args", "goal"), [(Stop(app="press"), Goal.STOPPED), (Restart(app="press"), Goal.RUNNING)])
def test_goal_is_set_at_once_and_the_former_kept(args: Args, goal: Goal) -> None:
    got = begun(args, GOOD)
    assert got.goal is goal
    assert finished(got, Phase.FAILED, Left.ROLLED_BACK).goal is Goal.RUNNING


def test_command_whose_time_is_over_expires() -> None:
    assert refusal(DEPLOY, GOOD, until=30) == (Phase.EXPIRED, Category.EXPIRED)


def test_image_goes_to_the_revision_of_its_number() -> None:
    trying = record(revision(1), job=job(trial=revision(2, resolved=False)))
    got = with_image(trying, 2, "main", image("2"))
    assert got.job is not None
    assert got.job.trial == revision(2)
    assert got.good == revision(1)
    with pytest.raises(ValueError, match="revision 3"):
        with_image(trying, 3, "main", image("3"))


def test_outcomes_count_up_and_nothing_follows_an_end() -> None:
    first = accepted(command(DEPLOY), NodeName("plant", "press"), T0)
    step = running(first, at(1), progress=Progress(step="pull"), revision=2)
    end = ended(step, at(2), phase=Phase.SUCCEEDED, left=Left.CHANGED, revision=2)
    assert [one.seq for one in (first, step, end)] == [0, 1, 2]
    assert [one.phase for one in (first, step, end)] == [Phase.ACCEPTED, Phase.RUNNING, Phase.SUCCEEDED]
    assert end.progress is None
    with pytest.raises(OverError):
        running(end, at(3), progress=Progress(step="pull"))
