"""A doubtful value is flagged; a good one is not, whatever came before it."""

import math
import struct
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_agent.polling.quality import CounterCheck, RepetitionCheck
from jieneng.metering.reading import Quality

NAN = math.nan
MS = 1000


def marks(
    judge: CounterCheck,
    *values: float,
    every_s: float = 10.0,
    step: float = 0.01,
    start_s: float = 0,
) -> list[int]:
    """Qualities of a counter that is read at regular times."""
    return [
        judge.quality(round((start_s + number * every_s) * MS), value, NAN, step)
        for number, value in enumerate(values)
    ]


def test_a_counter_that_grows_as_it_may_is_good() -> None:
    """36 kW is 0.1 kWh in 10 s."""
    assert marks(CounterCheck(36.0), 100.0, 100.1, 100.2, 100.2, 100.3) == [0] * 5


def test_a_jump_is_too_fast_and_what_follows_it_is_good() -> None:
    assert marks(CounterCheck(36.0), 100.0, 9113.0, 100.2, 100.3) == [0, Quality.TOO_FAST, 0, 0]


def test_a_zero_between_two_good_values_marks_neither_of_them() -> None:
    assert marks(CounterCheck(36.0), 100.0, 0.0, 100.2, 100.3) == [0] * 4


def test_a_register_that_jumped_for_good_is_believed_with_its_second_value() -> None:
    assert marks(CounterCheck(36.0), 100.0, 9113.0, 9113.1, 9113.2) == [0, Quality.TOO_FAST, 0, 0]


def test_a_register_that_was_reset_is_believed() -> None:
    assert marks(CounterCheck(36.0), 100.0, 0.0, 0.1, 0.2, 0.3) == [0] * 5


def test_one_step_of_the_register_is_never_too_fast() -> None:
    """A register of 0.01 kWh behind a CT of 800 moves by 8 kWh, more than 2600 kW give in 10 s."""
    assert marks(CounterCheck(2600.0), 0.0, 8.0, 16.0, 16.0, 24.0, step=8.0) == [0] * 5


def test_a_register_that_is_renewed_once_a_minute_is_good() -> None:
    values = [100.0] * 6 + [100.6] * 6 + [101.2] * 6
    assert marks(CounterCheck(36.0), *values) == [0] * 18


def test_what_just_moved_has_not_been_at_rest() -> None:
    """1 kWh in 10 s, which 36 kW give in 100; a time at rest would count from the last move."""
    assert marks(CounterCheck(36.0), 100.0, 100.1, 101.2) == [0, 0, Quality.TOO_FAST]


def test_a_jump_after_a_night_at_rest_is_too_fast() -> None:
    night = [100.0] * 3600
    assert marks(CounterCheck(36.0), *night, 130.0)[-1] == Quality.TOO_FAST


def test_a_gap_is_as_long_as_it_is() -> None:
    judge = CounterCheck(36.0)
    marks(judge, 100.0)
    assert marks(judge, 460.0, start_s=36_000) == [0]
    assert marks(judge, 900.0, start_s=39_600) == [Quality.TOO_FAST]


def test_a_rate_past_the_nameplate_is_out_of_range() -> None:
    judge = CounterCheck(100.0)
    assert judge.quality(0, NAN, 109.0, 0.01) == 0
    assert judge.quality(0, NAN, 111.0, 0.01) == Quality.OUT_OF_RANGE
    assert judge.quality(0, NAN, -111.0, 0.01) == Quality.OUT_OF_RANGE


def test_heat_counts_gigajoules_by_kilowatts() -> None:
    """1000 kW are 3.6 GJ an hour."""
    judge = CounterCheck(1000.0, growth_per_hour=0.0036)
    assert marks(judge, 10.0, 13.6, 20.0, every_s=3600, step=0.001) == [0, 0, Quality.TOO_FAST]


