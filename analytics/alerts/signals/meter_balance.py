"""Compare a meter with the meters below it. Pure."""

from typing import TYPE_CHECKING, Final

import msgspec
import numpy as np

from analytics.calendar.hour_grid import FULL

if TYPE_CHECKING:
    from numpy.typing import NDArray

#: Number of days over which meters are compared: on a single Sunday the load is so small that the
#: errors of the meters are a large share of the load.
BALANCE_DAYS: Final = 3
#: Greatest share of the consumption that may have been spread over the ends of the days. Meters
#: that are read every hour spread at most half an hour over each end: 1.4 % of three days.
_MAX_SPREAD: Final = 0.02


class DayBalance(msgspec.Struct, frozen=True):
    """Consumption by day of meters, and the rest of it that no meter below measures.

    Attributes:
        amounts: consumption of each meter, shape (m, d) [kWh, m3 or GJ]; NaN where unknown.
        rests: rest of each meter, as `balance_consumption` computes it, shape (m, d).
        coverage: coverage of consumption or rest, whichever is less, shape (m, d), 0 to 1.
        bounded: share of the day that lies between readings, of consumption or rest, whichever is
            less, shape (m, d), 0 to 1.
        spread_start: consumption of all meters that was spread over the start of the day, (m, d).
        spread_end: consumption of all meters that was spread over the end of the day, (m, d).
    """

    amounts: "NDArray[np.float64]"
    rests: "NDArray[np.float64]"
    coverage: "NDArray[np.float64]"
    bounded: "NDArray[np.float64]"
    spread_start: "NDArray[np.float64]"
    spread_end: "NDArray[np.float64]"


def imbalance(days: DayBalance) -> "NDArray[np.float64]":
    """Return the rest of each meter over three days, as a share of the meter, shape (m, d) [%].

    The rest is negative if the meters below count more than the meter above. The share is unknown
    unless all meters were read throughout the three days and close to their midnights: if a meter
    is read once a month, its consumption in three days is only an average of the month. The share
    is also unknown while the meter above counts nothing.
    """
    is_known = (days.coverage >= FULL) & (days.bounded >= FULL) & np.isfinite(days.rests)
    amount = _trailing_sum(np.where(is_known, days.amounts, np.nan))
    rest = _trailing_sum(np.where(is_known, days.rests, np.nan))
    spread = days.spread_end.copy()
    spread[:, BALANCE_DAYS - 1 :] += days.spread_start[:, : 1 - BALANCE_DAYS]
    is_sharp = (amount > 0) & (spread <= _MAX_SPREAD * amount)
    found: NDArray[np.float64] = np.divide(
        100.0 * rest, amount, out=np.full(amount.shape, np.nan), where=is_sharp
    )
    return found


def _trailing_sum(values: "NDArray[np.float64]") -> "NDArray[np.float64]":
    """Return the sum of each day and the days before it, shape (m, d); NaN where one is unknown."""
    found = np.full(values.shape, np.nan)
    if values.shape[1] >= BALANCE_DAYS:
        windows = np.lib.stride_tricks.sliding_window_view(values, BALANCE_DAYS, axis=1)
        found[:, BALANCE_DAYS - 1 :] = windows.sum(axis=-1)
    return found
