"""The calendar of the People's Republic of China, and the climate of Huai'an."""

from datetime import date

import numpy as np
import pytest

from simulators.days import FIRST, MONTHLY_MEAN_C, Days, Holidays, days, unknown_years
from simulators.fleet import packaged


@pytest.fixture(scope="module")
def holidays() -> Holidays:
    return packaged("holidays.toml", Holidays)


@pytest.fixture(scope="module")
def span(holidays: Holidays) -> Days:
    return days(holidays, 2026, seed=1, site="centre")


def _at(day: date) -> int:
    return (day - FIRST).days


# Statutory days off a year: 11, and 13 since 2025; 2020 had two more, by the second notice.
@pytest.mark.parametrize(
    ("year", "statutory"),
    [
        (2019, 11),
        (2020, 13),
        (2021, 11),
        (2022, 11),
        (2023, 11),
        (2024, 11),
        (2025, 13),
        (2026, 13),
    ],
)
def test_moved_days_are_worked_elsewhere_so_only_statutory_ones_are_lost(
    holidays: Holidays, year: int, statutory: int
) -> None:
    """A mistyped date would break the sum: what is moved must be worked on another day."""
    plain = Holidays(holidays.year)  # 2020 without its duty rosters
    presence = days(plain, year, 1, "x").presence[_at(date(year, 1, 1)) :]
    dates = np.arange(np.datetime64(f"{year}-01-01"), np.datetime64(f"{year + 1}-01-01"))
    assert presence.sum() == np.is_busday(dates).sum() - statutory


@pytest.mark.parametrize(
    ("day", "worked"),
    [
        (date(2020, 2, 1), False),  # announced as worked, taken back by the second notice
        (date(2020, 1, 19), True),  # a Sunday
        (date(2022, 12, 31), False),
        (date(2023, 6, 23), False),
        (date(2024, 2, 18), True),  # a Sunday
        (date(2024, 2, 9), True),  # the eve of 2024 was no day off
        (date(2025, 1, 28), False),  # that of 2025 was
        (date(2026, 2, 14), True),  # a Saturday
        (date(2026, 11, 23), True),
        (date(2026, 11, 22), False),
    ],
)
def test_days_that_people_remember(span: Days, day: date, worked: bool) -> None:
    assert (span.presence[_at(day)] > 0) == worked


def test_the_offices_of_early_2020_were_half_empty(span: Days) -> None:
    assert span.presence[_at(date(2020, 2, 10))] == 0.45
    assert span.presence[_at(date(2020, 3, 10))] == 0.75
    assert span.presence[_at(date(2020, 3, 23))] == 1.0
    assert span.presence[_at(date(2020, 2, 15))] == 0.0  # a Saturday stays one


def test_a_year_that_is_not_known_is_said(holidays: Holidays) -> None:
    assert unknown_years(holidays, range(2018, 2029)) == [2018, 2027, 2028]


def test_a_longer_span_changes_no_earlier_day(holidays: Holidays, span: Days) -> None:
    longer = days(holidays, 2040, seed=1, site="centre")
    assert (longer.mean_c[: len(span.mean_c)] == span.mean_c).all()
    assert (longer.presence[: len(span.mean_c)] == span.presence).all()


def test_the_climate_is_that_of_huaian(span: Days) -> None:
    """Over eight years, each month's mean is within 1.5 K of the climate's, the year's 0.5 K."""
    for month, mean in enumerate(MONTHLY_MEAN_C, 1):
        assert span.mean_c[span.month == month].mean() == pytest.approx(mean, abs=1.5)
    assert span.mean_c.mean() == pytest.approx(14.7, abs=0.5)
    assert span.mean_c.min() > -16
    assert span.mean_c.max() < 38


def test_weather_lasts_and_differs_by_seed(holidays: Holidays, span: Days) -> None:
    other = days(holidays, 2026, seed=2, site="centre")
    assert not np.allclose(other.mean_c, span.mean_c)
    deviation = other.mean_c - span.mean_c  # without the climate
    assert 0.5 < np.corrcoef(deviation[1:], deviation[:-1])[0, 1] < 0.9
