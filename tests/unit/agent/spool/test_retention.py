"""What gives way when the log is full: whatever is appended, delivered and dropped, no `seq` goes missing unsaid."""

from copy import deepcopy
from datetime import UTC, datetime, timedelta
from itertools import takewhile

from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, initialize, invariant, rule

from agent.spool.retention import (
    MARKER_BYTES,
    RECORD_OVERHEAD_BYTES,
    Bounds,
    Held,
    Need,
    Oldest,
    doomed,
    losses,
    merged,
    need,
)
from wire.codec import encode
from wire.messages import Gap, GapReason, TagBatch

T0 = datetime(2026, 3, 1, 6, 0, tzinfo=UTC)
EVER = 1 << 60
BOUNDS = Bounds(max_bytes=12_800, max_age=timedelta(seconds=128))


def at(seconds: float) -> datetime:
    return T0 + timedelta(seconds=seconds)


def held(position: int, plc: str = "press", seq: int | None = None, **more: object) -> Held:
    given = {"value_count": 10, "at": at(position), "size": 1000, **more}
    return Held(position=position, plc=plc, seq=position if seq is None else seq, **given)  # type: ignore[arg-type]


def source_gap(since: float, until: float, values: int | None = None) -> Gap:
    return Gap(reason=GapReason.SOURCE, since=at(since), until=at(until), values=values)


def positions(records: list[Held]) -> list[int]:
    return [record.position for record in records]


def test_a_log_within_its_bounds_needs_nothing() -> None:
    assert need(BOUNDS, held_bytes=12_800, oldest=Oldest(position=1, at=at(0)), now=at(128), aged_up_to=9) is None


def test_an_empty_log_needs_nothing() -> None:
    assert need(BOUNDS, held_bytes=0, oldest=None, now=at(1e6), aged_up_to=9) is None


def test_a_log_too_large_frees_a_little_more_than_the_excess() -> None:
    assert need(BOUNDS, held_bytes=12_850, oldest=Oldest(position=1, at=at(0)), now=at(1), aged_up_to=9) == Need(
        excess_bytes=150, before=at(-127), aged_up_to=9
    )


def test_a_log_too_old_drops_a_little_more_than_what_is_too_old() -> None:
    assert need(BOUNDS, held_bytes=1, oldest=Oldest(position=1, at=at(0)), now=at(128.5), aged_up_to=9) == Need(
        excess_bytes=0, before=at(1.5), aged_up_to=9
    )


def test_the_oldest_gives_way_first_whatever_its_stream() -> None:
    log = [held(1, "press"), held(2, "oven"), held(3, "press"), held(4, "oven")]
    assert positions(doomed(log, Need(excess_bytes=1000, before=T0, aged_up_to=EVER))) == [1, 2]


def test_what_is_too_old_gives_way_although_there_is_room() -> None:
    log = [held(1), held(2), held(3)]
    assert positions(doomed(log, Need(excess_bytes=0, before=at(2.5), aged_up_to=EVER))) == [1, 2]


def test_a_small_record_that_is_too_old_takes_no_other_with_it_to_pay_for_its_marker() -> None:
    log = [held(1, size=60), held(2, size=60)]
    assert positions(doomed(log, Need(excess_bytes=0, before=at(1.5), aged_up_to=EVER))) == [1]


def test_what_was_stored_in_this_life_is_not_too_old_whatever_the_clock_says() -> None:
    oldest = Oldest(position=10, at=at(0))
    assert need(BOUNDS, held_bytes=1, oldest=oldest, now=at(1e9), aged_up_to=9) is None
    log = [held(8), held(9), held(10)]
    assert positions(doomed(log, Need(excess_bytes=0, before=at(1e9), aged_up_to=9))) == [8, 9]


def test_choosing_reads_no_further_than_it_drops() -> None:
    log = iter([held(1, size=5000), held(2), held(3)])
    doomed(log, Need(excess_bytes=4000, before=T0, aged_up_to=EVER))
    assert [record.position for record in log] == [3]


def test_markers_alone_never_give_way() -> None:
    marker = held(7, marker=True, value_count=0, gap=Gap(reason=GapReason.SPOOL_FULL, since=T0, until=T0, first_seq=0))
    assert doomed([marker], Need(excess_bytes=1, before=at(1000), aged_up_to=EVER)) == []


def test_one_streams_losses_become_one_marker_at_the_last_ones_place() -> None:
    (loss,) = losses([held(3, seq=5), held(4, seq=6), held(9, seq=7)])
    assert (loss.position, loss.seq, loss.records, loss.size, loss.value_count) == (9, 7, 3, 3000, 30)
    assert loss.gap == Gap(reason=GapReason.SPOOL_FULL, since=at(3), until=at(9), first_seq=5, last_seq=7, values=30)


