"""The heartbeat on a running loop, beside rooms that answer, hang, fail and change."""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
import structlog

from agent.config import Config, HealthConfig, NodeConfig
from agent.errors import TransientError
from agent.health import heart, source
from agent.health.heart import Heart
from wire.codec import decode
from wire.messages import AppHealth, Category, Engine, Health, PlcHealth, Spool

SPOOL = Spool(age_s=0.0, records=1, bytes=2, max_bytes=3, oldest_age_s=4.0, dropped_values=5)
PLC = PlcHealth(plc="press", age_s=0.0, connected=True, quality=1.0, tags=3, bad_tags=0)
APP = AppHealth(app="web", age_s=0.0, state="running")


class Beats:
    """What the heart had retained, in order, and when it came."""

    def __init__(self) -> None:
        self.all: list[Health] = []
        self.at_s: list[float] = []
        self._came = asyncio.Condition()
        self._waking: set[asyncio.Task[None]] = set()
        self.topics: set[str] = set()

    def retain(self, topic: str, payload: bytes) -> None:
        self.topics.add(topic)
        self.all.append(decode(Health, payload))
        self.at_s.append(time.monotonic())
        task = asyncio.get_running_loop().create_task(self._wake())
        self._waking.add(task)
        task.add_done_callback(self._waking.discard)

    async def _wake(self) -> None:
        async with self._came:
            self._came.notify_all()

    async def until(self, holds: Callable[[Health], bool], *, within_s: float = 5.0) -> Health:
        """The first heartbeat for which it holds."""
        async with asyncio.timeout(within_s), self._came:
            await self._came.wait_for(lambda: any(map(holds, self.all)))
        return next(filter(holds, self.all))


async def engine_there() -> Engine:
    return Engine(age_s=0.0, reachable=True, version="20.10")


async def apps_there() -> tuple[AppHealth, ...]:
    return (APP,)


async def hangs() -> Engine:
    await asyncio.Event().wait()
    raise AssertionError


@asynccontextmanager
async def beating(
    tmp_path: Path,
    *,
    period_s: float = 60.0,
    engine: Callable[[], Awaitable[Engine]] = engine_there,
    apps: Callable[[], Awaitable[tuple[AppHealth, ...]]] = apps_there,
    plcs: Callable[[], tuple[PlcHealth, ...]] = lambda: (PLC,),
) -> AsyncIterator[tuple[Heart, Beats]]:
    node = NodeConfig(site="a", name="b", data_dir=str(tmp_path))
    beats = Beats()
    a_heart = Heart(
        Config(node=node, health=HealthConfig(period_s=period_s)),
        retain=beats.retain,
        engine=engine,
        apps=apps,
        plcs=plcs,
        spool=lambda: SPOOL,
        rejected_commands=lambda: 7,
    )
    async with asyncio.TaskGroup() as group:
        task = group.create_task(a_heart.run())
        try:
            yield a_heart, beats
        finally:
            task.cancel()


async def test_first_beat_comes_at_once_and_says_everything(tmp_path: Path) -> None:
    async with beating(tmp_path) as (_, beats):
        health = await beats.until(lambda health: health.seq == 0, within_s=2)
    assert beats.topics == {"mw/v1/a/b/health"}
    assert (health.node, health.mode, health.period_s) == ("a/b", "development", 60.0)
    assert health.engine.reachable
    assert health.host.memory_total_bytes > 0
    assert (health.apps[0].app, health.plcs, health.spool, health.rejected_commands) == ("web", (PLC,), SPOOL, 7)


async def test_beats_follow_on_the_period_and_are_counted(tmp_path: Path) -> None:
    async with beating(tmp_path, period_s=0.6) as (_, beats):
        await beats.until(lambda health: health.seq == 3)
    assert [health.seq for health in beats.all] == [0, 1, 2, 3]
    assert len({health.epoch for health in beats.all}) == 1
    assert beats.at_s[3] - beats.at_s[0] == pytest.approx(1.8, abs=0.4)


async def test_two_lives_have_two_epochs(tmp_path: Path) -> None:
    epochs = []
    for _ in range(2):
        async with beating(tmp_path) as (_, beats):
            epochs.append((await beats.until(lambda _: True)).epoch)
    assert epochs[0] != epochs[1]


