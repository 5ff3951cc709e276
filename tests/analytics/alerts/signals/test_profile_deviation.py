"""An hour against the meter's own past: by hand, with holidays, clock changes and missing data."""

from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from analytics.alerts.signals.profile_deviation import PROFILE_DAYS, deviation
from tests.analytics.alerts.signals.made_hours import SHANGHAI, at_hour, made_hours

NAN = float("nan")
#: A Wednesday without holidays in the four weeks before.
DAY = date(2025, 3, 26)
START = DAY - timedelta(days=PROFILE_DAYS)


def found_at(hour: int, amount: float, past: tuple[float, ...]) -> float:
    """Return the deviation of an hour on `DAY`, with amounts on the four Wednesdays before."""
    wednesdays = {
        DAY - timedelta(days=7 * (4 - number)): value for number, value in enumerate(past)
    }

    def amounts(moment: datetime) -> float:
        if moment.hour != hour:
            return 10.0
        return {**wednesdays, DAY: amount}.get(moment.date(), 99.0)

    hours = made_hours(START, DAY + timedelta(days=1), amounts)
    moment = datetime(DAY.year, DAY.month, DAY.day, hour, tzinfo=SHANGHAI)
    return at_hour(hours, deviation(hours, PROFILE_DAYS), moment)


def test_an_hour_is_compared_with_the_median_of_this_hour_of_the_week() -> None:
    """The median of 8, 10, 10 and 12 is 10; other weekdays have 99 at that hour."""
    assert found_at(9, 30.0, (8.0, 10.0, 10.0, 12.0)) == 3.0
    assert found_at(9, 2.0, (8.0, 10.0, 10.0, 12.0)) == pytest.approx(0.2)


def test_one_odd_week_changes_neither_median_nor_spread_much() -> None:
    assert found_at(9, 30.0, (10.0, 10.0, 10.0, 500.0)) == 3.0


def test_consumption_within_the_spread_is_usual() -> None:
    """Distances of 4, 2, 2 and 4 from the median 10: spread 1.4826 x 3, three of them are 13.3."""
    past = (6.0, 8.0, 12.0, 14.0)
    assert found_at(9, 23.0, past) == 1.0
    assert found_at(9, 24.0, past) == pytest.approx(2.4)


@pytest.mark.parametrize(("known", "expected"), [(2, NAN), (3, 2.0)])
def test_a_profile_of_fewer_than_three_weeks_says_nothing(known: int, expected: float) -> None:
    past = (10.0,) * known + (NAN,) * (4 - known)
    np.testing.assert_equal(found_at(9, 20.0, past), expected)


def test_an_hour_that_is_not_fully_covered_is_unknown() -> None:
    assert np.isnan(found_at(9, NAN, (10.0,) * 4))


def test_nothing_at_night_is_compared_with_a_tenth_of_the_day() -> None:
    """23 hours of 10 and one of 0: the mean is 9.58, and 5 is 5.2 times a tenth of it."""
    assert found_at(3, 5.0, (0.0,) * 4) == pytest.approx(5 / (230 / 24 / 10))


def test_a_meter_that_counts_nothing_has_no_usual_consumption() -> None:
    hours = made_hours(START, DAY + timedelta(days=1), lambda _: 0.0)
    assert np.isnan(deviation(hours, PROFILE_DAYS)).all()


def office(moment: datetime) -> float:
    """Return 20 in the office hours of Mondays to Fridays, 2 otherwise, 2 on public holidays."""
    is_holiday = date(2025, 5, 1) <= moment.date() <= date(2025, 5, 5)
    works = (moment.weekday() < 5 or moment.date() == date(2025, 4, 27)) and not is_holiday
    return 20.0 if works and 8 <= moment.hour < 18 else 2.0


def test_a_holiday_is_compared_with_days_off_and_a_moved_workday_with_workdays() -> None:
    """1 May 2025 is a Thursday off, and Sunday 27 April 2025 is worked instead."""
    hours = made_hours(date(2025, 3, 20), date(2025, 5, 20), office)
    found = deviation(hours, PROFILE_DAYS)
    known = np.isfinite(found)
    assert known[0, PROFILE_DAYS * 24 :].all()
    assert (found[known] == 1.0).all()


def test_a_building_that_runs_on_a_holiday_is_seen() -> None:
    lit = made_hours(
        date(2025, 4, 3),
        date(2025, 5, 3),
        lambda one: 20.0 if one.date() == date(2025, 5, 1) and one.hour == 10 else office(one),
    )
    moment = datetime(2025, 5, 1, 10, tzinfo=SHANGHAI)
    assert at_hour(lit, deviation(lit, PROFILE_DAYS), moment) == 10.0


def test_hours_are_those_of_the_clock_where_it_is_changed() -> None:
    """Clocks went forward in Berlin on 30 March 2025: the office still begins at eight."""
    berlin = ZoneInfo("Europe/Berlin")
    hours = made_hours(
        date(2025, 2, 24),
        date(2025, 4, 5),
        lambda one: 20.0 if one.weekday() < 5 and 8 <= one.hour < 18 else 2.0,
        berlin,
    )
    found = deviation(hours, PROFILE_DAYS)
    is_wanted = hours.grid.day_numbers >= PROFILE_DAYS
    assert np.isfinite(found[0, is_wanted]).all()
    assert (found[0, is_wanted] == 1.0).all()


@settings(max_examples=20)
@given(st.integers(0, 23), st.floats(0, 1e6))
def test_no_later_hour_changes_the_deviation_of_an_hour(hour: int, later: float) -> None:
    """Only days before the day of the hour are its past."""
    end = DAY + timedelta(days=2)
    moment = datetime(DAY.year, DAY.month, DAY.day, hour, tzinfo=SHANGHAI)

    def amounts(of: datetime) -> float:
        if of > moment:
            return later
        return float(of.hour + of.day % 3)

    hours = made_hours(START, end, amounts)
    unchanged = made_hours(START, end, lambda of: float(of.hour + of.day % 3))
    np.testing.assert_equal(
        at_hour(hours, deviation(hours, PROFILE_DAYS), moment),
        at_hour(unchanged, deviation(unchanged, PROFILE_DAYS), moment),
    )