def test_every_stream_has_its_own_marker() -> None:
    found = {loss.plc: loss.seq for loss in losses([held(1, "press", 4), held(2, "oven", 0), held(3, "press", 5)])}
    assert found == {"press": 5, "oven": 0}


def test_a_marker_that_is_overtaken_is_merged_and_its_values_are_not_counted_again() -> None:
    (first,) = losses([held(1), held(2)])
    marker = held(first.position, seq=first.seq, gap=first.gap, marker=True, value_count=0, size=300)
    (second,) = losses([marker, held(3)])
    assert (second.gap.first_seq, second.gap.last_seq, second.gap.values) == (1, 3, 30)
    assert second.value_count == 10


def test_a_gap_of_another_reason_stays_named_and_its_time_covered() -> None:
    (loss,) = losses([held(5), held(6, gap=source_gap(1, 4, values=3)), held(7)])
    assert loss.gap.also == (GapReason.SOURCE,)
    assert (loss.gap.since, loss.gap.until) == (at(1), at(7))
    assert loss.gap.values == 33


def test_a_loss_that_nobody_could_count_adds_nothing_to_the_number() -> None:
    (loss,) = losses([held(5, gap=source_gap(1, 4))])
    assert loss.gap.values == 10


def test_no_marker_is_larger_than_what_a_drop_reckons_with() -> None:
    huge = Gap(
        reason=GapReason.SPOOL_FULL,
        since=at(0.123456),
        until=at(0.123457),
        first_seq=2**63,
        last_seq=2**63,
        values=2**63,
        also=tuple(GapReason),
    )
    payload = encode(TagBatch(epoch="0" * 16, plc="p" * 64, seq=2**63, gap=huge))
    assert len(payload) + RECORD_OVERHEAD_BYTES <= MARKER_BYTES


gaps = st.builds(
    lambda since, long, first, many, values, also: Gap(
        reason=GapReason.SPOOL_FULL,
        since=at(since),
        until=at(since + long),
        first_seq=first,
        last_seq=first + many,
        values=values,
        also=also,
    ),
    st.integers(0, 100),
    st.integers(0, 100),
    st.integers(0, 100),
    st.integers(0, 100),
    st.integers(0, 100),
    st.sampled_from([(), (GapReason.SOURCE,), (GapReason.OVERFLOW, GapReason.SOURCE)]),
)


@given(gaps, gaps, gaps)
def test_merging_is_associative(a: Gap, b: Gap, c: Gap) -> None:
    assert merged(merged(a, b), c) == merged(a, merged(b, c))


@given(st.lists(st.tuples(st.sampled_from("abc"), st.integers(1, 3000), st.integers(0, 300)), max_size=40))
def test_a_drop_frees_what_it_must_or_leaves_nothing_but_markers(drawn: list[tuple[str, int, int]]) -> None:
    log = [held(n, plc, size=size, at=at(age)) for n, (plc, size, age) in enumerate(drawn)]
    wanted = Need(excess_bytes=2000, before=at(50), aged_up_to=EVER)
    dropped = doomed(log, wanted)
    freed_bytes = sum(record.size for record in dropped) - MARKER_BYTES * len({record.plc for record in dropped})
    assert freed_bytes >= wanted.excess_bytes or dropped == log
    assert positions(dropped) == positions(log)[: len(dropped)]
    too_old_in_front = takewhile(lambda record: record.at < wanted.before, log)
    assert len(dropped) >= len(list(too_old_in_front))


class Subscriber:
    """Folds a stream as a historian would: what came, what a gap names, what came twice."""

    def __init__(self) -> None:
        self.came: dict[str, set[int]] = {}
        self.named: dict[str, set[int]] = {}

    def take(self, record: Held) -> None:
        if not record.marker:
            self.came.setdefault(record.plc, set()).add(record.seq)
            return
        assert record.gap is not None
        assert record.gap.first_seq is not None
        assert record.gap.last_seq == record.seq
        named = range(record.gap.first_seq, record.gap.last_seq + 1)
        self.named.setdefault(record.plc, set()).update(named)


