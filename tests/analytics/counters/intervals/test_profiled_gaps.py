"""Gaps are distributed by the meter's usual hours of the week."""

from datetime import UTC, datetime, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from analytics.counters.batch.many_meters import MeterReadings, consumption_of_meters
from analytics.counters.believed_register import believed_register
from analytics.counters.consumption import Consumption, consumption_between
from analytics.counters.imported_consumption import ImportedConsumption
from analytics.counters.intervals.profiled_gaps import (
    history_from_ms,
    profiled_gaps,
    with_profiles,
)
from analytics.counters.intervals.register_line import RegisterLine, line_of, plain_line
from analytics.counters.intervals.usual_week import HISTORY_MS
from analytics.counters.meter_devices import HOUR_MS, Device, MeterDevices
from analytics.counters.register_segments import gaps

ZONE = ZoneInfo("Asia/Shanghai")
#: A Monday, 00:00 in Huai'an.
MONDAY_MS = round(datetime(2024, 1, 7, 16, tzinfo=UTC).timestamp() * 1000)
WEEK = 168


def at(*hours: float) -> NDArray[np.int64]:
    """Return times, in hours after the Monday [UTC, ms]."""
    return MONDAY_MS + np.round(np.array(hours) * HOUR_MS).astype(np.int64)


def office(hours: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the consumption in hours of the week: 10 kWh from 08:00 to 18:00, otherwise 2 kWh."""
    of_day = hours % 24
    return np.where((of_day >= 8) & (of_day < 18), 10.0, 2.0)


def registers(amounts: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.append(100.0, 100.0 + np.cumsum(amounts))


def office_with_gap(start: int, end: int, factor: float = 1.0) -> RegisterLine:
    """Return hourly readings from the Monday on, without those inside a gap.

    In the gap the consumption is the usual one times a factor.
    """
    hours = np.arange(0.0, end + 48)
    amounts = office(hours)
    amounts[start:end] *= factor
    times = at(*hours, end + 48)
    kept = (times <= times[start]) | (times >= times[end])
    times, values = times[kept], registers(amounts)[kept]
    return plain_line(times, values, gaps(np.diff(times)))


def hourly(line: RegisterLine, start: float, end: float, step: float = 1.0) -> list[float]:
    """Return the consumption by hour of a line whose gaps have profiles."""
    edges = at(*np.arange(start, end + step / 2, step).tolist())
    filled = with_profiles(line, profiled_gaps(line, edges), ZONE)
    shown = np.interp(edges, filled.times_ms, filled.stored)
    return [float(amount) for amount in np.diff(shown)]


def test_the_hours_of_a_gap_have_the_shares_of_the_usual_hours() -> None:
    """06:00 to 10:00 usually has 2, 2, 10 and 10 kWh, and now 36 kWh: one and a half times that."""
    start = 4 * WEEK + 6
    line = office_with_gap(start, start + 4, factor=1.5)
    assert hourly(line, start - 1, start + 5) == pytest.approx([2, 3, 3, 15, 15, 10])


def test_a_gap_that_begins_and_ends_inside_an_hour_touches_these_hours_in_part() -> None:
    """From 07:30 to 12:15 the usual consumption is 1 + 4 x 10 + 2.5 kWh; the gap has 87 kWh."""
    start = 4 * WEEK
    hours = np.arange(0.0, start + 8)
    times = at(*hours, start + 7.5, start + 12.25, *np.arange(start + 13.0, start + 40))
    before = registers(office(hours))[: len(hours)]
    half = before[-1] + 1.0
    values = np.concatenate([before, [half, half + 87], half + 87 + np.arange(27.0)])
    line = plain_line(times, values, gaps(np.diff(times)))
    found = hourly(line, start + 7, start + 12.25, 0.25)
    assert found == pytest.approx([0.5, 0.5, 1, 1] + [5.0] * 17)


def test_hours_of_a_weekend_have_their_own_means() -> None:
    """A meter that counts only on Saturdays from 08:00; a gap of Friday and Saturday."""
    hours = np.arange(0.0, 5 * WEEK)
    amounts = np.where((hours % WEEK >= 5 * 24 + 8) & (hours % WEEK < 6 * 24), 4.0, 0.0)
    start, end = 4 * WEEK + 4 * 24, 4 * WEEK + 6 * 24
    kept = (hours <= start) | (hours >= end)
    times, values = at(*hours)[kept], registers(amounts)[:-1][kept]
    line = plain_line(times, values, gaps(np.diff(times)))
    assert hourly(line, start, end, 24) == pytest.approx([0.0, 64.0])
    assert hourly(line, start + 24, start + 40, 8) == pytest.approx([0.0, 32.0])


@pytest.mark.parametrize(
    ("history", "expected"),
    [
        (4 * 24, [6.0, 6.0, 30.0, 30.0]),
        (24 + 12, [18.0, 18.0, 18.0, 18.0]),
    ],
    ids=["four days: by the hour of the day", "a day and a half: evenly"],
)
def test_with_less_history_the_days_are_alike(history: int, expected: list[float]) -> None:
    """The readings begin on Monday. The gap is on Friday, or on Tuesday, from 06:00 to 10:00."""
    start = history - history % 24 + 6
    line = office_with_gap(start, start + 4, factor=3.0)
    assert hourly(line, start, start + 4) == pytest.approx(expected)


def test_a_meter_that_usually_counts_nothing_then_is_distributed_evenly() -> None:
    """The means of these hours are 0, both by hour of the week and by hour of the day."""
    hours = np.arange(0.0, 5 * WEEK)
    amounts = np.where((hours % 24 >= 8) & (hours % 24 < 18), 10.0, 0.0)
    start = 4 * WEEK + 1
    amounts[start : start + 4] = 3.0
    kept = (hours <= start) | (hours >= start + 4)
    times, values = at(*hours)[kept], registers(amounts)[:-1][kept]
    line = plain_line(times, values, gaps(np.diff(times)))
    assert hourly(line, start, start + 4) == pytest.approx([3.0] * 4)


def test_hours_in_gaps_do_not_count_for_the_profile() -> None:
    """No night was read by hour, so a night is known only as a sum, and is distributed evenly."""
    hours = np.arange(0.0, 6 * WEEK)
    amounts = np.where(hours % 24 < 3, 6.0, 1.0)
    kept = (hours % 24 == 0) | (hours % 24 >= 6)
    times, values = at(*hours)[kept], registers(amounts)[:-1][kept]
    line = plain_line(times, values, gaps(np.diff(times)))
    night = 5 * WEEK
    assert hourly(line, night, night + 6) == pytest.approx([21 / 6] * 6)


def test_an_hour_with_a_new_register_does_not_count() -> None:
    """The register was replaced at 08:30 each Monday, at first with a loss of 5,000 kWh."""
    moments = [int(at(week * WEEK + 8.5)[0]) for week in range(4)]
    bounds = [-(2**62), *moments, 2**62]
    devices = MeterDevices(
        "m",
        tuple(
            Device(
                from_ms=low,
                until_ms=high,
                initial=0.0 if number else np.nan,
                final=np.nan if number == 4 else 9_000.0,
            )
            for number, (low, high) in enumerate(pairwise(bounds))
        ),
    )
    hours = np.arange(0.0, 5 * WEEK)
    times = at(*hours)
    since = np.array(moments)[np.searchsorted(moments, times) - 1]
    values = np.where(times < moments[0], 8_000.0, 0.0) + np.where(
        times < moments[0], hours, (times - since) / HOUR_MS
    )
    start = 4 * WEEK + 6
    kept = (hours <= start) | (hours >= start + 4)
    register = believed_register(times[kept], values[kept], devices)
    edges = at(*range(start, start + 5))
    assert consumption_between(register, edges, None, ZONE).amount == pytest.approx([1.0] * 4)


def test_a_gap_of_an_hour_and_a_gap_that_no_edge_divides_need_no_history() -> None:
    minutes = np.arange(0.0, 40 * 24 * 60, 10)
    kept = (minutes <= 38 * 1440 + 500) | (minutes >= 38 * 1440 + 560)
    times = at(*(minutes[kept] / 60))
    line = plain_line(times, 5 + minutes[kept], gaps(np.diff(times)))
    edges = at(*np.arange(38 * 24, 39 * 24, 0.25))
    assert (~line.covered).sum() == 1
    assert len(profiled_gaps(line, edges)) == 0
    long = office_with_gap(4 * WEEK + 6, 4 * WEEK + 10)
    assert len(profiled_gaps(long, at(4 * WEEK, 4 * WEEK + 24))) == 0
    assert len(profiled_gaps(long, at(4 * WEEK, 4 * WEEK + 7))) == 1
    assert history_from_ms(line, profiled_gaps(line, edges)) is None


def test_several_gaps_in_a_row_have_their_own_sums() -> None:
    """Two gaps with a single reading between them are one span, but have two sums."""
    start = 4 * WEEK + 6
    hours = np.array([*range(start + 1), start + 4, *range(start + 10, start + 60)], dtype=float)
    amounts = office(np.arange(0.0, start + 60))
    amounts[start : start + 4] *= 2
    times, values = at(*hours), registers(amounts)[hours.astype(int)]
    line = plain_line(times, values, gaps(np.diff(times)))
    assert (~line.covered).sum() == 1
    found = hourly(line, start, start + 10)
    assert found == pytest.approx([4, 4, 20, 20, 10, 10, 10, 10, 10, 10])


def consumption(line_hours: tuple[int, int], edges: NDArray[np.int64]) -> Consumption:
    """Return the consumption of the office with a gap of twice the usual consumption."""
    start, end = line_hours
    line = office_with_gap(start, end, 2.0)
    devices = MeterDevices("m", zone=ZONE)
    [outcome] = consumption_of_meters(
        [MeterReadings(devices, line.times_ms, line.stored)], {"hour": edges}
    )
    assert outcome.history_ms == line.times_ms[start] - HISTORY_MS
    return outcome.consumption["hour"]


def test_coverage_and_estimated_amounts_are_those_of_a_gap() -> None:
    start = 4 * WEEK + 6
    found = consumption((start, start + 4), at(*range(start - 1, start + 6)))
    assert found.amount == pytest.approx([2, 4, 4, 20, 20, 10])
    assert found.coverage.tolist() == [1, 0, 0, 0, 0, 1]
    assert found.estimated == pytest.approx([0, 4, 4, 20, 20, 0])
    assert found.bounded.tolist() == [1] * 6


def test_the_estimate_at_an_edge_is_the_smaller_side_of_the_distribution() -> None:
    """Of 48 kWh, 4, 8 and 28 kWh lie before the edges; distributed evenly: 12, 24 and 36 kWh."""
    start = 4 * WEEK + 6
    found = consumption((start, start + 4), at(*range(start, start + 5)))
    assert found.spread_start == pytest.approx([0, 4, 8, 20])
    assert found.spread_end == pytest.approx([4, 8, 20, 0])


def test_a_gap_that_an_import_fills_in_part_keeps_its_distribution_in_the_rest() -> None:
    start = 4 * WEEK + 6
    line = office_with_gap(start, start + 4, 2.0)
    flags = np.zeros(1, dtype=np.bool_)
    imported = ImportedConsumption(at(start + 2), at(start + 3), np.array([17.0]), flags)
    devices = MeterDevices("m", zone=ZONE)
    readings = MeterReadings(devices, line.times_ms, line.stored, imported=imported)
    edges = at(start, start + 4)
    [outcome] = consumption_of_meters([readings], {"hour": edges})
    assert outcome.consumption["hour"].amount == pytest.approx([4 + 4 + 17 + 20])
    register = believed_register(line.times_ms, line.stored, devices)
    alone = consumption_between(register, edges, imported, ZONE)
    assert alone.amount.tolist() == outcome.consumption["hour"].amount.tolist()


def test_a_gap_with_a_change_of_the_transformers_is_distributed_evenly() -> None:
    """The CT ratio changes from 10 to 20 at midnight in the second gap; the first has a profile."""
    start = 5 * WEEK - 2
    ratios = ((-(2**62), 10.0), (int(at(5 * WEEK)[0]), 20.0))
    devices = MeterDevices("m", (Device(ratios=ratios),), zone=ZONE)
    hours = np.arange(0.0, 6 * WEEK)
    kept = (hours <= start) | (hours >= start + 4)
    kept &= (hours <= start - 24) | (hours >= start - 20)
    amounts = office(hours)
    amounts[start - 24 : start - 20] *= 2
    shown = registers(amounts)[:-1]
    values = shown * np.where(hours < 5 * WEEK, 10.0, 20.0)
    register = believed_register(at(*hours)[kept], values[kept], devices)
    edges = at(*range(start, start + 5))
    found = consumption_between(register, edges, None, ZONE)
    evenly = consumption_between(register, edges)
    assert found.amount.tolist() == evenly.amount.tolist() == [20.0, 20.0, 40.0, 40.0]
    assert found.spread_end == pytest.approx([20, 40, 40, 0])
    earlier = at(*range(start - 24, start - 19))
    assert consumption_between(register, earlier, None, ZONE).spread_end == pytest.approx(
        [40, 80, 40, 0]
    )


@st.composite
def lines(draw: st.DrawFn) -> tuple[RegisterLine, int]:
    """A register with about hourly readings and some gaps; and a number of weeks before it."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    weeks = draw(st.integers(0, 5))
    step_ms = draw(st.sampled_from([600_000, HOUR_MS]))
    times = np.arange(MONDAY_MS, MONDAY_MS + (weeks + 2) * WEEK * HOUR_MS, step_ms)
    times = times + rng.integers(0, step_ms // 12, len(times))
    usual = rng.uniform(0, 9, WEEK) * (rng.random(WEEK) > draw(st.sampled_from([0.0, 0.5])))
    of_week = (times[:-1] - MONDAY_MS) // HOUR_MS % WEEK
    stored = np.append(0.0, np.cumsum(usual[of_week] * rng.uniform(0, 2, len(of_week))))
    kept = np.ones(len(times), dtype=np.bool_)
    for _ in range(draw(st.integers(1, 4))):
        first = int(rng.integers(1, len(times) - 1))
        kept[first : min(first + int(rng.integers(1, 300)), len(times) - 1)] = False
    times, stored = times[kept], stored[kept]
    return plain_line(times, stored, gaps(np.diff(times))), weeks


@settings(max_examples=40)
@given(lines(), st.lists(st.integers(0, 7 * WEEK * 60), min_size=2, max_size=60, unique=True))
def test_gaps_keep_their_sum_and_the_register_never_falls(
    drawn: tuple[RegisterLine, int], minutes: list[int]
) -> None:
    line, _ = drawn
    edges = np.sort(at(*(minute / 60 for minute in minutes)))
    found = with_profiles(line, profiled_gaps(line, edges), ZONE)
    assert (np.diff(found.times_ms) > 0).all()
    assert (np.diff(found.stored) >= 0).all()
    read = np.delete(np.arange(len(found.times_ms)), found.inserted)
    assert found.times_ms[read].tolist() == line.times_ms.tolist()
    assert found.stored[read].tolist() == line.stored.tolist()
    for gap in profiled_gaps(line, edges).tolist():
        inside = slice(int(read[gap]), int(read[gap + 1]) + 1)
        whole = line.stored[gap + 1] - line.stored[gap]
        assert np.diff(found.stored[inside]).sum() == pytest.approx(whole)


@settings(max_examples=40)
@given(lines(), st.integers(0, 10_000))
def test_a_gap_depends_only_on_its_history(drawn: tuple[RegisterLine, int], more: int) -> None:
    """Readings before the history, and after the gap, do not change the digits."""
    line, _ = drawn
    every = np.arange(line.times_ms[0], line.times_ms[-1], HOUR_MS // 4)
    found = profiled_gaps(line, every)
    assume(len(found))
    whole = with_profiles(line, found, ZONE)
    for gap in found.tolist():
        from_ms = history_from_ms(line, np.array([gap]))
        assert from_ms is not None
        first = int(line.times_ms.searchsorted(from_ms - more))
        end = min(gap + 2 + more, len(line.times_ms))
        part = plain_line(line.times_ms[first:end], line.stored[first:end], np.array([gap - first]))
        alone = with_profiles(part, np.array([gap - first]), ZONE)
        inside = (whole.times_ms >= line.times_ms[gap]) & (whole.times_ms <= line.times_ms[gap + 1])
        there = np.isin(alone.times_ms, whole.times_ms[inside])
        assert alone.times_ms[there].tolist() == whole.times_ms[inside].tolist()
        assert alone.stored[there].tolist() == whole.stored[inside].tolist()


@given(st.integers(1, 200), st.integers(61, 60 * 60), st.floats(0.1, 1e4))
def test_an_even_profile_is_a_straight_line(start: int, length: int, growth: float) -> None:
    """A meter that counts the same in each hour."""
    begin = 4 * WEEK + start
    hours = np.arange(0.0, begin + 1)
    end = begin + length / 60
    times = at(*hours, end)
    stored = np.append(7.5 * hours, 7.5 * begin + growth)
    line = plain_line(times, stored, np.array([begin]))
    filled = with_profiles(line, np.array([begin]), ZONE)
    straight = np.interp(filled.times_ms, times, stored)
    assert len(filled.inserted) >= 1
    np.testing.assert_allclose(filled.stored, straight, rtol=1e-12)


def test_days_of_a_clock_change_have_the_profile_of_the_clock() -> None:
    """From 30 March to 31 March 2025 in Berlin: a gap from 01:00 to 04:00 has only two hours."""
    zone = ZoneInfo("Europe/Berlin")
    change_ms = round(datetime(2025, 3, 30, 1, tzinfo=UTC).timestamp() * 1000)
    times = change_ms + np.arange(-5 * WEEK, 3 * 24 + 1) * HOUR_MS
    local = [
        datetime.fromtimestamp(time_ms / 1000, UTC) + timedelta(hours=1 + (time_ms >= change_ms))
        for time_ms in times.tolist()
    ]
    amounts = np.array([1.0 + time.hour for time in local])
    values = np.append(50.0, 50.0 + np.cumsum(amounts[:-1]))
    kept = (times <= change_ms - HOUR_MS) | (times >= change_ms + 4 * HOUR_MS)
    line = plain_line(times[kept], values[kept], gaps(np.diff(times[kept])))
    edges = change_ms + np.arange(-1, 5) * HOUR_MS
    filled = with_profiles(line, profiled_gaps(line, edges), zone)
    shown = np.interp(edges, filled.times_ms, filled.stored)
    assert np.diff(shown).tolist() == pytest.approx([2.0, 4.0, 5.0, 6.0, 7.0])
    assert line_of(believed_register(times, values, MeterDevices("m"))).covered.all()
