"""The ledger on a real file."""

from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import pytest
from msgspec.structs import replace

from agent.store import Store
from agent.workload.command import Refused
from agent.workload.desired import Goal
from agent.workload.ledger import Ledger, Reply
from agent.workload.outcomes import ended, running
from tests.support.workload_values import T0, app_spec, command, fault, record, revision
from wire.codec import decode, encode_command
from wire.messages import Command, Deploy, Left, Outcome, Phase, Ping, Progress
from wire.topics import NodeName

NODE = NodeName("plant", "press")
PING = command(Ping())
DEPLOY = command(Deploy(app="press", spec=app_spec()))
NOBODY = Reply()
UNTRUSTED = Refused(fault=fault(), command_id="now", claims=False)


class Clock:
    def __init__(self) -> None:
        self.now = T0

    def __call__(self) -> object:
        return self.now


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[Store]:
    store = Store(tmp_path / "node.sqlite")
    await store.open()
    yield store
    await store.close()


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
async def ledger(store: Store, clock: Clock) -> Ledger:
    made = Ledger(store, NODE, boundary=lambda _name: None, now=clock)  # type: ignore[arg-type]
    await made.open()
    return made


async def enter(ledger: Ledger, what: Command) -> bool:
    return (await ledger.enter(what, encode_command(what), NOBODY)).fresh


async def told(ledger: Ledger) -> list[Outcome]:
    return [decode(Outcome, letter.payload) for letter in await ledger.letters()]


async def test_refusal_that_nobody_signed_leaves_the_id_free(ledger: Ledger) -> None:
    await ledger.refuse(UNTRUSTED, "now", b"forged", NOBODY)
    assert [one.phase for one in await told(ledger)] == [Phase.REJECTED]
    assert await enter(ledger, PING)


async def test_forgery_never_answers_in_the_place_of_a_known_command(ledger: Ledger) -> None:
    await enter(ledger, PING)
    entered = await ledger.refuse(UNTRUSTED, "now", b"forged", NOBODY)
    assert (entered.fresh, entered.same) == (False, False)
    assert [one.phase for one in await told(ledger)] == [Phase.ACCEPTED]


async def test_refusal_of_a_trusted_sender_uses_the_id_up(ledger: Ledger) -> None:
    await ledger.refuse(replace(UNTRUSTED, claims=True), "now", b"bent", NOBODY)
    assert not await enter(ledger, PING)
    assert await ledger.waiting("") == ()


async def test_step_that_waits_in_the_outbox_gives_way_to_the_next_one(ledger: Ledger) -> None:
    await enter(ledger, DEPLOY)
    for done in (1, 2, 3):
        progress = Progress(step="pull", done_bytes=done, total_bytes=9)
        await ledger.tell("progress", "now", lambda last, p=progress: running(last, T0, progress=p))  # type: ignore[misc]
    accepted, step = await told(ledger)
    assert accepted.phase is Phase.ACCEPTED
    assert step.progress is not None
    assert (step.seq, step.progress.done_bytes) == (3, 3)


async def test_end_and_record_are_one_commit(ledger: Ledger) -> None:
    await enter(ledger, DEPLOY)

    def fail(_last: Outcome) -> Outcome:
        raise RuntimeError("in the middle")

    with pytest.raises(RuntimeError):
        await ledger.save("end", record(revision(1)), command_id="now", follow=fail)
    assert await ledger.record("press") is None
    assert len(await ledger.waiting("press")) == 1


async def test_ended_command_is_forgotten_only_when_its_repetition_would_be_too_late(
    ledger: Ledger, clock: Clock
) -> None:
    long = replace(PING, id="long", expires_at=T0 + timedelta(days=90))
    for one in (PING, long):
        await enter(ledger, one)
        await ledger.tell("end", one.id, lambda last: ended(last, T0, phase=Phase.SUCCEEDED, left=Left.UNCHANGED))
    await enter(ledger, DEPLOY_LATER)
    clock.now = T0 + timedelta(days=31)
    await ledger.forget(30)

    assert await enter(ledger, PING)
    assert not await enter(ledger, long)
    assert len(await ledger.waiting("press")) == 1


DEPLOY_LATER = replace(DEPLOY, id="later")


async def test_removed_apps_are_forgotten_in_the_end(ledger: Ledger, clock: Clock) -> None:
    await ledger.save("x", replace(record(None, goal=Goal.REMOVED), issued_at=T0))
    await ledger.forget(30)
    assert await ledger.record("press") is not None
    clock.now = T0 + timedelta(days=31)
    await ledger.forget(30)
    assert await ledger.record("press") is None


async def test_repetitions_of_a_command_fill_no_outbox(ledger: Ledger) -> None:
    for _ in range(10):
        await enter(ledger, PING)
    assert [outcome.phase for outcome in await told(ledger)] == [Phase.ACCEPTED]