class LogAndSubscriber(RuleBasedStateMachine):
    """Any order of appends, deliveries, drops and lost connections, with one uplink that reads ahead of its cursor."""

    plcs = Bundle("plcs")

    @initialize(target=plcs)
    def begin(self) -> str:
        self.log: list[Held] = []
        self.in_memory: list[Held] = []
        self.cursor = 0
        self.read_up_to = 0
        self.next_seq: dict[str, int] = {}
        self.position = 0
        self.subscriber = Subscriber()
        return "press"

    @rule(target=plcs, name=st.sampled_from(["oven", "saw"]))
    def another_plc(self, name: str) -> str:
        return name

    @rule(plc=plcs, size=st.integers(100, 3000), gap=st.booleans())
    def append(self, plc: str, size: int, gap: bool) -> None:
        self.position += 1
        seq = self.next_seq.get(plc, 0)
        self.next_seq[plc] = seq + 1
        said = source_gap(self.position - 1, self.position) if gap else None
        self.log.append(held(self.position, plc, seq, size=size, gap=said))

    @rule(excess_bytes=st.integers(0, 20_000), before=st.integers(-1, 60))
    def drop(self, excess_bytes: int, before: int) -> None:
        dropped = doomed(self.log, Need(excess_bytes=excess_bytes, before=at(before), aged_up_to=EVER))
        kept = self.log[len(dropped) :]
        for loss in losses(dropped):
            marker = held(
                loss.position, loss.plc, loss.seq, value_count=0, at=loss.at, size=300, gap=loss.gap, marker=True
            )
            kept.append(marker)
        self.log = sorted(kept, key=lambda record: record.position)

    @rule(count=st.integers(1, 8))
    def read(self, count: int) -> None:
        chunk = [record for record in self.log if record.position > self.read_up_to][:count]
        self.in_memory += chunk
        self.read_up_to = chunk[-1].position if chunk else self.read_up_to

    @rule(count=st.integers(1, 8))
    def deliver_and_advance(self, count: int) -> None:
        for record in self.in_memory[:count]:
            self.subscriber.take(record)
            self.cursor = record.position
        self.in_memory = self.in_memory[count:]
        self.log = [record for record in self.log if record.position > self.cursor]

    @rule(delivered=st.integers(0, 8))
    def lose_the_connection(self, delivered: int) -> None:
        for record in self.in_memory[:delivered]:
            self.subscriber.take(record)
        self.in_memory = []
        self.read_up_to = self.cursor

    @invariant()
    def every_seq_comes_or_is_named_if_the_connection_holds(self) -> None:
        self.prove([*self.in_memory, *(record for record in self.log if record.position > self.read_up_to)])

    @invariant()
    def every_seq_comes_or_is_named_if_the_connection_is_lost(self) -> None:
        self.prove([record for record in self.log if record.position > self.cursor])

    @invariant()
    def markers_are_as_few_as_streams(self) -> None:
        markers = [record.plc for record in self.log if record.marker]
        assert len(markers) == len(set(markers))

    @invariant()
    def positions_rise(self) -> None:
        assert positions(self.log) == sorted(set(positions(self.log)))

    def prove(self, still_to_come: list[Held]) -> None:
        then = deepcopy(self.subscriber)
        for record in still_to_come:
            then.take(record)
        for plc, next_seq in self.next_seq.items():
            assert then.came.get(plc, set()) | then.named.get(plc, set()) == set(range(next_seq))


TestLogAndSubscriber = LogAndSubscriber.TestCase
TestLogAndSubscriber.settings = settings(stateful_step_count=30)


@given(st.lists(st.tuples(st.sampled_from("ab"), st.booleans()), min_size=1, max_size=30), st.data())
def test_without_a_delivery_every_seq_is_in_one_place_exactly(
    drawn: list[tuple[str, bool]], data: st.DataObject
) -> None:
    log: list[Held] = []
    seqs = {"a": 0, "b": 0}
    for position, (plc, gap) in enumerate(drawn, start=1):
        log.append(held(position, plc, seqs[plc], gap=source_gap(0, position) if gap else None))
        seqs[plc] += 1
        dropped = doomed(log, Need(excess_bytes=data.draw(st.integers(0, 4000)), before=at(0), aged_up_to=EVER))
        markers = [
            held(loss.position, loss.plc, loss.seq, gap=loss.gap, marker=True, value_count=0, size=300)
            for loss in losses(dropped)
        ]
        log = sorted([*markers, *log[len(dropped) :]], key=lambda record: record.position)
    for plc, count in seqs.items():
        assert [seq for record in log if record.plc == plc for seq in covered(record)] == list(range(count))
        kept_values = sum(record.value_count for record in log if record.plc == plc)
        lost_values = sum(
            record.gap.values or 0 for record in log if record.plc == plc and record.marker and record.gap
        )
        assert kept_values + lost_values == 10 * count


def covered(record: Held) -> range:
    first = record.gap.first_seq if record.marker and record.gap else record.seq
    return range(record.seq if first is None else first, record.seq + 1)
