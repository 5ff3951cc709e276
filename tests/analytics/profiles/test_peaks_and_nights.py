"""Peaks, base loads, leak levels and days off, worked by hand."""

from datetime import date, datetime

import numpy as np
import pytest

from analytics.profiles.night_loads import days_off_share, leak_levels, night_base_load
from analytics.profiles.peak_loads import of_whole_span, peak_loads
from tests.analytics.alerts.signals.made_hours import made_hours

NAN = float("nan")
QUARTER_MS = 900_000


def edges(count: int) -> np.ndarray[tuple[int, ...], np.dtype[np.int64]]:
    return np.arange(count + 1, dtype=np.int64) * QUARTER_MS


def test_the_peak_is_the_largest_mean_of_an_interval() -> None:
    """10, 30, 20 kWh in quarters of an hour: peak 120 kW, mean 80 kW."""
    found = peak_loads(edges(3), np.array([[10.0, 30.0, 20.0]]))
    assert (found.load[0], found.start_ms[0]) == (120.0, QUARTER_MS)
    assert found.load_factor[0] == pytest.approx(80 / 120)
    assert found.coverage[0] == 1.0


def test_intervals_that_are_not_measured_are_no_zeros() -> None:
    """10 and 30 kWh are known: mean 80 kW, in half of the time."""
    found = peak_loads(edges(4), np.array([[10.0, NAN, 30.0, NAN], [NAN] * 4]))
    assert found.load_factor[0] == pytest.approx(80 / 120)
    assert found.coverage.tolist() == [0.5, 0.0]
    assert np.isnan(found.load[1])
    assert np.isnan(found.load_factor[1])


def test_the_peak_of_months_together_is_that_of_the_first_of_the_greatest() -> None:
    months = [
        peak_loads(edges(2) + first, np.array([values]))
        for first, values in ((0, [NAN, NAN]), (10, [1.0, 5.0]), (20, [5.0, 1.0]))
    ]
    found = of_whole_span(months)
    assert (found.load[0], found.start_ms[0]) == (20.0, QUARTER_MS + 10)
    assert found.coverage[0] == pytest.approx(2 / 3)
    assert found.amount[0] == 12.0


def test_a_load_that_never_rises_above_zero_has_no_load_factor() -> None:
    assert np.isnan(peak_loads(edges(2), np.array([[0.0, -1.0]])).load_factor[0])


def test_the_base_load_is_the_median_of_the_nights_before_working_days() -> None:
    """Nights of 3, 9 and 4 kW before working days; the night before the Saturday is left out."""
    least = np.array([[3.0, NAN, 9.0, 100.0, 4.0]])
    base, coverage = night_base_load(least, np.array([True, True, True, False, True]))
    assert (base[0], coverage[0]) == (4.0, 0.75)


def test_the_leak_level_has_four_of_five_nights_above_it() -> None:
    """Sorted 0.1, 0.3, 0.4, 0.5, 0.5, 0.6, 2.0: place 0.2 x 6 = 1.2, so 0.3 + 0.2 x 0.1."""
    nights = [0.5, 2.0, 0.3, 0.4, 0.6, 0.5, 0.1]
    level, coverage = leak_levels(np.array([nights]))
    assert level[0, 6] == pytest.approx(0.32)
    assert coverage[0, 6] == 1.0
    assert np.isnan(level[0, 3])
    assert np.isfinite(level[0, 4])


@pytest.mark.parametrize("drawn", [1, 2])
def test_water_drawn_in_one_or_two_nights_is_no_leak(drawn: int) -> None:
    nights = np.array([[3.0] * drawn + [0.0] * (7 - drawn)])
    assert leak_levels(nights)[0][0, -1] == 0.0


def test_the_share_of_days_off_counts_weekends_and_not_hours_that_are_unknown() -> None:
    """Five days of 24 x 4 kWh and two of 24 x 1: 48 of 528; an unknown Monday leaves 48 of 432."""
    week = date(2025, 3, 3), date(2025, 3, 10)

    def load(moment: datetime) -> float:
        return 4.0 if moment.weekday() < 5 else 1.0

    share = days_off_share(made_hours(*week, load))[0]
    assert share == pytest.approx(48 / 528)

    def without_monday(moment: datetime) -> float:
        return NAN if moment.weekday() == 0 else load(moment)

    assert days_off_share(made_hours(*week, without_monday))[0] == pytest.approx(48 / 432)


def test_without_a_day_off_there_is_no_share() -> None:
    assert np.isnan(days_off_share(made_hours(date(2025, 3, 3), date(2025, 3, 5), lambda _: 1.0)))