@given(st.lists(st.floats(allow_nan=True, allow_infinity=False), max_size=20))
def test_without_a_nameplate_nothing_is_judged(values: list[float]) -> None:
    assert not any(marks(CounterCheck(None), *values))


@given(st.lists(st.floats(0, 1), min_size=2, max_size=60), st.integers(0, 3), st.data())
def test_a_good_series_is_good_however_single_values_go_wrong(
    shares: list[float], spikes: int, draw: st.DataObject
) -> None:
    """Shares of the rated maximum: every value of the series itself is unmarked."""
    judge, counter, time_ms = CounterCheck(36.0), 5000.0, 0
    wrong = draw.draw(st.sets(st.integers(1, len(shares)), max_size=spikes))
    judge.quality(0, counter, NAN, 0.01)
    for number, share in enumerate(shares, 1):
        time_ms += 10 * MS
        counter += share * 0.1
        if number in wrong and number - 1 not in wrong:
            judge.quality(time_ms, draw.draw(st.sampled_from([0.0, 9e6])), NAN, 0.01)
        else:
            assert judge.quality(time_ms, counter, NAN, 0.01) == 0


def flat(
    judge: CounterCheck,
    values: list[float],
    rate: float,
    *,
    every_s: float = 10.0,
    step: float = 0.01,
    start_s: float = 0.0,
) -> list[bool]:
    """Which samples of a counter are marked as flat, at one rate all the time."""
    return [
        bool(judge.quality(round((start_s + number * every_s) * MS), value, rate, step) & 2)
        for number, value in enumerate(values)
    ]


def test_a_counter_that_stands_still_while_power_flows_is_flat_until_it_moves() -> None:
    """36 kW are one step of 0.01 kWh a second; the register may be renewed every two minutes."""
    values = [100.0, 100.1, *[100.2] * 60, 106.2, 106.3]
    marked = flat(CounterCheck(None), values, 36.0)
    assert marked.index(True) == 2 + 13, "130 s after it was first seen to stand"
    assert all(marked[15:62])
    assert marked[62:] == [False, False]


def test_a_counter_stands_still_where_nothing_flows() -> None:
    assert not any(flat(CounterCheck(None), [100.0, 100.1, *[100.2] * 10_000], 0.0))


def test_a_counter_of_what_comes_in_does_not_count_what_goes_out() -> None:
    assert not any(flat(CounterCheck(None), [100.0, 100.1, *[100.2] * 1000], -36.0))


