"""What a bridge says of itself."""

from agent.telemetry.vitals import Vitals
from wire.messages import PlcHealth


def health(vitals: Vitals) -> PlcHealth:
    return vitals.health("press-1", good=3, tags=4, refused=1, response_time_s=0.0123)


def test_before_the_first_connection_quality_is_zero_and_the_reason_stands_there() -> None:
    first = health(Vitals(None))
    assert (first.connected, first.quality, first.reconnects, first.last_value_age_s) == (False, 0.0, 0, None)
    assert first.error


def test_quality_is_the_share_of_good_tags_while_connected() -> None:
    vitals = Vitals(None)
    vitals.entered()
    assert (health(vitals).quality, health(vitals).error, health(vitals).response_time_ms) == (0.75, None, 12.3)
    vitals.lost("cable cut")
    assert (health(vitals).quality, health(vitals).error, health(vitals).errors) == (0.0, "cable cut", 1)


def test_the_first_connection_is_no_reconnect() -> None:
    vitals = Vitals(None)
    for expected in (0, 1, 2):
        vitals.entered()
        assert health(vitals).reconnects == expected


def test_a_plc_without_tags_has_no_quality() -> None:
    vitals = Vitals(None)
    vitals.entered()
    assert vitals.health("p", good=0, tags=0, refused=0, response_time_s=None).quality == 0.0


def test_values_are_counted_and_the_last_has_an_age() -> None:
    vitals = Vitals(None)
    vitals.stored(3)
    vitals.stored(2)
    assert health(vitals).values == 5
    assert 0 <= health(vitals).last_value_age_s < 5
