"""The usual load by hour of the week: by hand, with holidays, clock changes and missing hours."""

from datetime import date, datetime
from zoneinfo import ZoneInfo

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from analytics.profiles.known_quantiles import known_quantile
from analytics.profiles.week_profile import WeekProfile, week_profiles
from tests.analytics.alerts.signals.made_hours import made_hours

NAN = float("nan")
#: Four weeks without a public holiday, from a Monday on.
START, END = date(2025, 3, 3), date(2025, 3, 31)


def profile_of(values: tuple[float, ...], hour: int = 9) -> WeekProfile:
    """Return the profile of a meter with these values on four Mondays, and 5 at other times."""

    def amount(moment: datetime) -> float:
        is_wanted = moment.weekday() == 0 and moment.hour == hour
        return values[(moment.date() - START).days // 7] if is_wanted else 5.0

    (profile,) = week_profiles(made_hours(START, END, amount))
    return profile


def test_an_hour_of_the_week_has_its_median_and_the_ends_of_its_band() -> None:
    """Of 10, 20, 30, 40: the median lies half way, 10 % of three steps is 0.3 of a step."""
    found = profile_of((40.0, 10.0, 30.0, 20.0))
    assert found.median[0, 9] == 25.0
    assert found.low[0, 9] == pytest.approx(13.0)
    assert found.high[0, 9] == pytest.approx(37.0)
    assert found.count[0, 9] == 4
    assert found.median[0, 10] == found.median[1, 9] == 5.0


@pytest.mark.parametrize(("values", "median"), [((1, NAN, 3, 2), 2.0), ((1, NAN, NAN, 2), NAN)])
def test_an_hour_needs_three_measured_values(values: tuple[float, ...], median: float) -> None:
    np.testing.assert_equal(profile_of(values).median[0, 9], median)


def test_holidays_and_moved_working_days_are_left_out() -> None:
    """1 to 5 May 2025 were a holiday from Thursday on, and Sunday 27 April a working day."""
    odd = (*(date(2025, 5, day) for day in range(1, 6)), date(2025, 4, 27))
    hours = made_hours(
        date(2025, 4, 7), date(2025, 5, 12), lambda moment: 9.0 if moment.date() in odd else 1.0
    )
    (found,) = week_profiles(hours)
    assert np.nanmax(found.high) == 1.0
    assert (found.count[3, 12], found.count[5, 12], found.count[6, 12]) == (4, 4, 3)


def test_clock_changes_neither_shift_hours_nor_fail() -> None:
    """Each value is the hour of the clock. On 30 March 2025, London had no hour 1."""
    zone = ZoneInfo("Europe/London")
    hours = made_hours(date(2025, 3, 3), date(2025, 4, 7), lambda moment: float(moment.hour), zone)
    (found,) = week_profiles(hours)
    assert (found.median == np.arange(24)).all()
    assert found.count[6].tolist() == [5, 4] + [5] * 22


@given(
    st.lists(st.one_of(st.just(NAN), st.floats(-1e6, 1e6)), max_size=12),
    st.floats(0, 1),
)
def test_quantiles_are_those_of_numpy(values: list[float], share: float) -> None:
    row = np.array([values])
    known = row[np.isfinite(row)]
    expected = np.quantile(known, share) if len(known) else NAN
    np.testing.assert_allclose(known_quantile(row, share)[0], expected, atol=1e-6)
