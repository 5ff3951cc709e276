"""The calendar of the People's Republic of China, and the climate of Huai'an."""

from datetime import date

import numpy as np
import pytest

from simulators.load.simulated_days import (
    FIRST_DAY,
    MONTHLY_MEAN_C,
    PresenceFile,
    SimulatedDays,
    simulate_days,
    years_with_unknown_holidays,
)
from simulators.serving.site_server import read_package_data


@pytest.fixture(scope="module")
def presence() -> PresenceFile:
    return read_package_data("presence.toml", PresenceFile)


@pytest.fixture(scope="module")
def span(presence: PresenceFile) -> SimulatedDays:
    return simulate_days(presence, 2026, seed=1, site="centre")


def _at(day: date) -> int:
    return (day - FIRST_DAY).days


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
    year: int, statutory: int
) -> None:
    """A mistyped date would break the sum: what is moved must be worked on another day."""
    plain = PresenceFile()  # 2020 without its duty rosters
    presence = simulate_days(plain, year, 1, "x").presence[_at(date(year, 1, 1)) :]
    dates = np.arange(np.datetime64(f"{year}-01-01"), np.datetime64(f"{year + 1}-01-01"))
    assert presence.sum() == np.is_busday(dates).sum() - statutory


@pytest.mark.parametrize(
    ("first", "last"),
    [
        (date(2019, 5, 1), date(2019, 5, 4)),  # made longer by a second notice
        (date(2020, 1, 24), date(2020, 2, 2)),  # 1 February was to be worked at first
        (date(2022, 12, 31), date(2023, 1, 2)),  # across the turn of the year
        (date(2023, 9, 29), date(2023, 10, 6)),
        (date(2024, 2, 10), date(2024, 2, 17)),
        (date(2025, 1, 28), date(2025, 2, 4)),  # with the eve, a day off since 2025
        (date(2025, 10, 1), date(2025, 10, 8)),
        (date(2026, 2, 15), date(2026, 2, 23)),
    ],
)
def test_nobody_works_on_holidays(span: SimulatedDays, first: date, last: date) -> None:
    """As the notices give them, both ends included."""
    assert not span.presence[_at(first) : _at(last) + 1].any()


@pytest.mark.parametrize(
    "day",
    [
        date(2020, 1, 19),
        date(2023, 1, 28),
        date(2023, 1, 29),
        date(2024, 2, 18),
        date(2025, 10, 11),
        date(2026, 2, 14),
        date(2026, 2, 28),
    ],
)
def test_a_moved_workday_is_worked_although_it_is_a_weekend(span: SimulatedDays, day: date) -> None:
    assert day.weekday() >= 5
    assert span.presence[_at(day)] == 1.0


@pytest.mark.parametrize(
    ("day", "worked"),
    [
        (date(2020, 2, 3), True),  # the first day after the longer festival, with few people
        (date(2024, 2, 9), True),  # the eve of 2024 was no day off
        (date(2025, 10, 9), True),
        (date(2026, 2, 13), True),
        (date(2026, 2, 24), True),
        (date(2026, 11, 22), False),  # a plain Sunday
        (date(2026, 11, 23), True),
    ],
)
def test_the_days_around_are_plain_ones(span: SimulatedDays, day: date, worked: bool) -> None:
    assert (span.presence[_at(day)] > 0) == worked


def test_the_offices_of_early_2020_were_half_empty(span: SimulatedDays) -> None:
    assert span.presence[_at(date(2020, 2, 3))] == 0.45
    assert span.presence[_at(date(2020, 2, 21))] == 0.45
    assert span.presence[_at(date(2020, 2, 24))] == 0.75
    assert span.presence[_at(date(2020, 3, 20))] == 0.75
    assert span.presence[_at(date(2020, 3, 23))] == 1.0
    assert span.presence[_at(date(2020, 2, 15))] == 0.0  # a Saturday stays one


def test_a_year_that_is_not_known_is_said() -> None:
    """The library begins with 2004, and the notice of a year comes in the November before."""
    assert years_with_unknown_holidays(range(2019, 2027)) == []
    assert years_with_unknown_holidays([2003, 2026, 2040]) == [2003, 2040]


def test_a_year_that_is_not_known_has_weekends_only(presence: PresenceFile) -> None:
    of_2040 = simulate_days(presence, 2040, seed=1, site="centre").presence[_at(date(2040, 1, 1)) :]
    assert len(of_2040) == 366
    assert of_2040[0] == 0.0  # a Sunday
    assert of_2040[1:7].tolist() == [1, 1, 1, 1, 1, 0]
    assert of_2040.sum() == 261  # 52 weeks of five, a Sunday and a Monday


def test_a_longer_span_changes_no_earlier_day(presence: PresenceFile, span: SimulatedDays) -> None:
    longer = simulate_days(presence, 2040, seed=1, site="centre")
    assert (longer.mean_c[: len(span.mean_c)] == span.mean_c).all()
    assert (longer.presence[: len(span.mean_c)] == span.presence).all()


def test_the_climate_is_that_of_huaian(span: SimulatedDays) -> None:
    """Over eight years, each month's mean is within 1.5 K of the climate's, the year's 0.5 K."""
    for month, mean in enumerate(MONTHLY_MEAN_C, 1):
        assert span.mean_c[span.month == month].mean() == pytest.approx(mean, abs=1.5)
    assert span.mean_c.mean() == pytest.approx(14.7, abs=0.5)
    assert span.mean_c.min() > -16
    assert span.mean_c.max() < 38


def test_weather_lasts_and_differs_by_seed(presence: PresenceFile, span: SimulatedDays) -> None:
    other = simulate_days(presence, 2026, seed=2, site="centre")
    assert not np.allclose(other.mean_c, span.mean_c)
    deviation = other.mean_c - span.mean_c  # without the climate
    assert 0.5 < np.corrcoef(deviation[1:], deviation[:-1])[0, 1] < 0.9
