"""The tags that the press's PLC shows."""

from collections.abc import Callable
from typing import Any

from asyncua import ua
from msgspec import Struct

from plant.press import Press


class Signal(Struct, frozen=True, kw_only=True):
    """A tag of the press: where its value comes from and what is known of it."""

    name: str
    type: ua.VariantType
    read: Callable[[Press], Any]
    description: str
    unit: tuple[str, str] | None = None
    """What is displayed, and the UNECE common code that is the unit's number in OPC UA."""
    range: tuple[float, float] | None = None


SIGNALS = (
    Signal(
        name="Press.Temperature",
        type=ua.VariantType.Double,
        read=lambda press: round(press.temperature_c, 2),
        description="Temperature of the upper plate",
        unit=("°C", "CEL"),
        range=(0.0, 300.0),
    ),
    Signal(
        name="Press.OilTemperature",
        type=ua.VariantType.Double,
        read=lambda press: round(press.oil_temperature_c, 2),
        description="Temperature of the hydraulic oil",
        unit=("°C", "CEL"),
        range=(0.0, 120.0),
    ),
    Signal(
        name="Press.Pressure",
        type=ua.VariantType.Float,
        read=lambda press: round(press.pressure_bar, 1),
        description="Hydraulic pressure",
        unit=("bar", "BAR"),
        range=(0.0, 250.0),
    ),
    Signal(
        name="Press.Speed",
        type=ua.VariantType.Double,
        read=lambda press: round(press.speed_spm, 2),
        description="Strokes a minute",
        unit=("1/min", "RPM"),
        range=(0.0, 60.0),
    ),
    Signal(
        name="Press.Scans",
        type=ua.VariantType.UInt32,
        read=lambda press: press.scans,
        description="Scan counter of the PLC: rises by one each time, so that a lost value shows",
    ),
    Signal(
        name="Press.Cycles",
        type=ua.VariantType.Int64,
        read=lambda press: press.cycles,
        description="Parts pressed",
    ),
    Signal(
        name="Press.Rejects",
        type=ua.VariantType.UInt32,
        read=lambda press: press.rejects,
        description="Parts rejected",
    ),
    Signal(
        name="Press.State",
        type=ua.VariantType.Int32,
        read=lambda press: int(press.state),
        description="0 stopped, 1 warming up, 2 running, 3 fault",
    ),
    Signal(
        name="Press.Fault",
        type=ua.VariantType.String,
        read=lambda press: str(press.fault),
        description="The tag whose sensor failed; empty when all is well",
    ),
    Signal(
        name="Press.Order",
        type=ua.VariantType.String,
        read=lambda press: press.order,
        description="Production order",
    ),
    Signal(
        name="Press.Vibration",
        type=ua.VariantType.Double,
        read=lambda press: list(press.vibration_mm_s),
        description="Vibration velocity along three axes",
        unit=("mm/s", "C16"),
        range=(0.0, 20.0),
    ),
)
"""Every tag of the press. NodeIds are `ns=…;s=` and the name."""
