"""A refusal in unknown words is believed after three times over an hour, and not before."""

from hypothesis import given
from hypothesis import strategies as st

from ingest.storing.suspects import FORGOTTEN_AFTER_S, PAUSE_S, SPAN_S, TIMES, Suspects
from jieneng.metering.schema import Point
from jieneng.storage import RejectedPoint


class Clock:
    def __init__(self) -> None:
        self.now_s = 1000.0

    def __call__(self) -> float:
        return self.now_s


def point(time_ms: int = 0, *, meter: str = "m", field: str = "energy_kwh") -> Point:
    return Point.of("electricity", (("meter", meter), ("site", "s")), ((field, 1.0),), time_ms)


def refused(one: Point, code: str = "unclear") -> RejectedPoint:
    return RejectedPoint(0, one, code, "400 the frobnicator says no")


def test_a_point_is_set_aside_after_three_refusals_over_an_hour() -> None:
    clock = Clock()
    suspects = Suspects(clock)
    for _ in range(2):
        assert suspects.add([refused(point())]) == []
        assert not suspects.is_due(point())
        clock.now_s += PAUSE_S
        assert suspects.is_due(point())
    assert suspects.add([refused(point())]) == [refused(point())]
    assert len(suspects) == 0
    assert suspects.is_due(point())


@given(st.lists(st.floats(0.0, 2 * SPAN_S), max_size=40))
def test_however_refusals_are_spread_none_is_believed_early(steps: list[float]) -> None:
    clock = Clock()
    suspects = Suspects(clock)
    times: list[float] = []
    for step in steps:
        clock.now_s += step
        times.append(clock.now_s)
        if suspects.add([refused(point())]):
            assert len(times) >= TIMES
            assert times[-1] - times[0] >= SPAN_S
            times.clear()
        else:
            assert len(times) < TIMES or times[-1] - times[0] < 2 * SPAN_S * TIMES


def test_refusals_in_quick_succession_count_once() -> None:
    clock = Clock()
    suspects = Suspects(clock)
    for _ in range(100):
        assert suspects.add([refused(point())]) == []
        clock.now_s += 1.0
    assert len(suspects) == 1


def test_a_stored_point_is_no_suspect_any_more() -> None:
    clock = Clock()
    suspects = Suspects(clock)
    for _ in range(2):
        suspects.add([refused(point())])
        clock.now_s += PAUSE_S
    suspects.forget([point()])
    for _ in range(2):
        assert suspects.add([refused(point())]) == []
        clock.now_s += PAUSE_S
    assert suspects.add([refused(point())]) != []


def test_points_are_told_apart_by_series_time_and_fields() -> None:
    clock = Clock()
    suspects = Suspects(clock)
    others = [point(1), point(meter="n"), point(field="power_kw")]
    suspects.add([refused(point())])
    assert all(suspects.is_due(one) for one in others)
    suspects.add(map(refused, others))
    assert len(suspects) == 4


def test_a_point_that_was_never_tried_alone_is_no_suspect() -> None:
    suspects = Suspects(Clock())
    assert suspects.add([refused(point(), "untried")]) == []
    assert len(suspects) == 0


def test_memory_is_bounded_and_makes_room_for_others() -> None:
    clock = Clock()
    suspects = Suspects(clock, most=10)
    suspects.add([refused(point(i)) for i in range(25)])
    assert len(suspects) == 10
    assert suspects.is_due(point(20))
    clock.now_s += FORGOTTEN_AFTER_S
    suspects.add([refused(point(20))])
    assert len(suspects) == 1
    for _ in range(2):
        clock.now_s += PAUSE_S
        aside = suspects.add([refused(point(20))])
    assert aside == [refused(point(20))]
