"""Find the price period of each half hour: sharp, peak, flat, valley or deep valley.

Laws:

1. Hours are those of the local clock on the local day. On each of its days, a span over midnight
   counts as two spans: 22:00 to 02:00 covers 00:00 to 02:00 and 22:00 to 24:00.
2. Sharp and deep valley hours take precedence over peak, flat and valley hours.

Pure: schedules and days in, arrays out.
"""

from collections.abc import Sequence
from datetime import date
from typing import TYPE_CHECKING, Final

import numpy as np

from analytics.tariffs.tariff import DAY_TYPES, DayType, Schedule, Season
from jieneng.metering.quantities import PRICE_PERIODS, PricePeriod

if TYPE_CHECKING:
    from numpy.typing import NDArray

HALF_HOURS: Final = 48
FLAT: Final = PRICE_PERIODS.index("flat")
#: Price periods that take precedence over the other ones.
OVERRIDING: Final[tuple[PricePeriod, ...]] = ("sharp", "deep_valley")
_MINUTES: Final = 30


def period_table(schedule: Schedule) -> "NDArray[np.int8]":
    """Return the price period of each half hour, as an index of `PRICE_PERIODS`.

    Args:
        schedule: a schedule without mistakes.

    Returns:
        Shape (12, 3, 48): month, type of day as in `DAY_TYPES`, half hour.
    """
    table = np.full((12, len(DAY_TYPES), HALF_HOURS), FLAT, dtype=np.int8)
    ordered = sorted(PRICE_PERIODS, key=OVERRIDING.__contains__)
    for period in ordered:
        table[period_counts(schedule, period) > 0] = PRICE_PERIODS.index(period)
    return table


def period_counts(schedule: Schedule, period: PricePeriod) -> "NDArray[np.int64]":
    """Return how many spans give each half hour a price period, in shape (12, 3, 48)."""
    counts = np.zeros((12, len(DAY_TYPES), HALF_HOURS), dtype=np.int64)
    for season in schedule.season:
        months = [month - 1 for month in season.months or range(1, 13)]
        types = [DAY_TYPES.index(one) for one in season.days or DAY_TYPES]
        counts[np.ix_(months, types)] += _half_hour_counts(season, period)
    return counts


def _half_hour_counts(season: Season, period: PricePeriod) -> "NDArray[np.int64]":
    counts = np.zeros(HALF_HOURS, dtype=np.int64)
    for start, end in getattr(season, period):
        first, following = half_hour(start), half_hour(end)
        if first < following:
            counts[first:following] += 1
        else:
            counts[:following] += 1
            counts[first:] += 1
    return counts


def half_hour(clock_time: str) -> int:
    """Return the number of the half hour that begins at a time of day; 24:00 is 48."""
    return minutes_of_day(clock_time) // _MINUTES


def is_half_hour(clock_time: str) -> bool:
    """Return True if a half hour begins at a time of day."""
    return minutes_of_day(clock_time) % _MINUTES == 0


def minutes_of_day(clock_time: str) -> int:
    """Return the minutes from 00:00 to a time of day."""
    hour, minute = clock_time.split(":")
    return int(hour) * 60 + int(minute)


def has_half_hours(schedule: Schedule) -> bool:
    """Return True if a price period begins or ends at a half hour, and not at a full hour."""
    table = period_table(schedule)
    return bool((table[..., ::2] != table[..., 1::2]).any())


def day_periods(
    schedule: Schedule, days: Sequence[date], day_types: Sequence[DayType]
) -> "NDArray[np.int8]":
    """Return the price period of each half hour of local days, in shape (days, 48)."""
    months = [day.month - 1 for day in days]
    types = [DAY_TYPES.index(one) for one in day_types]
    return period_table(schedule)[months, types]
