"""A doubted value is marked; a good one is not, whatever came before it."""

import math

from hypothesis import given
from hypothesis import strategies as st

from edge_agent.judge import Judge
from jieneng.metering.reading import Quality

NAN = math.nan
MS = 1000


def marks(
    judge: Judge, *values: float, every_s: float = 10.0, step: float = 0.01, start_s: float = 0
) -> list[int]:
    """Qualities of a counter that is read at regular times."""
    return [
        judge.quality(round((start_s + number * every_s) * MS), value, NAN, step)
        for number, value in enumerate(values)
    ]


def test_a_counter_that_grows_as_it_may_is_good() -> None:
    """36 kW is 0.1 kWh in 10 s."""
    assert marks(Judge(36.0), 100.0, 100.1, 100.2, 100.2, 100.3) == [0] * 5


def test_a_jump_is_too_fast_and_what_follows_it_is_good() -> None:
    assert marks(Judge(36.0), 100.0, 9113.0, 100.2, 100.3) == [0, Quality.TOO_FAST, 0, 0]


def test_a_zero_between_two_good_values_marks_neither_of_them() -> None:
    assert marks(Judge(36.0), 100.0, 0.0, 100.2, 100.3) == [0] * 4


def test_a_register_that_jumped_for_good_is_believed_with_its_second_value() -> None:
    assert marks(Judge(36.0), 100.0, 9113.0, 9113.1, 9113.2) == [0, Quality.TOO_FAST, 0, 0]


def test_a_register_that_was_reset_is_believed() -> None:
    assert marks(Judge(36.0), 100.0, 0.0, 0.1, 0.2, 0.3) == [0] * 5


def test_one_step_of_the_register_is_never_too_fast() -> None:
    """A register of 0.01 kWh behind a CT of 800 moves by 8 kWh, more than 2600 kW give in 10 s."""
    assert marks(Judge(2600.0), 0.0, 8.0, 16.0, 16.0, 24.0, step=8.0) == [0] * 5


def test_a_register_that_is_renewed_once_a_minute_is_good() -> None:
    values = [100.0] * 6 + [100.6] * 6 + [101.2] * 6
    assert marks(Judge(36.0), *values) == [0] * 18


def test_a_jump_after_a_night_at_rest_is_too_fast() -> None:
    night = [100.0] * 3600
    assert marks(Judge(36.0), *night, 130.0)[-1] == Quality.TOO_FAST


def test_a_gap_is_as_long_as_it_is() -> None:
    judge = Judge(36.0)
    marks(judge, 100.0)
    assert marks(judge, 460.0, start_s=36_000) == [0]
    assert marks(judge, 900.0, start_s=39_600) == [Quality.TOO_FAST]


def test_a_rate_past_the_nameplate_is_out_of_range() -> None:
    judge = Judge(100.0)
    assert judge.quality(0, NAN, 109.0, 0.01) == 0
    assert judge.quality(0, NAN, 111.0, 0.01) == Quality.OUT_OF_RANGE
    assert judge.quality(0, NAN, -111.0, 0.01) == Quality.OUT_OF_RANGE


def test_heat_counts_gigajoules_by_kilowatts() -> None:
    """1000 kW are 3.6 GJ an hour."""
    judge = Judge(1000.0, an_hour=0.0036)
    assert marks(judge, 10.0, 13.6, 20.0, every_s=3600, step=0.001) == [0, 0, Quality.TOO_FAST]


@given(st.lists(st.floats(allow_nan=True, allow_infinity=False), max_size=20))
def test_without_a_nameplate_nothing_is_judged(values: list[float]) -> None:
    assert not any(marks(Judge(None), *values))


@given(st.lists(st.floats(0, 1), min_size=2, max_size=60), st.integers(0, 3), st.data())
def test_a_good_series_is_good_however_single_values_go_wrong(
    shares: list[float], spikes: int, draw: st.DataObject
) -> None:
    """Shares of the rated maximum: every value of the series itself is unmarked."""
    judge, counter, time_ms = Judge(36.0), 5000.0, 0
    wrong = draw.draw(st.sets(st.integers(1, len(shares)), max_size=spikes))
    judge.quality(0, counter, NAN, 0.01)
    for number, share in enumerate(shares, 1):
        time_ms += 10 * MS
        counter += share * 0.1
        if number in wrong and number - 1 not in wrong:
            judge.quality(time_ms, draw.draw(st.sampled_from([0.0, 9e6])), NAN, 0.01)
        else:
            assert judge.quality(time_ms, counter, NAN, 0.01) == 0
