"""The forecast of a year: calculated by hand, and compared with 14 measured buildings."""

import csv
import gzip
import math
from datetime import date, datetime
from functools import cache
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from analytics.figures.forecasts.forecast import NO_FORECAST, forecast_remainder
from jieneng.metering.quantities import Medium

Days = NDArray[np.float64]


def year(a_day: float, days: int = 365) -> Days:
    return np.full(days, float(a_day))


def test_a_steady_year_goes_on_as_it_is() -> None:
    found = forecast_remainder("electricity", [year(10)] * 3, year(10, 100), 365)
    assert found.remainder == pytest.approx(2650)
    assert (found.least, found.greatest) == pytest.approx((2650, 2650)), "it was never wrong"


def test_a_part_of_the_change_so_far_is_expected_to_last() -> None:
    """21 % more so far: 1.21 ** 0.3 = 1.05885 for electricity, 1.21 ** 0.5 = 1.1 for gas."""
    more = year(12.1, 100)
    assert forecast_remainder("electricity", [year(10)], more, 365).remainder == pytest.approx(
        2650 * 1.21**0.3
    )
    assert forecast_remainder("gas", [year(10)], more, 365).remainder == pytest.approx(2650 * 1.1)


def test_the_band_is_from_the_errors_of_the_years_before() -> None:
    """Two years were forecast: one as it came, one 10 % too low. Student's t, 2 degrees: 1.886."""
    grown = np.concatenate([year(10, 100), year(11, 265)])
    found = forecast_remainder("gas", [year(10), year(10), grown], year(10, 100), 365)
    half = 1.886 * math.sqrt(math.log(1.1) ** 2 / 2)
    assert found.remainder == pytest.approx(11 * 265)
    assert math.log(found.greatest / found.remainder) == pytest.approx(half)
    assert math.log(found.remainder / found.least) == pytest.approx(half)


def test_one_year_before_gives_no_band_and_none_no_forecast() -> None:
    alone = forecast_remainder("water", [year(3)], year(3, 10), 365)
    assert alone.remainder == pytest.approx(3 * 355)
    assert math.isnan(alone.least)
    assert math.isnan(alone.greatest)
    assert forecast_remainder("water", [], year(3, 10), 365) == NO_FORECAST


def test_days_that_are_unknown_scale_nothing_and_are_filled_with_the_mean() -> None:
    holes = year(10)
    holes[::20] = np.nan
    found = forecast_remainder("gas", [holes], holes[:100] * 1.21, 365)
    assert found.remainder == pytest.approx(2650 * 1.1)
    mostly = year(10)
    mostly[200:] = np.nan
    assert math.isnan(forecast_remainder("gas", [mostly], year(10, 100), 365).remainder)


def test_a_leap_year_has_a_day_more() -> None:
    assert forecast_remainder("gas", [year(1)], year(1, 60), 366).remainder == pytest.approx(306)
    last_day = forecast_remainder("gas", [year(1)] * 3, year(1), 365)
    assert last_day.remainder == 0.0


@cache
def cambridge(folder: Path, medium: str) -> tuple[dict[int, Days], ...]:
    """Daily kWh of each building by year. A missing hour is 0 in the archive, and adds nothing."""
    first = date(2018, 1, 1)
    with gzip.open(folder / "cambridge" / f"{medium}_hourly_kwh.csv.gz", "rt") as lines:
        rows = csv.reader(lines)
        columns = [number for number, name in enumerate(next(rows)) if name != "datetime"]
        time = next(number for number in range(len(columns) + 1) if number not in columns)
        sums = np.zeros((len(columns), (date(2023, 1, 1) - first).days))
        for row in rows:
            day = (datetime.fromisoformat(row[time]).date() - first).days
            if 0 <= day < sums.shape[1]:
                sums[:, day] += [float(row[column] or 0) for column in columns]
    starts = [(date(one, 1, 1) - first).days for one in range(2018, 2024)]
    return tuple(
        {2018 + n: building[starts[n] : starts[n + 1]] for n in range(5)} for building in sums
    )


@pytest.mark.parametrize(
    ("medium", "bars"), [("electricity", (4.3, 3.0, 1.9)), ("gas", (13.0, 4.0, 3.0))]
)
def test_the_forecasts_of_measured_buildings(
    measured: Path, medium: Medium, bars: tuple[float, ...]
) -> None:
    """Median error of 2022 at the end of March, June and September; the band holds 80 %.

    Source: Cambridge Estates Building Energy Archive (MIT).
    """
    buildings = cambridge(measured, medium)
    within: list[bool] = []
    for month, bar in zip((4, 7, 10), bars, strict=True):
        day = (date(2022, month, 1) - date(2022, 1, 1)).days
        errors = []
        for by_year in buildings:
            before = [by_year[one] for one in range(2018, 2022)]
            found = forecast_remainder(medium, before, by_year[2022][:day], 365)
            came = float(by_year[2022][day:].sum())
            errors.append(100 * abs(found.remainder - came) / float(by_year[2022].sum()))
            within.append(found.least <= came <= found.greatest)
        assert np.median(errors) <= bar
    assert np.mean(within) >= 0.8