def test_a_counter_that_is_due_to_move_once_an_hour_is_not_flat() -> None:
    """10 W: a step of 0.01 kWh is an hour, and ten steps are ten."""
    hour = [round(100 + 0.01 * (number // 360), 2) for number in range(3600)]
    assert not any(flat(CounterCheck(None), hour, 0.01))


def test_a_register_that_is_renewed_every_two_minutes_is_not_flat() -> None:
    values = [100.0 + 1.2 * (number // 12) for number in range(200)]
    assert not any(flat(CounterCheck(None), values, 36.0))


def test_pulses_of_ten_litres_in_a_register_of_one_are_not_flat() -> None:
    """The least move that was seen is the counter's step, whatever the register could show."""
    values = [5.0 + 0.01 * (number // 30) for number in range(600)]
    assert not any(flat(CounterCheck(None), values, 0.12, step=0.001))


def test_a_counter_that_never_moved_is_flat_when_far_more_than_a_step_is_missing() -> None:
    marked = flat(CounterCheck(None), [100.0] * 60, 36.0)
    assert marked.index(True) == 13
    coarse = flat(CounterCheck(None), [100.0] * 60, 3.6, every_s=60.0, step=8.0)
    assert not any(coarse), "3.6 kWh, half a step of a register behind a CT of 800"


def test_what_flowed_in_a_gap_is_not_known() -> None:
    judge = CounterCheck(None)
    flat(judge, [100.0, 100.1, 100.2], 36.0)
    assert flat(judge, [100.2], 36.0, start_s=36_000.0) == [False]


def test_an_unknown_rate_says_nothing_of_the_counter() -> None:
    assert not any(flat(CounterCheck(None), [100.0, 100.1, *[100.2] * 1000], NAN))


def test_a_rate_that_is_known_at_one_end_only_says_nothing_of_the_time_between() -> None:
    judge = CounterCheck(None)
    flat(judge, [100.0, 100.1], 36.0)
    rates = [36.0 if number % 2 else NAN for number in range(1000)]
    times_ms = range(20_000, 10_020_000, 10_000)
    assert not any(
        judge.quality(time_ms, 100.1, rate, 0.01) & Quality.FLAT
        for time_ms, rate in zip(times_ms, rates, strict=True)
    )


def test_a_rate_that_comes_and_goes_does_not_make_the_mark_flutter() -> None:
    judge, marked = CounterCheck(None), []
    flat(judge, [100.0, 100.1], 36.0)
    for number in range(200):
        rate = 36.0 if number % 3 else 0.0
        marked.append(bool(judge.quality(20_000 + number * 10_000, 100.1, rate, 0.01) & 2))
    first = marked.index(True)
    assert all(marked[first:])


@given(
    st.lists(st.floats(0, 1), min_size=2, max_size=200),
    st.sampled_from([0.001, 0.01, 0.1, 1.0]),
    st.sampled_from([1.0, 10.0, 60.0, 900.0]),
)
def test_a_counter_that_counts_is_never_flat(
    shares: list[float], step: float, every_s: float
) -> None:
    """At rates of up to 100, which hold from one sample to the next."""
    judge, exact = CounterCheck(None), 1000.0
    for number, (before, share) in enumerate(zip([0.0, *shares], shares, strict=False)):
        exact += 100 * before * every_s / 3600
        shown = math.floor(exact / step) * step
        assert not judge.quality(round(number * every_s * MS), shown, 100 * share, step) & 2


NAMES = ("energy_kwh", "voltage_a_v", "voltage_b_v", "voltage_c_v", "power_kw")


def answer(values: tuple[float, ...]) -> bytes:
    return struct.pack(f"{len(values)}d", *values)


def stale(values: Sequence[tuple[float, ...]], every_s: float = 60.0) -> list[bool]:
    repetition = RepetitionCheck(NAMES)
    return [
        repetition.quality(round(number * every_s * MS), [answer(one)], one) == Quality.STALE
        for number, one in enumerate(values)
    ]


def test_a_gateway_that_answers_from_its_memory_is_stale_after_ten_minutes() -> None:
    one, other = (5.0, 231.1, 230.2, 229.9, 1.5), (5.0, 231.1, 230.3, 229.9, 1.5)
    assert stale([one] * 12 + [other] * 2) == [False] * 10 + [True] * 2 + [False] * 2
    assert stale([one] * 601, every_s=1.0).index(True) == 600
    assert stale([one] * 12, every_s=900.0).index(True) == 10


@pytest.mark.parametrize(
    "one",
    [
        (5.0, 0.0, 0.0, 0.0, 0.0),  # switched off upstream
        (5.0, 230.0, 0.0, 0.0, 0.0),  # one phase, of which the voltage may be coarse
        (5.0, NAN, NAN, NAN, 0.0),
    ],
)
def test_what_may_stand_still_is_not_stale(one: tuple[float, ...]) -> None:
    assert not any(stale([one] * 100))


def test_a_clock_that_goes_back_makes_no_value_too_fast() -> None:
    """How long the step took, nobody knows; without a nameplate nothing is judged anyway."""
    hour = 3_600_000
    for judge in (CounterCheck(None), CounterCheck(100.0)):
        qualities = [
            judge.quality(time_ms, counter, 36.0, 0.01)
            for time_ms, counter in ((10 * hour, 100.0), (9 * hour, 100.1), (9 * hour, 100.1))
        ]
        assert qualities == [0, 0, 0]