async def test_change_is_said_at_once(tmp_path: Path) -> None:
    async with beating(tmp_path, plcs=lambda: (PLC,)) as (a_heart, beats):
        await beats.until(lambda health: health.seq == 0)
        await asyncio.sleep(heart.REST_S + 0.1)
        wanted_s = time.monotonic()
        a_heart.beat_now()
        await beats.until(lambda health: health.seq == 1, within_s=2)
    assert beats.at_s[1] - wanted_s < 0.4


async def test_many_changes_go_out_together(tmp_path: Path) -> None:
    async with beating(tmp_path) as (a_heart, beats):
        for _ in range(100):
            a_heart.beat_now()
            await asyncio.sleep(0.013)
        await beats.until(lambda health: health.seq >= 2)
    assert len(beats.all) <= 5
    gaps = [after - before for before, after in zip(beats.at_s, beats.at_s[1:], strict=False)]
    assert min(gaps) >= heart.REST_S - 0.02


async def test_change_while_a_beat_is_made_is_not_lost(tmp_path: Path) -> None:
    asked, answer = asyncio.Event(), asyncio.Event()

    async def slow() -> Engine:
        asked.set()
        await answer.wait()
        return await engine_there()

    async with beating(tmp_path, engine=slow) as (a_heart, beats):
        await asked.wait()
        a_heart.beat_now()
        answer.set()
        await beats.until(lambda health: health.seq == 1, within_s=3)


async def test_engine_that_hangs_stops_no_heartbeat(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(heart, "PATIENCE_S", 0.2)
    answers = [engine_there]

    async def engine() -> Engine:
        return await (answers.pop() if answers else hangs)()

    async with beating(tmp_path, period_s=0.6, engine=engine) as (_, beats):
        first = await beats.until(lambda health: health.seq == 0)
        late = await beats.until(lambda health: health.seq == 4)
    assert first.engine.reachable
    assert not late.engine.reachable
    assert late.engine.version == "20.10"
    assert late.engine.error is not None
    assert "no answer for" in late.engine.error
    assert late.engine.age_s == pytest.approx(beats.at_s[4] - beats.at_s[0], abs=0.3)
    assert late.host.age_s < 0.5
    assert beats.at_s[4] - beats.at_s[1] == pytest.approx(1.8, abs=0.5)


async def test_engine_that_answers_again_is_seen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(heart, "PATIENCE_S", 0.1)
    monkeypatch.setattr(source, "GIVE_UP_S", 0.8)
    answers = [hangs]

    async def engine() -> Engine:
        return await (answers.pop() if answers else engine_there)()

    async with beating(tmp_path, period_s=0.5, engine=engine) as (_, beats):
        assert not (await beats.until(lambda health: health.seq == 0)).engine.reachable
        await beats.until(lambda health: health.engine.reachable)


async def test_engine_that_fails_is_unreachable_with_its_words_and_logged_once(tmp_path: Path) -> None:
    async def engine() -> Engine:
        raise TransientError("socket gone", phase="x", component="y", element="z", category=Category.ENGINE_UNREACHABLE)

    with structlog.testing.capture_logs() as logs:
        async with beating(tmp_path, period_s=0.5, engine=engine) as (_, beats):
            health = await beats.until(lambda health: health.seq == 2)
    assert (health.engine.reachable, health.engine.error) == (False, "socket gone")
    failures = [entry for entry in logs if entry["event"] == "measurement_failed"]
    assert failures == [
        {"event": "measurement_failed", "log_level": "warning", "source": "engine", "error": "socket gone"}
    ]


async def test_age_is_that_of_the_measurement(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An answer that was given while another source was waited for is older than the beat."""
    monkeypatch.setattr(heart, "PATIENCE_S", 0.5)
    async with beating(tmp_path, engine=hangs) as (_, beats):
        health = await beats.until(lambda health: health.seq == 0)
    assert 0.3 < health.apps[0].age_s < 0.7
    assert 0.3 < health.host.age_s < 0.7


async def test_a_bug_in_a_room_ends_the_heart(tmp_path: Path) -> None:
    async def engine() -> Engine:
        raise ZeroDivisionError

    with pytest.RaisesGroup(pytest.RaisesGroup(ZeroDivisionError)):
        async with asyncio.timeout(5), beating(tmp_path, engine=engine):
            await asyncio.Event().wait()
