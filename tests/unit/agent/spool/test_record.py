"""A batch too large for a packet becomes several; nothing of it is lost or said twice."""

from datetime import UTC, datetime

from hypothesis import given
from hypothesis import strategies as st

from agent.spool.record import BAD_ENCODING_LIMITS_EXCEEDED, Record, parts
from wire.messages import Gap, GapReason, TagBatch, TagValue

AT = datetime(2026, 3, 1, 6, 0, tzinfo=UTC)
GAP = Gap(reason=GapReason.SOURCE, since=AT, until=AT)


def batch(*texts: str, gap: Gap | None = None) -> TagBatch:
    return TagBatch(epoch="e", plc="press", seq=7, values=tuple(TagValue("t", text, 0, AT) for text in texts), gap=gap)


def test_a_batch_that_fits_stays_one() -> None:
    ((whole, payload),) = parts(batch("a", "b", gap=GAP))
    assert whole == batch("a", "b", gap=GAP)
    assert Record(position=1, plc="press", payload=payload).batch() == whole


def test_a_batch_without_values_is_stored_for_its_gap() -> None:
    assert [whole for whole, _ in parts(batch(gap=GAP), max_payload_bytes=1)] == [batch(gap=GAP)]


def test_a_single_value_is_never_taken_apart() -> None:
    assert len(parts(batch("x" * 1000), max_payload_bytes=100)) == 1


def test_a_value_that_no_broker_need_take_keeps_its_name_and_says_so_by_its_status() -> None:
    found = parts(batch("a", "x" * 1000, "b", gap=GAP), max_payload_bytes=200, max_value_bytes=500)
    values = [value for part, _ in found for value in part.values]
    assert [(value.value, value.status) for value in values] == [
        ("a", 0),
        (None, BAD_ENCODING_LIMITS_EXCEEDED),
        ("b", 0),
    ]
    assert {(value.name, value.time) for value in values} == {("t", AT)}
    assert all(len(payload) <= 500 for _, payload in found)


@given(st.lists(st.text(max_size=60), min_size=1, max_size=40))
def test_parts_have_all_values_in_order_under_names_without_a_hole(texts: list[str]) -> None:
    found = parts(batch(*texts, gap=GAP), max_payload_bytes=300)
    assert [value.value for part, _ in found for value in part.values] == texts
    assert [part.seq for part, _ in found] == list(range(7, 7 + len(found)))
    assert [part.gap for part, _ in found] == [GAP] + [None] * (len(found) - 1)
    assert all(len(payload) <= 300 or len(part.values) == 1 for part, payload in found)
