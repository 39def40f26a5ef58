"""Tag changes as lines: for a person, and as JSON for a program. What is missing is said by both."""

from collections.abc import Iterator

import msgspec

from ops.plain_text import without_control
from wire.continuity import Arrival
from wire.messages import Gap, TagValue
from wire.topics import NodeName

_SEVERITY = ("Good", "Uncertain", "Bad", "Bad")
"""The two highest bits of an OPC UA StatusCode (Part 4, 7.39)."""


def as_lines(arrival: Arrival) -> Iterator[str]:
    """`time  plc  name  value`, and the quality where it isn't Good."""
    for value in arrival.batch.values:
        quality = quality_word(value.status)
        shown = "-" if value.time is None else value.time.strftime("%Y-%m-%d %H:%M:%S.%f")[:-3]
        line = f"{shown:<23}  {arrival.batch.plc}  {value.name}  {_json(value.value)}"
        yield without_control(line if quality == "Good" else f"{line}  {quality} (0x{value.status:08X})")


def as_json_lines(node: NodeName, arrival: Arrival) -> Iterator[str]:
    """A line for each change, with where it stands in its stream, and one for each loss before it."""
    where = {"node": str(node), "plc": arrival.batch.plc, "epoch": arrival.batch.epoch, "seq": arrival.batch.seq}
    if arrival.missed is not None:
        yield _json({**where, "missed": {"first_seq": arrival.missed[0], "last_seq": arrival.missed[1]}})
    if arrival.gap is not None:
        yield _json({**where, "gap": arrival.gap})
    for value in arrival.batch.values:
        yield _json({**where, **_change(value)})


def notes(arrival: Arrival) -> Iterator[str]:
    """What a person should know beside the values."""
    plc = arrival.batch.plc
    if arrival.is_new_epoch:
        yield f"! {plc}: the node's spool was made anew; whether anything is missing before can't be told"
    if arrival.missed is not None:
        first, last = arrival.missed
        yield f"! {plc}: " + (f"seq {first}" if first == last else f"seq {first} to {last}") + " did not reach us"
    if arrival.gap is not None:
        yield f"! {plc}: {_gap(arrival.gap)}"


def quality_word(status: int) -> str:
    """Good, Uncertain or Bad."""
    return _SEVERITY[status >> 30 & 0b11]


def _gap(gap: Gap) -> str:
    values = "values" if gap.values is None else f"{gap.values} values"
    return f"the node lost {values} from {gap.since:%H:%M:%S} to {gap.until:%H:%M:%S} ({gap.reason.replace('_', ' ')})"


def _change(value: TagValue) -> dict[str, object]:
    return {"name": value.name, "value": value.value, "status": value.status, "time": value.time}


def _json(value: object) -> str:
    return msgspec.json.encode(value).decode()
