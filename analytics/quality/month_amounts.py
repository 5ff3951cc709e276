"""Add up the consumption of meters by calendar month. Pure.

Law: an amount is known only for a whole month whose readings bound the month; a month whose amount
was mostly distributed between distant readings is unknown.
"""

from collections.abc import Sequence
from datetime import date, timedelta
from typing import TYPE_CHECKING, Final

import msgspec
import numpy as np

from analytics.counters.consumption import zero_where_unknown
from analytics.figures.site_consumption import MeterConsumption

if TYPE_CHECKING:
    from numpy.typing import NDArray

#: Smallest share of a month for which consumption must be known.
_LEAST_BOUNDED: Final = 0.99
#: Greatest share of a month's consumption that may lie at the edges of distant readings.
_MAX_SPREAD: Final = 0.05


class MonthAmounts(msgspec.Struct, frozen=True):
    """Consumption by month.

    Attributes:
        months: first days of the whole months.
        amount: shape (meters, months) [kWh, m3 or GJ]; NaN if unknown.
    """

    months: tuple[date, ...]
    amount: "NDArray[np.float64]"


def month_amounts(metered: MeterConsumption, days: Sequence[date]) -> MonthAmounts:
    """Return the consumption of each register by whole calendar month within the days."""
    months, starts = whole_months(days)
    if not months:
        return MonthAmounts((), np.zeros((len(metered.meters), 0)))
    ends = [*starts[1:], _end_of(starts[-1], days)]
    columns = []
    for start, end in zip(starts, ends, strict=True):
        span = slice(start, end)
        amount = zero_where_unknown(metered.amount[:, span]).sum(axis=1)
        spread = zero_where_unknown(metered.spread_start[:, start])
        spread = spread + zero_where_unknown(metered.spread_end[:, end - 1])
        is_known = metered.bounded[:, span].mean(axis=1) >= _LEAST_BOUNDED
        is_known &= spread <= _MAX_SPREAD * np.abs(amount)
        columns.append(np.where(is_known, amount, np.nan))
    return MonthAmounts(months, np.array(columns).T)


def whole_months(days: Sequence[date]) -> tuple[tuple[date, ...], list[int]]:
    """Return the first days of the whole calendar months within days, and their indices."""
    starts = [
        number
        for number, day in enumerate(days)
        if day.day == 1 and _end_of(number, days) <= len(days)
    ]
    return tuple(days[number] for number in starts), starts


def _end_of(start: int, days: Sequence[date]) -> int:
    """Return the index after the last day of the month that begins at an index."""
    following = (days[start] + timedelta(days=31)).replace(day=1)
    return start + (following - days[start]).days


def month_sums(
    by_day: "NDArray[np.float64]", days: Sequence[date]
) -> "tuple[tuple[date, ...], NDArray[np.float64]]":
    """Return the sums of daily values by whole month, shape (months,); NaN if a day is unknown."""
    months, starts = whole_months(days)
    sums = [float(by_day[start : _end_of(start, days)].sum()) for start in starts]
    return months, np.array(sums)
