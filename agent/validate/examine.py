"""Looking at everything at once: as slow as the slowest, and no slower than allowed."""

import asyncio
from collections.abc import Iterator
from pathlib import Path

from agent.config import Config, MqttConfig, PlcConfig, RegistryConfig
from agent.errors import ConfigError
from agent.validate.broker import broker_probe
from agent.validate.engine import engine_probe
from agent.validate.machine import data_dir_probe, system_probe
from agent.validate.plc import plc_probe
from agent.validate.probe import Probe, answers
from agent.validate.readiness import readiness
from agent.validate.verdict import CHECKS, Verdict, failed, passed


async def examine(config: Config, *, source: Path | None, within_s: float) -> list[Verdict]:
    """Make every check; `source` is the configuration's file, `within_s` the limit of each probe."""
    async with asyncio.TaskGroup() as group:
        tasks = [
            group.create_task(answers(probe, within_s=within_s), name=f"probe:{probe.name}")
            for probe in _probes(config)
        ]
    loads = passed("config-loads", str(source or "from the environment alone"))
    ready = readiness(config, await asyncio.to_thread(_modes, config, source))
    return ordered([loads, *ready, *(verdict for task in tasks for verdict in task.result())])


def refused(error: ConfigError) -> list[Verdict]:
    """All that can be said where the configuration doesn't load."""
    return [failed("config-loads", f"{error.where}: {error.args[0]}", error.remedy)]


def ordered(verdicts: list[Verdict]) -> list[Verdict]:
    """As a report has them: by check, and by subject as they came."""
    order = list(CHECKS)
    return sorted(verdicts, key=lambda verdict: order.index(verdict.id))


def _probes(config: Config) -> Iterator[Probe]:
    yield data_dir_probe(config)
    yield system_probe()
    yield broker_probe(config)
    yield from map(plc_probe, config.opcua)
    yield engine_probe(config)


def _modes(config: Config, source: Path | None) -> dict[str, int]:
    """The permission bits of every file that holds a secret."""
    holders: tuple[MqttConfig | RegistryConfig | PlcConfig, ...] = (
        config.mqtt,
        *config.workload.registries,
        *config.opcua,
    )
    files = [config.mqtt.key_file, *(holder.password_file for holder in holders)]
    if source is not None and any(holder.password for holder in holders):
        files.append(str(source))
    return {file: Path(file).stat().st_mode for file in files if file}
