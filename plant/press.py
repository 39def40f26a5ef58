"""A press line as a pure function: `advance(press, dt_s, draw)` is the press a moment later.

Temperatures drift towards what the work puts in, the hydraulic pressure swings with each stroke, strokes count cycles,
and now and then a sensor fails: the press stands still in `FAULT` until it is repaired, then warms up and runs again.
Chance comes in from outside as a `Draw`, so that the same draws give the same press.
"""

import math
import random
from enum import IntEnum, StrEnum

from msgspec import Struct
from msgspec.structs import replace


class PressState(IntEnum):
    """What the press is doing, as its PLC numbers it."""

    STOPPED = 0
    WARMING_UP = 1
    RUNNING = 2
    FAULT = 3


class Fault(StrEnum):
    """What can fail: the tag that shows it, which goes Bad or Uncertain until it is repaired."""

    NONE = ""
    TEMPERATURE_SENSOR = "Press.Temperature"
    PRESSURE_SENSOR = "Press.Pressure"


class Draw(Struct, frozen=True, kw_only=True):
    """The chance in one step: `noise` around 0 with deviation 1, `luck` even between 0 and 1."""

    temperature_noise: float = 0.0
    pressure_noise: float = 0.0
    speed_noise: float = 0.0
    fault_luck: float = 1.0
    fault_kind_luck: float = 0.0
    reject_luck: float = 1.0


class Press(Struct, frozen=True, kw_only=True):
    """One moment of the press line."""

    state: PressState = PressState.WARMING_UP
    temperature_c: float = 140.0
    oil_temperature_c: float = 35.0
    pressure_bar: float = 5.0
    speed_spm: float = 0.0
    """Strokes a minute."""
    stroke: float = 0.0
    """Place in the present stroke, 0 to 1; at its end a cycle is complete."""
    scans: int = 0
    """Steps of the PLC: rises by one each time, whatever the state."""
    cycles: int = 0
    rejects: int = 0
    fault: Fault = Fault.NONE
    repaired_in_s: float = 0.0

    @property
    def order(self) -> str:
        """The production order: a new one after each `ORDER_CYCLES`."""
        return f"WO-{10_001 + self.cycles // ORDER_CYCLES}"

    @property
    def vibration_mm_s(self) -> tuple[float, float, float]:
        """Along three axes; it follows the speed and the place in the stroke."""
        swing = self.speed_spm / 30.0 * (0.4 + math.sin(math.pi * self.stroke))
        return (round(1.8 * swing, 3), round(1.1 * swing, 3), round(2.6 * swing, 3))


ORDER_CYCLES = 250
WORKING_TEMPERATURE_C = 180.0
WORKING_SPEED_SPM = 30.0
WORKING_PRESSURE_BAR = 160.0
AMBIENT_C = 22.0


def advance(press: Press, dt_s: float, draw: Draw, *, fault_every_s: float = 120.0) -> Press:
    """The press `dt_s` seconds later; `fault_every_s` is the mean time between faults, 0 for never."""
    state, fault, repaired_in_s = _next_state(press, dt_s, draw, fault_every_s)
    speed_spm = _speed(press, state, dt_s, draw)
    travelled = press.stroke + speed_spm / 60.0 * dt_s
    completed = int(travelled)
    stroke = travelled - completed
    rejected = 1 if completed and draw.reject_luck < 0.02 else 0
    return replace(
        press,
        state=state,
        fault=fault,
        repaired_in_s=repaired_in_s,
        speed_spm=speed_spm,
        stroke=stroke,
        scans=press.scans + 1,
        cycles=press.cycles + completed,
        rejects=press.rejects + rejected,
        temperature_c=_temperature(press, state, dt_s, draw),
        oil_temperature_c=_towards(press.oil_temperature_c, AMBIENT_C + speed_spm, dt_s, 300.0),
        pressure_bar=_pressure(state, stroke, draw),
    )


def draw_from(chance: random.Random) -> Draw:
    """Draw one step's chance."""
    return Draw(
        temperature_noise=chance.gauss(0.0, 1.0),
        pressure_noise=chance.gauss(0.0, 1.0),
        speed_noise=chance.gauss(0.0, 1.0),
        fault_luck=chance.random(),
        fault_kind_luck=chance.random(),
        reject_luck=chance.random(),
    )


def _next_state(press: Press, dt_s: float, draw: Draw, fault_every_s: float) -> tuple[PressState, Fault, float]:
    if press.state is PressState.FAULT:
        left_s = press.repaired_in_s - dt_s
        if left_s > 0:
            return PressState.FAULT, press.fault, left_s
        return PressState.WARMING_UP, Fault.NONE, 0.0
    if press.state is PressState.RUNNING and fault_every_s > 0 and draw.fault_luck < dt_s / fault_every_s:
        kinds = (Fault.TEMPERATURE_SENSOR, Fault.PRESSURE_SENSOR)
        return PressState.FAULT, kinds[int(draw.fault_kind_luck * len(kinds))], 5.0 + 10.0 * draw.fault_kind_luck
    if press.state is PressState.WARMING_UP and press.temperature_c >= WORKING_TEMPERATURE_C - 5.0:
        return PressState.RUNNING, Fault.NONE, 0.0
    return press.state, Fault.NONE, 0.0


def _speed(press: Press, state: PressState, dt_s: float, draw: Draw) -> float:
    wanted = WORKING_SPEED_SPM if state is PressState.RUNNING else 0.0
    noise = 0.2 * draw.speed_noise * math.sqrt(dt_s) if wanted else 0.0
    return max(0.0, _towards(press.speed_spm, wanted, dt_s, 1.5) + noise)


def _temperature(press: Press, state: PressState, dt_s: float, draw: Draw) -> float:
    heated = AMBIENT_C if state in (PressState.STOPPED, PressState.FAULT) else WORKING_TEMPERATURE_C + 2.0
    time_constant_s = 4.0 if state is PressState.WARMING_UP else 120.0
    return _towards(press.temperature_c, heated, dt_s, time_constant_s) + 0.3 * draw.temperature_noise * math.sqrt(dt_s)


def _pressure(state: PressState, stroke: float, draw: Draw) -> float:
    squeeze = max(0.0, math.sin(math.pi * stroke)) if state is PressState.RUNNING else 0.0
    return max(0.0, 5.0 + (WORKING_PRESSURE_BAR - 5.0) * squeeze + 0.4 * draw.pressure_noise)


def _towards(value: float, wanted: float, dt_s: float, time_constant_s: float) -> float:
    return value + (wanted - value) * (1.0 - math.exp(-dt_s / time_constant_s))
