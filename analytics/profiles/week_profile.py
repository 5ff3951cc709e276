"""Compute the usual load in each hour of the week. Pure.

Laws:

1. An hour of the week is a weekday and an hour of the local clock. Its values are the mean loads of
   the measured hours at this time.
2. Public holidays, also those on weekends, and working days that were moved to a weekend are left
   out. They are unlike other days of their weekday.
3. An hour of the week with fewer than three values is unknown.
"""

from typing import TYPE_CHECKING, Final

import msgspec
import numpy as np

from analytics.calendar.hour_grid import HOUR_MS, HourConsumption
from analytics.profiles.known_quantiles import known_quantile

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from analytics.calendar.hour_grid import HourGrid

#: Shares of the values below the ends of the band.
_LOW: Final = 0.1
_HIGH: Final = 0.9
_FEWEST_VALUES: Final = 3
_SATURDAY: Final = 5
_DAYS: Final = 7
_HOURS: Final = 24


class WeekProfile(msgspec.Struct, frozen=True):
    """The usual load in each hour of the week, in arrays of shape (7, 24), from Monday 0:00.

    Attributes:
        low: load that nine of ten values exceed [kW or m3/h]; NaN if unknown.
        median: load that half of the values exceed; NaN if unknown.
        high: load that one of ten values exceeds; NaN if unknown.
        count: number of values.
    """

    low: "NDArray[np.float64]"
    median: "NDArray[np.float64]"
    high: "NDArray[np.float64]"
    count: "NDArray[np.int64]"


def week_profiles(hours: HourConsumption) -> list[WeekProfile]:
    """Return the profile of each row.

    Args:
        hours: consumption by hour [kWh or m3], with coverage 0 where it was not measured.
    """
    grid, loads = hours.grid, hour_loads(hours)
    weekdays = np.array([day.weekday() for day in grid.days], dtype=np.int64)
    is_regular = (grid.is_workday == (weekdays < _SATURDAY)) & ~grid.is_holiday
    by_day = np.full((len(loads), len(grid.days), _HOURS), np.nan)
    # When clocks go back, an hour of the clock occurs twice on a day, and the second one counts.
    by_day[:, grid.day_numbers, grid.clock_hours] = loads
    shape = (len(loads), _DAYS, _HOURS)
    low, median, high = np.full((3, *shape), np.nan)
    count = np.zeros(shape, dtype=np.int64)
    for weekday in range(_DAYS):
        values = by_day[:, is_regular & (weekdays == weekday)].swapaxes(1, 2)
        count[:, weekday] = np.isfinite(values).sum(axis=-1)
        for column, share in ((low, _LOW), (median, 0.5), (high, _HIGH)):
            quantile = known_quantile(values, share)
            column[:, weekday] = np.where(count[:, weekday] < _FEWEST_VALUES, np.nan, quantile)
    return [WeekProfile(*row) for row in zip(low, median, high, count, strict=True)]


def hour_loads(hours: HourConsumption) -> "NDArray[np.float64]":
    """Return the mean load of each measured hour, NaN for others, shape (m, h) [kW or m3/h]."""
    loads: NDArray[np.float64] = hours.known / hours_long(hours.grid)
    return loads


def hours_long(grid: "HourGrid") -> "NDArray[np.float64]":
    """Return the length of each hour of a grid, shape (h,) [h]; a clock change may shorten it."""
    length: NDArray[np.float64] = np.diff(grid.edges_ms) / HOUR_MS
    return length
