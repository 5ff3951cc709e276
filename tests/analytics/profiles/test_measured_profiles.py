"""Profiles of measured buildings and water meters: values that an engineer would expect."""

from collections.abc import Mapping
from datetime import UTC, date, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import numpy as np
import pytest

from analytics.alerts.signals.night_and_idle import night_flow
from analytics.calendar.hour_grid import HourConsumption
from analytics.profiles.night_loads import days_off_share, leak_levels, night_base_load
from analytics.profiles.peak_loads import peak_loads
from analytics.profiles.week_profile import week_profiles
from tests.analytics.alerts.signals.made_hours import made_hours
from tests.e2e import measured as files


def hours_of(
    values: Mapping[datetime, float], start: date, end: date, zone: str
) -> HourConsumption:
    return made_hours(
        start, end, lambda moment: values.get(moment.astimezone(UTC), np.nan), ZoneInfo(zone)
    )


@pytest.mark.parametrize(
    ("building", "peak_kw", "base_kw"), [("b101", 145.1, 68.75), ("b5", 562.8, 209.2)]
)
def test_buildings_need_less_at_night_and_on_days_off(
    measured: Path, building: str, peak_kw: float, base_kw: float
) -> None:
    values = files.cambridge(measured, "electricity")[building]
    hours = hours_of(values, date(2022, 1, 1), date(2023, 1, 1), "Europe/London")
    peaks = peak_loads(hours.grid.edges_ms, hours.known)
    assert peaks.load[0] == pytest.approx(peak_kw)
    assert 0.4 < peaks.load_factor[0] < 0.7
    base, _ = night_base_load(night_flow(hours), hours.grid.is_workday)
    assert base[0] == pytest.approx(base_kw)
    assert 0.2 < days_off_share(hours)[0] < (~hours.grid.is_workday).mean()
    (week,) = week_profiles(hours)
    assert week.median[2, 11] > 1.5 * week.median[2, 3] > 1.3 * base[0]
    assert week.median[6, 11] < 1.1 * week.median[6, 3]


def test_water_that_is_drawn_in_one_night_is_not_in_the_leak_level(measured: Path) -> None:
    """In one night of March 2015, 468 litres an hour; in all others, about 1.5 drip on."""
    values = files.opengrid_water(measured)["b285"]
    hours = hours_of(values, date(2015, 3, 2), date(2015, 4, 1), "Europe/Brussels")
    least = night_flow(hours)
    level, _ = leak_levels(least)
    assert least[0, -10:].max() > 400
    assert level[0, -10:].max() < 1.6
