"""Compare the consumption of an hour with the past consumption of the same meter. Pure.

Laws:

1. The usual consumption of an hour is the median of the same hour on the same weekday of the four
   weeks before the day, without public holidays. On a holiday, it is the median of that hour on all
   days off of these weeks; on a working day at a weekend, the median of that hour on all working
   days.
2. The usual consumption is unknown if fewer than three of these hours are fully covered.
3. Consumption within three spreads of the median is usual: its deviation is 1. The spread is the
   median distance from the median, either of this hour or of the whole day, whichever is greater.
4. Only days before the day of an hour enter into the usual consumption of the hour.
"""

from typing import TYPE_CHECKING, Final

import numpy as np

from analytics.calendar.hour_grid import HourConsumption, HourGrid

if TYPE_CHECKING:
    from numpy.typing import NDArray

#: Length of the past with which an hour is compared [days].
PROFILE_DAYS: Final = 28
_FEWEST_HOURS: Final = 3
_USUAL_SPREADS: Final = 3.0
#: Factor from the median distance to the standard deviation of a normal distribution.
_SPREAD_OF_DISTANCE: Final = 1.4826
#: Usual consumption of an hour is taken as at least this share of the mean of its day: at night a
#: meter may count 0, and consumption can't be stated as a multiple of 0.
_LEAST_SHARE: Final = 0.1
_SATURDAY: Final = 5


def deviation(hours: HourConsumption, first_day: int) -> "NDArray[np.float64]":
    """Return consumption by hour, as a multiple of usual consumption, shape (m, h) [times].

    Args:
        hours: consumption of the wanted days, and of `PROFILE_DAYS` before them.
        first_day: number of the first wanted day; earlier hours are NaN.
    """
    grid = hours.grid
    table = _by_day(hours)
    found = np.full(hours.amounts.shape, np.nan)
    for day in range(first_day, len(grid.days)):
        past = _days_alike(grid, day)
        if len(past) < _FEWEST_HOURS:
            continue
        usual, spread = _usual(table[:, past])
        is_hour = grid.day_numbers == day
        clock = grid.clock_hours[is_hour]
        found[:, is_hour] = _times_usual(hours.known[:, is_hour], usual[:, clock], spread[:, clock])
    return found


def _by_day(hours: HourConsumption) -> "NDArray[np.float64]":
    """Return the known consumption by day and hour of the clock, shape (m, days, 24).

    When clocks go back, an hour of the clock occurs twice, and the second one counts. When clocks
    go forward, the skipped hour is unknown.
    """
    grid = hours.grid
    table = np.full((len(hours.amounts), len(grid.days), 24), np.nan)
    table[:, grid.day_numbers, grid.clock_hours] = hours.known
    return table


def _days_alike(grid: HourGrid, day: int) -> "NDArray[np.int64]":
    """Return the numbers of the past days with which a day is compared (law 1)."""
    past = np.arange(max(day - PROFILE_DAYS, 0), day)
    weekdays = np.array([grid.days[number].weekday() for number in past.tolist()], dtype=np.int64)
    is_regular = grid.is_workday[past] == (weekdays < _SATURDAY)
    weekday = grid.days[day].weekday()
    if grid.is_workday[day] == (weekday < _SATURDAY):
        return np.compress(is_regular & (weekdays == weekday), past)
    return np.compress(grid.is_workday[past] == grid.is_workday[day], past)


def _usual(
    past: "NDArray[np.float64]",
) -> "tuple[NDArray[np.float64], NDArray[np.float64]]":
    """Return median and spread of each hour of the clock, shape (m, 24) each.

    Args:
        past: consumption of the past days, shape (m, days, 24).
    """
    usual = np.where(np.isfinite(past).sum(axis=1) >= _FEWEST_HOURS, _median(past), np.nan)
    distance = np.abs(past - usual[:, None])
    of_hour = _median(distance)
    relative = distance / np.maximum(usual[:, None], 1e-12)
    of_day = _median(relative.reshape(len(past), -1, 1)) * usual
    return usual, _SPREAD_OF_DISTANCE * np.fmax(of_hour, of_day)


def _times_usual(
    amounts: "NDArray[np.float64]",
    usual: "NDArray[np.float64]",
    spread: "NDArray[np.float64]",
) -> "NDArray[np.float64]":
    """Return amounts as multiples of usual amounts; 1 for an amount within the spread (law 3)."""
    known = np.isfinite(usual)
    mean = np.where(known, usual, 0.0).sum(axis=1) / np.maximum(known.sum(axis=1), 1)
    least = np.maximum(usual, _LEAST_SHARE * mean[:, None])
    times = np.divide(amounts, least, out=np.full(amounts.shape, np.nan), where=least > 0)
    is_usual = np.abs(amounts - usual) <= _USUAL_SPREADS * spread
    found: NDArray[np.float64] = np.where(is_usual & np.isfinite(times), 1.0, times)
    return found


def _median(values: "NDArray[np.float64]") -> "NDArray[np.float64]":
    """Return the median of the known values along axis 1; NaN where none is known."""
    by_size = np.sort(values, axis=1)  # sorting puts NaN last
    count = np.isfinite(values).sum(axis=1, keepdims=True)
    low = np.take_along_axis(by_size, np.maximum(count - 1, 0) // 2, axis=1)
    high = np.take_along_axis(by_size, count // 2 * (count > 0), axis=1)
    found: NDArray[np.float64] = ((low + high) / 2)[:, 0]
    return found
